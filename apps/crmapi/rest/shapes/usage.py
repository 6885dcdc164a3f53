"""Usage in JSON: rated records, free units, and what usage would cost."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.crmapi.rest.fields import (
    InstantField,
    MoneyField,
    PageQuery,
    Query,
    RequestBody,
    Shape,
    StrictInteger,
    StrictText,
)
from apps.crmapi.rest.shapes.choices import ALLOWANCE_ORIGIN, USAGE_UNIT
from apps.crmapi.rest.shapes.subscribers import MSISDN
from apps.kernel.units import unit_of

UNLIMITED = -1


class UnitField(serializers.ChoiceField):
    """What usage counts, by its type of record."""

    def __init__(self, **options: Any) -> None:
        super().__init__(USAGE_UNIT, read_only=True, source="type_of_record", **options)

    def to_representation(self, value: str) -> str:
        return unit_of(value)


class UsageRecordShape(Shape):
    """A rated record (CDR)."""

    id = serializers.IntegerField()
    subscriber_id = serializers.IntegerField()
    service = serializers.CharField()
    start = InstantField()
    other_party = serializers.CharField(help_text="Number dialled, or the access point of data.")
    destination = serializers.CharField()
    unit = UnitField()
    usage = serializers.IntegerField()
    free_usage = serializers.IntegerField(help_text="Of it, taken from free units.")
    billed_usage = serializers.IntegerField(help_text="Charged for, rounded up to increments.")
    cost = MoneyField(source="cost_micros")
    cost_micros = serializers.IntegerField()
    currency = serializers.CharField()
    price_plan = serializers.CharField()


@extend_schema_field({"type": ["integer", "null"]})
class CountOrUnlimited(serializers.Field[Any, Any, Any, Any]):
    """A number of units, null if there is no limit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: int) -> int | None:
        return None if value == UNLIMITED else value


class FreeUnitsShape(Shape):
    """Free units of one service in one month; `granted` and `left` are null if they are unlimited."""

    service = serializers.CharField()
    origin = serializers.ChoiceField(ALLOWANCE_ORIGIN)
    product = serializers.CharField(help_text="Code of the plan or bundle.")
    unit = UnitField()
    unlimited = serializers.SerializerMethodField()
    granted = CountOrUnlimited()
    used = serializers.IntegerField()
    left = CountOrUnlimited()
    unit_size = serializers.IntegerField(help_text="How many of `unit` one unit of sale has.")
    unit_label = serializers.CharField(help_text="What that unit is called: min, MB, SMS.")
    destinations = serializers.CharField(help_text="Which destinations they serve; empty: all.")

    def get_unlimited(self, free: Any) -> bool:
        return bool(free.granted == UNLIMITED)


class ServiceUsageShape(Shape):
    service = serializers.CharField()
    records = serializers.IntegerField()
    unit = UnitField()
    usage = serializers.IntegerField()
    free_usage = serializers.IntegerField()
    cost = MoneyField(source="cost_micros")
    cost_micros = serializers.IntegerField()


class UsageDataShape(Shape):
    """A subscriber's month in the tenant's time zone: free units, and usage by service."""

    subscriber_id = serializers.IntegerField()
    year = serializers.IntegerField()
    month = serializers.IntegerField()
    currency = serializers.CharField()
    free_units = FreeUnitsShape(many=True)
    services = ServiceUsageShape(many=True)


class PriceLineShape(Shape):
    start = InstantField()
    usage = serializers.IntegerField()
    billed_usage = serializers.IntegerField(source="units", help_text="Whole increments.")
    increment = serializers.IntegerField()
    rate = serializers.CharField(help_text="Price of `rate_unit` units, as the tariff states it.")
    rate_unit = serializers.IntegerField()
    rating_plan = serializers.CharField()
    destination = serializers.CharField()
    prefix = serializers.CharField()
    timing = serializers.CharField()
    cost = MoneyField(source="cost_micros")
    cost_micros = serializers.IntegerField()


class PriceShape(Shape):
    """A price and how it comes about. Nothing was charged; free units are left out of it."""

    cost = MoneyField(source="cost_micros")
    cost_micros = serializers.IntegerField()
    connect_fee = MoneyField(source="connect_fee_micros")
    connect_fee_micros = serializers.IntegerField()
    billed_usage = serializers.IntegerField()
    currency = serializers.CharField()
    subject = serializers.CharField()
    destination = serializers.CharField()
    tariff_version = serializers.IntegerField()
    lines = PriceLineShape(many=True)
    explanation = serializers.CharField(help_text="The whole of it in sentences.")


class UsageQuery(PageQuery):
    start = InstantField(required=False, help_text="Left out: this month and the two before.")
    end = InstantField(required=False)
    service = serializers.CharField(
        max_length=32, required=False, help_text="A service's code, such as voice."
    )


class MonthQuery(Query):
    year = serializers.IntegerField(min_value=2000, max_value=2999, required=False)
    month = serializers.IntegerField(
        min_value=1, max_value=12, required=False, help_text="Left out: this one."
    )


class OwnPriceBody(RequestBody):
    service = StrictText(max_length=32, help_text="A service's code, such as `voice`.")
    usage = StrictInteger(help_text="Seconds, octets, messages or events.")
    destination = StrictText(max_length=64, required=False, allow_blank=True, help_text="Number called.")
    start = InstantField(required=False, help_text="Left out: now.")
    position = StrictInteger(required=False, help_text="Usage of the same session that was priced before.")

    class Meta:
        ref_name = "OwnPriceEnquiry"


class PriceBody(OwnPriceBody):
    msisdn = serializers.RegexField(MSISDN, required=False, help_text="Price it for this subscriber.")
    price_plan = StrictText(max_length=64, required=False, help_text="… or for this plan's code.")
    subject = StrictText(max_length=64, required=False, help_text="… or for this rating subject.")

    class Meta:
        ref_name = "PriceEnquiry"
