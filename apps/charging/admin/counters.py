"""Allowance counters: free units used, to look at."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter, SingleNumericFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import link_to, usage
from apps.backoffice.paging import InfinitePaginator
from apps.charging.models import AllowanceCounter
from apps.rating.models import Bundle, PricePlan


def grants_of(origins: Iterable[str]) -> dict[str, PricePlan | Bundle]:
    """The plan or bundle behind each origin (``plan:<id>``, ``bundle:<id>``), with two queries."""
    ids: dict[str, set[int]] = {"plan": set(), "bundle": set()}
    for origin in origins:
        kind, _, number = origin.partition(":")
        if kind in ids and number.isdigit():
            ids[kind].add(int(number))
    found: dict[str, PricePlan | Bundle] = {}
    for kind, model in (("plan", PricePlan), ("bundle", Bundle)):
        if ids[kind]:
            found.update({f"{kind}:{row.pk}": row for row in model.objects.filter(pk__in=ids[kind])})
    return found


@admin.register(AllowanceCounter)
class AllowanceCounterAdmin(ReadOnlyAdmin):
    list_display = ("subscriber_link", "month_label", "service", "origin_link", "run", "used_label")
    list_filter = (
        ("subscriber", AutocompleteSelectFilter),
        ("service", RelatedDropdownFilter),
        ("year", SingleNumericFilter),
        ("month", SingleNumericFilter),
    )
    list_select_related = ("subscriber", "service")
    search_fields = ("subscriber__number__startswith",)
    search_help_text = "Subscriber's number"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = ("subscriber_link", "month_label", "service", "origin_link", "run", "used_label")

    @display(description="Subscriber")
    def subscriber_link(self, counter: AllowanceCounter) -> SafeString | str:
        return link_to(counter.subscriber)

    @display(description="Month")
    def month_label(self, counter: AllowanceCounter) -> str:
        return f"{counter.year}-{counter.month:02d}"

    @display(description="Granted by")
    def origin_link(self, counter: AllowanceCounter) -> SafeString | str:
        grant = self._grants().get(counter.origin)
        return link_to(grant) if grant else counter.origin

    @display(description="Used")
    def used_label(self, counter: AllowanceCounter) -> str:
        return usage(counter.used, counter.service.type_of_record)

    def _grants(self) -> dict[str, PricePlan | Bundle]:
        # Plans and bundles are few; one look a request serves the whole list.
        request = getattr(self, "request", None)
        if request is None or not hasattr(request, "bss_grants"):
            known: dict[str, PricePlan | Bundle] = {
                f"plan:{plan.pk}": plan for plan in PricePlan.objects.all()
            }
            known.update({f"bundle:{bundle.pk}": bundle for bundle in Bundle.objects.all()})
            if request is None:
                return known
            request.bss_grants = known
        grants: dict[str, PricePlan | Bundle] = request.bss_grants
        return grants
