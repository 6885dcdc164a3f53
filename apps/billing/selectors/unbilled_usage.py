"""Rated records that are on no bill yet, added up by the database for a chunk of accounts.

An account that other runs have charged (derived charging: a reseller) has their records on its bill too, added up by
service and destination, because the subscribers are not its own.

A record belongs on the first bill whose period ends after it started and that was made after its file was loaded. So
a bill until E that sees load sequence S, after one until U that saw P, has the records of files up to S that started
before E, and either not before U or in a file after P (late). No record is ever marked, none is missed, none is billed
twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Min

from apps.billing.domain import UsageTotal
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.billing.selectors.sql import instant, read
from apps.mediation.models import CdrFile
from apps.mediation.selectors import FILES, RATED_RECORDS, RUN_ACCOUNTS
from apps.rating.domain.runs import DEFAULT_RUN
from apps.storage.dialect import whole

# Accounts that share their last bill's end and sequence are read together; fewer than these are read one for one.
WORTH_A_QUERY = 20

_OWN = f"c.run = '{DEFAULT_RUN}' AND c.mode = ''"
_DERIVED = f"c.run <> '{DEFAULT_RUN}' AND c.mode = ''"
_SUBSCRIBER = {_OWN: "c.subscriber_id", _DERIVED: "NULL"}


def unbilled_usage(
    accounts: Sequence[DueAccount], until: datetime, sequence: int
) -> dict[int, list[UsageTotal]]:
    """Totals of unbilled records by account, for bills until ``until`` that see files up to ``sequence``."""
    found = _unbilled(accounts, until, sequence, _OWN)
    charged = {account_id for (account_id,) in read(_charged_by_runs(accounts))}
    if charged:
        derived = _unbilled([one for one in accounts if one.account_id in charged], until, sequence, _DERIVED)
        for account_id, totals in derived.items():
            found[account_id] = [*found.get(account_id, ()), *totals]
    return found


def _charged_by_runs(accounts: Sequence[DueAccount]) -> str:
    of_accounts = among(account.account_id for account in accounts).sql
    return f"SELECT r.account_id FROM {RUN_ACCOUNTS} r WHERE r.account_id IN ({of_accounts})"


def _unbilled(
    accounts: Sequence[DueAccount], until: datetime, sequence: int, which: str
) -> dict[int, list[UsageTotal]]:
    alike: dict[tuple[datetime | None, int], list[DueAccount]] = defaultdict(list)
    for account in accounts:
        # After sequence 0 every record is late.
        begins = account.begins if account.billed_sequence else None
        alike[begins, account.billed_sequence].append(account)
    rows: list[UsageTotal] = []
    late: list[UsageTotal] = []
    few: list[DueAccount] = []
    for (begins, after_sequence), group in alike.items():
        if len(group) < WORTH_A_QUERY < len(accounts):
            few.extend(group)
            continue
        rows += _read_alike(group, begins, until, sequence, which)
        if begins is not None:
            late += _read_late(group, begins, after_sequence, sequence, which)
    if few:
        rows += _read_each(few, until, sequence, which)
    found: dict[int, list[UsageTotal]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    for row in late:
        _add_late(found[row[0]], row)
    for totals in found.values():
        totals.sort()
    return found


def _add_late(totals: list[UsageTotal], row: UsageTotal) -> None:
    """To the total of the same subscriber, service and destination, if there is one."""
    for index, total in enumerate(totals):
        if total[:4] == row[:4]:
            totals[index] = UsageTotal(*total[:4], *map(sum, zip(total[4:], row[4:], strict=True)))
            return
    totals.append(row)


def _read_alike(
    accounts: Sequence[DueAccount], begins: datetime | None, until: datetime, sequence: int, which: str
) -> list[UsageTotal]:
    """Records of accounts whose last bills ended at ``begins`` (None: they have none), late ones aside."""
    return _read(
        which,
        f"FROM {RATED_RECORDS} c WHERE {_of(accounts)} AND {which} AND c.start < {instant(until)}"
        + (f" AND c.start >= {instant(begins)}" if begins else "")
        # Nearly always none: those that were loaded since ``sequence`` was read. One statement sees one state of both.
        + f" AND c.file_id NOT IN (SELECT id FROM {FILES} f WHERE load_sequence > {sequence:d})",
    )


def _read_late(
    accounts: Sequence[DueAccount], begins: datetime, after_sequence: int, sequence: int, which: str
) -> list[UsageTotal]:
    """Records from before the accounts' last bills ended that came in after them."""
    earliest = _earliest_start(after_sequence, sequence)
    if earliest is None or earliest >= begins:
        return []
    return _read(
        which,
        f"FROM {RATED_RECORDS} c WHERE {_of(accounts)} AND {which} AND c.start >= {instant(earliest)} "
        f"AND c.start < {instant(begins)} AND c.file_id IN (SELECT id FROM {FILES} f "
        f"WHERE load_sequence > {after_sequence:d} AND load_sequence <= {sequence:d})",
    )


def _read_each(
    accounts: Sequence[DueAccount], until: datetime, sequence: int, which: str
) -> list[UsageTotal]:
    """All of these at once, for accounts each with a last bill of its own."""
    lowest = min(account.begins for account in accounts)
    earliest = _earliest_start(min(account.billed_sequence for account in accounts), sequence)
    if earliest is not None:
        lowest = min(lowest, earliest)
    return _read(
        which,
        f"FROM {RATED_RECORDS} c JOIN {FILES} f ON f.id = c.file_id "
        "JOIN billing_billingaccount b ON b.account_id = c.account_id "
        f"WHERE {_of(accounts)} AND {which} AND c.start >= {instant(lowest)} AND c.start < {instant(until)} "
        f"AND f.load_sequence <= {sequence:d} AND (f.load_sequence > b.billed_sequence "
        "OR c.start >= COALESCE(b.billed_until, b.billing_from))",
    )


def _of(accounts: Sequence[DueAccount]) -> str:
    of_accounts = among(account.account_id for account in accounts).sql
    return f"c.account_id IN ({of_accounts})"


def _earliest_start(after_sequence: int, sequence: int) -> datetime | None:
    """The earliest start in files that were loaded after the one sequence and up to the other."""
    late = CdrFile.objects.filter(load_sequence__gt=after_sequence, load_sequence__lte=sequence)
    earliest: datetime | None = late.aggregate(earliest=Min("first_start"))["earliest"]
    return earliest


def _read(which: str, source: str) -> list[UsageTotal]:
    """Rows in the order of UsageTotal's fields; plain tuples, for there are a million of them."""
    sums = ", ".join(whole(f"SUM(c.{name})") for name in ("`usage`", "free_usage", "cost_micros"))
    # MariaDB would sort all the groups; only those of an account need an order, and get it from the caller.
    keys = ["c.account_id", _SUBSCRIBER[which], "c.service_id", "c.destination_id"]
    grouped = ", ".join(key for key in keys if key != "NULL")
    return read(f"SELECT {', '.join(keys)}, COUNT(*), {sums} {source} GROUP BY {grouped} ORDER BY NULL")  # type: ignore[return-value]
