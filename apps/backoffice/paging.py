"""Lists over tables of many millions of rows, without counting them."""

from __future__ import annotations

from typing import Any

from unfold.paginator import InfinitePaginator


class UncountedPaginator(InfinitePaginator):
    """Previous and next only: counting a hundred million rows for a page number is not worth it."""

    def validate_number(self, number: Any) -> int:
        try:
            return max(1, int(number))
        except (TypeError, ValueError):
            return 1
