"""Subscribers in JSON: who uses, with which numbers, on which plan."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.crm.domain.subscribers import (
    Address,
    Card,
    CustomerDetails,
    NewSubscriber,
    SubscriberChange,
)
from apps.crmapi.rest.fields import (
    AmountField,
    InstantField,
    MoneyField,
    NumberOrNull,
    PageQuery,
    RequestBody,
    Shape,
    StrictInteger,
    StrictText,
)
from apps.crmapi.rest.shapes.choices import ACCOUNT_MODE, CUSTOMER_KIND, RESOURCE_KIND, SUBSCRIBER_STATUS

MSISDN = r"^\+?[0-9]{3,15}$"
PROVIDER_DIGITS = r"^[0-9]{10,20}$"


# --- Answers ---------------------------------------------------------------------------------------------------------


class CustomerShape(Shape):
    number = serializers.CharField()
    kind = serializers.ChoiceField(CUSTOMER_KIND)
    name = serializers.CharField()
    email = serializers.CharField()
    phone = serializers.CharField()
    tax_number = serializers.CharField()
    locale = serializers.CharField()


class AddressShape(Shape):
    street = serializers.CharField()
    address_line2 = serializers.CharField()
    postcode = serializers.CharField()
    city = serializers.CharField()
    region = serializers.CharField()
    country = serializers.CharField()


class CardShape(Shape):
    """A card as far as it is shown; its token never is."""

    brand = serializers.CharField()
    last_four = serializers.CharField()
    expiry_month = serializers.IntegerField()
    expiry_year = serializers.IntegerField()
    holder = serializers.CharField()


class HeldProductShape(Shape):
    """A plan or bundle that holds from `start` until before `end`."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    start = InstantField()
    end = InstantField(allow_null=True)


class SubscriberShape(Shape):
    id = serializers.IntegerField()
    number = serializers.CharField()
    status = serializers.ChoiceField(SUBSCRIBER_STATUS)
    name = serializers.CharField(help_text="Who uses the line, if not the customer.")
    msisdn = serializers.CharField(help_text="Empty if it has none any more.")
    imsi = serializers.CharField()
    handset = serializers.CharField()
    activated_at = InstantField()
    suspended_at = InstantField(allow_null=True)
    terminated_at = InstantField(allow_null=True)
    customer = CustomerShape()
    address = AddressShape()
    card = CardShape(allow_null=True)
    account_id = serializers.IntegerField()
    account_number = serializers.CharField()
    mode = serializers.ChoiceField(ACCOUNT_MODE)
    currency = serializers.CharField()
    balance = MoneyField(source="balance_micros", help_text="Of the account's default balance.")
    balance_micros = serializers.IntegerField()
    reserved = MoneyField(source="reserved_micros", help_text="Held for sessions that are going on.")
    reserved_micros = serializers.IntegerField()
    cycle = NumberOrNull(help_text="The bill cycle's number.")
    next_cycle = NumberOrNull(help_text="The cycle that takes over once the running period is billed.")
    plan = HeldProductShape(allow_null=True)
    next_plan = HeldProductShape(allow_null=True)
    bundles = HeldProductShape(many=True)


class FreeResourceShape(Shape):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(RESOURCE_KIND)
    value = serializers.CharField()


class TerminatedShape(Shape):
    """A subscriber's end: numbers and devices that were given back, and the activity that makes the last bill."""

    subscriber = SubscriberShape()
    released = serializers.ListField(child=serializers.CharField())
    activity_id = NumberOrNull(help_text="Null if the account pays for others too.")


# --- Requests --------------------------------------------------------------------------------------------------------


class SubscriberQuery(PageQuery):
    msisdn = serializers.RegexField(MSISDN, required=False, help_text="Who holds this number now.")
    mode = serializers.ChoiceField(ACCOUNT_MODE, required=False)
    status = serializers.ChoiceField(SUBSCRIBER_STATUS, required=False)
    city = serializers.CharField(max_length=80, required=False)
    price_plan = serializers.CharField(max_length=64, required=False, help_text="The plan's code.")
    customer_number = serializers.CharField(max_length=40, required=False)
    account_number = serializers.CharField(max_length=40, required=False)


class FreeResourceQuery(PageQuery):
    kind = serializers.ChoiceField(RESOURCE_KIND)
    prefix = serializers.RegexField(r"^[0-9]{1,20}$", required=False)


class CustomerBody(RequestBody):
    """Who has the contract. `number` names a customer that there is; left out, a new one is made."""

    number = StrictText(max_length=40, required=False)
    kind = serializers.ChoiceField(CUSTOMER_KIND, required=False)
    name = StrictText(max_length=160, required=False)
    email = StrictText(max_length=254, required=False, allow_blank=True)
    phone = StrictText(max_length=32, required=False, allow_blank=True)
    tax_number = StrictText(max_length=40, required=False, allow_blank=True)
    locale = StrictText(max_length=20, required=False, allow_blank=True)

    class Meta:
        ref_name = "CustomerDetails"


class CustomerChangeBody(RequestBody):
    kind = serializers.ChoiceField(CUSTOMER_KIND, required=False)
    name = StrictText(max_length=160, required=False)
    email = StrictText(max_length=254, required=False, allow_blank=True)
    phone = StrictText(max_length=32, required=False, allow_blank=True)
    tax_number = StrictText(max_length=40, required=False, allow_blank=True)
    locale = StrictText(max_length=20, required=False, allow_blank=True)


class AddressBody(RequestBody):
    street = StrictText(max_length=160, required=False, allow_blank=True)
    address_line2 = StrictText(max_length=160, required=False, allow_blank=True)
    postcode = StrictText(max_length=16, required=False, allow_blank=True)
    city = StrictText(max_length=80, required=False, allow_blank=True)
    region = StrictText(max_length=80, required=False, allow_blank=True)
    country = StrictText(max_length=2, required=False, allow_blank=True, help_text="ISO 3166, such as DE.")

    class Meta:
        ref_name = "AddressDetails"


class CardBody(RequestBody):
    """A card by the payment provider's token; a card's own number is refused."""

    token = StrictText(max_length=200)
    brand = StrictText(max_length=20, required=False, allow_blank=True)
    last_four = serializers.RegexField(r"^[0-9]{4}$", required=False)
    expiry_month = StrictInteger(min_value=1, max_value=12, required=False)
    expiry_year = StrictInteger(min_value=2000, max_value=2999, required=False)
    holder = StrictText(max_length=160, required=False, allow_blank=True)

    class Meta:
        ref_name = "CardDetails"


class NewSubscriberBody(RequestBody):
    """All that one call creates, or nothing of it."""

    money = ("opening_balance",)

    msisdn = serializers.RegexField(MSISDN, help_text="International, with or without “+”.")
    mode = serializers.ChoiceField(ACCOUNT_MODE)
    price_plan = StrictText(
        max_length=64, required=False, help_text="The plan's code; or give `price_plan_id`."
    )
    price_plan_id = StrictInteger(min_value=1, required=False)
    customer = CustomerBody(required=False)
    address = AddressBody(required=False)
    card = CardBody(required=False)
    bundles = serializers.ListField(
        child=StrictText(max_length=64), max_length=50, required=False, help_text="Codes of bundles."
    )
    imsi = serializers.RegexField(PROVIDER_DIGITS, required=False)
    handset = serializers.RegexField(PROVIDER_DIGITS, required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, help_text="Left out: the tenant's.")
    opening_balance = AmountField(required=False)
    opening_balance_micros = StrictInteger(required=False)
    cycle = StrictInteger(min_value=1, max_value=32_767, required=False, help_text="Left out: the first one.")
    number = StrictText(max_length=40, required=False, help_text="Left out: given out by the system.")
    account_number = StrictText(
        max_length=40, required=False, help_text="One that there is is shared; left out: a new one."
    )
    name = StrictText(max_length=160, required=False, allow_blank=True)
    start = InstantField(required=False)


class SubscriberChangeBody(RequestBody):
    """The changes; fields that are left out stay as they are, an empty text empties one."""

    name = StrictText(max_length=160, required=False, allow_blank=True)
    customer = CustomerChangeBody(required=False)
    address = AddressBody(required=False)
    card = CardBody(required=False, allow_null=True, help_text="Null takes it away.")
    price_plan = StrictText(
        max_length=64, required=False, help_text="The plan's code; or give `price_plan_id`."
    )
    price_plan_id = StrictInteger(min_value=1, required=False)
    plan_from = InstantField(required=False, help_text="When the new plan begins; left out: now.")
    add_bundles = serializers.ListField(child=StrictText(max_length=64), max_length=50, required=False)
    end_bundles = serializers.ListField(child=StrictText(max_length=64), max_length=50, required=False)
    bundles_from = InstantField(required=False, help_text="When bundles begin and end; left out: now.")
    cycle = StrictInteger(min_value=1, max_value=32_767, required=False)
    msisdn = serializers.RegexField(MSISDN, required=False)
    imsi = serializers.RegexField(r"^([0-9]{10,20})?$", required=False, allow_blank=True)
    handset = serializers.RegexField(r"^([0-9]{10,20})?$", required=False, allow_blank=True)


def new_subscriber(body: dict[str, Any]) -> NewSubscriber:
    """The use case's value of a body."""
    values = dict(body)
    values["customer"] = CustomerDetails(**values.get("customer", {}))
    values["address"] = Address(**values.get("address", {}))
    if "card" in values:
        values["card"] = Card(**values["card"])
    values["bundles"] = tuple(values.get("bundles", ()))
    return NewSubscriber(**values)


def subscriber_change(body: dict[str, Any]) -> SubscriberChange:
    """The use case's value of a body; fields that were left out stay None."""
    values = dict(body)
    for name, value in values.pop("customer", {}).items():
        values[f"customer_{name}" if name in ("name", "kind") else name] = value
    values.update(values.pop("address", {}))
    card = values.pop("card", ())
    if card is None:
        values["remove_card"] = True
    elif card:
        values["card"] = Card(**card)
    for name in ("add_bundles", "end_bundles"):
        values[name] = tuple(values.get(name, ()))
    return SubscriberChange(**values)


FILTER_NAMES = ("mode", "status", "city", "price_plan", "customer_number", "account_number")
