"""Groups of actions to edit, and to carry out on accounts now."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.actions.models import Action, ActionGroup
from apps.actions.services.plans import accounts_by_number
from apps.actions.services.running import Ran, run_group
from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin
from apps.backoffice.display import grouped
from apps.backoffice.forms import ActionForm
from apps.kernel.clock import utc_now
from apps.rating.models import Tenant

RUN = ("actions.view_actiongroup", "actions.add_refusedactions")


class AccountsForm(ActionForm):
    """Accounts by their numbers."""

    tenant = forms.ModelChoiceField(Tenant.objects.order_by("pk"), empty_label=None)
    accounts = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Account numbers, split by blanks, commas or lines.",
    )

    def account_ids(self) -> list[int]:
        """Raises NotFound for the first number that is not there."""
        numbers = self.cleaned_data["accounts"].replace(",", " ").replace(";", " ").split()
        return accounts_by_number(self.cleaned_data["tenant"], numbers)


class RunForm(AccountsForm):
    """The hidden key names the run, so that sending the form twice carries the group out once."""

    key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput, initial=lambda: uuid4().hex)


def ran(outcome: Ran) -> str:
    """What a run did, as a sentence."""
    parts = [f"Carried out on {grouped(outcome.done)} account{'s' if outcome.done != 1 else ''}"]
    if outcome.refused:
        parts.append(f"{grouped(outcome.refused)} refused (see Refused actions)")
    if outcome.repeated:
        parts.append(f"{grouped(outcome.repeated)} had it before")
    return "; ".join(parts) + "."


def _run(request: HttpRequest, group: ActionGroup, form: RunForm) -> str:
    return ran(run_group(group, form.account_ids(), utc_now(), key=form.cleaned_data["key"]))


class ActionInline(StackedInline):
    model = Action
    extra = 0
    fields = (
        ("kind", "weight"),
        ("balance_type", "balance_id"),
        ("units", "expiry"),
        ("balance_weight", "rating_subject"),
        ("balance_blocker", "balance_disabled"),
        ("destinations", "categories"),
        ("timings", "shared_groups"),
        "directions",
        ("filter", "extra_parameters"),
    )


@admin.register(ActionGroup)
class ActionGroupAdmin(HistoryAdmin):
    shared = True
    when_empty = "Add one here, or load a tariff folder with Actions.csv."
    list_display = ("code", "what", "tariff_plan")
    list_filter = (("tariff_plan", RelatedDropdownFilter), ("actions__kind", ChoicesDropdownFilter))
    list_select_related = ("tariff_plan",)
    list_prefetch_related = ("actions",)
    search_fields = ("code", "actions__balance_id", "actions__extra_parameters")
    search_help_text = "Id, or a balance, URL or address of an action"
    ordering = ("code",)
    fields = (("code", "tariff_plan"),)
    inlines = (ActionInline,)
    page_actions = (
        PageAction(
            "run",
            "Carry out now",
            RUN,
            _run,
            RunForm,
            icon="play_arrow",
            primary=True,
            explain=lambda group: (
                f"Carries out {group} now, on each of these accounts all of its actions or none."
            ),
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("tariff_plan",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ActionGroup]:
        rows: QuerySet[ActionGroup] = super().get_queryset(request)
        return rows.prefetch_related("actions")

    @display(description="Actions")
    def what(self, group: ActionGroup) -> str:
        return ", ".join(str(action) for action in group.actions.all())
