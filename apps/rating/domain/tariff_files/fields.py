"""The columns of tariff files; every reader raises InvalidInput and says what it expects.

Admin pages validate by the same functions. Keywords (``*any``, ``*up``) may be in capitals in files (:func:`keyword`).
Source: CGRateS ``engine/model_helpers.go`` and ``utils/coreutils.go`` (v0.9).
"""

from __future__ import annotations

import re

from apps.kernel.errors import InvalidInput
from apps.kernel.money import exact_micros
from apps.kernel.rounding import RoundingMethod
from apps.kernel.units import NANO, parse_nanoseconds, parse_usage_units
from apps.rating.domain.rates import DISCONNECT, FREE
from apps.rating.domain.source import ANY, PRICE_PLAN_SUBJECT

MAX_ID = 64
MAX_PREFIX = 32
MAX_AMOUNT_TEXT = 32
MAX_SUBJECTS_TEXT = 500
MAX_UNITS = 1 << 62
MAX_DECIMALS = 20
ASAP = "*asap"
UNLIMITED = "*unlimited"
NONE = "*none"
LIST_SEPARATOR = ";"
OUT, IN = "*out", "*in"

# A line that begins with “#” is a comment, so an id can't.
_ID = re.compile(r"[^\s,;!#][^\s,;]*(?: [^\s,;]+)*")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:*-]*")
_SPREADSHEET_NUMBER = re.compile(r"\d+(?:[.,]\d+)?[eE]\+\d+", re.ASCII)


def keyword(text: str) -> str:
    """The text, in small letters if it is a keyword such as ``*ANY``."""
    return text.casefold() if text.startswith("*") else text


def identifier(text: str) -> str:
    """An id: up to 64 characters without a comma, a semicolon or a leading “!” or “#”."""
    if not text:
        raise InvalidInput("this may not be empty")
    if len(text) > MAX_ID:
        raise InvalidInput(f"“{text[:20]}…” is longer than {MAX_ID} characters")
    if _ID.fullmatch(text) is None or not text.isprintable():
        raise InvalidInput(f"“{text}” is not an id; use letters, digits and _ . : * -")
    return text


def reference(text: str) -> str:
    """An id, or ``*any`` in any case."""
    return identifier(keyword(text))


def timing(text: str) -> str:
    """The id of a timing; ``*asap`` and nothing mean the same as ``*any`` in a rating plan."""
    text = keyword(text)
    return ANY if text in ("", ASAP) else identifier(text)


def tenant(text: str) -> str:
    """A tenant's code."""
    if text.startswith("*"):
        raise InvalidInput(f"“{text}” is not a tenant; write one row for each tenant")
    if len(text) > MAX_ID or _TENANT.fullmatch(text) is None:
        raise InvalidInput(f"“{text}” is not a tenant; use letters, digits and _ . : - without spaces")
    return text


def direction(text: str) -> str:
    """``*out``, the only direction that is charged (also if empty), or ``*in``."""
    text = keyword(text)
    if text not in ("", OUT, IN):
        raise InvalidInput(f"“{text}” is not a direction; write {OUT}")
    return text if text == IN else OUT


def subject(text: str) -> str:
    """A rating subject; those of price plans are made from the plans."""
    if text.startswith(PRICE_PLAN_SUBJECT):
        raise InvalidInput(f"subjects that begin with {PRICE_PLAN_SUBJECT} belong to price plans")
    return identifier(text)


def fallback_subjects(text: str) -> tuple[str, ...]:
    """Fallback subjects, split by semicolons; nothing and ``*none`` are no fallback."""
    if len(text) > MAX_SUBJECTS_TEXT:
        raise InvalidInput(f"the fallback subjects are longer than {MAX_SUBJECTS_TEXT} characters")
    if keyword(text) in ("", NONE):
        return ()
    return tuple(dict.fromkeys(subject(keyword(part)) for part in _items(text)))


def queues(text: str) -> tuple[str, ...]:
    """Queues of CDR statistics, split by semicolons; nothing and ``*none`` are none."""
    if len(text) > MAX_SUBJECTS_TEXT:
        raise InvalidInput(f"the queues are longer than {MAX_SUBJECTS_TEXT} characters")
    return () if keyword(text) == NONE else tuple(dict.fromkeys(identifier(part) for part in _items(text)))


def profile_subjects(text: str) -> tuple[str, ...]:
    """The subjects of a rating profile, split by semicolons: each has a profile of its own."""
    subjects = tuple(dict.fromkeys(subject(keyword(part)) for part in _items(text)))
    if not subjects:
        raise InvalidInput(f"this may not be empty; the profile of all subjects has the subject {ANY}")
    return subjects


def categories(text: str) -> tuple[str, ...]:
    """The categories of a rating profile, split by semicolons."""
    names = tuple(dict.fromkeys(identifier(part) for part in _items(text)))
    if not names:
        raise InvalidInput("this may not be empty; write the category of the usage, such as call")
    return names


def _items(text: str) -> list[str]:
    return [item for part in text.split(LIST_SEPARATOR) if (item := part.strip())]


def prefix(text: str) -> str:
    """A number prefix: digits, perhaps after a “+”, or the beginning of any other address."""
    if not text.removeprefix("+"):
        raise InvalidInput("a prefix may not be empty; the rates of all numbers have the destination *any")
    if len(text) > MAX_PREFIX:
        raise InvalidInput(f"“{text[:20]}…” is longer than {MAX_PREFIX} characters")
    if not text.isascii() or not text.isprintable() or " " in text or LIST_SEPARATOR in text:
        raise InvalidInput(f"“{text}” is not a number prefix; write it like 4930")
    if keyword(text) == ANY:
        raise InvalidInput(f"{ANY} is not a prefix; the rates of all numbers have the destination {ANY}")
    if _SPREADSHEET_NUMBER.fullmatch(text):
        raise InvalidInput(f"“{text}” was shortened by a spreadsheet; format the column as text")
    return text


def prefixes(text: str) -> tuple[str, ...]:
    """Prefixes, split by semicolons; usually one."""
    if text.isdigit() and text.isascii() and len(text) <= MAX_PREFIX:
        return (text,)
    if LIST_SEPARATOR not in text:
        return (prefix(text),)
    return tuple(prefix(part) for part in _items(text)) or (prefix(""),)


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


def nanoseconds(text: str) -> int:
    """As :func:`units`, in billionths of a unit: also ``1500ms``. Nothing is 0."""
    number = parse_nanoseconds(text or "0")
    if number > MAX_UNITS * NANO:
        raise InvalidInput(f"“{text}” is more than 2^62 units")
    return number


def rounding_method(text: str) -> str:
    """``*up``, ``*down``, ``*middle`` (also if empty) or ``*none``."""
    text = keyword(text)
    if text == NONE:
        return text
    try:
        return RoundingMethod(text or RoundingMethod.MIDDLE).value
    except ValueError:
        raise InvalidInput(f"“{text}” is not a rounding method; use *up, *down or *middle") from None


def rounding_decimals(text: str) -> int:
    """Decimals from 0 (not rounded; also if empty) to 20."""
    return whole_number(text or "0", 0, MAX_DECIMALS)


def max_cost(text: str) -> str:
    """The most that a session may cost; 0, nothing, ``*none`` and ``*unlimited`` are no limit."""
    return amount("0" if keyword(text) in (NONE, UNLIMITED) else text)


def max_cost_strategy(text: str) -> str:
    """``*free``, ``*disconnect`` or nothing (also ``*none``)."""
    text = keyword(text)
    if text not in ("", NONE, FREE, DISCONNECT):
        raise InvalidInput(f"“{text}” is not a strategy; use {FREE}, {DISCONNECT} or nothing")
    return "" if text == NONE else text


def whole_number(text: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not (text.isascii() and text.isdigit() and len(text) < 20) or not least <= int(text) <= most:
        raise InvalidInput(f"“{text}” is not a whole number from {least} to {most}")
    return int(text)
