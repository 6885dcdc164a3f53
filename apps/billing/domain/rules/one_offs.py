"""One-off charges and credits. Discounts do not apply to them."""

from __future__ import annotations

from apps.billing.domain.draft import ONE_OFF, BillLine, Draft, Terms
from apps.kernel.currencies import to_unit


def apply(draft: Draft, terms: Terms) -> Draft:
    """A line for each charge."""
    if not terms.one_offs:
        return draft
    lines = [
        BillLine(
            ONE_OFF,
            to_unit(charge.amount_micros, terms.unit_micros),
            charge.amount_micros,
            terms.taxes.of(charge.service_id),
            charge.origin,
            charge.description,
            charge.subscriber_id,
            quantity=1,
        )
        for charge in terms.one_offs
    ]
    return draft._replace(lines=(*draft.lines, *lines))
