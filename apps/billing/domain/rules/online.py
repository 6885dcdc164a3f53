"""What gateways debited online (CC-Money, RFC 8506, 8.22): agreed amounts, which contain their taxes."""

from __future__ import annotations

from collections.abc import Sequence

from apps.billing.domain.draft import ONLINE, BillLine, Draft, Terms
from apps.billing.domain.rules.taxes import MILLION, tax_line
from apps.billing.domain.values import UNTAXED, OnlineCharge, TaxTreatment
from apps.kernel.currencies import to_unit
from apps.kernel.rounding import RoundingMethod, round_ratio


def apply(draft: Draft, terms: Terms) -> Draft:
    """A net line for each service, and a line for each tax that the amounts contain: together the agreed price.

    ``base_micros`` of the net line is the agreed amount. A payment or correction is no supply and bears no tax. If
    nothing payable remains, nothing is taken over: the balance keeps it for a later bill.
    """
    groups: dict[TaxTreatment, list[OnlineCharge]] = {}
    total = 0
    for charge in terms.online:
        rounded = charge._replace(gross_micros=to_unit(charge.gross_micros, terms.unit_micros))
        if rounded.gross_micros:
            tax = UNTAXED if charge.service_id is None else terms.taxes.of(charge.service_id)
            groups.setdefault(tax, []).append(rounded)
            total += rounded.gross_micros
    if total <= 0:
        return draft
    lines: list[BillLine] = []
    taxes: list[BillLine] = []
    for tax, charges in groups.items():
        net_lines = _net_lines(tax, charges, terms.unit_micros)
        lines += net_lines
        taxes += _tax_lines(tax, net_lines, terms.unit_micros)
    return draft._replace(lines=(*draft.lines, *lines, *taxes), taken_over_micros=total)


def _net_lines(tax: TaxTreatment, charges: Sequence[OnlineCharge], unit_micros: int) -> list[BillLine]:
    """Net amounts as differences of rounded sums, so that the tax of all is rounded once."""
    lines: list[BillLine] = []
    gross = net = 0
    for charge in charges:
        gross += charge.gross_micros
        reached = round_ratio(
            gross * MILLION, (MILLION + tax.rate_millionths) * unit_micros, RoundingMethod.MIDDLE
        )
        amount = reached * unit_micros - net
        net += amount
        exact = round_ratio(
            charge.gross_micros * MILLION, MILLION + tax.rate_millionths, RoundingMethod.MIDDLE
        )
        lines.append(
            BillLine(
                ONLINE,
                amount,
                exact,
                tax,
                "online",
                charge.description,
                service_id=charge.service_id,
                quantity=1,
                base_micros=charge.gross_micros,
            )
        )
    return lines


def _tax_lines(tax: TaxTreatment, lines: Sequence[BillLine], unit_micros: int) -> list[BillLine]:
    """The tax contained, by rate; parts of it as differences of rounded sums."""
    net = sum(line.amount_micros for line in lines)
    contained = sum(line.base_micros or 0 for line in lines) - net
    found: list[BillLine] = []
    rates = before = 0
    for rate in tax.rates:
        rates += rate.rate_millionths
        of_all = max(1, tax.rate_millionths) * unit_micros
        due = round_ratio(contained * rates, of_all, RoundingMethod.MIDDLE) * unit_micros
        exact = round_ratio(net * rate.rate_millionths, MILLION, RoundingMethod.MIDDLE)
        if net or due != before:
            found.append(tax_line(rate, net, due - before, exact, "online"))
        before = due
    return found
