"""The smallest amounts that can be paid, by currency (ISO 4217, "minor unit")."""

from __future__ import annotations

from apps.kernel.money import MICROS_PER_UNIT
from apps.kernel.rounding import RoundingMethod, round_ratio

USUAL_DECIMALS = 2

# ISO 4217, list one: the currencies whose minor unit is not a hundredth.
WHOLE = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
TEN_THOUSANDTHS = frozenset({"CLF", "UYW"})
DECIMALS = {
    **dict.fromkeys(WHOLE, 0),
    **dict.fromkeys(THOUSANDTHS, 3),
    **dict.fromkeys(TEN_THOUSANDTHS, 4),
}


def minor_unit_micros(currency: str) -> int:
    """Micro-units in the smallest payable amount: 10,000 for EUR, 1,000,000 for JPY, 1,000 for KWD."""
    return int(MICROS_PER_UNIT // 10 ** DECIMALS.get(currency, USUAL_DECIMALS))


def payable_micros(amount_micros: int, currency: str) -> int:
    """The amount to the nearest payable one, halves away from zero."""
    unit = minor_unit_micros(currency)
    return round_ratio(amount_micros, unit, RoundingMethod.MIDDLE) * unit
