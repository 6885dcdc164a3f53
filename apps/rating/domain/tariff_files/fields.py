"""What may stand in the columns of tariff files; every reader raises InvalidInput with what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput
from apps.kernel.money import exact_micros
from apps.kernel.rounding import RoundingMethod
from apps.kernel.units import SECONDS_PER_DAY, parse_usage_units
from apps.rating.domain.rates import DISCONNECT, FREE
from apps.rating.domain.source import ANY, PRICE_PLAN_SUBJECT

MAX_ID = 64
MAX_PREFIX = 32
MAX_AMOUNT_TEXT = 32
MAX_SUBJECTS_TEXT = 500
MAX_UNITS = 1 << 62
MAX_DECIMALS = 20
ASAP = "*asap"
LIST_SEPARATOR = ";"

_ID = re.compile(r"[^\s,;!][^\s,;]*(?: [^\s,;]+)*")
_TENANT = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.:*-]*")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def identifier(text: str) -> str:
    """An id: up to 64 characters without a comma, a semicolon or a leading “!”."""
    if not text:
        raise InvalidInput("this may not be empty")
    if len(text) > MAX_ID:
        raise InvalidInput(f"“{text[:20]}…” is longer than {MAX_ID} characters")
    if _ID.fullmatch(text) is None or not text.isprintable():
        raise InvalidInput(f"“{text}” is not an id; use letters, digits and _ . : * -")
    return text


def tenant(text: str) -> str:
    """A tenant's code."""
    if len(text) > MAX_ID or _TENANT.fullmatch(text) is None:
        raise InvalidInput(f"“{text}” is not a tenant; use letters, digits and _ . : - without spaces")
    return text


def direction(text: str) -> str:
    """``*out``, the only direction that is charged."""
    if text != "*out":
        raise InvalidInput(f"“{text}” is not a direction that is priced; write *out")
    return text


def subject(text: str) -> str:
    """A rating subject; those of price plans are made from the plans."""
    if text.startswith(PRICE_PLAN_SUBJECT):
        raise InvalidInput(f"subjects that begin with {PRICE_PLAN_SUBJECT} belong to price plans")
    return identifier(text)


def subjects(text: str) -> tuple[str, ...]:
    """Fallback subjects, split by semicolons."""
    if len(text) > MAX_SUBJECTS_TEXT:
        raise InvalidInput(f"the fallback subjects are longer than {MAX_SUBJECTS_TEXT} characters")
    return tuple(subject(part.strip()) for part in text.split(LIST_SEPARATOR) if part.strip())


def prefix(text: str) -> str:
    """A number prefix: digits, perhaps after a “+”, or the beginning of any other address."""
    if not text.removeprefix("+"):
        raise InvalidInput("a prefix may not be empty; the rates of all numbers have the destination *any")
    if len(text) > MAX_PREFIX:
        raise InvalidInput(f"“{text[:20]}…” is longer than {MAX_PREFIX} characters")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInput(f"“{text}” is not a number prefix; write it like 4930")
    return text


def amount(text: str) -> str:
    """A plain decimal amount that is not negative, without superfluous zeros; empty is 0."""
    text = text or "0"
    numerator, _ = exact_micros(text)
    if numerator < 0:
        raise InvalidInput(f"“{text}” is negative; a price may be 0 at least")
    whole, _, fraction = text.strip().lstrip("+-").partition(".")
    fraction = fraction.rstrip("0")
    text = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    if len(text) > MAX_AMOUNT_TEXT:
        raise InvalidInput(f"“{text}” is longer than {MAX_AMOUNT_TEXT} characters")
    return text


def weight(text: str) -> str:
    """A weight: a decimal number with up to four decimals; empty is 0."""
    text = text or "0"
    try:
        exact_micros(text)
    except InvalidInput:
        raise InvalidInput(f"“{text}” is not a weight; write it like 10") from None
    whole, _, fraction = text.lstrip("+").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > 4 or len(whole) > 8:
        raise InvalidInput(f"“{text}” is not a weight; use up to eight digits and four decimals")
    negative = whole.startswith("-")
    whole = whole.lstrip("-").lstrip("0") or "0"
    plain = whole + (f".{fraction}" if fraction else "")
    return f"-{plain}" if negative and plain != "0" else plain


def units(text: str) -> int:
    """Seconds, octets or events: ``60``, ``60s``, ``1m``."""
    number = parse_usage_units(text)
    if number > MAX_UNITS:
        raise InvalidInput(f"“{text}” is more than 2^62 units")
    return number


def positive_units(text: str) -> int:
    """As :func:`units`, at least 1."""
    number = units(text)
    if number == 0:
        raise InvalidInput("this must be 1 at least; write it like 60, 60s or 1m")
    return number


def rounding_method(text: str) -> str:
    """``*up``, ``*down`` or ``*middle`` (also where it is empty)."""
    try:
        return RoundingMethod(text or RoundingMethod.MIDDLE).value
    except ValueError:
        raise InvalidInput(f"“{text}” is not a rounding method; use *up, *down or *middle") from None


def rounding_decimals(text: str) -> int:
    """Decimals from 0 (not rounded; also where it is empty) to 20."""
    return whole_number(text or "0", 0, MAX_DECIMALS)


def max_cost_strategy(text: str) -> str:
    """``*free``, ``*disconnect`` or nothing."""
    if text not in ("", FREE, DISCONNECT):
        raise InvalidInput(f"“{text}” is not a strategy; use {FREE}, {DISCONNECT} or nothing")
    return text


def whole_number(text: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise InvalidInput(f"“{text}” is not a whole number from {least} to {most}")
    return int(text)


def number_list(least: int, most: int) -> Callable[[str], tuple[int, ...]]:
    """A reader of whole numbers split by semicolons; ``*any`` or nothing stands for every one."""

    def read(text: str) -> tuple[int, ...]:
        if text in ("", ANY, "*all"):
            return ()
        parts = [part.strip() for part in text.split(LIST_SEPARATOR)]
        return tuple(sorted({whole_number(part, least, most) for part in parts if part}))

    return read


def time_band(text: str) -> tuple[int, int]:
    """Seconds of the day at which a timing starts and ends: ``08:00:00``, ``08:00:00;18:00:00`` or ``*asap``."""
    if text in ("", ASAP, ANY):
        return 0, SECONDS_PER_DAY
    start, separator, end = text.partition(LIST_SEPARATOR)
    start_s = _second_of_day(start.strip(), SECONDS_PER_DAY - 1)
    if not separator or not end.strip():
        return start_s, SECONDS_PER_DAY
    end_s = _second_of_day(end.strip(), SECONDS_PER_DAY)
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
    """Unix seconds of an activation: ISO 8601, in ``zone`` where it has none; ``*asap`` or nothing is always."""
    if text in ("", ASAP):
        return 0
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"“{text}” is not an instant; write it like 2026-01-01T00:00:00Z") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zone)
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"“{text}” is out of range; use *asap for “always”") from None
    if instant.year > 9000:
        raise InvalidInput(f"“{text}” is out of range; use a year up to 9000")
    return max(0, int(instant.timestamp() // 1))
