"""Services, price plans and bundles: what a customer is sold (µBSS), priced by the one Rater."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from simple_history.models import HistoricalRecords

from apps.kernel.units import MAX_TYPE_OF_RECORD, is_type_of_record
from apps.rating.models.tenants import Tenant, code_validator, currency_validator

UNLIMITED = -1


def validate_type_of_record(name: str) -> None:
    """Raise ValidationError unless ``name`` may be a type of record."""
    if not is_type_of_record(name):
        raise ValidationError("Use small letters, digits and _ . - (no spaces).")


class Service(models.Model):
    """A kind of usage that is sold: voice, sms, data and mms to begin with; more are rows, not code."""

    code = models.CharField(max_length=32, unique=True, validators=[code_validator])
    name = models.CharField(max_length=80)
    type_of_record = models.CharField(
        max_length=MAX_TYPE_OF_RECORD,
        validators=[validate_type_of_record],
        help_text="What its usage counts: voice (seconds), data (octets), or a name of your own for messages or "
        "events, such as sms, mms or generic.",
    )
    category = models.CharField(
        max_length=32,
        unique=True,
        validators=[code_validator],
        help_text="The rating category its usage is priced under (CGRateS: Category), such as call.",
    )
    unit_size = models.PositiveBigIntegerField(
        default=1,
        help_text="Seconds, octets or events in one unit of sale: 60 for a minute, 1048576 for a MiB.",
    )
    unit_label = models.CharField(max_length=16, help_text="How that unit is called on bills: min, MB, SMS.")
    retired_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class PricePlan(models.Model):
    """What a subscriber is sold: a monthly fee, prices of services, free units (µBSS: REF_Price_plan)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="price_plans")
    code = models.CharField(max_length=64, validators=[code_validator])
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3, default="EUR", validators=[currency_validator])
    monthly_fee_micros = models.BigIntegerField(default=0, help_text="Micro-units of the currency a month.")
    rating_subject = models.CharField(
        max_length=64,
        default="*any",
        blank=True,
        help_text="Rating profile subject that prices what the plan itself does not (destination-based rates).",
    )
    expiration_date = models.DateField(
        null=True,
        blank=True,
        help_text="From this day (tenant's time zone) on, nothing is priced by the plan.",
    )
    retired_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["tenant", "code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="price_plan_code_once_a_tenant"),
            models.CheckConstraint(
                condition=models.Q(monthly_fee_micros__gte=0), name="price_plan_fee_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ServiceTerms(models.Model):
    """Free units of one service a month; shared by price plans and bundles."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    free_units = models.BigIntegerField(
        default=0, help_text="Units of the service free of charge each month: 0 none, −1 unlimited."
    )
    free_destinations = models.CharField(
        max_length=500,
        blank=True,
        help_text="Destination ids that free units serve, split by “;”; “!” before one excludes it; empty = all.",
    )

    class Meta:
        abstract = True


class PricePlanService(ServiceTerms):
    """A service within a price plan: its price, or none if the plan's rating subject prices it."""

    price_plan = models.ForeignKey(PricePlan, on_delete=models.CASCADE, related_name="services")
    price_micros = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Micro-units for one unit of the service; empty = priced by the plan's rating subject.",
    )
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["price_plan", "service"], name="price_plan_service_once"),
            models.CheckConstraint(
                condition=models.Q(free_units__gte=UNLIMITED), name="price_plan_free_units_valid"
            ),
            models.CheckConstraint(
                condition=models.Q(price_micros__isnull=True) | models.Q(price_micros__gte=0),
                name="price_plan_price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price_plan}: {self.service}"


class Bundle(models.Model):
    """Free units sold on top of a price plan, for a monthly fee of their own."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="bundles")
    code = models.CharField(max_length=64, validators=[code_validator])
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3, default="EUR", validators=[currency_validator])
    monthly_fee_micros = models.BigIntegerField(default=0, help_text="Micro-units of the currency a month.")
    retired_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["tenant", "code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="bundle_code_once_a_tenant"),
            models.CheckConstraint(
                condition=models.Q(monthly_fee_micros__gte=0), name="bundle_fee_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BundleService(ServiceTerms):
    """A service within a bundle."""

    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="services")
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bundle", "service"], name="bundle_service_once"),
            models.CheckConstraint(
                condition=models.Q(free_units__gte=UNLIMITED), name="bundle_free_units_valid"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bundle}: {self.service}"
