"""Rows of the re-rating room: jobs, and what each makes of every account."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.charging.models import Account
from apps.mediation.models import RatedDestination, Source
from apps.rating.models import PricePlan, Service, TariffVersion, Tenant


class RerateJob(models.Model):
    """Records that are priced again: which, by which tariff version, and how far it is."""

    class State(models.TextChoices):
        NEW = "new", "New"
        SIMULATING = "simulating", "Being simulated"
        SIMULATED = "simulated", "Simulated"
        APPLYING = "applying", "Being applied"
        APPLIED = "applied", "Applied"
        REVERSING = "reversing", "Being reversed"
        REVERSED = "reversed", "Reversed"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    start = models.DateTimeField(help_text="Records that start at this time or later …")
    end = models.DateTimeField(help_text="… and before this one.")
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    price_plan = models.ForeignKey(
        PricePlan, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    destination = models.ForeignKey(
        RatedDestination,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="As the records were rated.",
    )
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    tariff_version = models.ForeignKey(
        TariffVersion, on_delete=models.PROTECT, related_name="+", help_text="By which they are priced."
    )
    note = models.CharField(max_length=200, blank=True, help_text="Why.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW, db_index=True)
    accounts = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    applied_by = models.CharField(max_length=150, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.CharField(max_length=150, blank=True)
    reversed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="When workers were last told to go on with it."
    )

    class Meta:
        verbose_name = "re-rating"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="rerate_period_not_empty")
        ]

    def __str__(self) -> str:
        return f"Re-rating {self.pk}"


class RerateAccount(models.Model):
    """What a job makes of one account's records; changed in the transaction that does it."""

    class State(models.TextChoices):
        PENDING = "pending", "Not simulated yet"
        UNCHANGED = "unchanged", "Nothing changes"
        SIMULATED = "simulated", "Simulated"
        CHANGED = "changed", "Changed since; simulated again"
        FAILED = "failed", "Failed"
        APPLIED = "applied", "Applied"
        STUCK = "stuck", "Not reversible"
        REVERSED = "reversed", "Reversed"

    job = models.ForeignKey(RerateJob, on_delete=models.CASCADE, related_name="account_rows", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=300, blank=True, help_text="What went wrong, or why not all of it.")
    records = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0, help_text="Records whose charge is another.")
    refused = models.PositiveIntegerField(
        default=0, help_text="Records that the version cannot price; they stay as they are."
    )
    free_before = models.BigIntegerField(default=0)
    free_after = models.BigIntegerField(default=0)
    cost_before_micros = models.BigIntegerField(default=0)
    cost_after_micros = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, help_text="Of the changes as they were shown.")
    adjusted_micros = models.BigIntegerField(
        default=0, help_text="Of it on bills already, and so adjusted on the next; without taxes."
    )
    counters = models.JSONField(default=list, help_text="Counters of free units and what was added to each.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "account of a re-rating"
        verbose_name_plural = "accounts of re-ratings"
        constraints = [models.UniqueConstraint(fields=["job", "account"], name="rerate_account_once")]
        indexes = [models.Index(fields=["job", "state"], name="rerate_by_state")]

    def __str__(self) -> str:
        return f"{self.job}, {self.account}"

    @property
    def added_micros(self) -> int:
        """What its records cost more (negative: less)."""
        return self.cost_after_micros - self.cost_before_micros


class RerateDifference(models.Model):
    """Records of an account that change, added up by service, price plan and destination."""

    row = models.ForeignKey(
        RerateAccount, on_delete=models.CASCADE, related_name="differences", db_index=False
    )
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+", db_index=False)
    price_plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="+", db_index=False)
    destination = models.CharField(max_length=64)
    records = models.PositiveIntegerField()
    free_before = models.BigIntegerField()
    free_after = models.BigIntegerField()
    billed_before = models.BigIntegerField()
    billed_after = models.BigIntegerField()
    cost_before_micros = models.BigIntegerField()
    cost_after_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["row", "service", "price_plan", "destination"], name="rerate_difference_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.row} {self.destination}"
