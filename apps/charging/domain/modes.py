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
