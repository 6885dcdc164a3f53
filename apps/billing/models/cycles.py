"""Bill cycles, the activities queue (µBSS) and the runs that activities start."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.billing.domain.activities import ActivityParameters
from apps.billing.domain.queues import queue_of_cycle
from apps.charging.models import Account
from apps.rating.models import Tenant
from apps.rating.models.tenants import currency_validator, validate_time_zone


class BillCycle(models.Model):
    """Accounts that are billed together on one day of the month, each cycle on its own Celery queue."""

    number = models.PositiveSmallIntegerField(unique=True, help_text="n of the queue billing.bc_n.")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="bill_cycles")
    name = models.CharField(max_length=80, blank=True)
    day = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(28)],
        help_text="Day of the month on which a period ends and the next begins (1–28).",
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    currency = models.CharField(max_length=3, default="EUR", validators=[currency_validator])
    payment_term_days = models.PositiveSmallIntegerField(default=14)
    retired_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(day__gte=1, day__lte=28), name="bill_cycle_day_in_every_month"
            )
        ]

    def __str__(self) -> str:
        return self.name or f"Cycle {self.number}"

    @property
    def queue(self) -> str:
        return queue_of_cycle(self.number)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class BillingAccount(models.Model):
    """How far an account is billed, and by which cycle.

    Its next bill begins at ``billed_until``, the first one at ``billing_from``. If that is empty too (an account
    that is older than this system's knowledge of it), the first one is for the period of the first run.
    """

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="billing"
    )
    cycle = models.ForeignKey(BillCycle, on_delete=models.PROTECT, related_name="accounts")
    next_cycle = models.ForeignKey(
        BillCycle,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Takes over once the running period is billed.",
    )
    billing_from = models.DateTimeField(
        null=True, blank=True, help_text="Where the first bill begins; empty = with the first run's period."
    )
    billed_until = models.DateTimeField(null=True, blank=True, help_text="End of the last billed period.")
    billed_sequence = models.BigIntegerField(
        default=0, help_text="Load sequence up to which files were in when that period was billed."
    )
    billed_ledger_entry = models.BigIntegerField(
        default=0, help_text="Prepaid: the newest ledger entry there was when that period was billed."
    )

    def __str__(self) -> str:
        return f"{self.account} in {self.cycle}"


class Activity(models.Model):
    """A thing to do, queued by an operator, an API or the calendar (µBSS: activities)."""

    class Type(models.IntegerChoices):
        SINGLE_BILLING = 1, "Single billing"
        FULL_BILLRUN = 2, "Full bill run"
        PREPAID_RATING = 3, "Prepaid rating"

    class Status(models.IntegerChoices):
        PENDING = 0, "Pending"
        COMPLETED = 1, "Completed"
        ERROR = 2, "Error"
        PROCESSING = 99, "Processing"

    type = models.PositiveSmallIntegerField(choices=Type.choices)
    payload = models.JSONField(help_text="What it is about (ActivityParameters).")
    status = models.PositiveSmallIntegerField(choices=Status.choices, default=Status.PENDING, db_index=True)
    error = models.TextField(blank=True)
    result = models.CharField(max_length=500, blank=True, help_text="What came of it, in a sentence.")
    cycle = models.ForeignKey(
        BillCycle,
        on_delete=models.PROTECT,
        related_name="activities",
        help_text="On whose queue it runs; found when it is queued.",
    )
    queued_by = models.CharField(max_length=150, blank=True)
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last given to the cycle's queue."
    )
    sends = models.PositiveSmallIntegerField(default=0, help_text="How often it was given to the queue.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "activities"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.parameters.subject}"

    @property
    def parameters(self) -> ActivityParameters:
        return ActivityParameters.from_json(self.payload)


class BillRun(models.Model):
    """One cycle billed for one period, in chunks of accounts that workers take one by one."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        STOPPED = "stopped", "Stopped"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    activity = models.ForeignKey(
        Activity, null=True, blank=True, on_delete=models.PROTECT, related_name="runs"
    )
    cycle = models.ForeignKey(BillCycle, on_delete=models.PROTECT, related_name="runs")
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    usage_sequence = models.BigIntegerField(
        help_text="Files up to this load sequence were in when it began; all of them are billed."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING, db_index=True)
    accounts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["cycle", "period_end"], name="bill_run_once_a_cycle_and_period")
        ]

    def __str__(self) -> str:
        return f"{self.cycle} to {self.period_end:%Y-%m-%d}"


class BillRunChunk(models.Model):
    """A range of accounts of a run; done when its bills are committed."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    run = models.ForeignKey(BillRun, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    first_account = models.BigIntegerField()
    last_account = models.BigIntegerField()
    accounts = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    bills = models.PositiveIntegerField(default=0)
    total_micros = models.BigIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    sends = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="chunk_once_a_run")]

    def __str__(self) -> str:
        return f"{self.run} #{self.number}"
