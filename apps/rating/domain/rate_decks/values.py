"""The cells of a deck: lists and ranges of prefixes, prices, increments, dates, words for what changes."""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum

from apps.kernel.errors import InvalidInput
from apps.rating.domain.numbering import merge_prefixes
from apps.rating.domain.rate_decks.mapping import DATE_FORMATS
from apps.rating.domain.tariff_files import fields

# A space alone is none: “49 30” may be one prefix or two.
_SEPARATORS = re.compile(r"\s*[,;/\n\t]\s*")
_AROUND_DASH = re.compile(r"\s*[-–—]\s*")
_MOST_OF_A_RANGE = 10_000
_MOST_PREFIXES = 20_000
_CURRENCY_SIGNS = str.maketrans("", "", "$€£¥ \u00a0\u202f'")


class Status(StrEnum):
    """What a deck says of a row."""

    NEW = "new"
    INCREASE = "increase"
    DECREASE = "decrease"
    SAME = "same"
    BLOCKED = "blocked"


_STATUSES = {
    Status.NEW: ("new", "added", "add", "n", "addition", "new code"),
    Status.INCREASE: ("increase", "increased", "i", "up", "+"),
    Status.DECREASE: ("decrease", "decreased", "d", "down", "-"),
    Status.SAME: ("same", "unchanged", "no change", "current", "s", "u", "=", "pending"),
    Status.BLOCKED: ("blocked", "block", "closed", "close", "deleted", "delete", "removed", "b", "c", "x"),
}
_BY_WORD = {word: status for status, words in _STATUSES.items() for word in words}


def prefixes(text: str, country: str) -> tuple[str, ...]:
    """``1201-1205, 1210`` as the fewest prefixes that cover the same numbers, ``country``'s code before each."""
    country = _digits(country) if country else ""
    found: set[str] = set()
    for part in _SEPARATORS.split(_AROUND_DASH.sub("-", text).strip(" ,;/\r\n\t")):
        first, dash, last = part.partition("-")
        if not dash:
            found.add(country + (_digits(first) if first or not country else ""))
            continue
        first, last = _digits(first), _digits(last)
        if len(first) != len(last) or last < first:
            raise InvalidInput(f"“{part}” is no range of prefixes; write it like 1201-1205")
        if int(last) - int(first) >= _MOST_OF_A_RANGE:
            raise InvalidInput(f"“{part}” is a range of more than {_MOST_OF_A_RANGE:,} prefixes")
        found.update(f"{country}{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
        if len(found) > _MOST_PREFIXES:
            raise InvalidInput(f"this cell has more than {_MOST_PREFIXES:,} prefixes")
    return tuple(sorted(merge_prefixes(found) if "-" in text or "–" in text or "—" in text else found))


def _digits(text: str) -> str:
    plain = text.lstrip("+")
    if plain.startswith("00"):
        plain = plain[2:]
    if not plain.isascii() or not plain.isdigit() or len(plain) > 18:
        raise InvalidInput(f"“{text[:30]}” is not a prefix; write it like 4930")
    return plain


def price(text: str, *, decimal_comma: bool) -> str:
    """A plain decimal amount, thousands' marks and currency signs dropped; empty is an error."""
    plain = text.translate(_CURRENCY_SIGNS)
    thousands, mark = (".", ",") if decimal_comma else (",", ".")
    if plain.count(mark) > 1 or (thousands in plain and plain.rfind(thousands) > plain.find(mark) >= 0):
        raise InvalidInput(f"“{text[:30]}” is not a price")
    whole, _, fraction = plain.partition(mark)
    groups = whole.split(thousands)
    if len(groups) > 1 and any(len(group) != 3 for group in groups[1:]):
        raise InvalidInput(
            f"“{text[:30]}” is not a price with a decimal {'comma' if decimal_comma else 'point'}"
        )
    if not whole and not fraction:
        raise InvalidInput("a price is missing")
    try:
        return fields.amount(
            "".join(groups) + (f".{fraction}" if fraction else "") if whole else f"0.{fraction}"
        )
    except InvalidInput:
        raise InvalidInput(f"“{text[:30]}” is not a price") from None


def increments(text: str) -> tuple[int, int]:
    """``60/1``: the first 60 units are billed as one, then each; one number is both."""
    first, _, following = text.replace(" ", "").partition("/")
    following = following or first
    if not all(
        part.isascii() and part.isdigit() and len(part) <= 6 and int(part) for part in (first, following)
    ):
        raise InvalidInput(f"“{text[:30]}” are no increments; write them like 60/1")
    return int(first), int(following)


def day(cell: str | date, date_format: str) -> date:
    """The day of a cell, in the supplier's format if it is text; a time of day behind it is dropped."""
    if isinstance(cell, date):
        return cell
    for text in (cell, cell.split()[0] if cell.split() else ""):
        try:
            # A day has no zone: the operator's midnight is put to it later.
            return datetime.strptime(text, DATE_FORMATS[date_format]).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise InvalidInput(f"“{cell[:30]}” is not a date; this supplier's are written {date_format}")


def status(text: str) -> Status | None:
    """The word of a supplier for what changes; empty: it says nothing."""
    if not text:
        return None
    found = _BY_WORD.get(text.strip().casefold())
    if found is None:
        raise InvalidInput(
            f"“{text[:30]}” is no status; known are new, increase, decrease, same, blocked and words like these"
        )
    return found
