"""Rows of the insight room: sums by day, and how far they go. Days are those of the tenant's time zone."""

from __future__ import annotations

from django.db import models

from apps.rating.models import PricePlan, Service, Tenant


class UsageDay(models.Model):
    """Rated records of one day, service and price plan, added up as their files came in."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+", db_index=False)
    price_plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="+", db_index=False)
    records = models.BigIntegerField(default=0)
    usage = models.BigIntegerField(default=0, help_text="Seconds, octets or events as measured.")
    free_usage = models.BigIntegerField(default=0, help_text="Of it, taken from free units.")
    billed_usage = models.BigIntegerField(default=0, help_text="Charged for, rounded up to increments.")
    revenue_micros = models.BigIntegerField(default=0)

    class Meta:
        verbose_name, verbose_name_plural = "day of usage", "usage by day"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", "service", "price_plan"], name="usage_day_once")
        ]
        indexes = [models.Index(fields=["day"], name="usage_day_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.service} {self.price_plan}"


class SubscriberDay(models.Model):
    """Subscribers of one day and price plan, as at its end (today: as at the last look)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    price_plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="+", db_index=False)
    active = models.IntegerField(default=0)
    suspended = models.IntegerField(default=0)
    new = models.IntegerField(default=0, help_text="Activated on the day.")
    terminated = models.IntegerField(default=0, help_text="Terminated on the day; of their last plan.")

    class Meta:
        verbose_name, verbose_name_plural = "day of subscribers", "subscribers by day"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", "price_plan"], name="subscriber_day_once")
        ]
        indexes = [models.Index(fields=["day"], name="subscriber_day_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.price_plan}: {self.active}"


class MoneyDay(models.Model):
    """Movements of monetary balances of one day, by what they were: top-ups, usage charged in real time, fees, …"""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    currency = models.CharField(max_length=3)
    kind = models.CharField(
        max_length=16,
        help_text="As in the ledger; online_usage is usage charged in real time, without records.",
    )
    entries = models.BigIntegerField(default=0)
    amount_micros = models.BigIntegerField(default=0, help_text="Onto balances; negative where taken off.")

    class Meta:
        verbose_name, verbose_name_plural = "day of money", "money by day"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", "currency", "kind"], name="money_day_once")
        ]
        indexes = [models.Index(fields=["day"], name="money_day_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.currency}"


class CollectorMark(models.Model):
    """How far a collector has counted; moved in the transaction that counts, so that nothing is counted twice."""

    source = models.CharField(max_length=20, unique=True)
    last = models.BigIntegerField(default=0, help_text="A ledger entry's id, or a day's number.")
    ahead = models.BigIntegerField(
        default=0, help_text="The newest id when it last looked; counted next time."
    )
    at = models.DateTimeField(null=True, blank=True, help_text="When it last looked.")

    def __str__(self) -> str:
        return f"{self.source} {self.last}"
