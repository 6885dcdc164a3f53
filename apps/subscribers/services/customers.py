"""Customers' cards, and numbers for those who come without one."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F, Model

from apps.kernel.errors import InvalidInputs, NotFound
from apps.subscribers.domain.cards import problems_with_card
from apps.subscribers.models import Customer, NumberSeries, PaymentCard, Subscriber

_PREFIX = {"customer": "C", "subscriber": "S"}
_MODELS: dict[str, type[Model]] = {"customer": Customer, "subscriber": Subscriber}


@transaction.atomic
def next_number(tenant_id: int, kind: str) -> str:
    """A number that no customer or subscriber (``kind``) of the tenant has: ``C00000001``, ``S00000001``, …

    Given out once; a number whose use fails is skipped, so that no transaction waits for another.
    """
    series = NumberSeries.objects.filter(tenant_id=tenant_id, kind=kind)
    while True:
        # The first statement locks the row for good: who reads before writing meets others who have read.
        if not series.update(last=F("last") + 1):
            NumberSeries.objects.bulk_create(
                [NumberSeries(tenant_id=tenant_id, kind=kind)], ignore_conflicts=True
            )
            continue
        number = f"{_PREFIX[kind]}{series.values_list('last', flat=True).get():08d}"
        if not _MODELS[kind]._default_manager.filter(tenant_id=tenant_id, number=number).exists():
            return number


@transaction.atomic
def set_card(
    customer_id: int,
    *,
    token: str,
    now: datetime,
    brand: str = "",
    last_four: str = "",
    expiry_month: int = 0,
    expiry_year: int = 0,
    holder: str = "",
) -> PaymentCard:
    """Keep a customer's card in place of the former one.

    Raises InvalidInputs (a card's own number in place of a token: code card_number_refused), NotFound.
    """
    problems = problems_with_card(token, last_four, expiry_month, expiry_year, holder, now.date())
    if problems:
        raise InvalidInputs(problems)
    if not Customer.objects.select_for_update().filter(pk=customer_id).exists():
        raise NotFound(f"there is no customer {customer_id}")
    card, _ = PaymentCard.objects.update_or_create(
        customer_id=customer_id,
        defaults={
            "token": token,
            "brand": brand[:20],
            "last_four": last_four,
            "expiry_month": expiry_month or None,
            "expiry_year": expiry_year or None,
            "holder": holder[:120],
            "added_at": now,
        },
    )
    return card


@transaction.atomic
def remove_card(customer_id: int) -> bool:
    """Forget a customer's card; whether there was one."""
    deleted, _ = PaymentCard.objects.filter(customer_id=customer_id).delete()
    return bool(deleted)
