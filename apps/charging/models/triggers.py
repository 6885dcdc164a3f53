"""Account triggers, what they remember and have done, and accounts that are barred."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.charging.domain.triggers import COUNTERS, UNTIL_RESET, sentence
from apps.charging.models.accounts import DEFAULT_BALANCE, Account, Balance, SharedGroup, TriggerSet
from apps.rating.models import PricePlan, Tenant


class BalanceTrigger(models.Model):
    """What is to happen when an account's balances or its usage reach a threshold (CGRateS: action trigger).

    For all accounts of the tenant in the currency, those that pay for subscribers of a price plan, those that have a
    set of triggers, or one account. See :mod:`apps.charging.domain.triggers` for when it fires, and when it does
    again.
    """

    class Kind(models.TextChoices):
        BELOW = "below", "The balance falls below"
        ABOVE = "above", "The balance rises above"
        SPENT = "spent", "Spent in real time: more than"
        MIN_BALANCE = "min_balance", "A balance is at or below"
        MAX_BALANCE = "max_balance", "A balance is at or above"
        MIN_EVENT_COUNTER = "min_event_counter", "Used so far: at most"
        MAX_EVENT_COUNTER = "max_event_counter", "Used so far: at least"
        MIN_BALANCE_COUNTER = "min_balance_counter", "Taken off balances so far: at most"
        MAX_BALANCE_COUNTER = "max_balance_counter", "Taken off balances so far: at least"
        BALANCE_EXPIRED = "balance_expired", "A balance has expired"

    class Action(models.TextChoices):
        NOTIFY = "notify", "Nothing more"
        REAUTHORISE = "reauthorise", "Re-authorise open sessions (RAR)"
        BAR = "bar", "Bar the account as fraud, end open sessions (ASR)"
        CAP = "cap", "Bar the account until the month is over, end open sessions (ASR)"

    class WindowLength(models.IntegerChoices):
        HOUR = 3_600, "An hour"
        DAY = 86_400, "A day"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="balance_triggers")
    name = models.CharField(max_length=130, help_text="Unique within the tenant; stands in notifications.")
    enabled = models.BooleanField(default=True)
    kind = models.CharField(max_length=19, choices=Kind.choices)
    currency = models.CharField(
        max_length=3, blank=True, help_text="Accounts in this currency are watched; of a set: empty = in any."
    )
    threshold_micros = models.BigIntegerField(default=0, help_text="Micro-units, if money is watched.")
    threshold_units = models.BigIntegerField(
        default=0, help_text="Seconds, octets or events, if something else than money is watched."
    )
    balance_kind = models.CharField(
        "what", max_length=8, choices=Balance.Kind.choices, default=Balance.Kind.MONETARY
    )
    balance_tag = models.CharField(
        max_length=64,
        default=DEFAULT_BALANCE,
        blank=True,
        help_text="The balance that is watched, reserved sums included; empty = any. Of spending, all are.",
    )
    destinations = models.CharField(
        max_length=500,
        blank=True,
        help_text="Destination ids of usage, or that the balance serves, split by “;”; “!” before one excludes it.",
    )
    categories = models.CharField(
        max_length=200,
        blank=True,
        help_text="Rating categories of usage, or that the balance serves, split by “;”.",
    )
    rating_subject = models.CharField(max_length=64, blank=True, help_text="Of the balance.")
    shared_group = models.ForeignKey(
        SharedGroup,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="Of the balance.",
    )
    balance_expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Only balances that expire exactly then."
    )
    balance_weight = models.IntegerField(null=True, blank=True)
    balance_blocker = models.BooleanField(null=True, blank=True)
    balance_disabled = models.BooleanField(null=True, blank=True)
    window_s = models.PositiveIntegerField(
        "window",
        choices=WindowLength.choices,
        null=True,
        blank=True,
        help_text="Of spending: within how long.",
    )
    monthly = models.BooleanField(
        default=False, help_text="Counters: begin at zero with each calendar month, and fire again then."
    )
    recurrent = models.BooleanField(
        default=False, help_text="Fire each time that it is reached; else once, until it is reset."
    )
    min_sleep_s = models.PositiveIntegerField(
        "least sleep", default=0, help_text="Of a recurrent one: seconds between two firings at least."
    )
    active_from = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    weight = models.DecimalField(
        max_digits=12, decimal_places=4, default=0, help_text="The highest comes first."
    )
    trigger_set = models.ForeignKey(
        TriggerSet,
        on_delete=models.PROTECT,
        related_name="triggers",
        null=True,
        blank=True,
        help_text="Only accounts that have this set of triggers.",
    )
    unique_id = models.CharField(max_length=64, blank=True, help_text="Names it within its set.")
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
    actions = models.CharField(
        max_length=64, blank=True, help_text="The id of a group of actions that are carried out as well."
    )
    notify = models.BooleanField(default=True, help_text="Leave a notification that staff acknowledges.")
    expiries_seen_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Balances that expired before have been looked at."
    )
    history = HistoricalRecords(excluded_fields=["expiries_seen_until"])

    class Meta:
        ordering = ["tenant", "name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="balance_trigger_name_once_a_tenant"),
            models.CheckConstraint(
                condition=Q(kind="spent", window_s__gt=0, threshold_micros__gt=0, balance_kind="monetary")
                | (~Q(kind="spent") & Q(window_s__isnull=True)),
                name="balance_trigger_window_of_spending",
            ),
            models.CheckConstraint(
                condition=Q(price_plan__isnull=True, account__isnull=True)
                | Q(account__isnull=True, trigger_set__isnull=True)
                | Q(price_plan__isnull=True, trigger_set__isnull=True),
                name="balance_trigger_for_plan_account_or_set",
            ),
            models.CheckConstraint(
                condition=Q(balance_kind="monetary", threshold_units=0)
                | (~Q(balance_kind="monetary") & Q(threshold_micros=0)),
                name="balance_trigger_threshold_of_one_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def threshold(self) -> int:
        """Micro-units or units, as :class:`apps.charging.domain.triggers.Trigger` has it."""
        return self.threshold_micros if self.balance_kind == Balance.Kind.MONETARY else self.threshold_units

    def clean(self) -> None:
        self.currency = self.currency.upper()
        problems = self._faults_of_what() | self._faults_of_whom()
        if problems:
            raise ValidationError(problems)

    def _faults_of_what(self) -> dict[str, Any]:
        problems: dict[str, Any] = {}
        if self.kind == self.Kind.SPENT:
            if not self.window_s:
                problems["window_s"] = "Say within how long."
            if self.threshold_micros is not None and self.threshold_micros <= 0:
                problems["threshold_micros"] = "Spending is watched from an amount above zero on."
            if self.balance_kind != Balance.Kind.MONETARY:
                problems["balance_kind"] = "Spending is of money; to watch units, choose a counter."
        elif self.window_s:
            problems["window_s"] = "Only spending is watched over a time; leave this empty."
        if self.kind not in UNTIL_RESET and (self.recurrent or self.min_sleep_s):
            problems["recurrent"] = "It fires at each crossing; only the other kinds can be recurrent."
        elif self.min_sleep_s and not self.recurrent:
            problems["min_sleep_s"] = "It fires once until it is reset; only one that is recurrent sleeps."
        if self.monthly and self.kind not in COUNTERS:
            problems["monthly"] = "Only counters begin at zero again."
        money = self.balance_kind == Balance.Kind.MONETARY
        if self.threshold_units and money:
            problems["threshold_units"] = "Money is watched; give its threshold in micro-units."
        if self.threshold_micros and not money and "threshold_micros" not in problems:
            problems["threshold_micros"] = "Units are watched; give their threshold in units."
        if (
            self.active_from is not None
            and self.expires_at is not None
            and self.expires_at <= self.active_from
        ):
            problems["expires_at"] = "It would expire before it begins."
        return problems

    def _faults_of_whom(self) -> dict[str, Any]:
        problems: dict[str, Any] = {}
        chosen = {
            field: found
            for field in ("price_plan", "account", "trigger_set")
            if (found := getattr(self, field)) is not None
        }
        if len(chosen) > 1:
            problems[next(iter(chosen))] = "Choose a price plan, an account or a set, or none of them."
        for field, found in (chosen | {"shared_group": self.shared_group}).items():
            if found is not None and self.tenant_id is not None and found.tenant_id != self.tenant_id:
                problems[field] = f"{found} belongs to another tenant."
        if self.unique_id and self.trigger_set is None:
            problems["unique_id"] = "Only triggers of a set have one."
        if self.account is not None and self.currency and self.account.currency != self.currency:
            problems["currency"] = f"Account {self.account} is in {self.account.currency}."
        if not self.currency and self.trigger_set is None:
            problems["currency"] = "Only a set's triggers may watch accounts in any currency."
        return problems


class TriggerFiring(models.Model):
    """A trigger that fired, as it was then; never changed, but for what became of it."""

    trigger = models.ForeignKey(BalanceTrigger, on_delete=models.PROTECT, related_name="firings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="trigger_firings")
    at = models.DateTimeField(help_text="When what did it took effect.")
    kind = models.CharField(max_length=19, choices=BalanceTrigger.Kind.choices)
    action = models.CharField(max_length=11, choices=BalanceTrigger.Action.choices)
    actions = models.CharField(max_length=64, blank=True, help_text="The group of actions that it asked for.")
    balance_kind = models.CharField(
        "what", max_length=8, choices=Balance.Kind.choices, default=Balance.Kind.MONETARY
    )
    threshold_micros = models.BigIntegerField(default=0)
    threshold_units = models.BigIntegerField(default=0)
    value_micros = models.BigIntegerField(
        default=0, help_text="The balance after it, the sum spent within the window, or what was counted."
    )
    value_units = models.BigIntegerField(default=0, help_text="The same in units, if they are watched.")
    cause = models.CharField(
        max_length=100, help_text="Of the ledger entry that did it; counters: of the request or the file."
    )
    announced_at = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="When it became a notification, if it was to."
    )
    acted_at = models.DateTimeField(
        null=True, blank=True, help_text="When its group of actions was carried out, or was kept as refused."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "cause"], name="trigger_fires_once_a_movement")
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.account}"

    @property
    def threshold(self) -> int:
        """Micro-units, or units if they are watched."""
        return self.threshold_micros + self.threshold_units

    @property
    def value(self) -> int:
        """Micro-units, or units if they are watched."""
        return self.value_micros + self.value_units

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        return sentence(
            self.kind,
            self.threshold,
            self.value,
            self.account.currency,
            self.trigger.balance_tag,
            self.trigger.window_s,
            self.balance_kind,
        )


class TriggerState(models.Model):
    """What a trigger remembers of an account; written under the lock of its balances.

    See :class:`apps.charging.domain.trigger_states.TriggerState`.
    """

    # Without a constraint: a process may remember a trigger for seconds after it was removed.
    trigger = models.ForeignKey(
        BalanceTrigger, on_delete=models.CASCADE, related_name="states", db_constraint=False
    )
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="trigger_states")
    counted = models.BigIntegerField(
        default=0, help_text="Micro-units or units, since the reset or the month."
    )
    period = models.PositiveIntegerField(default=0, help_text="Monthly counters: year × 12 + month.")
    recurrent = models.BooleanField(
        null=True, help_text="For this account, instead of what the trigger says; set by an action."
    )
    executed = models.BooleanField(default=False, help_text="It fired, and does no more before it is reset.")
    last_fired_at = models.DateTimeField(null=True, blank=True)
    steps = models.CharField(
        max_length=1_000, blank=True, help_text="What was spent lately, by steps of the window."
    )
    rests_until = models.DateTimeField(null=True, blank=True, help_text="It fired; it does not before then.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "trigger"], name="trigger_state_once_an_account")
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.account}"


class AccountBar(models.Model):
    """An account that is barred now: nothing is granted, usage is still debited, top-ups still arrive.

    Lifting the bar deletes the row; its history says who barred it, why, and who lifted it.
    """

    class Reason(models.TextChoices):
        FRAUD = "fraud", "Fraud suspected"
        CAP = "cap", "Spending cap reached"
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
