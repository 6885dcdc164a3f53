"""Filters of lists."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str


def midnight(day: date) -> datetime:
    """The beginning of a day in the zone in which the admin tells the time."""
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone()).astimezone(UTC)


class DaysFilter(RangeDateFilter):
    """Days from … to …, the last one included: unfold's own would end an instant's range as that day begins."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        instants = isinstance(self.field, DateTimeField)
        first, last = self._day("from"), self._day("to")
        if first is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": midnight(first) if instants else first})
        if last is not None:
            after = last + timedelta(days=1)
            queryset = queryset.filter(**{f"{self.field_path}__lt": midnight(after) if instants else after})
        return queryset

    def _day(self, end: str) -> date | None:
        text = self.used_parameters.get(f"{self.field_path}_{end}")
        return parse_date_str(text) if text else None
