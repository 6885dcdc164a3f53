"""Rated usage: a line for each subscriber, service and destination, rounded once from the sum of its records."""

from __future__ import annotations

from apps.billing.domain.draft import ONE, USAGE, BillLine, Draft, Terms
from apps.kernel.currencies import to_unit


def apply(draft: Draft, terms: Terms) -> Draft:
    """Prices of records are exact; the line is the first place where they meet the currency's decimals."""
    if not terms.usage:
        return draft
    unit_micros, taxes, units = terms.unit_micros, terms.taxes, terms.unit_of_service
    return draft._replace(
        lines=(
            *draft.lines,
            *[
                BillLine(
                    USAGE,
                    to_unit(cost, unit_micros),
                    cost,
                    taxes.of(service_id),
                    "",
                    "",
                    subscriber_id,
                    service_id,
                    destination_id,
                    units.get(service_id, ONE),
                    used,
                    free,
                    records,
                )
                for _, subscriber_id, service_id, destination_id, records, used, free, cost in terms.usage
            ],
        )
    )
