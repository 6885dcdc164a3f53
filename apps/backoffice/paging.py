"""Lists of many rows: counted once, or not at all if the table has many millions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold import paginator
from unfold.views import ChangeList


class InfinitePaginator(paginator.InfinitePaginator):
    """Previous and next only: counting a hundred million rows for a page number is not worth it.

    Unfold's templates know it by the name of its class.
    """

    def validate_number(self, number: Any) -> int:
        try:
            return max(1, int(number))
        except (TypeError, ValueError):
            return 1


class CountedOnce(ChangeList):
    """A list without filters has as many rows as it shows: no second count, and nothing more to “show all” of."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.has_active_filters and not self.query:
            self.full_result_count = self.result_count
