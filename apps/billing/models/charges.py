"""Charges besides usage and plan fees, discounts, and taxes."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from apps.charging.models import Account
from apps.rating.models import Service, Tenant
from apps.subscribers.models import EffectiveDated, Subscriber

MILLIONTHS_HELP = "In millionths: 19 % is 190000."


class RecurringCharge(EffectiveDated):
    """A monthly charge of an account beside its plans' and bundles' fees; prorated by day."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="recurring_charges")
    subscriber = models.ForeignKey(
        Subscriber, null=True, blank=True, on_delete=models.PROTECT, related_name="recurring_charges"
    )
    description = models.CharField(max_length=160)
    monthly_amount_micros = models.BigIntegerField()
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.description


class OneOffCharge(models.Model):
    """Charged (or, if negative, credited) once, on the bill of the period that holds ``at`` or the next after."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="one_off_charges")
    subscriber = models.ForeignKey(
        Subscriber, null=True, blank=True, on_delete=models.PROTECT, related_name="one_off_charges"
    )
    at = models.DateTimeField()
    description = models.CharField(max_length=160)
    amount_micros = models.BigIntegerField()
    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose taxes it bears; empty = the general ones.",
    )
    bill = models.ForeignKey(
        "billing.Bill", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    corrects = models.ForeignKey(
        "billing.Bill",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="corrections",
        help_text="The bill whose usage has another price since; it goes if that is cancelled.",
    )
    history = HistoricalRecords(verbose_name="one-off charge", verbose_name_plural="one-off charges")

    class Meta:
        verbose_name = "one-off charge"
        verbose_name_plural = "one-off charges"

    def __str__(self) -> str:
        return self.description


class Discount(EffectiveDated):
    """A share of an account's usage, fees or both, given back on each bill while it is valid."""

    class Scope(models.TextChoices):
        ALL = "all", "Usage and fees"
        USAGE = "usage", "Usage"
        RECURRING = "recurring", "Fees"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="discounts")
    description = models.CharField(max_length=160)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.ALL)
    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Of usage; empty = all.",
    )
    rate_millionths = models.PositiveIntegerField(help_text=MILLIONTHS_HELP)
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rate_millionths__lte=1_000_000), name="discount_at_most_everything"
            )
        ]

    def __str__(self) -> str:
        return self.description


class TaxRule(models.Model):
    """A tax of a tenant on a service (empty = services without a rule of their own), for days in [from, until)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="tax_rules")
    service = models.ForeignKey(Service, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=60, help_text="As on the bill, such as VAT.")
    rate_millionths = models.PositiveIntegerField(help_text=MILLIONTHS_HELP)
    valid_from = models.DateField()
    valid_until = models.DateField(null=True, blank=True, help_text="First day on which it no longer holds.")
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "service", "name", "valid_from"], name="tax_rule_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.rate_millionths / 10_000:g} %"
