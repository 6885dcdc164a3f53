"""Changing a subscriber: contact data, card, plan, bundles, cycle, numbers; inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.billing.models import BillCycle, BillingAccount
from apps.billing.services.cycles import join_cycle, move_account
from apps.charging.models import Payer
from apps.crm.domain.subscribers import Address, SubscriberChange
from apps.crm.selectors.subscribers import plain_msisdn
from apps.crm.selectors.tenants import TenantInfo
from apps.crm.services.new_subscriber import problem_of_email, problems_of_address
from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs, NotFound, Problem
from apps.rating.models import Bundle, PricePlan
from apps.subscribers.domain.numbers import problem_with_resource
from apps.subscribers.models import Customer, Resource, Subscriber
from apps.subscribers.services.assignments import (
    assign_bundle,
    assign_plan,
    assign_resource,
    end_bundle,
    release_resource,
)
from apps.subscribers.services.customers import remove_card, set_card

# Field of the change → column of the customer.
_CUSTOMER = {
    "customer_name": "name",
    "customer_kind": "kind",
    "email": "email",
    "phone": "phone",
    "tax_number": "tax_number",
    "locale": "locale",
    "street": "street",
    "address_line2": "address_line2",
    "postcode": "postcode",
    "city": "city",
    "region": "region",
    "country": "country",
}
_NUMBERS = (
    (Resource.Kind.MSISDN, "msisdn"),
    (Resource.Kind.IMSI, "imsi"),
    (Resource.Kind.HANDSET, "handset"),
)


def change_subscriber(
    tenant: TenantInfo, subscriber: Subscriber, change: SubscriberChange, now: datetime
) -> None:
    """Apply the change; raises InvalidInputs, NotFound or Conflict, and the caller's transaction ends."""
    if subscriber.status == Subscriber.Status.TERMINATED and _needs_a_living_one(change):
        raise Conflict(f"subscriber {subscriber} is terminated", code="terminated")
    problems = list(_problems(change))
    if problems:
        raise InvalidInputs(problems)
    if change.name is not None:
        subscriber.name = change.name
        subscriber.save(update_fields=["name"])
    _change_customer(subscriber, change, now)
    _change_products(tenant, subscriber, change, now)
    if change.cycle is not None:
        with _placed("cycle"):
            _move(tenant, subscriber, change.cycle, now)
    for kind, field in _NUMBERS:
        value = getattr(change, field)
        if value is not None:
            with _placed(field):
                _change_number(tenant, subscriber, kind, value, now)


def _needs_a_living_one(change: SubscriberChange) -> bool:
    return bool(
        change.price_plan_id
        or change.price_plan
        or change.add_bundles
        or change.end_bundles
        or change.cycle
        or change.msisdn
        or change.imsi
        or change.handset
    )


def _problems(change: SubscriberChange) -> Iterator[Problem]:
    for field, column in (*_CUSTOMER.items(), ("name", "name")):
        value = getattr(change, field)
        longest = getattr(Customer._meta.get_field(column), "max_length", None)
        if value is not None and longest is not None and len(value) > longest:
            yield Problem(field, f"at most {longest} characters")
    if change.customer_name is not None and not change.customer_name.strip():
        yield Problem("customer_name", "must not be empty")
    if change.customer_kind is not None and change.customer_kind not in Customer.Kind.values:
        yield Problem("customer_kind", f"“{change.customer_kind}” is not person or company")
    if change.email and (wrong := problem_of_email(change.email)):
        yield Problem("email", wrong)
    if change.country and len(change.country) <= 2:
        for found in problems_of_address(Address(country=change.country)):
            yield Problem("country", found.message)
    if change.card is not None and change.remove_card:
        yield Problem("remove_card", "give a card or have it removed, not both")
    if change.msisdn is not None and not change.msisdn.strip():
        yield Problem("msisdn", "a subscriber cannot be without one; terminate it instead")
    for _, field in _NUMBERS:
        value = getattr(change, field)
        plain = plain_msisdn(value) if value and field == "msisdn" else value
        if plain and (wrong_number := problem_with_resource(field, plain)):
            yield Problem(field, wrong_number)


def _change_customer(subscriber: Subscriber, change: SubscriberChange, now: datetime) -> None:
    given = {
        column: getattr(change, field)
        for field, column in _CUSTOMER.items()
        if getattr(change, field) is not None
    }
    if given:
        customer = Customer.objects.select_for_update().get(pk=subscriber.customer_id)
        for column, value in given.items():
            setattr(customer, column, value.strip())
        customer.save(update_fields=list(given))
    if change.card is not None:
        try:
            set_card(subscriber.customer_id, now=now, **change.card._asdict())
        except InvalidInputs as error:
            raise InvalidInputs(
                [Problem(f"card.{found.where}", found.message, found.code) for found in error.problems]
            ) from error
    elif change.remove_card:
        remove_card(subscriber.customer_id)


def _change_products(
    tenant: TenantInfo, subscriber: Subscriber, change: SubscriberChange, now: datetime
) -> None:
    if change.price_plan_id or change.price_plan:
        start = change.plan_from or now
        with _placed("price_plan"):
            plans = PricePlan.objects.filter(tenant_id=tenant.id)
            if change.price_plan_id:
                plans = plans.filter(pk=change.price_plan_id)
            if change.price_plan:
                plans = plans.filter(code=change.price_plan)
            plan = plans.first()
            if plan is None:
                name = f"“{change.price_plan}”" if change.price_plan else str(change.price_plan_id)
                raise NotFound(f"there is no price plan {name}")
            _same_currency(subscriber, plan)
            _not_in_the_past(start, now, "plan_from")
            assign_plan(subscriber.pk, plan.pk, start)
    at = change.bundles_from or now
    if change.add_bundles or change.end_bundles:
        _not_in_the_past(at, now, "bundles_from")
    for code in change.end_bundles:
        with _placed("end_bundles"):
            held = subscriber.bundles.filter(
                Q(end__isnull=True) | Q(end__gt=at), bundle__tenant_id=tenant.id, bundle__code=code
            ).first()
            if held is None:
                raise NotFound(f"the subscriber has no bundle “{code}” then")
            end_bundle(held.pk, at)
    for code in change.add_bundles:
        with _placed("add_bundles"):
            bundle = Bundle.objects.filter(tenant_id=tenant.id, code=code).first()
            if bundle is None:
                raise NotFound(f"there is no bundle “{code}”")
            _same_currency(subscriber, bundle)
            assign_bundle(subscriber.pk, bundle.pk, at)


def _not_in_the_past(at: datetime, now: datetime, where: str) -> None:
    """Earlier usage is already rated, by the plan that held then."""
    if at < now:
        raise InvalidInput("must not be in the past", where=where)


def _same_currency(subscriber: Subscriber, product: PricePlan | Bundle) -> None:
    payer = Payer.objects.select_related("account").filter(pk=subscriber.pk).first()
    if payer is not None and payer.account.currency != product.currency:
        raise InvalidInput(
            f"“{product.code}” is in {product.currency}, account {payer.account} in {payer.account.currency}"
        )


def _move(tenant: TenantInfo, subscriber: Subscriber, number: int, now: datetime) -> None:
    cycle = BillCycle.objects.filter(tenant_id=tenant.id, number=number).first()
    if cycle is None:
        raise NotFound(f"there is no bill cycle {number}")
    account_id = Payer.objects.filter(pk=subscriber.pk).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound(f"no account pays for subscriber {subscriber}")
    if BillingAccount.objects.filter(pk=account_id).exists():
        move_account(account_id, cycle.pk)
    else:
        join_cycle(account_id, cycle.pk, now)


def _change_number(tenant: TenantInfo, subscriber: Subscriber, kind: str, value: str, now: datetime) -> None:
    value = plain_msisdn(value) if kind == Resource.Kind.MSISDN else value.strip()
    held = subscriber.resources.select_related("resource").filter(resource__kind=kind, end=None)
    if value and any(row.resource.value == value for row in held):
        return
    for row in held:
        release_resource(row.pk, now)
    if not value:
        return
    resource = Resource.objects.filter(kind=kind, value=value).first()
    if resource is None:
        try:
            with transaction.atomic():
                resource = Resource.objects.create(tenant_id=tenant.id, kind=kind, value=value)
        except IntegrityError:
            resource = Resource.objects.get(kind=kind, value=value)
    if resource.tenant_id != tenant.id:
        raise Conflict(f"{resource} is not free", code="not_free")
    assign_resource(subscriber.pk, resource.pk, now)


class _placed:  # noqa: N801 - reads as a word
    """What goes wrong within says which field it was about, unless it says so itself."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BssError) and not error.where:
            error.where = self.where
