"""Products in JSON: services, price plans, bundles, bill cycles."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.crmapi.rest.fields import InstantField, MoneyField, Query, Shape
from apps.crmapi.rest.shapes.usage import CountOrUnlimited, UnitField

UNLIMITED = -1


class ServiceShape(Shape):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    type_of_record = serializers.CharField(
        help_text="What usage counts: voice (seconds), data (octets), or another name for messages or events."
    )
    unit = UnitField()
    unit_size = serializers.IntegerField(help_text="How many of `unit` one unit of sale has.")
    unit_label = serializers.CharField()
    retired = serializers.BooleanField()


class ServiceTermsShape(Shape):
    """A service within a plan or bundle; prices and free units are for units of sale (min, MB, SMS)."""

    service_id = serializers.IntegerField()
    service = serializers.CharField()
    price = MoneyField(
        source="price_micros", allow_null=True, help_text="Null: by the plan's rating subject."
    )
    price_micros = serializers.IntegerField(allow_null=True)
    unlimited = serializers.SerializerMethodField()
    free_units = CountOrUnlimited(help_text="A month; null if they are unlimited.")

    def get_unlimited(self, terms: Any) -> bool:
        return bool(terms.free_units == UNLIMITED)


class BundleShape(Shape):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    monthly_fee = MoneyField(source="monthly_fee_micros")
    monthly_fee_micros = serializers.IntegerField()
    retired = serializers.BooleanField()
    services = ServiceTermsShape(many=True)


class PricePlanShape(BundleShape):
    rating_subject = serializers.CharField()
    expiration_date = serializers.DateField(allow_null=True)


class CycleShape(Shape):
    number = serializers.IntegerField()
    name = serializers.CharField()
    day = serializers.IntegerField(help_text="Of the month, on which a period ends and the next begins.")
    time_zone = serializers.CharField()
    currency = serializers.CharField()
    retired = serializers.BooleanField()

    class Meta:
        ref_name = "BillCycle"


class ReferenceShape(Shape):
    """What front ends fill their choices from; at most a minute old."""

    tenant = serializers.CharField()
    tenant_name = serializers.CharField()
    time_zone = serializers.CharField()
    currency = serializers.CharField()
    locale = serializers.CharField()
    services = ServiceShape(many=True)
    price_plans = PricePlanShape(many=True)
    bundles = BundleShape(many=True)
    cycles = CycleShape(many=True)
    currencies = serializers.ListField(child=serializers.CharField())
    cities = serializers.ListField(child=serializers.CharField())
    read_at = InstantField()


class PlanQuery(Query):
    retired = serializers.BooleanField(default=False, help_text="Whether retired ones are shown, too.")
