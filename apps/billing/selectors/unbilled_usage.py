"""Rated records that are on no bill yet, added up by the database for a chunk of accounts.

A record belongs on the first bill whose period ends after it started and that was made after its file was loaded. So
a bill until E that sees load sequence S, after one until U that saw P, has the records of files up to S that started
before E, and either not before U or in a file after P (late). No record is ever marked, none is missed, none is billed
twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Min

from apps.billing.domain import UsageTotal
from apps.billing.selectors.due import DueAccount
from apps.mediation.models import CdrFile
from apps.storage.bulk import database_instant

# Accounts that share their last bill's end and sequence are read together; fewer than these are read one for one.
WORTH_A_QUERY = 20

_GROUPED_BY = "c.account_id, c.subscriber_id, c.service_id, c.destination_id"


def unbilled_usage(
    accounts: Sequence[DueAccount], until: datetime, sequence: int
) -> Mapping[int, list[UsageTotal]]:
    """Totals of unbilled records by account, for bills until ``until`` that see files up to ``sequence``."""
    if not accounts:
        return {}
    alike: dict[tuple[datetime | None, int], list[DueAccount]] = defaultdict(list)
    for account in accounts:
        # After sequence 0 every record is late, wherever it started.
        begins = account.begins if account.billed_sequence else None
        alike[begins, account.billed_sequence].append(account)
    rows: list[tuple[int, ...]] = []
    few: list[DueAccount] = []
    for (begins, after_sequence), group in alike.items():
        if len(group) < WORTH_A_QUERY < len(accounts):
            few.extend(group)
        else:
            rows += _read_alike(group, begins, after_sequence, until, sequence)
    if few:
        rows += _read_each(few, until, sequence)
    found: dict[int, list[UsageTotal]] = defaultdict(list)
    for row in sorted(rows):
        totals = found[row[0]]
        if totals and totals[-1][:3] == row[1:4]:
            totals[-1] = _added(totals[-1], row)
        else:
            totals.append(UsageTotal._make(row[1:]))
    return found


def _added(total: UsageTotal, row: tuple[int, ...]) -> UsageTotal:
    return UsageTotal(*total[:3], *(left + right for left, right in zip(total[3:], row[4:], strict=True)))


def _read_alike(
    accounts: Sequence[DueAccount],
    begins: datetime | None,
    after_sequence: int,
    until: datetime,
    sequence: int,
) -> list[tuple[int, ...]]:
    source = "FROM mediation_cdr c WHERE " + _in_ids(accounts)
    before = f" AND c.start < '{database_instant(until)}'"
    # Nearly always none: those that were loaded since ``sequence`` was read. One statement sees one state of both.
    known = f" AND c.file_id NOT IN (SELECT id FROM mediation_cdrfile WHERE load_sequence > {sequence:d})"
    if begins is None:
        return _execute(source + before + known)
    rows = _execute(source + before + f" AND c.start >= '{database_instant(begins)}'" + known)
    earliest = _earliest_late_start(after_sequence, sequence)
    if earliest is not None and earliest < begins:
        rows += _execute(
            source
            + f" AND c.start >= '{database_instant(earliest)}' AND c.start < '{database_instant(begins)}'"
            + " AND c.file_id IN (SELECT id FROM mediation_cdrfile"
            + f" WHERE load_sequence > {after_sequence:d} AND load_sequence <= {sequence:d})"
        )
    return rows


def _read_each(accounts: Sequence[DueAccount], until: datetime, sequence: int) -> list[tuple[int, ...]]:
    """As above for accounts each with a last bill of its own."""
    lowest = min(account.begins for account in accounts)
    earliest = _earliest_late_start(min(account.billed_sequence for account in accounts), sequence)
    if earliest is not None:
        lowest = min(lowest, earliest)
    return _execute(
        "FROM mediation_cdr c JOIN mediation_cdrfile f ON f.id = c.file_id "
        "JOIN billing_billingaccount b ON b.account_id = c.account_id "
        "JOIN charging_account a ON a.id = c.account_id WHERE "
        + _in_ids(accounts)
        + f" AND c.start >= '{database_instant(lowest)}' AND c.start < '{database_instant(until)}'"
        + f" AND f.load_sequence <= {sequence:d} AND (f.load_sequence > b.billed_sequence"
        + " OR c.start >= COALESCE(b.billed_until, b.billing_from, a.opened_at))"
    )


def _in_ids(accounts: Sequence[DueAccount]) -> str:
    return "c.account_id IN (" + ",".join(str(account.account_id) for account in accounts) + ")"


def _earliest_late_start(after_sequence: int, sequence: int) -> datetime | None:
    """The earliest start in files that were loaded after the one sequence and up to the other."""
    late = CdrFile.objects.filter(load_sequence__gt=after_sequence, load_sequence__lte=sequence)
    return late.aggregate(earliest=Min("first_start"))["earliest"]


def _execute(source: str) -> list[tuple[int, ...]]:
    sums = {
        name: f"CAST(SUM(c.{column}) AS SIGNED)" if connection.vendor == "mysql" else f"SUM(c.{column})"
        for name, column in (
            ("usage", connection.ops.quote_name("usage")),
            ("free_usage", "free_usage"),
            ("cost", "cost_micros"),
        )
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_GROUPED_BY}, COUNT(*), {sums['usage']}, {sums['free_usage']}, {sums['cost']} "
            f"{source} GROUP BY {_GROUPED_BY}"
        )
        return list(cursor.fetchall())
