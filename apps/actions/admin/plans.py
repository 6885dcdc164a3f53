"""Action plans to edit and to give to accounts; what is due, and what was refused."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.actions.admin.groups import AccountsForm
from apps.actions.models import AccountPlan, ActionPlan, ActionPlanEntry, DueAction, RefusedActions
from apps.actions.services.plans import assign_plan, make_due_rows, reckon_again, remove_plan
from apps.actions.services.running import drop, run_again
from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin, ReadOnlyAdmin
from apps.backoffice.display import badge, grouped, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.charging.models import Account
from apps.kernel.clock import utc_now

ASSIGN = ("actions.view_actionplan", "actions.add_accountplan")
SETTLE = ("actions.view_refusedactions", "actions.change_refusedactions")


def _assign(request: HttpRequest, plan: ActionPlan, form: AccountsForm) -> str:
    new = assign_plan(plan, form.account_ids(), utc_now())
    return f"{grouped(new)} account{'s have' if new != 1 else ' has'} {plan} from now on."


def _remove(request: HttpRequest, plan: ActionPlan, form: AccountsForm) -> str:
    removed = remove_plan(plan, form.account_ids())
    return f"{plan} was taken from {grouped(removed)} account{'s' if removed != 1 else ''}."


class ActionPlanEntryInline(TabularInline):
    model = ActionPlanEntry
    extra = 0
    fields = ("group", "timing", "weight")
    autocomplete_fields = ("group",)


@admin.register(ActionPlan)
class ActionPlanAdmin(HistoryAdmin):
    shared = True
    when_empty = "Add one here, or load a tariff folder with ActionPlans.csv."
    list_display = ("code", "what", "tariff_plan")
    list_filter = (("tariff_plan", RelatedDropdownFilter), ("entries__group", AutocompleteSelectFilter))
    list_select_related = ("tariff_plan",)
    list_prefetch_related = ("entries__group",)
    search_fields = ("code", "entries__group__code")
    search_help_text = "Id, or a group's id"
    ordering = ("code",)
    fields = (("code", "tariff_plan"),)
    inlines = (ActionPlanEntryInline,)
    page_actions = (
        PageAction(
            "assign",
            "Give to accounts",
            ASSIGN,
            _assign,
            AccountsForm,
            icon="person_add",
            primary=True,
            explain=lambda plan: f"Accounts get {plan} from now on; what it has for *asap is due at once.",
        ),
        PageAction(
            "remove",
            "Take from accounts",
            ("actions.view_actionplan", "actions.delete_accountplan"),
            _remove,
            AccountsForm,
            icon="person_remove",
            explain=lambda plan: f"{plan} is due no more for these accounts; what it has done stays.",
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("tariff_plan",)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        make_due_rows(form.instance, utc_now())
        reckon_again(form.instance, utc_now())

    def get_queryset(self, request: HttpRequest) -> QuerySet[ActionPlan]:
        rows: QuerySet[ActionPlan] = super().get_queryset(request)
        return rows.prefetch_related("entries__group")

    @display(description="Groups")
    def what(self, plan: ActionPlan) -> str:
        return ", ".join(str(entry) for entry in plan.entries.all())


@admin.register(AccountPlan)
class AccountPlanAdmin(ReadOnlyAdmin):
    when_empty = "Give a plan to accounts on the plan’s page, or by AccountActions.csv of a tariff folder."
    list_display = ("account_link", "plan_link", "since")
    list_display_links = ("since",)
    list_filter = (
        ("plan", RelatedDropdownFilter),
        ("account", AutocompleteSelectFilter),
        ("assigned_at", DaysFilter),
    )
    list_select_related = ("account", "plan")
    search_fields = ("=account__number", "=plan__code")
    search_help_text = "Account's number or plan's id, in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (("account_link", "plan_link"), "since")

    @display(description="Account")
    def account_link(self, row: AccountPlan) -> SafeString | str:
        return link_to(row.account)

    @display(description="Plan", ordering="plan")
    def plan_link(self, row: AccountPlan) -> SafeString | str:
        return link_to(row.plan)

    @display(description="Since", ordering="assigned_at")
    def since(self, row: AccountPlan) -> SafeString | str:
        return instant(row.assigned_at)


@admin.register(DueAction)
class DueActionAdmin(ReadOnlyAdmin):
    when_empty = "They come with the action plans of accounts."
    list_display = ("due", "account_link", "plan_link", "group", "timing", "done", "times")
    list_display_links = ("due",)
    list_filter = (
        ("entry__plan", RelatedDropdownFilter),
        ("entry__group", RelatedDropdownFilter),
        ("assignment__account", AutocompleteSelectFilter),
        ("due_at", DaysFilter),
    )
    list_select_related = ("assignment__account", "entry__plan", "entry__group")
    search_fields = ("=assignment__account__number", "=entry__plan__code", "=entry__group__code")
    search_help_text = "Account's number, plan's or group's id, in full"
    ordering = ("due_at", "rank", "pk")
    paginator = InfinitePaginator
    fields = (("account_link", "plan_link"), ("group", "timing"), ("due", "done"), "times")

    @display(description="Due", ordering="due_at")
    def due(self, row: DueAction) -> SafeString | str:
        return instant(row.due_at, seconds=True) if row.due_at else "never again"

    @display(description="Done last", ordering="done_at")
    def done(self, row: DueAction) -> SafeString | str:
        return instant(row.done_at, seconds=True)

    @display(description="Times done", ordering="done_count")
    def times(self, row: DueAction) -> str:
        return grouped(row.done_count)

    @display(description="Account")
    def account_link(self, row: DueAction) -> SafeString | str:
        return link_to(row.assignment.account)

    @display(description="Plan")
    def plan_link(self, row: DueAction) -> SafeString | str:
        return link_to(row.entry.plan)

    @display(description="Group")
    def group(self, row: DueAction) -> SafeString | str:
        return link_to(row.entry.group)

    @display(description="Timing")
    def timing(self, row: DueAction) -> str:
        return row.entry.timing


def _run_again(request: HttpRequest, row: RefusedActions, form: Any) -> str:
    run_again(row, utc_now())
    return f"{row.group} was carried out on account {row.account}."


def _drop(request: HttpRequest, row: RefusedActions, form: Any) -> str:
    drop(row, utc_now())
    return "It is settled without having been carried out."


def _is_open(row: RefusedActions) -> bool:
    return row.settled_at is None


@admin.register(RefusedActions)
class RefusedActionsAdmin(ReadOnlyAdmin):
    when_empty = (
        "Groups of actions that an account cannot have, such as a debit without the money, wait here."
    )
    list_display = ("when", "account_link", "group_link", "reason_badge", "message", "settled")
    list_display_links = ("when",)
    list_filter = (
        ("settled_at", admin.EmptyFieldListFilter),
        ("group", RelatedDropdownFilter),
        ("account", AutocompleteSelectFilter),
        ("at", DaysFilter),
    )
    list_select_related = ("account", "group")
    search_fields = ("=account__number", "=group__code", "=reason", "=key")
    search_help_text = "Account's number, group's id, reason or cause, in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (("account_link", "group_link"), ("when", "key"), ("reason_badge", "settled"), "message")
    page_actions = (
        PageAction(
            "again",
            "Carry out again",
            SETTLE,
            _run_again,
            icon="replay",
            primary=True,
            offered=_is_open,
            explain=lambda row: f"Carries out {row.group} as it is now on account {row.account}, once.",
        ),
        PageAction(
            "drop",
            "Settle without it",
            SETTLE,
            _drop,
            icon="done",
            offered=_is_open,
            explain=lambda row: "The account does not get it.",
        ),
    )

    @display(description="Due", ordering="at")
    def when(self, row: RefusedActions) -> SafeString | str:
        return instant(row.at, seconds=True)

    @display(description="Account")
    def account_link(self, row: RefusedActions) -> SafeString | str:
        return link_to(row.account)

    @display(description="Group")
    def group_link(self, row: RefusedActions) -> SafeString | str:
        return link_to(row.group)

    @display(description="Reason", ordering="reason")
    def reason_badge(self, row: RefusedActions) -> SafeString:
        return badge(row.reason.replace("_", " "), "danger" if row.settled_at is None else "")

    @display(description="Settled", ordering="settled_at")
    def settled(self, row: RefusedActions) -> SafeString | str:
        return instant(row.settled_at)


def _due_of(request: HttpRequest, account: Account) -> Table:
    rows = DueAction.objects.filter(assignment__account=account).select_related("entry__plan", "entry__group")
    found, previous_url, next_url = page_of(request, "actions", rows.order_by("pk"))
    return Table(
        ("Plan", "Group", "Timing", "Due", "Done last", "Times done"),
        [
            (
                link_to(row.entry.plan),
                link_to(row.entry.group),
                row.entry.timing,
                instant(row.due_at) if row.due_at else "never again",
                instant(row.done_at),
                grouped(row.done_count),
            )
            for row in found
        ],
        "This account has no action plan.",
        (5,),
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel("charging.account", Panel("actions", "Action plans", _due_of, ("actions.view_dueaction",), 60))
