"""CDRs: rated records, to look at. The list never counts them, and narrows by what has an index."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import instant, link_to, usage
from apps.backoffice.paging import InfinitePaginator
from apps.mediation.admin.cdr_filters import CdrFileFilter, CdrStartFilter
from apps.mediation.models import Cdr


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
                )
            },
        ),
    )

    def get_search_results(self, request, queryset, search_term):
        """By the whole record id: (source, record id) is indexed, so ask every source."""
        from apps.mediation.models import Source

        term = search_term.strip()
        if not term:
            return queryset, False
        sources = list(Source.objects.values_list("pk", flat=True))
        return queryset.filter(source__in=sources, record_id=term), False

    @display(description="Start")
    def started(self, cdr: Cdr):
        return instant(cdr.start, seconds=True)

    @display(description="Subscriber")
    def subscriber_link(self, cdr: Cdr):
        return link_to(cdr.subscriber)

    @display(description="Account")
    def account_link(self, cdr: Cdr):
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
    def plan_link(self, cdr: Cdr):
        return link_to(cdr.price_plan)

    @display(description="File")
    def file_link(self, cdr: Cdr):
        return link_to(cdr.file)

    @display(description="Priced with")
    def tariff_link(self, cdr: Cdr):
        return link_to(cdr.file.tariff_version)
