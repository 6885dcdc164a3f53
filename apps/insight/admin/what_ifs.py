"""What-ifs: begun, watched, cancelled; what traffic was charged beside what it would be, as charts and lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.charts import bars, chart, in_lines
from apps.backoffice.display import badge, change_url, grouped, instant, link, link_to, money
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.insight.models import WhatIf
from apps.insight.selectors import (
    WHAT_IF_PARTS,
    what_if_lines,
    what_if_parts,
    what_if_progress,
    what_if_totals,
    winners_and_losers,
)
from apps.insight.services.what_if import begin_what_if, cancel_what_if
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.kernel.money import MICROS_PER_UNIT
from apps.kernel.periods import local_midnight
from apps.rating.models import TariffDraft, TariffVersion, Tenant
from apps.rating.selectors.tariffs import read_as_of, version_as_of

_TITLES = {"plans": "Plan", "destinations": "Destination", "services": "Service", "accounts": "Account"}
_BARS = 10
_VIEW = ("insight.view_whatif",)
_COLOURS = {"running": "info", "done": "success", "failed": "danger"}


class BeginForm(ActionForm):
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(), initial=lambda: Tenant.objects.first(), empty_label=None
    )
    first_day = forms.DateField(label="From", help_text="First day of the period.", widget=forms.DateInput())
    end_day = forms.DateField(
        label="Until", help_text="First day after the period.", widget=forms.DateInput()
    )
    draft = forms.ModelChoiceField(
        TariffDraft.objects.defer("archive").exclude(
            state__in=(TariffDraft.State.PUBLISHED, TariffDraft.State.DISCARDED)
        ),
        required=False,
        label="Tariff draft",
    )
    as_of = forms.CharField(
        required=False,
        max_length=40,
        label="Or tariff as of",
        help_text="A version such as 17, a time such as 2026-11-01T00:00:00Z, or a commit of the history.",
    )
    sample = forms.IntegerField(
        initial=100, min_value=1, max_value=100, label="Per cent of the accounts", help_text="100: all."
    )
    seed = forms.CharField(
        initial="1", max_length=32, help_text="Of a sample: the same seed takes the same accounts."
    )
    cost_run = forms.CharField(
        required=False,
        max_length=32,
        label="Run of costs",
        help_text="The run of records that says what they cost the operator, for margins; empty: none.",
    )
    note = forms.CharField(required=False, max_length=200)

    def clean_as_of(self) -> int | None:
        text = self.cleaned_data["as_of"].strip()
        try:
            return version_as_of(read_as_of(text)) if text else None
        except BssError as error:
            raise forms.ValidationError(error.message) from error


def begin(request: HttpRequest, obj: None, form: BeginForm) -> HttpResponse:
    data = form.cleaned_data
    tenant, draft = data["tenant"], data["draft"]
    what_if = begin_what_if(
        tenant,
        local_midnight(data["first_day"], tenant.zone),
        local_midnight(data["end_day"], tenant.zone),
        now=utc_now(),
        by=request.user.get_username(),
        version_id=data["as_of"],
        draft_id=draft.pk if draft is not None else None,
        sample_percent=data["sample"],
        seed=data["seed"],
        cost_run=data["cost_run"],
        note=data["note"],
    )
    return HttpResponseRedirect(change_url(what_if))


def cancel(request: HttpRequest, what_if: WhatIf, form: ActionForm) -> str:
    return f"{cancel_what_if(what_if.pk, utc_now())} is cancelled."


class ExportForm(ActionForm):
    by = forms.ChoiceField(choices=list(_TITLES.items()))


def export(request: HttpRequest, what_if: WhatIf, form: ExportForm) -> HttpResponse:
    part = form.cleaned_data["by"]
    response = HttpResponse("".join(what_if_lines(what_if.pk, part)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="what-if-{what_if.pk}-{part}.csv"'
    return response


BEGIN = PageAction(
    "begin",
    "New what-if",
    ("insight.add_whatif",),
    begin,
    BeginForm,
    icon="query_stats",
    primary=True,
    on_list=True,
    explain=lambda _: (
        "Prices the records of a period by a draft or another version, beside what they were charged. Nothing moves. "
        "Free units are those that plans and bundles grant now; fees, and usage charged in real time, are not in it."
    ),
)
CANCEL = PageAction(
    "cancel",
    "Cancel",
    ("insight.add_whatif",),
    cancel,
    icon="stop",
    offered=lambda what_if: what_if.state == WhatIf.State.RUNNING,
    explain=lambda what_if: f"{what_if} ends; what is done of it stays to be seen.",
)
EXPORT = PageAction("export", "Export CSV", _VIEW, export, ExportForm, icon="download")


@admin.register(WhatIf)
class WhatIfAdmin(ReadOnlyAdmin):
    change_form_template = "admin/insight/what_if.html"
    when_empty = "Price the traffic of a past month by a draft: “New what-if”."
    list_display = (
        "label",
        "period",
        "tariff",
        "sample",
        "state_label",
        "progress",
        "created_by",
        "begun",
        "note",
    )
    list_filter = (
        ("created_at", DaysFilter),
        ("state", ChoicesDropdownFilter),
        ("tenant", RelatedDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("=id", "note", "created_by")
    search_help_text = "Number, note or who began it"
    ordering = ("-pk",)
    page_actions = (BEGIN, CANCEL, EXPORT)
    fields = (
        ("tenant", "period"),
        ("tariff", "sample"),
        ("cost_run", "note"),
        ("state_label", "message"),
        ("created_by", "begun"),
    )

    class Media:
        js = ("unfold/js/chart/chart.js",)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        charts = _charts(int(object_id)) if object_id and object_id.isdecimal() else []
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), "charts": charts}
        )

    @display(description="What-if", ordering="pk")
    def label(self, what_if: WhatIf) -> str:
        return str(what_if)

    @display(description="State", ordering="state")
    def state_label(self, what_if: WhatIf) -> SafeString:
        return badge(what_if.get_state_display(), _COLOURS.get(what_if.state, ""))

    @display(description="From, until", ordering="start")
    def period(self, what_if: WhatIf) -> str:
        zone = what_if.tenant.zone
        return f"{what_if.start.astimezone(zone):%Y-%m-%d} – {what_if.end.astimezone(zone):%Y-%m-%d}"

    @display(description="Tariff")
    def tariff(self, what_if: WhatIf) -> SafeString | str:
        if what_if.draft_id:
            return link_to(TariffDraft(pk=what_if.draft_id), f"Draft {what_if.draft_id}")
        return link_to(TariffVersion(pk=what_if.tariff_version_id))

    @display(description="Accounts", ordering="sample_percent")
    def sample(self, what_if: WhatIf) -> str:
        if what_if.sample_percent == 100:
            return "All"
        return f"{what_if.sample_percent}\u00a0% (seed {what_if.seed})"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WhatIf]:
        rows: QuerySet[WhatIf] = super().get_queryset(request)
        return rows.annotate(done=Count("shards__finished_at"), portions=Count("shards"))

    @display(description="Done")
    def progress(self, what_if: Any) -> str:
        return f"{what_if.done * 100 // what_if.portions}\u00a0%" if what_if.portions else "No accounts"

    @display(description="Begun", ordering="created_at")
    def begun(self, what_if: WhatIf) -> str:
        return instant(what_if.created_at)


def facts(request: HttpRequest, what_if: WhatIf) -> list[Fact]:
    done, count = what_if_progress(what_if.pk)
    winners, losers = winners_and_losers(what_if.pk)
    found = [
        Fact("Done", f"{grouped(done)} of {grouped(count)}", what_if.get_state_display()),
        Fact("Would pay less", grouped(winners), "accounts"),
        Fact("Would pay more", grouped(losers), "accounts"),
    ]
    for total in what_if_totals(what_if.pk):
        note = f"{grouped(total.records)} records"
        if total.refused:
            note += f", {grouped(total.refused)} without a price"
        found += [
            Fact("Charged", money(total.before_micros, total.currency), note),
            Fact("Would be", money(total.after_micros, total.currency)),
            Fact("Difference", money(total.added_micros, total.currency)),
        ]
        if what_if.cost_run:
            found.append(
                Fact(
                    "Margin",
                    money(total.after_micros - total.cost_micros, total.currency),
                    f"was {money(total.before_micros - total.cost_micros, total.currency)}",
                )
            )
    return found


def _charts(what_if_id: int) -> list[dict[str, Any]]:
    url = reverse("admin:insight_whatif_change", args=(what_if_id,))
    return [
        _chart(what_if_id, part, f"{url}?panel={part}#panels")
        for part in ("plans", "destinations", "accounts")
    ]


def _chart(what_if_id: int, part: str, url: str) -> dict[str, Any]:
    rows = list(what_if_parts(what_if_id, part)[:_BARS])
    currencies = {row["currency"] for row in rows}
    unit = f", {next(iter(currencies))}" if len(currencies) == 1 else ""
    names = [row["name"] if unit else f"{row['name']} ({row['currency']})" for row in rows]
    if part == "accounts":
        title = f"Accounts with the greatest difference{unit}"
        rows = rows if any(row["added_micros"] for row in rows) else []
        sets = [bars("Difference", [row["added_micros"] / MICROS_PER_UNIT for row in rows], 2)]
    else:
        title = f"Charged, and what it would be, by {_TITLES[part].lower()}{unit}"
        sets = [
            bars("Charged", [row["before_micros"] / MICROS_PER_UNIT for row in rows], 0),
            bars("Would be", [row["after_micros"] / MICROS_PER_UNIT for row in rows], 2),
        ]
    return chart(
        part, title, "bar", [in_lines(name) for name in names], sets if rows else [], url=url, link="Show all", span=4,
        horizontal=True, empty="No difference." if part == "accounts" else "Nothing yet.",
    )  # fmt: skip


def _name(row: dict[str, Any]) -> SafeString | str:
    account = row.get("account")
    return (
        link(reverse("admin:charging_account_change", args=(account,)), row["name"])
        if account
        else row["name"]
    )


def _panel(part: str) -> Callable[[HttpRequest, WhatIf], Table]:
    def read(request: HttpRequest, what_if: WhatIf) -> Table:
        rows, previous_url, next_url = page_of(request, part, what_if_parts(what_if.pk, part))
        with_costs = bool(what_if.cost_run)
        return Table(
            (_TITLES[part], "Records", "No price", "Charged", "Would be", "Difference")
            + (("Margin",) if with_costs else ()),
            [
                (
                    _name(row),
                    grouped(row["records"]),
                    grouped(row["refused"]),
                    *(
                        money(row[name], row["currency"])
                        for name in ("before_micros", "after_micros", "added_micros")
                    ),
                    *(
                        (money(row["after_micros"] - row["cost_micros"], row["currency"]),)
                        if with_costs
                        else ()
                    ),
                )
                for row in rows
            ],
            "No records yet.",
            right=(1, 2, 3, 4, 5, 6),
            previous_url=previous_url,
            next_url=next_url,
        )

    return read


add_facts("insight.whatif", facts)
for _place, _part in enumerate(WHAT_IF_PARTS):
    add_panel("insight.whatif", Panel(_part, f"{_TITLES[_part]}s", _panel(_part), _VIEW, _place))
