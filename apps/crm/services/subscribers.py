"""The life of a subscriber as the CRM drives it; every call is one transaction, for one tenant."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from apps.billing.models import Activity
from apps.billing.services.onboarding import onboard
from apps.crm.domain.subscribers import NewSubscriber, SubscriberChange, SubscriberView, Terminated
from apps.crm.selectors.subscribers import get_subscriber, own_subscriber
from apps.crm.selectors.tenants import tenant_of
from apps.crm.services.new_subscriber import found_by_onboarding, line_of
from apps.crm.services.subscriber_changes import change_subscriber
from apps.crm.services.transactions import one_transaction
from apps.kernel.errors import Conflict, InvalidInputs
from apps.subscribers.models import Customer, Resource, Subscriber
from apps.subscribers.services import lifecycle
from apps.subscribers.services.customers import set_card


@one_transaction
def create_subscriber(tenant: str, new: NewSubscriber, *, now: datetime, by: str = "") -> SubscriberView:
    """Create a subscriber with customer, account, numbers, address, card, plan, opening balance and cycle, or nothing.

    Raises InvalidInputs whose problems are placed by field (``msisdn``, ``price_plan``, ``customer.name``,
    ``card.token``, …), or Conflict (code already_exists: the subscriber's number; not_free: a number or device is in
    use).
    """
    owner = tenant_of(tenant)
    line = line_of(owner, new, now)
    known = Customer.objects.filter(tenant_id=owner.id, number=line.customer_number).exists()
    try:
        with transaction.atomic():
            onboard([line], now)
    except InvalidInputs as error:
        raise found_by_onboarding(error) from error
    except IntegrityError as error:
        raise Conflict(
            "the subscriber, or one of its numbers, was created by another request at this moment",
            code="already_exists",
        ) from error
    subscriber = Subscriber.objects.select_related("customer").get(
        tenant_id=owner.id, number=line.subscriber_number
    )
    if new.name:
        subscriber.name = new.name
        subscriber.save(update_fields=["name"])
    if not known:
        _complete(subscriber.customer, new)
    if new.card is not None:
        set_card(subscriber.customer_id, now=now, **new.card._asdict())
    return get_subscriber(tenant, subscriber_id=subscriber.pk, now=now)


@one_transaction
def modify_subscriber(
    tenant: str, subscriber_id: int, change: SubscriberChange, *, now: datetime, by: str = ""
) -> SubscriberView:
    """Change the given fields and nothing else, all or none of them.

    Raises NotFound, InvalidInputs (problems by field), Conflict (terminated, retired plan, a later plan assignment,
    number not free, bundle held already).
    """
    change_subscriber(tenant_of(tenant), own_subscriber(tenant, subscriber_id), change, now)
    return get_subscriber(tenant, subscriber_id=subscriber_id, now=now)


@one_transaction
def suspend_subscriber(tenant: str, subscriber_id: int, *, now: datetime, by: str = "") -> SubscriberView:
    """Stop service: the next request for credit is refused, live sessions are ended (ASR) within seconds.

    Raises NotFound, Conflict (code wrong_status: not active).
    """
    lifecycle.suspend_subscriber(own_subscriber(tenant, subscriber_id).pk, now)
    return get_subscriber(tenant, subscriber_id=subscriber_id, now=now)


@one_transaction
def reactivate_subscriber(tenant: str, subscriber_id: int, *, now: datetime, by: str = "") -> SubscriberView:
    """End a suspension. Raises NotFound, Conflict (code wrong_status: not suspended)."""
    lifecycle.reactivate_subscriber(own_subscriber(tenant, subscriber_id).pk, now)
    return get_subscriber(tenant, subscriber_id=subscriber_id, now=now)


@one_transaction
def terminate_subscriber(tenant: str, subscriber_id: int, *, now: datetime, by: str = "") -> Terminated:
    """End a subscriber for good: live sessions end, plans and bundles end, numbers and devices go into quarantine.

    The last one on an account closes it, and a last bill up to this moment is queued as an activity.
    Raises NotFound, Conflict (code terminated).
    """
    subscriber = own_subscriber(tenant, subscriber_id)
    held = list(
        Resource.objects.filter(assignments__subscriber=subscriber, assignments__end=None)
        .order_by("kind", "value")
        .values_list("value", flat=True)
    )
    newest = Activity.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    lifecycle.terminate_subscriber(subscriber.pk, now)
    account_id = _account_id(subscriber)
    queued = Activity.objects.filter(pk__gt=newest, type=Activity.Type.SINGLE_BILLING).order_by("pk")
    last_bill = next((one for one in queued if one.parameters.account_id == account_id), None)
    if last_bill is not None and by:
        last_bill.queued_by = by[:150]
        last_bill.save(update_fields=["queued_by"])
    return Terminated(
        get_subscriber(tenant, subscriber_id=subscriber_id, now=now),
        tuple(held),
        last_bill.pk if last_bill is not None else 0,
    )


def _account_id(subscriber: Subscriber) -> int:
    payer = getattr(subscriber, "payer", None)
    return payer.account_id if payer is not None else 0


def _complete(customer: Customer, new: NewSubscriber) -> None:
    """What onboarding's lines do not carry."""
    values = {
        "phone": new.customer.phone,
        "tax_number": new.customer.tax_number,
        "address_line2": new.address.address_line2,
        "region": new.address.region,
    }
    given = {name: value for name, value in values.items() if value}
    if given:
        for name, value in given.items():
            setattr(customer, name, value)
        customer.save(update_fields=list(given))
