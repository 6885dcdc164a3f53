"""What all reads of the room share: instants as the databases hold them, pages, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from apps.kernel.errors import InvalidInput
from apps.rating.models import Service

ROWS_A_PAGE = 500
MOST_AT_ONCE = 1_000

T = TypeVar("T")


def instant_of_text(text: str) -> datetime:
    """The instant that the database holds as this text in UTC."""
    return datetime.fromisoformat(text + "+00:00")


def instant_or_none(text: str | None) -> datetime | None:
    """As :func:`instant_of_text`; None for NULL."""
    return None if text is None else datetime.fromisoformat(text + "+00:00")


def checked_limit(limit: int) -> int:
    """The limit of a page; raises InvalidInput out of 1 to MOST_AT_ONCE."""
    if not 1 <= limit <= MOST_AT_ONCE:
        raise InvalidInput(f"ask for 1 to {MOST_AT_ONCE} at once", where="limit")
    return limit


def checked_choice(value: str, choices: Sequence[str], where: str) -> str:
    """``value`` if it is empty or one of ``choices``; raises InvalidInput otherwise."""
    if value and value not in choices:
        raise InvalidInput(f"“{value}” is not one of {', '.join(choices)}", where=where)
    return value


def checked_not_negative(**values: int) -> None:
    """Raise InvalidInput, placed by its name, for the first value below zero."""
    for name, value in values.items():
        if value < 0:
            raise InvalidInput("must not be negative", where=name)


def checked_service(code: str) -> int:
    """The id of a service. Raises InvalidInput, naming those there are."""
    services = dict(Service.objects.values_list("code", "pk"))
    if code not in services:
        raise InvalidInput(f"“{code}” is not a service; there are {', '.join(services)}", where="service")
    return services[code]


def paged(
    page_after: Callable[[Any, int], Sequence[T]], first: Any, key: Callable[[T], Any], limit: int
) -> Iterator[T]:
    """All rows of pages read one after the other by key; ``limit`` 0 = all.

    ``page_after(key, count)`` reads up to ``count`` rows after a key.
    """
    left = limit or None
    after = first
    while left is None or left > 0:
        count = ROWS_A_PAGE if left is None else min(ROWS_A_PAGE, left)
        page = page_after(after, count)
        yield from page
        if len(page) < count:
            return
        after = key(page[-1])
        if left is not None:
            left -= count
