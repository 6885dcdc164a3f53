"""Taxes: each on the sum of the net lines that bear it, rounded once (EN 16931, BR-CO-17, BR-S-08 and 09)."""

from __future__ import annotations

from apps.billing.domain.draft import TAX, TAXED, BillLine, Draft, Terms
from apps.billing.domain.values import TaxRate, TaxTreatment, treatment
from apps.kernel.currencies import to_unit
from apps.kernel.rounding import RoundingMethod, round_ratio

MILLION = 1_000_000


def apply(draft: Draft, terms: Terms) -> Draft:
    """A line for each tax, on what the discounts have left."""
    net: dict[TaxTreatment, int] = {}
    for line in draft.lines:
        if line.kind in TAXED:
            net[line.tax] = net.get(line.tax, 0) + line.amount_micros
    bases: dict[TaxRate, int] = {}
    for tax, amount in net.items():
        for rate in tax.rates:
            bases[rate] = bases.get(rate, 0) + amount
    if not bases:
        return draft
    lines = [_line(rate, base, terms.unit_micros) for rate, base in bases.items() if base]
    return draft._replace(lines=(*draft.lines, *lines))


def _line(rate: TaxRate, base: int, unit_micros: int) -> BillLine:
    exact = round_ratio(base * rate.rate_millionths, MILLION, RoundingMethod.MIDDLE)
    return tax_line(rate, base, to_unit(exact, unit_micros), exact)


def tax_line(
    rate: TaxRate, base_micros: int, amount_micros: int, exact_micros: int, origin: str = ""
) -> BillLine:
    """A line of a tax and what it is on (EN 16931, BG-23)."""
    return BillLine(
        TAX,
        amount_micros,
        exact_micros,
        treatment((rate,)),
        origin,
        rate.name,
        quantity=1,
        rate_millionths=rate.rate_millionths,
        base_micros=base_micros,
    )
