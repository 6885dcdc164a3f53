"""Dates, times of day and instants as tariff files write them; every reader raises InvalidInput."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput
from apps.kernel.units import SECONDS_PER_DAY
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files.fields import ASAP, LIST_SEPARATOR, UNLIMITED, keyword, whole_number

_LAST_SECOND = SECONDS_PER_DAY - 1
_SUNDAY = 7
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
# Go prints an instant as “2013-11-08 15:00:01.5 +0000 UTC”: the zone once as an offset, once by name.
_GO_ZONE = re.compile(r"\s+([+-]\d{2}:?\d{2})\s+(?:\w+|[+-]\d{2}:?\d{2})", re.ASCII)
_DIGIT_LAYOUTS = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
# Unix times in seconds, milliseconds and microseconds, by their number of digits.
_UNIX_TICKS = {10: 1, 13: 1_000, 16: 1_000_000}
_OTHER_LAYOUTS = ("%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S")


def number_list(least: int, most: int) -> Callable[[str], tuple[int, ...]]:
    """A reader of whole numbers split by semicolons; ``*any``, ``*all`` or nothing stand for every one."""

    def read(text: str) -> tuple[int, ...]:
        parts = [keyword(part) for piece in text.split(LIST_SEPARATOR) if (part := piece.strip())]
        if ANY in parts or "*all" in parts:
            return ()
        return tuple(sorted({whole_number(part, least, most) for part in parts}))

    return read


def weekdays(text: str) -> tuple[int, ...]:
    """Weekdays 1 (Monday) to 7; 0 is Sunday too, as in Go and cron."""
    numbers = number_list(0, _SUNDAY)(text)
    return tuple(sorted({number or _SUNDAY for number in numbers}))


def time_band(text: str) -> tuple[int, int]:
    """Seconds of the day at which a timing starts and ends: ``08:00:00``, ``08:00:00;18:00:00`` or ``*asap``.

    An end of ``23:59:59`` is the end of the day, or its last second would have no price.
    """
    if keyword(text) in ("", ASAP, ANY):
        return 0, SECONDS_PER_DAY
    start, _, end = (part.strip() for part in text.partition(LIST_SEPARATOR))
    start_s = _second_of_day(start, _LAST_SECOND) if start else 0
    if not end:
        return start_s, SECONDS_PER_DAY
    end_s = _second_of_day(end, SECONDS_PER_DAY)
    if end_s == _LAST_SECOND:
        end_s = SECONDS_PER_DAY
    if end_s <= start_s:
        raise InvalidInput(f"“{text}” ends before it starts; write two timings, one up to midnight")
    return start_s, end_s


def _second_of_day(text: str, latest: int) -> int:
    match = _TIME.fullmatch(text)
    if match is not None:
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
        second = hours * 3600 + minutes * 60 + seconds
        if minutes < 60 and seconds < 60 and second <= latest:
            return second
    raise InvalidInput(f"“{text}” is not a time of day; write it like 08:00:00, or {ASAP}")


def activation(text: str, zone: ZoneInfo) -> int:
    """Unix seconds from which a rating profile holds, in ``zone`` if the text has none.

    ISO 8601 and the other forms of CGRateS: Unix times of 10, 13 or 16 digits, ``20260101000000``,
    ``01.01.2026 00:00:00``, ``01/01/2026 00:00:00`` (day first) and what Go prints. ``*asap``, ``*unlimited``,
    0 and nothing mean always. Forms that depend on when the file is loaded (``*now``, ``+24h``) are refused:
    the same folder would make another tariff each time.
    """
    if keyword(text) in ("", ASAP, UNLIMITED, ANY, "0"):
        return 0
    try:
        instant = _instant(text, zone).astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"“{text}” is out of range; use {ASAP} for “always”") from None
    if instant.year > 9000:
        raise InvalidInput(f"“{text}” is out of range; use a year up to 9000")
    return max(0, int(instant.timestamp() // 1))


def _instant(text: str, zone: ZoneInfo) -> datetime:
    if text.isascii() and text.isdigit():
        if ticks := _UNIX_TICKS.get(len(text)):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(text) // ticks)
        layouts: tuple[str, ...] = (_DIGIT_LAYOUTS.get(len(text), ""),)
    else:
        layouts = _OTHER_LAYOUTS
        try:
            instant = datetime.fromisoformat(_GO_ZONE.sub(r"\1", text))
            return instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)
        except ValueError:
            pass
    for layout in layouts:
        try:
            return datetime.strptime(text, layout).replace(tzinfo=zone)
        except ValueError:
            continue
    raise InvalidInput(f"“{text}” is not an instant; write it like 2026-01-01T00:00:00Z")
