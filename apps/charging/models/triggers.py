"""Account triggers, what they have done, and accounts that are barred."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.charging.models.accounts import DEFAULT_BALANCE, Account
from apps.rating.models import PricePlan, Tenant


class BalanceTrigger(models.Model):
    """What is to happen when an account's money falls or rises past a threshold, or is spent too fast.

    For all accounts of the tenant in the currency, those that pay for subscribers of a price plan, or one account.
    See :mod:`apps.charging.domain.triggers` for when it fires, and when it does again.
    """

    class Kind(models.TextChoices):
        BELOW = "below", "The balance falls below"
        ABOVE = "above", "The balance rises above"
        SPENT = "spent", "Spent in real time: more than"

    class Action(models.TextChoices):
        NOTIFY = "notify", "Nothing more"
        REAUTHORISE = "reauthorise", "Re-authorise open sessions (RAR)"
        BAR = "bar", "Bar the account as fraud, end open sessions (ASR)"

    class WindowLength(models.IntegerChoices):
        HOUR = 3_600, "An hour"
        DAY = 86_400, "A day"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="balance_triggers")
    name = models.CharField(max_length=64, help_text="Unique within the tenant; stands in notifications.")
    enabled = models.BooleanField(default=True)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    currency = models.CharField(max_length=3, help_text="Accounts in this currency are watched.")
    threshold_micros = models.BigIntegerField(help_text="Micro-units")
    balance_tag = models.CharField(
        max_length=64,
        default=DEFAULT_BALANCE,
        help_text="The balance of money whose amount is watched, reserved sums included; of spending, all are.",
    )
    window_s = models.PositiveIntegerField(
        "window",
        choices=WindowLength.choices,
        null=True,
        blank=True,
        help_text="Of spending: within how long.",
    )
    price_plan = models.ForeignKey(
        PricePlan,
        on_delete=models.PROTECT,
        related_name="balance_triggers",
        null=True,
        blank=True,
        help_text="Only accounts that pay for a subscriber who has this plan now.",
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="balance_triggers",
        null=True,
        blank=True,
        help_text="Only this account.",
    )
    action = models.CharField(
        max_length=11, choices=Action.choices, default=Action.NOTIFY, help_text="Beside the notification."
    )
    notify = models.BooleanField(default=True, help_text="Leave a notification that staff acknowledges.")
    history = HistoricalRecords()

    class Meta:
        ordering = ["tenant", "name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="balance_trigger_name_once_a_tenant"),
            models.CheckConstraint(
                condition=Q(kind="spent", window_s__gt=0, threshold_micros__gt=0)
                | (~Q(kind="spent") & Q(window_s__isnull=True)),
                name="balance_trigger_window_of_spending",
            ),
            models.CheckConstraint(
                condition=Q(price_plan__isnull=True) | Q(account__isnull=True),
                name="balance_trigger_for_plan_or_account",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.currency = self.currency.upper()
        problems: dict[str, Any] = {}
        if self.kind == self.Kind.SPENT:
            if not self.window_s:
                problems["window_s"] = "Say within how long."
            if self.threshold_micros is not None and self.threshold_micros <= 0:
                problems["threshold_micros"] = "Spending is watched from an amount above zero on."
        elif self.window_s:
            problems["window_s"] = "Only spending is watched over a time; leave this empty."
        if self.price_plan is not None and self.account is not None:
            problems["price_plan"] = "Choose a price plan or an account, or neither."
        for field in ("price_plan", "account"):
            chosen = getattr(self, field)
            if chosen is not None and self.tenant_id is not None and chosen.tenant_id != self.tenant_id:
                problems[field] = f"{chosen} belongs to another tenant."
        if self.account is not None and self.currency and self.account.currency != self.currency:
            problems["currency"] = f"Account {self.account} is in {self.account.currency}."
        if problems:
            raise ValidationError(problems)


class TriggerFiring(models.Model):
    """A trigger that fired, as it was then; never changed, but for the note that it was announced."""

    trigger = models.ForeignKey(BalanceTrigger, on_delete=models.PROTECT, related_name="firings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="trigger_firings")
    at = models.DateTimeField(help_text="When the movement that did it took effect.")
    kind = models.CharField(max_length=5, choices=BalanceTrigger.Kind.choices)
    action = models.CharField(max_length=11, choices=BalanceTrigger.Action.choices)
    threshold_micros = models.BigIntegerField()
    value_micros = models.BigIntegerField(
        help_text="The balance after it, or the sum spent within the window."
    )
    cause = models.CharField(max_length=100, help_text="Of the ledger entry that did it.")
    announced_at = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="When it became a notification, if it was to."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "cause"], name="trigger_fires_once_a_movement")
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.account}"


class SpendingWindow(models.Model):
    """What an account spent lately, by steps of the trigger's window; written under the lock of its balances."""

    # Without a constraint: a process may remember a trigger for seconds after it was removed.
    trigger = models.ForeignKey(
        BalanceTrigger, on_delete=models.CASCADE, related_name="windows", db_constraint=False
    )
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    steps = models.CharField(max_length=1_000, blank=True)
    rests_until = models.DateTimeField(null=True, blank=True, help_text="It fired; it does not before then.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trigger", "account"], name="spending_window_once_an_account")
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.account}"


class AccountBar(models.Model):
    """An account that is barred now: nothing is granted, usage is still debited, top-ups still arrive.

    Lifting the bar deletes the row; its history says who barred it, why, and who lifted it.
    """

    class Reason(models.TextChoices):
        FRAUD = "fraud", "Fraud suspected"
        REQUEST = "request", "At the customer’s request"
        OTHER = "other", "Other"

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="bar")
    reason = models.CharField(max_length=8, choices=Reason.choices)
    note = models.CharField(max_length=200, blank=True)
    barred_at = models.DateTimeField()
    barred_by = models.CharField(max_length=150, help_text="A person, or trigger:<name>.")
    history = HistoricalRecords()
    # Goes into the history with the next change; django-simple-history reads it.
    _change_reason: str

    def __str__(self) -> str:
        return f"{self.account} barred ({self.get_reason_display().lower()})"
