"""What passes from one bill to the next: a prepaid balance that bears too little, and credits of former bills."""

from __future__ import annotations

from apps.billing.domain.draft import ONE_OFF, USAGE, BillLine, Draft, Terms
from apps.billing.domain.values import Credit, PrepaidFunds

NOT_BORNE = "Carried over: more than the balance could bear"


def apply(draft: Draft, terms: Terms) -> Draft:
    """Prepaid: take off what the balance cannot bear. Postpaid: let former credits pay what this bill comes to."""
    if terms.prepaid is not None:
        return _prepaid(draft, terms, terms.prepaid)
    if not terms.credits:
        return draft
    owed = sum(line.amount_micros for line in draft.lines)
    taken: list[Credit] = []
    for credit in terms.credits:
        amount = min(credit.open_micros, owed)
        if amount > 0:
            taken.append(Credit(credit.bill_id, amount))
            owed -= amount
    return draft._replace(credits=tuple(taken))


def _prepaid(draft: Draft, terms: Terms, funds: PrepaidFunds) -> Draft:
    """Usage has been taken from the balance already; the rest is taken now, and never more than there is."""
    due = sum(line.amount_micros for line in draft.lines if line.kind != USAGE)
    if funds.may_overdraw or due <= 0:
        return draft
    borne = max(0, funds.available_micros) // terms.unit_micros * terms.unit_micros
    carried = max(0, due - borne)
    if not carried:
        return draft
    line = BillLine(ONE_OFF, -carried, -carried, terms.taxes.general, description=NOT_BORNE, quantity=1)
    return draft._replace(lines=(*draft.lines, line), carried_over_micros=carried)
