"""The statement: what an account owes (postpaid) or has spent (prepaid) for a window of time, as a list of rules.

Every amount is in the currency's decimals (EN 16931, BR-DEC): a line is rounded once from its exact sum, taxes are
rounded once a rate, so totals add up as they are printed (BR-CO-10, 13 to 15). What rounding did is kept with the line
(``exact_micros``).

Postpaid prices are net, and taxes are added. Prepaid prices contain their taxes and usage has been taken from the
balance, exactly, when it was charged; fees, one-off charges and discounts are settled with the balance now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from apps.billing.domain.draft import DISCOUNT, ONE_OFF, ONLINE, RECURRING, TAX, USAGE, BillLine, Draft, Terms
from apps.billing.domain.rules import carry_over, discounts, fees, one_offs, online, taxes, usage
from apps.billing.domain.values import Credit

Rule = Callable[[Draft, Terms], Draft]
RULES: tuple[Rule, ...] = (
    fees.apply,
    usage.apply,
    one_offs.apply,
    discounts.apply,
    taxes.apply,
    online.apply,
    carry_over.apply,
)


class BillValue(NamedTuple):
    """A bill before it is written: its lines in their order, and their sums by kind."""

    lines: tuple[BillLine, ...]
    recurring_micros: int
    usage_micros: int
    one_off_micros: int
    discount_micros: int
    tax_micros: int
    rounding_micros: int
    """The lines' amounts less what they were rounded from; contained in the sums above."""
    total_micros: int
    taken_over_micros: int = 0
    carried_over_micros: int = 0
    credits: tuple[Credit, ...] = ()

    @property
    def due_micros(self) -> int:
        """What is left to pay after former credits (EN 16931, BT-115)."""
        return self.total_micros - sum(credit.open_micros for credit in self.credits)


def statement(terms: Terms) -> BillValue:
    """The bill of one account. Usage is already what this bill has to show; fees may reach beyond the window."""
    draft = Draft()
    for rule in RULES:
        draft = rule(draft, terms)
    return bill_of(draft)


def bill_of(draft: Draft) -> BillValue:
    """The draft with its sums."""
    sums = dict.fromkeys((RECURRING, USAGE, ONE_OFF, ONLINE, DISCOUNT, TAX), 0)
    exact = 0
    for line in draft.lines:
        sums[line.kind] += line.amount_micros
        exact += line.exact_micros
    total = sum(sums.values())
    return BillValue(
        draft.lines,
        sums[RECURRING],
        sums[USAGE],
        sums[ONE_OFF] + sums[ONLINE],
        sums[DISCOUNT],
        sums[TAX],
        total - exact,
        total,
        draft.taken_over_micros,
        draft.carried_over_micros,
        draft.credits,
    )
