"""Subscribers to and from their messages."""

from __future__ import annotations

from typing import Any

from apps.crm.domain.accounts import DEFAULT_BALANCE
from apps.crm.domain.subscribers import (
    Address,
    BundleHeld,
    Card,
    CustomerDetails,
    NewSubscriber,
    PlanHeld,
    SubscriberView,
)
from apps.crmapi.grpc.servicers.values import (
    collected,
    instant_of,
    micros_of,
    not_negative,
    seconds,
    texts,
    units,
)
from apps.kernel.currencies import LETTERS_OF, NUMBER_OF
from apps.kernel.errors import InvalidInput
from apps.mediation.pb import billing_pb2

STATUS_OF = {
    "active": billing_pb2.SUBSCRIBER_STATUS_ACTIVE,
    "suspended": billing_pb2.SUBSCRIBER_STATUS_SUSPENDED,
    "terminated": billing_pb2.SUBSCRIBER_STATUS_TERMINATED,
}
STATUS_NAMES = {number: name for name, number in STATUS_OF.items()} | {0: ""}
MODE_OF = {"prepaid": billing_pb2.PAYMENT_MODE_PREPAID, "postpaid": billing_pb2.PAYMENT_MODE_POSTPAID}
MODE_NAMES = {number: name for name, number in MODE_OF.items()} | {0: ""}


def subscriber_message(view: SubscriberView) -> billing_pb2.Subscriber:
    """The message of a subscriber. Its parts are given as dicts: a part that is a message would be copied."""
    customer, address, card, plan = view.customer, view.address, view.card, view.plan
    message = billing_pb2.Subscriber(
        id=view.id,
        number=view.number,
        status=STATUS_OF[view.status],
        mode=MODE_OF.get(view.mode),
        name=view.name,
        customer={
            "id": view.customer_id,
            "number": customer.number,
            "kind": customer.kind,
            "name": customer.name,
            "email": customer.email,
            "phone": customer.phone,
            "tax_number": customer.tax_number,
            "locale": customer.locale,
        },
        resource={"msisdn": view.msisdn, "imsi": view.imsi, "handset": view.handset},
        address=address._asdict(),
        balance={
            "tag": DEFAULT_BALANCE,
            "amount": units(view.balance_micros),
            "amount_micros": view.balance_micros,
            "reserved_micros": view.reserved_micros,
        },
        currency_id=NUMBER_OF.get(view.currency, 0),
        currency=view.currency,
        bill_cycle=view.cycle,
        next_bill_cycle=view.next_cycle,
        account_id=view.account_id,
        account_number=view.account_number,
        activated_at=seconds(view.activated_at),
        suspended_at=seconds(view.suspended_at),
        terminated_at=seconds(view.terminated_at),
        # None leaves a part away.
        card=None if card is None else _card(card),
        price_plan_id=0 if plan is None else plan.id,
        price_plan="" if plan is None else plan.code,
        plan=None if plan is None else _plan(plan),
        next_plan=None if view.next_plan is None else _plan(view.next_plan),
    )
    for bundle in view.bundles:
        message.bundles.append(bundle.code)
        message.bundle_assignments.append(_bundle(bundle))
    return message


def new_subscriber(message: billing_pb2.Subscriber) -> NewSubscriber:
    """The subscriber to create; raises InvalidInputs with every field that cannot be read."""
    currency, opening, start, card, mode = collected(
        lambda: currency_code(message.currency_id, message.currency),
        lambda: not_negative(
            micros_of(message.balance.amount, message.balance.amount_micros, "balance.amount"),
            "balance.amount",
        ),
        lambda: instant_of(message.activated_at, "activated_at"),
        lambda: card_of(message),
        lambda: enum_name(MODE_NAMES, message.mode, "mode"),
        lambda: not_negative(message.price_plan_id, "price_plan_id"),
        lambda: not_negative(message.bill_cycle, "bill_cycle"),
    )[:5]
    customer, address = message.customer, message.address
    return NewSubscriber(
        msisdn=message.resource.msisdn,
        mode=_known(mode),
        customer=CustomerDetails(
            number=customer.number,
            kind=customer.kind or "person",
            name=customer.name,
            email=customer.email,
            phone=customer.phone,
            tax_number=customer.tax_number,
            locale=customer.locale,
        ),
        address=Address(
            street=address.street,
            address_line2=address.address_line2,
            postcode=address.postcode,
            city=address.city,
            region=address.region,
            country=address.country,
        ),
        card=_known(card),
        price_plan_id=message.price_plan_id,
        price_plan=message.price_plan,
        bundles=texts(message.bundles),
        imsi=message.resource.imsi,
        handset=message.resource.handset,
        currency=_known(currency),
        opening_balance_micros=_known(opening),
        cycle=message.bill_cycle,
        number=message.number,
        account_number=message.account_number,
        name=message.name,
        start=_known(start),
    )


def card_of(message: billing_pb2.Subscriber) -> Card | None:
    """The card of a message; None if it has none."""
    if not message.HasField("card") or not message.card.ByteSize():
        return None
    card = message.card
    not_negative(card.expiry_month, "card.expiry_month")
    not_negative(card.expiry_year, "card.expiry_year")
    return Card(
        token=card.token,
        brand=card.brand,
        last_four=card.last_four,
        expiry_month=card.expiry_month,
        expiry_year=card.expiry_year,
        holder=card.holder,
    )


def currency_code(number: int, letters: str) -> str:
    """The letters of a currency given by number or letters; empty if neither is given."""
    if not number:
        return letters
    found = LETTERS_OF.get(number)
    if found is None or (letters and letters != found):
        raise InvalidInput(
            "give a currency by its ISO 4217 number, such as 978, or by its letters; where both are given they must "
            "be the same",
            where="currency_id",
        )
    return found


def enum_name(names: dict[int, str], number: int, where: str) -> str:
    """The house's word for an enum's number; raises InvalidInput for a number that the enum does not have."""
    if number not in names:
        raise InvalidInput(f"there is no {where} {number}", where=where)
    return names[number]


def _card(card: Card) -> dict[str, str | int]:
    return {
        "brand": card.brand,
        "last_four": card.last_four,
        "expiry_month": card.expiry_month,
        "expiry_year": card.expiry_year,
        "holder": card.holder,
    }


def _plan(held: PlanHeld) -> dict[str, str | int]:
    return {
        "price_plan_id": held.id,
        "code": held.code,
        "name": held.name,
        "start": seconds(held.start),
        "end": seconds(held.end),
    }


def _bundle(held: BundleHeld) -> billing_pb2.BundleAssignment:
    return billing_pb2.BundleAssignment(
        bundle_id=held.id, code=held.code, name=held.name, start=seconds(held.start), end=seconds(held.end)
    )


def _known(value: object) -> Any:
    """``collected`` gives values of different types; each is used where it belongs."""
    return value
