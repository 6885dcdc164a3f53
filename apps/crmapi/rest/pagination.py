"""Lists in pages: a page ends with an opaque cursor from which the next one goes on (keyset pagination).

A cursor holds the sort values of the last item shown, so what comes or goes meanwhile neither repeats nor hides others.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.kernel.errors import InvalidInput

MOST_A_PAGE = 200
USUAL_PAGE = 50
Position = tuple[Any, ...]


def page_of(
    request: Request,
    name: str,
    limit: int,
    cursor: str,
    *,
    fetch: Callable[[Any, int], Iterable[Any]],
    position: Callable[[Any], Position],
    first: Position,
    shown: Callable[[list[Any]], Any],
) -> Response:
    """The page after ``cursor`` (or the first one, if it is empty) of the list ``name``.

    ``fetch(position, limit)`` reads up to so many items after a position; ``position`` is that of an item, and
    ``first`` the one before all items, whose values say which types a position has.
    """
    begin = read_cursor(cursor, name, first) if cursor else first
    found = list(islice(fetch(begin, limit + 1), limit + 1))
    following = write_cursor(name, position(found[limit - 1])) if len(found) > limit else None
    return Response(
        {
            "items": shown(found[:limit]),
            "next_cursor": following,
            "next": _address(request, following) if following else None,
        }
    )


def _address(request: Request, cursor: str) -> str:
    parameters = request.query_params.copy()
    parameters["cursor"] = cursor
    return str(request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}"))


def write_cursor(name: str, position: Position) -> str:
    """The text of a position in the list ``name``."""
    texts = [value.isoformat() if isinstance(value, datetime) else value for value in position]
    return base64.urlsafe_b64encode(json.dumps([name, *texts]).encode()).decode().rstrip("=")


def read_cursor(cursor: str, name: str, first: Position) -> Position:
    """The position that a cursor of the list ``name`` stands for. Raises InvalidInput (code invalid_cursor)."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        given, *values = json.loads(text)
        if given != name:
            raise ValueError(given)
        return tuple(_value(value, like) for value, like in zip(values, first, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise InvalidInput(
            "this cursor is not one that this list gave out; start over without it",
            code="invalid_cursor",
            where="cursor",
        ) from None


def _value(value: Any, like: Any) -> Any:
    if isinstance(like, datetime):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or not 1970 <= moment.year < 9000:
            raise ValueError(value)
        return moment.astimezone(UTC)
    if isinstance(like, str):
        if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
            raise ValueError(value)
        value.encode()
        return value
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return value
