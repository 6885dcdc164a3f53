"""Account triggers to edit, what they did to look at, and accounts that are barred."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.admins import HistoryAdmin, KeptMixin, ReadOnlyAdmin
from apps.backoffice.display import badge, cause_link, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.charging.domain.trigger_states import window_from_text
from apps.charging.domain.triggers import COUNTERS, TriggerKind, amount_text
from apps.charging.models import Account, AccountBar, BalanceTrigger, TriggerFiring, TriggerState
from apps.charging.services.barring import bar_account, lift_bar
from apps.charging.services.executor import forget_directory
from apps.charging.services.trigger_settings import reset_trigger
from apps.kernel.clock import utc_now
from apps.kernel.errors import NotFound
from apps.rating.models import Tenant

BAR = ("charging.view_account", "charging.add_accountbar")
LIFT = ("charging.view_account", "charging.delete_accountbar")
ACTION_COLOURS = {"notify": "info", "reauthorise": "warning", "bar": "danger", "cap": "danger"}
ACTION_LABELS = {
    "notify": "Notified",
    "reauthorise": "Re-authorised",
    "bar": "Barred",
    "cap": "Barred for the month",
}


class ResetForm(ActionForm):
    account = forms.CharField(
        max_length=40, required=False, help_text="The account's number; empty: for all accounts."
    )


def _reset(request: HttpRequest, trigger: BalanceTrigger, form: ResetForm) -> str:
    account, number = None, form.cleaned_data["account"]
    if number:
        account = Account.objects.filter(tenant=trigger.tenant_id, number=number).first()
        if account is None:
            raise NotFound(f"tenant {trigger.tenant} has no account “{number}”")
    accounts = reset_trigger(trigger.tenant, trigger.pk, account=account)
    return f"{trigger} begins at zero for {accounts} account{'' if accounts == 1 else 's'}."


@admin.register(BalanceTrigger)
class BalanceTriggerAdmin(KeptMixin, HistoryAdmin):
    when_empty = "Add one here, or load a tariff folder with ActionTriggers.csv."
    list_display = ("name", "kind", "threshold", "window", "whom", "action_label", "enabled", "tenant")
    list_filter = (
        "enabled",
        ("kind", ChoicesDropdownFilter),
        ("action", ChoicesDropdownFilter),
        ("balance_kind", ChoicesDropdownFilter),
        ("trigger_set", RelatedDropdownFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("tenant", "price_plan", "account", "trigger_set")
    search_fields = ("name", "=account__number", "=price_plan__code", "=trigger_set__code", "=actions")
    search_help_text = (
        "Name; or an account's number, the code of a price plan or set, or the id of actions in full"
    )
    ordering = ("tenant", "name")
    currency_path = "currency"
    autocomplete_fields = ("account", "price_plan", "trigger_set", "shared_group")
    fieldsets = (
        (None, {"fields": (("name", "enabled"), "tenant")}),
        (
            "When",
            {
                "fields": (
                    ("kind", "balance_kind"),
                    ("threshold_micros", "threshold_units"),
                    ("currency", "window_s"),
                    ("recurrent", "monthly"),
                    "min_sleep_s",
                    "active_from",
                    "expires_at",
                )
            },
        ),
        (
            "Of which balances or usage",
            {
                "fields": (
                    ("balance_tag", "rating_subject"),
                    ("destinations", "categories"),
                    ("shared_group", "balance_weight"),
                    ("balance_blocker", "balance_disabled"),
                    "balance_expires_at",
                ),
                "description": "What is left empty does not narrow it.",
            },
        ),
        (
            "Of which accounts",
            {
                "fields": (("price_plan", "account"), ("trigger_set", "unique_id")),
                "description": "All of the tenant in the currency, unless narrowed here.",
            },
        ),
        ("Then", {"fields": (("action", "notify"), ("actions", "weight"))}),
    )
    page_actions = (
        PageAction(
            "reset",
            "Reset",
            ("charging.change_balancetrigger",),
            _reset,
            ResetForm,
            icon="restart_alt",
            offered=lambda trigger: trigger.kind not in (TriggerKind.BELOW, TriggerKind.ABOVE),
            explain=lambda trigger: f"What {trigger} counted begins at zero, and it may fire again.",
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # What has fired belongs to the tenant that it was made for.
        return () if obj is None else ("tenant",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        tenant = Tenant.objects.order_by("pk").first()
        mine = {} if tenant is None else {"tenant": tenant.pk, "currency": tenant.currency}
        return mine | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: BalanceTrigger, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_directory()

    @display(description="Threshold", ordering="threshold_micros")
    def threshold(self, trigger: BalanceTrigger) -> str:
        return amount_text(trigger.threshold, trigger.balance_kind, trigger.currency)

    @display(description="Within")
    def window(self, trigger: BalanceTrigger) -> str:
        return trigger.get_window_s_display() or "–"

    @display(description="Of")
    def whom(self, trigger: BalanceTrigger) -> SafeString | str:
        chosen = trigger.account or trigger.price_plan or trigger.trigger_set
        return link_to(chosen) if chosen else "all accounts"

    @display(description="Then")
    def action_label(self, trigger: BalanceTrigger) -> SafeString:
        return badge(trigger.get_action_display(), ACTION_COLOURS.get(trigger.action, ""))


@admin.register(TriggerFiring)
class TriggerFiringAdmin(ReadOnlyAdmin):
    when_empty = "A row comes each time that a trigger reaches its threshold on an account."
    list_display = ("when", "account_link", "trigger_link", "what", "value", "threshold", "action_label")
    list_display_links = ("when",)
    list_filter = (
        ("trigger", RelatedDropdownFilter),
        ("action", ChoicesDropdownFilter),
        ("account", AutocompleteSelectFilter),
        ("at", DaysFilter),
    )
    list_select_related = ("trigger", "account")
    search_fields = ("=account__number", "=cause")
    search_help_text = "Account's number, or the cause in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    currency_path = "account__currency"
    fields = (
        ("when", "announced"),
        ("account_link", "trigger_link"),
        ("what", "action_label"),
        ("actions", "acted"),
        ("threshold", "value"),
        "cause_label",
    )

    @display(description="When", ordering="at")
    def when(self, firing: TriggerFiring) -> SafeString | str:
        return instant(firing.at, seconds=True)

    @display(description="Cause")
    def cause_label(self, firing: TriggerFiring) -> SafeString | str:
        return cause_link(firing.cause)

    @display(description="Notified")
    def announced(self, firing: TriggerFiring) -> SafeString | str:
        return instant(firing.announced_at, seconds=True) if firing.trigger.notify else "–"

    @display(description="Actions carried out")
    def acted(self, firing: TriggerFiring) -> SafeString | str:
        return instant(firing.acted_at, seconds=True) if firing.actions else "–"

    @display(description="Account")
    def account_link(self, firing: TriggerFiring) -> SafeString | str:
        return link_to(firing.account)

    @display(description="Trigger", ordering="trigger")
    def trigger_link(self, firing: TriggerFiring) -> SafeString | str:
        return link_to(firing.trigger)

    @display(description="What")
    def what(self, firing: TriggerFiring) -> str:
        return str(firing.get_kind_display())

    @display(description="Then")
    def action_label(self, firing: TriggerFiring) -> SafeString:
        return badge(ACTION_LABELS[firing.action], ACTION_COLOURS[firing.action])


class BarForm(ActionForm):
    reason = forms.ChoiceField(choices=AccountBar.Reason.choices)
    note = forms.CharField(max_length=200, required=False)


class LiftForm(ActionForm):
    reason = forms.CharField(max_length=60, required=False, help_text="Stays in the bar's history.")


def _bar(request: HttpRequest, account: Account, form: BarForm) -> str:
    data = form.cleaned_data
    bar_account(account, data["reason"], utc_now(), by=request.user.get_username(), note=data["note"])
    return f"{account} is barred; the gateways of its open sessions are told to end them."


def _lift(request: HttpRequest, account: Account, form: LiftForm) -> str:
    lift_bar(account, by=request.user.get_username(), reason=form.cleaned_data["reason"])
    return f"{account} may use services again."


def _lift_this(request: HttpRequest, bar: AccountBar, form: LiftForm) -> str:
    return _lift(request, bar.account, form)


@admin.register(AccountBar)
class AccountBarAdmin(ReadOnlyAdmin):
    list_display = ("account_link", "reason", "since", "barred_by", "note")
    list_display_links = ("reason",)
    list_filter = (("reason", ChoicesDropdownFilter), ("barred_at", DaysFilter))
    list_select_related = ("account",)
    search_fields = ("=account__number", "barred_by")
    search_help_text = "Account's number, or who barred it"
    ordering = ("-barred_at",)
    fields = (("account_link", "reason"), ("since", "barred_by"), "note")
    page_actions = (
        PageAction(
            "lift",
            "Lift the bar",
            LIFT,
            _lift_this,
            LiftForm,
            icon="lock_open",
            primary=True,
            explain=lambda bar: f"Lets the subscribers of account {bar.account} use services again.",
            next_url=lambda bar: reverse("admin:charging_accountbar_changelist"),
        ),
    )

    @display(description="Account")
    def account_link(self, bar: AccountBar) -> SafeString | str:
        return link_to(bar.account)

    @display(description="Since", ordering="barred_at")
    def since(self, bar: AccountBar) -> SafeString | str:
        return instant(bar.barred_at)


def _is_barred(account: Account) -> bool:
    return AccountBar.objects.filter(account=account).exists()


def _facts(request: HttpRequest, account: Account) -> list[Fact]:
    bar = AccountBar.objects.filter(account=account).first()
    if bar is None:
        return []
    return [Fact("Barred", badge(bar.get_reason_display(), "danger"), f"by {bar.barred_by}")]


def _fired(request: HttpRequest, account: Account) -> Table:
    firings = account.trigger_firings.select_related("trigger").order_by("-pk")
    rows, previous_url, next_url = page_of(request, "triggers", firings)
    return Table(
        ("When", "Trigger", "What", "Value", "Threshold", "Then"),
        [
            (
                instant(row.at, seconds=True),
                link_to(row.trigger),
                row.get_kind_display(),
                *_came_to(row, account.currency),
            )
            for row in rows
        ],
        "No trigger has fired on this account.",
        (3, 4),
        previous_url=previous_url,
        next_url=next_url,
    )


def _came_to(firing: TriggerFiring, currency: str) -> tuple[Any, Any, Any]:
    """The value that fired it, the threshold, and what followed."""
    return (
        amount_text(firing.value, firing.balance_kind, currency),
        amount_text(firing.threshold, firing.balance_kind, currency),
        badge(ACTION_LABELS[firing.action], ACTION_COLOURS[firing.action]),
    )


def _firings_of(request: HttpRequest, trigger: BalanceTrigger) -> Table:
    firings = trigger.firings.select_related("account").order_by("-pk")
    rows, previous_url, next_url = page_of(request, "firings", firings)
    return Table(
        ("When", "Account", "Value", "Threshold", "Then"),
        [
            (
                instant(row.at, seconds=True),
                link_to(row.account),
                *_came_to(row, row.account.currency),
            )
            for row in rows
        ],
        "It has not fired.",
        (2, 3),
        previous_url=previous_url,
        next_url=next_url,
    )


def _remembered(request: HttpRequest, trigger: BalanceTrigger) -> Table:
    """What it counted, or what accounts spent within the window that ended with their last spending."""
    states = trigger.states.select_related("account", "trigger").order_by("-pk")
    rows, previous_url, next_url = page_of(request, "states", states)
    return Table(
        ("Account", "Counted", "Fired last", "Rests until"),
        [
            (
                link_to(row.account),
                amount_text(counted_of(row), trigger.balance_kind, row.account.currency),
                instant(row.last_fired_at),
                "it is reset" if row.executed else instant(row.rests_until),
            )
            for row in rows
        ],
        "It has counted nothing yet.",
        (1,),
        previous_url=previous_url,
        next_url=next_url,
    )


def _of_account(request: HttpRequest, account: Account) -> Table:
    states = account.trigger_states.select_related("trigger").order_by("-pk")
    rows, previous_url, next_url = page_of(request, "counters", states)
    return Table(
        ("Trigger", "What", "Counted", "Threshold", "Fired last", "Rests until"),
        [
            (
                link_to(row.trigger),
                row.trigger.get_kind_display(),
                amount_text(counted_of(row), row.trigger.balance_kind, account.currency),
                amount_text(row.trigger.threshold, row.trigger.balance_kind, account.currency),
                instant(row.last_fired_at),
                "it is reset" if row.executed else instant(row.rests_until),
            )
            for row in rows
        ],
        "No trigger has counted anything of this account.",
        (2, 3),
        previous_url=previous_url,
        next_url=next_url,
    )


def counted_of(row: TriggerState) -> int:
    """What the trigger counted: since the last reset or month, or within its window."""
    if row.trigger.kind in COUNTERS:
        return row.counted
    return sum(micros for _, micros in window_from_text(row.steps, None).steps)


add_panel(
    "charging.balancetrigger",
    Panel("firings", "Fired", _firings_of, ("charging.view_triggerfiring",), 10),
)
add_panel(
    "charging.balancetrigger",
    Panel("states", "What it remembers", _remembered, ("charging.view_triggerstate",), 20),
)
add_panel(
    "charging.account",
    Panel("counters", "Counters of triggers", _of_account, ("charging.view_triggerstate",), 46),
)
add_facts("charging.account", _facts)
add_panel("charging.account", Panel("triggers", "Triggers", _fired, ("charging.view_triggerfiring",), 45))
add_action(
    "charging.account",
    PageAction(
        "bar",
        "Bar",
        BAR,
        _bar,
        BarForm,
        icon="block",
        danger=True,
        offered=lambda account: account.closed_at is None and not _is_barred(account),
        explain=lambda account: (
            f"Nothing is granted to account {account} any more, and its open sessions are ended. What they used is "
            "debited; top-ups still arrive."
        ),
    ),
)
add_action(
    "charging.account",
    PageAction(
        "lift-bar",
        "Lift the bar",
        LIFT,
        _lift,
        LiftForm,
        icon="lock_open",
        offered=_is_barred,
        explain=lambda account: f"Lets the subscribers of account {account} use services again.",
    ),
)
