"""Filters of the CDR list that stay fast on a table of many millions.

There is no index on a record's file or start: what each file charged by day (``CdrFileDay``) says between which ids
the records are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter
from unfold.contrib.filters.forms import RangeDateForm

from apps.backoffice.filters import midnight
from apps.mediation.models import Cdr, CdrFileDay


class CdrFileFilter(TextFilter):
    """All records of one file, by its number (links from the file's page set it)."""

    title = "file number"
    parameter_name = "file"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Cdr]) -> QuerySet[Cdr]:
        if not self.value():
            return queryset
        if not self.value().isdigit():
            messages.warning(request, "A file is given by its number; find it among the CDR files.")
            return queryset.none()
        number = int(self.value())
        return _between(queryset, CdrFileDay.objects.filter(file=number)).filter(file=number)


class CdrStartFilter(admin.SimpleListFilter):
    """Records that start on days of ``[from, to]``, in the zone in which the admin tells the time."""

    title = "start"
    parameter_name = "start_from"
    template = "unfold/filters/filters_date_range.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Cdr], model_admin: ModelAdmin[Cdr]
    ) -> None:
        self.request = request
        self.days: dict[str, str] = {}
        for name in ("start_from", "start_to"):
            value = params.pop(name, None)
            if value:
                self.days[name] = value[-1] if isinstance(value, list) else value
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("", "")]

    def expected_parameters(self) -> list[str | None]:
        return ["start_from", "start_to"]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Cdr]) -> QuerySet[Cdr]:
        first, last = self._day("start_from"), self._day("start_to")
        files = CdrFileDay.objects.all()
        if first is not None:
            # Files' days are those of UTC.
            files = files.filter(day__gte=first - timedelta(days=1))
            queryset = queryset.filter(start__gte=midnight(first))
        if last is not None:
            files = files.filter(day__lte=last + timedelta(days=1))
            queryset = queryset.filter(start__lt=midnight(last + timedelta(days=1)))
        return queryset if first is None and last is None else _between(queryset, files)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield {
            "request": self.request,
            "parameter_name": "start",
            "form": RangeDateForm(name="start", data=self.days),
        }

    def _day(self, name: str) -> date | None:
        try:
            return date.fromisoformat(self.days[name]) if self.days.get(name) else None
        except ValueError:
            messages.warning(self.request, f"“{self.days[name]}” is not a day; write it like 2026-01-31.")
            return None


def _between(queryset: QuerySet[Cdr], files: QuerySet[CdrFileDay]) -> QuerySet[Cdr]:
    """Only ids between which the records of these days of files are."""
    bounds = files.aggregate(after=Min("after_cdr"), last=Max("last_cdr"))
    if bounds["last"] is None:
        return queryset.none()
    return queryset.filter(pk__gt=bounds["after"], pk__lte=bounds["last"])
