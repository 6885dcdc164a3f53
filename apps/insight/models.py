"""Rows of the insight room: sums by day (of the tenant's time zone) and how far they go; what-ifs with their sums."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.charging.models import Account
from apps.mediation.models import RatedDestination
from apps.rating.models import PricePlan, Service, TariffDraft, TariffVersion, Tenant


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


class WhatIf(models.Model):
    """Traffic of a period priced by another tariff, against what was charged; nothing of it moves anything."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    start = models.DateTimeField(help_text="Records that start at this time or later …")
    end = models.DateTimeField(help_text="… and before this one.")
    sample_percent = models.PositiveSmallIntegerField(
        default=100, help_text="So many of a hundred accounts, with all of their records."
    )
    seed = models.CharField(
        max_length=32,
        blank=True,
        help_text="Which accounts a sample takes: the same seed takes the same ones.",
    )
    tariff_version = models.ForeignKey(
        TariffVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    draft = models.ForeignKey(
        TariffDraft,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name="tariff draft",
    )
    content_hash = models.CharField(
        max_length=64, help_text="Of the tariff, which stays the same throughout."
    )
    cost_run = models.CharField(
        max_length=32, blank=True, help_text="The run of records that says what they cost the operator."
    )
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING, db_index=True)
    message = models.CharField(max_length=300, blank=True, help_text="Why it failed.")
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = "what-if", "what-ifs"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(end__gt=F("start"), sample_percent__range=(1, 100)), name="what_if_has_traffic"
            ),
            models.CheckConstraint(
                condition=Q(tariff_version=None) ^ Q(draft=None), name="what_if_has_one_tariff"
            ),
        ]

    def __str__(self) -> str:
        return f"What-if {self.pk}"


class WhatIfShard(models.Model):
    """A portion of a what-if: accounts by a range of their ids. One worker does it; its sums come with its end."""

    what_if = models.ForeignKey(WhatIf, on_delete=models.CASCADE, related_name="shards", db_index=False)
    number = models.PositiveIntegerField()
    first_account = models.BigIntegerField()
    last_account = models.BigIntegerField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    records = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["what_if", "number"], name="what_if_shard_once")]

    def __str__(self) -> str:
        return f"{self.what_if}, portion {self.number}"


class WhatIfSums(models.Model):
    """What records were charged and would be. Amounts in micro-units, usage in seconds, octets or events."""

    shard = models.ForeignKey(WhatIfShard, on_delete=models.CASCADE, related_name="+", db_index=False)
    records = models.PositiveIntegerField()
    refused = models.PositiveIntegerField(
        help_text="Records that the tariff cannot price; they count as before."
    )
    free_before = models.BigIntegerField()
    free_after = models.BigIntegerField()
    before_micros = models.BigIntegerField()
    after_micros = models.BigIntegerField()
    cost_micros = models.BigIntegerField(help_text="What they cost the operator, by the run of costs.")

    class Meta:
        abstract = True


class WhatIfGroup(WhatIfSums):
    """Sums by service, price plan, destination (as charged) and currency."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+", db_index=False)
    price_plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="+", db_index=False)
    destination = models.ForeignKey(
        RatedDestination, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shard", "service", "price_plan", "destination", "currency"],
                name="what_if_group_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.shard}: {self.price_plan} {self.destination}"


class WhatIfAccount(WhatIfSums):
    """Sums of an account."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["shard", "account"], name="what_if_account_once")]

    def __str__(self) -> str:
        return f"{self.shard}: {self.account}"
