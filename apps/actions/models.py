"""Groups of actions, plans of them, which accounts have them, what is due, what was refused, and errands."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.actions.domain.due_times import check_timing
from apps.actions.domain.written import WrittenAction, problems_of
from apps.charging.domain.balance_actions import ActionKind
from apps.charging.models import Account
from apps.rating.models import TariffPlan
from apps.rating.models.tariff import validate_id

_KINDS = [(kind.value, kind.value) for kind in ActionKind]


class ActionGroup(models.Model):
    """Actions under one id (CGRateS: ActionsId), carried out together on an account: all of them or none."""

    tariff_plan = models.ForeignKey(TariffPlan, on_delete=models.PROTECT, related_name="action_groups")
    code = models.CharField(max_length=64, validators=[validate_id])
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["tariff_plan", "code"], name="action_group_code_once_a_tariff_plan"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Action(models.Model):
    """One action of a group, as Actions.csv writes it; an empty column states nothing."""

    group = models.ForeignKey(ActionGroup, on_delete=models.CASCADE, related_name="actions")
    kind = models.CharField("action", max_length=32, choices=_KINDS)
    extra_parameters = models.CharField(
        max_length=500,
        blank=True,
        help_text="URL of *call_url, addresses of *mail_async split by “;”, a note; or unused units of"
        " *topup_reset roll over: rollover;minimum=10m;maximum=5h;months=2;weight=30.",
    )
    filter = models.CharField(
        max_length=500,
        blank=True,
        help_text='Left out unless a balance meets it, in JSON: {"Value": {"*lt": 5}}.',
    )
    balance_id = models.CharField(
        max_length=64, blank=True, help_text="The balance's tag; empty: kind and terms say which."
    )
    balance_type = models.CharField(
        max_length=16, blank=True, help_text="*monetary (also if empty), *voice, *data, *sms or *generic."
    )
    directions = models.CharField(max_length=16, blank=True, help_text="*out, the only one that is charged.")
    categories = models.CharField(max_length=200, blank=True, help_text="Split by “;”; empty or *any = all.")
    destinations = models.CharField(
        max_length=500, blank=True, help_text="Ids, split by “;”; “!” before one excludes it; *any = all."
    )
    rating_subject = models.CharField(
        max_length=64, blank=True, help_text="*zero1m: free in whole minutes; another: that subject's rates."
    )
    shared_groups = models.CharField(
        max_length=200, blank=True, help_text="Ids of shared groups, split by “;”."
    )
    expiry = models.CharField(
        max_length=40,
        blank=True,
        help_text="*unlimited, *daily, *monthly, *yearly, *month_end, +720h, or an instant.",
    )
    timings = models.CharField(max_length=200, blank=True, help_text="Ids of timings, split by “;”.")
    units = models.CharField(
        max_length=40, blank=True, help_text="Money such as 12.5; else units such as 60, 1m30s or 1024."
    )
    balance_weight = models.CharField(max_length=16, blank=True, help_text="The highest is used first.")
    balance_blocker = models.CharField(max_length=5, blank=True, help_text="true, false or nothing.")
    balance_disabled = models.CharField(max_length=5, blank=True, help_text="true, false or nothing.")
    weight = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        default=0,
        help_text="Actions with the highest are carried out first.",
    )

    class Meta:
        ordering = ["group", "-weight", "id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.units}".strip()

    def written(self) -> WrittenAction:
        """The row as the domain reads it."""
        return WrittenAction(*(str(getattr(self, name)) for name in WrittenAction._fields))

    def clean(self) -> None:
        if problems := problems_of(self.written()):
            raise ValidationError(dict(problems))


class ActionPlan(models.Model):
    """Groups of actions with their times (CGRateS: ActionPlan); an account that has it gets them at these."""

    tariff_plan = models.ForeignKey(TariffPlan, on_delete=models.PROTECT, related_name="action_plans")
    code = models.CharField(max_length=64, validators=[validate_id])
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["tariff_plan", "code"], name="action_plan_code_once_a_tariff_plan"
            )
        ]

    def __str__(self) -> str:
        return self.code


class ActionPlanEntry(models.Model):
    """One group of a plan at one timing."""

    plan = models.ForeignKey(ActionPlan, on_delete=models.CASCADE, related_name="entries")
    group = models.ForeignKey(ActionGroup, on_delete=models.PROTECT, related_name="plan_entries")
    timing = models.CharField(
        max_length=64,
        help_text="*asap (once), *every_minute, *hourly, *daily, *weekly, *monthly, *yearly from the assignment on,"
        " or the id of a timing.",
    )
    weight = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        default=0,
        help_text="Of what is due at once, the highest comes first.",
    )

    class Meta:
        ordering = ["plan", "-weight", "id"]
        verbose_name_plural = "entries of action plans"
        constraints = [
            models.UniqueConstraint(fields=["plan", "group", "timing"], name="action_plan_entry_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.timing}"

    def clean(self) -> None:
        if self.timing.startswith("*"):
            self.timing = check_timing(self.timing)


class AccountPlan(models.Model):
    """An account has an action plan, from ``assigned_at`` on."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="action_plans")
    plan = models.ForeignKey(ActionPlan, on_delete=models.PROTECT, related_name="accounts")
    assigned_at = models.DateTimeField(help_text="Its times are those after it; *monthly counts from it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "plan"], name="action_plan_once_an_account")
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.plan}"


class DueAction(models.Model):
    """When an entry of a plan is due next for an account; empty once it is never due again."""

    assignment = models.ForeignKey(AccountPlan, on_delete=models.CASCADE, related_name="due")
    entry = models.ForeignKey(ActionPlanEntry, on_delete=models.CASCADE, related_name="due")
    due_at = models.DateTimeField(null=True, blank=True)
    rank = models.BigIntegerField(
        help_text="Of what is due at once, the lowest comes first: the entry's weight."
    )
    done_at = models.DateTimeField(null=True, blank=True, help_text="The due time that was carried out last.")
    done_count = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        indexes = [models.Index(fields=["due_at", "rank", "id"], name="due_actions_in_order")]
        constraints = [
            models.UniqueConstraint(fields=["assignment", "entry"], name="due_action_once_an_entry")
        ]

    def __str__(self) -> str:
        return f"{self.assignment}, {self.entry}"


class RanAtOnce(models.Model):
    """An account had a group at once (``*asap``) by an entry that a load took out of its plan since.

    An entry that comes back, as when that load is undone, is not due for it again.
    """

    assignment = models.ForeignKey(AccountPlan, on_delete=models.CASCADE, related_name="ran_at_once")
    group_code = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["assignment", "group_code"], name="ran_at_once_a_group")
        ]

    def __str__(self) -> str:
        return f"{self.assignment}, {self.group_code}"


class RefusedActions(models.Model):
    """A group of actions that could not be carried out on an account, and changed nothing."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="refused_actions")
    group = models.ForeignKey(ActionGroup, on_delete=models.CASCADE, related_name="refusals")
    key = models.CharField(
        max_length=80, unique=True, help_text="What caused it: plan:3:1748779200, firing:7."
    )
    at = models.DateTimeField(help_text="When it was due.")
    reason = models.CharField(max_length=64)
    message = models.CharField(max_length=300)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="When staff carried it out after all, or dropped it."
    )

    class Meta:
        verbose_name_plural = "refused actions"
        indexes = [models.Index(fields=["settled_at", "at"], name="refused_actions_open_first")]

    def __str__(self) -> str:
        return f"{self.group}: {self.account}"


class Errand(models.Model):
    """An action that leaves the database: a call to a URL, a mail, a line in the log."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        DROPPED = "dropped", "Dropped"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="errands")
    key = models.CharField(max_length=80, help_text="What caused the actions: plan:3:1748779200, firing:7.")
    number = models.PositiveSmallIntegerField(help_text="Its place in the order of its group.")
    kind = models.CharField("action", max_length=32, choices=_KINDS)
    parameters = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(help_text="When the action was carried out.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True, help_text="The next attempt, if one is to come.")
    result = models.CharField(
        max_length=300, blank=True, help_text="The last error; of *cdrlog what its group moved."
    )
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["status", "retry_at"], name="errands_to_do")]
        constraints = [
            models.UniqueConstraint(fields=["key", "number", "account"], name="errand_once_an_action"),
            models.CheckConstraint(
                condition=Q(status="waiting", retry_at__isnull=False)
                | (~Q(status="waiting") & Q(retry_at__isnull=True)),
                name="errand_waits_for_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}:{self.number}"
