"""Rollover: what is left of a period's units when ``*topup_reset`` renews them, and what becomes of it.

Written as the action's ExtraParameters: ``rollover;minimum=10m;maximum=5h;months=2;weight=30``. Rolled units stand on
balances of their own beside the renewed one (``MINUTES~1``, ``MINUTES~2``), each with its own end, so that none is kept
longer by rolling again.
"""

from __future__ import annotations

from typing import NamedTuple

from apps.charging.domain.balances import BalanceKind
from apps.kernel.errors import InvalidInput
from apps.kernel.money import parse_micros
from apps.kernel.units import parse_usage_units

WORD = "rollover"
LONGEST_TAG = 60
"""Of the balance that is renewed: those of rolled units have a number behind it."""
MOST_MONTHS = 24
_EXAMPLE = f"{WORD};minimum=10m;maximum=5h;months=2;weight=30"


class Rollover(NamedTuple):
    """On what terms units roll over, in the units of the balance.

    Less than ``minimum`` lapses, as does what is more than ``maximum`` (None: nothing). They are kept for ``months`` of
    the tenant's calendar. ``weight`` is that of their balance; None: one more than the renewed balance has, so they are
    used before it.
    """

    minimum: int = 1
    maximum: int | None = None
    months: int = 1
    weight: int | None = None

    def rolled(self, left: int) -> int:
        """How many of the units that are left are kept."""
        if left < self.minimum:
            return 0
        return left if self.maximum is None else min(left, self.maximum)


def rollover_of(balance_kind: str, text: str) -> Rollover | None:
    """The terms that ExtraParameters state; None where they state something else. Raises InvalidInput."""
    word, *parts = (part.strip() for part in text.split(";"))
    if word.casefold() != WORD:
        return None
    stated: dict[str, int] = {}
    for part in filter(None, parts):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in Rollover._fields or name in stated:
            raise InvalidInput(
                f"“{part}” is not a term of a rollover, or stands there twice; write it like {_EXAMPLE}"
            )
        stated[name] = _whole(name, value) if name in ("months", "weight") else _units(balance_kind, value)
    terms = Rollover(**stated)
    if not 1 <= terms.months <= MOST_MONTHS:
        raise InvalidInput(f"{terms.months} months are not between 1 and {MOST_MONTHS}")
    if terms.minimum < 0 or (terms.maximum is not None and terms.maximum < max(terms.minimum, 1)):
        raise InvalidInput(
            f"“{text}” lets nothing roll over; the maximum is at least the minimum, and above 0"
        )
    return terms


def _units(balance_kind: str, text: str) -> int:
    return parse_micros(text) if balance_kind == BalanceKind.MONETARY else parse_usage_units(text)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"“{text}” is not a whole number of {name}") from None
