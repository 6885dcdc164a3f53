"""How a record or a request is charged (CGRateS: RequestType): now, later, only priced, or not at all."""

from __future__ import annotations

from enum import StrEnum

from apps.kernel.errors import InvalidInput


class ChargingMode(StrEnum):
    """A way of charging; a record's own goes before its account's."""

    PREPAID = "*prepaid"
    """In real time, by a session: the record is compared with it and not charged again."""
    PSEUDOPREPAID = "*pseudoprepaid"
    """From the balance, when the record comes."""
    POSTPAID = "*postpaid"
    """By the bill; from the balance of an account that gets none."""
    RATED = "*rated"
    """Priced only: no free units, no balance, no bill."""
    NONE = "*none"
    """Kept only, at no price."""


NOT_CHARGED = frozenset({ChargingMode.RATED, ChargingMode.NONE})
"""No account owes anything for these."""
_NAMES = frozenset(mode.value for mode in ChargingMode)


def charging_mode(text: str) -> ChargingMode | None:
    """The mode of that name, with or without “*”; None for an empty text. Raises InvalidInput."""
    name = text.strip().lower()
    if not name:
        return None
    try:
        return ChargingMode("*" + name.removeprefix("*"))
    except ValueError:
        known = ", ".join(ChargingMode)
        raise InvalidInput(f"“{text[:40]}” is not a charging mode; known are {known}") from None


def is_charging_mode(text: str) -> bool:
    """Whether :func:`charging_mode` knows the text."""
    name = text.strip().lower()
    return not name or "*" + name.removeprefix("*") in _NAMES


# Beside *postpaid. An account without a balance is charged by its bill, not in real time.
_USUAL = {True: ChargingMode.PSEUDOPREPAID, False: ChargingMode.PREPAID}


def mode_of_record(own: str, of_account: str, *, prepaid: bool) -> ChargingMode | None:
    """How a record is charged, its own mode before its account's; None: as usual, by the bill or from the balance.

    ``prepaid``: the account holds money and gets no bill. Raises InvalidInput.
    """
    mode = charging_mode(own) or charging_mode(of_account)
    return None if mode is ChargingMode.POSTPAID or mode is _USUAL[prepaid] else mode
