"""Panels below a row's own fields: what other rooms know about it (a subscriber's usage, an account's bills).

A lower room's page cannot ask an upper room, so the upper room adds its panel with ``add_panel``. Only the
panel that is open is read from the database; ``?panel=usage&page=2`` opens one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode

ROWS_A_PAGE = 25
MAX_PAGE = 400


@dataclass(frozen=True)
class Table:
    """Rows to show: cells may be text or safe HTML; ``right`` are the indexes of columns of numbers.

    ``below`` is safe HTML that goes under the table.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "Nothing here yet."
    right: Sequence[int] = ()
    note: str = ""
    more_url: str = ""
    more_text: str = "Show all"
    previous_url: str = ""
    next_url: str = ""
    total: Sequence[Any] = ()
    below: str = ""


@dataclass(frozen=True)
class Panel:
    """A named panel of a model's page. ``read(request, obj)`` returns its table; needs all ``permissions``."""

    key: str
    title: str
    read: Callable[[HttpRequest, Any], Table]
    permissions: Sequence[str] = ()
    order: int = 50


@dataclass(frozen=True)
class Fact:
    """One of the figures at the top of a page."""

    label: str
    value: Any
    note: Any = ""
    url: str = ""


_panels: dict[str, list[Panel]] = defaultdict(list)
_facts: dict[str, list[Callable[[HttpRequest, Any], Sequence[Fact]]]] = defaultdict(list)


def add_panel(model_label: str, panel: Panel) -> None:
    """Add a panel to the pages of a model (``subscribers.subscriber``)."""
    if panel.key not in [known.key for known in _panels[model_label]]:
        _panels[model_label].append(panel)


def add_facts(model_label: str, read: Callable[[HttpRequest, Any], Sequence[Fact]]) -> None:
    """Add figures to the top of the pages of a model."""
    if read not in _facts[model_label]:
        _facts[model_label].append(read)


def facts_of(model_label: str, request: HttpRequest, obj: Model) -> list[Fact]:
    return [fact for read in _facts[model_label] for fact in read(request, obj)]


def panels_of(model_label: str, request: HttpRequest) -> list[Panel]:
    """The panels that this person may see, in order."""
    return sorted(
        (panel for panel in _panels[model_label] if request.user.has_perms(tuple(panel.permissions))),
        key=lambda panel: panel.order,
    )


def page_of(
    request: HttpRequest, key: str, rows: QuerySet[Any] | Sequence[Any], size: int = ROWS_A_PAGE
) -> tuple[list[Any], str, str]:
    """One page of a query (or list) without counting it: the rows, and the addresses of the pages before and after."""
    number = page_number(request, key)
    found = list(rows[(number - 1) * size : number * size + 1])
    previous_url = page_url(key, number - 1) if number > 1 else ""
    next_url = page_url(key, number + 1) if len(found) > size and number < MAX_PAGE else ""
    return found[:size], previous_url, next_url


def page_number(request: HttpRequest, key: str) -> int:
    if request.GET.get("panel") != key:
        return 1
    try:
        return min(max(1, int(request.GET.get("page", "1"))), MAX_PAGE)
    except ValueError:
        return 1


def page_url(key: str, number: int) -> str:
    return "?" + urlencode([("panel", key), ("page", str(number))]) + "#panels"
