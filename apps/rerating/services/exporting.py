"""A job's differences as CSV, by account or by destination."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

from apps.kernel.currencies import decimals_of
from apps.kernel.money import format_micros
from apps.rerating.selectors import accounts_changed, by_destination

ROWS_A_READ = 2_000


def account_lines(job_id: int) -> Iterator[str]:
    """CSV lines, a row an account that changes; amounts in the account's currency."""
    yield _line(
        *("account", "state", "records", "changed", "refused", "free_before", "free_after"),
        *("before", "after", "difference", "adjusted_on_next_bill", "currency", "reason"),
    )
    for row in accounts_changed(job_id).iterator(chunk_size=ROWS_A_READ):
        currency = row.account.currency
        amounts = (row.cost_before_micros, row.cost_after_micros, row.added_micros, row.adjusted_micros)
        yield _line(
            row.account.number,
            row.state,
            row.records,
            row.changed,
            row.refused,
            row.free_before,
            row.free_after,
            *(format_micros(amount, decimals_of(currency)) for amount in amounts),
            currency,
            row.reason,
        )


def destination_lines(job_id: int) -> Iterator[str]:
    """CSV lines, a row a service, price plan and destination; usage in seconds, octets or events."""
    yield _line(
        *("service", "price_plan", "destination", "records", "free_before", "free_after"),
        *("billed_before", "billed_after", "before", "after", "difference", "currency"),
    )
    for row in by_destination(job_id).iterator(chunk_size=ROWS_A_READ):
        amounts = (row["before_micros"], row["after_micros"], row["added_micros"])
        yield _line(
            row["service_name"],
            row["plan_name"],
            row["destination"],
            row["records"],
            row["free_before"],
            row["free_after"],
            row["billed_before"],
            row["billed_after"],
            *(format_micros(amount, decimals_of(row["currency"])) for amount in amounts),
            row["currency"],
        )


EXPORTS: dict[str, Callable[[int], Iterator[str]]] = {
    "accounts": account_lines,
    "destinations": destination_lines,
}


def _line(*values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
