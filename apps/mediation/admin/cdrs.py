"""CDRs: rated records, to look at. The list never counts them, and filters by indexed columns only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice import tenancy
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import cause_link, grouped, instant, link_to, money, plain_money, usage
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Panel, Table, add_panel
from apps.kernel.errors import BssError
from apps.mediation.admin.cdr_filters import CdrFileFilter, CdrStartFilter
from apps.mediation.formats.decoded import hex_dump, message_fields
from apps.mediation.models import Cdr, Source
from apps.mediation.selectors import explain_cdr, pricing_version
from apps.rating.admin.explanations import explained


@admin.register(Cdr)
class CdrAdmin(ReadOnlyAdmin):
    list_display = (
        "started",
        "subscriber_link",
        "service",
        "other_party",
        "destination",
        "usage_label",
        "free_label",
        "billed_label",
        "cost",
        "account_link",
    )
    list_display_links = ("started",)
    list_filter = (
        ("account", AutocompleteSelectFilter),
        CdrStartFilter,
        ("service", RelatedDropdownFilter),
        CdrFileFilter,
    )
    list_select_related = ("subscriber", "account", "service", "destination")
    search_fields = ("record_id",)
    search_help_text = "Record id in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    currency_path = "account__currency"
    exact_money = True
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("started", "service"),
                    ("subscriber_link", "account_link"),
                    ("other_party", "destination"),
                    ("usage_label", "free_label"),
                    ("billed_label", "cost"),
                    ("plan_link", "tariff_link"),
                    ("file_link", "record_id"),
                    ("run", "mode"),
                )
            },
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Cdr], search_term: str
    ) -> tuple[QuerySet[Cdr], bool]:
        """By the whole record id: (source, record id) is indexed, so ask every source."""
        term = search_term.strip()
        if not term:
            return queryset, False
        sources = list(Source.objects.values_list("pk", flat=True))
        return queryset.filter(source__in=sources, record_id=term), False

    @display(description="Start")
    def started(self, cdr: Cdr) -> str:
        return instant(cdr.start, seconds=True)

    @display(description="Subscriber")
    def subscriber_link(self, cdr: Cdr) -> str:
        return link_to(cdr.subscriber)

    @display(description="Account")
    def account_link(self, cdr: Cdr) -> str:
        return link_to(cdr.account)

    @display(description="Usage")
    def usage_label(self, cdr: Cdr) -> str:
        return usage(cdr.usage, cdr.service.type_of_record)

    @display(description="Free")
    def free_label(self, cdr: Cdr) -> str:
        return usage(cdr.free_usage, cdr.service.type_of_record) if cdr.free_usage else "–"

    @display(description="Billed")
    def billed_label(self, cdr: Cdr) -> str:
        return usage(cdr.billed_usage, cdr.service.type_of_record)

    @display(description="Price plan")
    def plan_link(self, cdr: Cdr) -> str:
        return link_to(cdr.price_plan)

    @display(description="File")
    def file_link(self, cdr: Cdr) -> str:
        return link_to(cdr.file)

    @display(description="Priced with")
    def tariff_link(self, cdr: Cdr) -> str:
        return link_to(pricing_version(cdr))


def explanation(request: HttpRequest, cdr: Cdr) -> Table:
    """Why the record costs what it costs, by the tariff that priced it."""
    try:
        found = explain_cdr(cdr)
    except BssError as error:
        return Table((), (), f"This price cannot be explained any more: {error.message}")
    currency = cdr.account.currency
    note = ""
    if not found.agrees:
        note = (
            f"The record was charged {plain_money(found.stored_cost_micros, currency)}; priced again it comes out as "
            "below. Free units or corrections since may be the reason."
        )
    shown = explained(found.explanation, currency, version=link_to(pricing_version(cdr)), note=note)
    return Table(
        (),
        (),
        "",
        below=render_to_string("admin/rating/explanation.html", {"explained": shown}),
    )


def raw_record(request: HttpRequest, cdr: Cdr) -> Table:
    """The record as it was read."""
    raw = bytes(cdr.raw)
    return Table(
        ("Field", "Value"),
        message_fields(raw),
        "Its fields cannot be read.",
        below=render_to_string(
            "admin/backoffice/raw.html", {"dump": hex_dump(raw), "octets": grouped(len(raw))}
        ),
    )


def corrections(request: HttpRequest, cdr: Cdr) -> Table:
    """What the record was charged before, the newest correction first."""
    currency = cdr.account.currency
    found = cdr.corrections.select_related("destination_before", "destination_after").order_by("-pk")
    kind = cdr.service.type_of_record
    return Table(
        ("When", "Cause", "Destination", "Free", "Before", "After", "Taken back"),
        [
            (
                instant(row.at, seconds=True),
                cause_link(row.cause),
                _changed(row.destination_before, row.destination_after),
                _changed(usage(row.free_before, kind), usage(row.free_after, kind)),
                plain_money(row.cost_before_micros, currency),
                plain_money(row.cost_after_micros, currency),
                instant(row.taken_back_at, seconds=True),
            )
            for row in found
        ],
        "It has the charge with which it was loaded.",
        (4, 5),
    )


def _changed(before: object, after: object) -> str:
    return str(after) if before == after else f"{before} → {after}"


add_panel("mediation.cdr", Panel("corrections", "Corrections", corrections, ("mediation.view_cdr",), 15))


def runs(request: HttpRequest, cdr: Cdr) -> Table:
    """Every charge of the record: its subscriber's own, and those of the runs that were derived from it."""
    found = tenancy.own(request, Cdr.objects.filter(source=cdr.source_id, record_id=cdr.record_id))
    rows = [
        (
            link_to(row, row.run) if row.pk != cdr.pk else row.run,
            link_to(row.account),
            row.mode or "–",
            row.other_party,
            row.destination,
            usage(row.billed_usage, row.service.type_of_record),
            money(row.cost_micros, row.account.currency, exact=True),
        )
        for row in found.select_related("account", "service", "destination").order_by("pk")
    ]
    headers = ("Run", "Account", "Mode", "Other party", "Destination", "Billed", "Cost")
    return Table(headers, rows, right=(5, 6))


add_panel("mediation.cdr", Panel("runs", "Runs", runs, ("mediation.view_cdr",), 15))
add_panel(
    "mediation.cdr",
    Panel(
        "price", "Explain this price", explanation, ("mediation.view_cdr", "rating.view_tariffversion"), 10
    ),
)
add_panel("mediation.cdr", Panel("raw", "Raw record", raw_record, ("mediation.view_cdr",), 20))
