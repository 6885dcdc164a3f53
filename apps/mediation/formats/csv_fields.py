"""The cells of a CSV line as values: times, durations, volumes and counts, exact and without a float."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from apps.mediation.formats.csv_options import CsvOptions

MICROS = 1_000_000
# Micro-units of the base unit, seconds and octets, so that 0.5 min is exact.
DURATION_MICROS = {"ms": 1_000, "s": MICROS, "min": 60 * MICROS, "h": 3_600 * MICROS}
VOLUME_MICROS = {
    "B": MICROS,
    "kB": 1_000 * MICROS,
    "KiB": 1_024 * MICROS,
    "MB": 1_000_000 * MICROS,
    "MiB": 1_048_576 * MICROS,
    "GB": 1_000_000_000 * MICROS,
    "GiB": 1_073_741_824 * MICROS,
}
_DECIMAL = re.compile(r"([+-]?)(\d{1,18})(?:[.,](\d{1,18}))?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,9}):([0-5]\d):([0-5]\d)", re.ASCII)
# Cached times; so many take a few megabytes.
_REMEMBERED = 50_000


class UnreadableCell(ValueError):
    """A cell with a value of the wrong kind; the text says which kind is expected."""


def whole(text: str) -> int:
    """A whole number; empty is 0."""
    if not text:
        return 0
    bare = text[1:] if text[0] in "+-" else text
    if len(bare) > 18 or not (bare.isascii() and bare.isdigit()):
        raise UnreadableCell(f"“{text[:40]}” is not a whole number")
    return int(text)


def measure(unit_micros: int) -> Callable[[str], int]:
    """A reader of amounts in a unit of ``unit_micros`` millionths of the base unit; parts are rounded up."""

    def read(text: str) -> int:
        if unit_micros == MICROS and text.isdigit() and text.isascii() and len(text) <= 18:
            return int(text)
        if not text:
            return 0
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise UnreadableCell(f"“{text[:40]}” is not a number")
        fraction = match[3] or ""
        value = int(match[2] + fraction) * unit_micros
        scale: int = MICROS * 10 ** len(fraction)
        amount = -(-value // scale)
        return -amount if match[1] == "-" else amount

    return read


def clock(text: str) -> int:
    """Seconds of a duration written as hours:minutes:seconds."""
    if not text:
        return 0
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise UnreadableCell(f"“{text[:40]}” is not a duration like 0:01:30")
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])


def duration_reader(options: CsvOptions) -> Callable[[str], int]:
    if options.duration_unit == "hms":
        return clock
    return measure(DURATION_MICROS[options.duration_unit])


def volume_reader(options: CsvOptions) -> Callable[[str], int]:
    return measure(VOLUME_MICROS[options.volume_unit])


def time_reader(options: CsvOptions) -> Callable[[str], int]:
    """A reader of instants into Unix seconds.

    A time without a zone is in the source's zone; if the clock shows it twice, it is the first.
    """
    if options.time_format == "epoch":
        return whole
    if options.time_format == "epoch_ms":
        return lambda text: whole(text) // 1000
    zone, pattern = options.time_zone, options.time_format
    remembered: dict[str, int] = {}

    def read(text: str) -> int:
        known = remembered.get(text)
        if known is not None:
            return known
        if not text:
            return 0
        try:
            instant = datetime.fromisoformat(text) if pattern == "iso" else datetime.strptime(text, pattern)  # noqa: DTZ007
            seconds = _epoch(instant, zone)
        except (ValueError, OverflowError):
            wanted = "2026-01-31T23:59:59" if pattern == "iso" else pattern
            raise UnreadableCell(f"“{text[:40]}” is not a time like {wanted}") from None
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        remembered[text] = seconds
        return seconds

    return read


def _epoch(instant: datetime, zone: ZoneInfo) -> int:
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC if zone.key == "UTC" else zone)
    return int(instant.timestamp() // 1)
