"""Lines by one statement: a row each, which makes the line, and shows later whether it is as it was.

If the row is unchanged, the cached line is valid: comparing costs a tenth of a rebuild.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.lines import Line
from apps.charging.models import Account
from apps.charging.services.terms import Terms
from apps.charging.services.usage import in_order
from apps.storage.reads import instant_read, select_in
from apps.subscribers.selectors import listed_assignments


class LineRow(NamedTuple):
    """Who pays for a subscriber, and the assignments within the time asked for: ``plan;start;end`` each, split by |."""

    subscriber_id: int
    account_id: int
    mode: str
    tenant_id: int
    trigger_set_id: int | None
    plans: str | None
    bundles: str | None


def read_line_rows(subscriber_ids: Collection[int], first: datetime, last: datetime) -> dict[int, LineRow]:
    """The rows of those of the subscribers who have an account, with assignments valid within ``[first, last]``."""
    plans, bundles = listed_assignments("payer.subscriber_id", first, last)
    rows = select_in(
        f"SELECT payer.subscriber_id, payer.account_id, account.mode, account.tenant_id, account.trigger_set_id,"
        f" {plans}, {bundles}"
        " FROM charging_payer payer JOIN charging_account account ON account.id = payer.account_id"
        " WHERE payer.subscriber_id IN ({values})",
        subscriber_ids,
    )
    return {row[0]: LineRow._make(row) for row in rows}


def lines_of_rows(rows: Iterable[LineRow], first: datetime, last: datetime, terms: Terms) -> dict[int, Line]:
    """The lines that the rows make; what they grant is learned where ``terms`` do not know it."""
    lines: dict[int, Line] = {}
    parsed = [(row, _periods(row.plans), _periods(row.bundles)) for row in rows]
    terms.learn_plans({plan_id for _, plans, _ in parsed for plan_id, _, _ in plans})
    terms.learn_bundles({bundle_id for _, _, bundles in parsed for bundle_id, _, _ in bundles})
    terms.learn_tenants({row.tenant_id for row, _, _ in parsed})
    for row, plans, bundles in parsed:
        lines[row.subscriber_id] = Line(
            row.subscriber_id,
            row.account_id,
            row.mode == Account.Mode.PREPAID,
            *terms.tenants[row.tenant_id],
            in_order([terms.plan_period(*period) for period in plans]),
            in_order([terms.bundle_period(*period) for period in bundles]),
            row.trigger_set_id,
        )
    return lines


def _periods(text: str | None) -> list[tuple[int, datetime, datetime | None]]:
    if not text:
        return []
    periods = []
    for part in text.split("|"):
        other_id, start, end = part.split(";")
        periods.append((int(other_id), instant_read(start), instant_read(end) if end else None))
    return periods
