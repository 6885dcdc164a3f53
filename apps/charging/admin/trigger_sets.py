"""Sets of account triggers, and which accounts have them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import link_to
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.charging.domain.triggers import amount_text
from apps.charging.models import Account, TriggerSet
from apps.charging.services.trigger_settings import assign_trigger_set

ASSIGN = ("charging.view_account", "charging.change_triggerset")


class AccountsForm(ActionForm):
    numbers = forms.CharField(
        label="Accounts", widget=forms.Textarea(attrs={"rows": 6}), help_text="Their numbers, one a line."
    )


class SetForm(ActionForm):
    code = forms.CharField(
        label="Set of triggers", max_length=64, required=False, help_text="Its code; empty: none any more."
    )


def _assign(request: HttpRequest, chosen: TriggerSet, form: AccountsForm) -> str:
    numbers = form.cleaned_data["numbers"].split()
    assign_trigger_set(chosen.tenant, numbers, chosen.code)
    return f"{len(numbers)} account{' has' if len(numbers) == 1 else 's have'} the triggers of {chosen}."


def _assign_to(request: HttpRequest, account: Account, form: SetForm) -> str:
    chosen = assign_trigger_set(account.tenant, [account.number], form.cleaned_data["code"] or None)
    return f"{account} has the triggers of {chosen}." if chosen else f"{account} has no set of triggers."


@admin.register(TriggerSet)
class TriggerSetAdmin(KeptMixin, HistoryAdmin):
    when_empty = "Add one here, or load a tariff folder with ActionTriggers.csv; a trigger names its set."
    list_display = ("code", "triggers_label", "accounts_label", "tenant")
    list_filter = (("tenant", RelatedDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("code",)
    search_help_text = "Code"
    ordering = ("tenant", "code")
    fields = (("code", "tenant"),)
    page_actions = (
        PageAction(
            "assign",
            "Give it to accounts",
            ASSIGN,
            _assign,
            AccountsForm,
            icon="group_add",
            explain=lambda chosen: (
                f"The accounts get the triggers of {chosen} instead of those of another set."
            ),
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("tenant",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TriggerSet]:
        rows: QuerySet[TriggerSet] = super().get_queryset(request)
        return rows.annotate(
            triggers_count=Count("triggers", distinct=True), accounts_count=Count("accounts", distinct=True)
        )

    @display(description="Triggers", ordering="triggers_count")
    def triggers_label(self, chosen: Any) -> int:
        return int(chosen.triggers_count)

    @display(description="Accounts", ordering="accounts_count")
    def accounts_label(self, chosen: Any) -> int:
        return int(chosen.accounts_count)


def _triggers(request: HttpRequest, chosen: TriggerSet) -> Table:
    rows, previous_url, next_url = page_of(request, "triggers", chosen.triggers.order_by("-weight", "pk"))
    return Table(
        ("Trigger", "When", "Threshold", "Then", "Actions"),
        [
            (
                link_to(row),
                row.get_kind_display(),
                amount_text(row.threshold, row.balance_kind, row.currency),
                row.get_action_display(),
                row.actions or "–",
            )
            for row in rows
        ],
        "It has no triggers yet.",
        (2,),
        previous_url=previous_url,
        next_url=next_url,
    )


def _accounts(request: HttpRequest, chosen: TriggerSet) -> Table:
    rows, previous_url, next_url = page_of(request, "accounts", chosen.accounts.order_by("number"))
    return Table(
        ("Account",),
        [(link_to(row),) for row in rows],
        "No account has it.",
        (),
        previous_url=previous_url,
        next_url=next_url,
    )


def _facts(request: HttpRequest, account: Account) -> list[Fact]:
    return [Fact("Triggers", link_to(account.trigger_set))] if account.trigger_set is not None else []


add_panel(
    "charging.triggerset", Panel("triggers", "Triggers", _triggers, ("charging.view_balancetrigger",), 10)
)
add_panel("charging.triggerset", Panel("accounts", "Accounts", _accounts, ("charging.view_account",), 20))
add_facts("charging.account", _facts)
add_action(
    "charging.account",
    PageAction(
        "trigger-set",
        "Set of triggers",
        ASSIGN,
        _assign_to,
        SetForm,
        icon="notification_important",
        menu="More",
        explain=lambda account: (
            f"The triggers of a set watch account {account} then, instead of those of another."
        ),
    ),
)
