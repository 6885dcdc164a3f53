"""Fill a usage book from the database under locks, and write it back: the two ends of charging a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import connection

from apps.charging.domain.lines import (
    NO_END,
    BundlePeriod,
    CounterKey,
    Holding,
    Line,
    PlanPeriod,
    ServiceInfo,
)
from apps.charging.domain.trigger_states import Use
from apps.charging.domain.trigger_uses import CountingUsageBook
from apps.charging.domain.triggers import EVENT_COUNTERS
from apps.charging.domain.usage_book import UsageBook
from apps.charging.models import Account, AllowanceCounter, LedgerBook, LedgerEntry
from apps.charging.services.balance_actions import carry_out_firings
from apps.charging.services.ledger import Movement, lock_accounts, post_movements
from apps.charging.services.terms import Terms
from apps.charging.services.trigger_rows import read_trigger_book
from apps.charging.services.triggers import watch_uses
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import Service
from apps.storage.bulk import insert_rows
from apps.storage.dialect import for_update
from apps.storage.reads import select_in
from apps.storage.upserts import update_few
from apps.subscribers.selectors import bundle_periods, msisdn_holdings, plan_periods

# Months are kept by local calendar; a day on either side covers every time zone.
COUNTERS_A_STATEMENT = 2_000
ZONE_SLACK = timedelta(days=1)

Period = TypeVar("Period", Holding, PlanPeriod, BundlePeriod)


class KnownHoldings(NamedTuple):
    """Who had which of a batch's numbers when, on which terms, and who pays: facts that the batch does not change."""

    subscriber_ids: list[int]
    accounts: dict[int, int]
    holdings: dict[str, tuple[Holding, ...]]


def read_holdings(msisdns: Collection[str], first_start: datetime, last_start: datetime) -> KnownHoldings:
    """As :func:`lock_usage_book` reads them, without a lock: for a batch whose turn comes in a moment."""
    return _read_holdings(msisdns, first_start, last_start, lock=False)


def lock_usage_book(
    msisdns: Collection[str],
    first_start: datetime,
    last_start: datetime,
    known: KnownHoldings | None = None,
) -> UsageBook:
    """The book for records of ``msisdns`` that start in ``[first_start, last_start]``.

    Inside the caller's transaction. The subscribers' payer rows are locked in id order until it ends, so no
    other batch consumes the same free units meanwhile, and two batches cannot wait for each other. What was read
    in advance by :func:`read_holdings`, for the same arguments, is not read again if the payers are still the same.
    """
    if known is not None and _payers(known.subscriber_ids, lock=True) != known.accounts:
        known = None
    if known is None:
        known = _read_holdings(msisdns, first_start, last_start, lock=True)
    watched = _watched(known.holdings)
    counters, stored = _counters(known.subscriber_ids, first_start - ZONE_SLACK, last_start + ZONE_SLACK)
    book = UsageBook(
        services={
            code: ServiceInfo(service_id, category, type_of_record)
            for service_id, code, category, type_of_record in Service.objects.values_list(
                "id", "code", "category", "type_of_record"
            )
        },
        holdings=known.holdings,
        counters=counters,
        stored=stored,
    )
    if watched:
        return CountingUsageBook(book.services, book.holdings, counters, stored, watched=watched)
    return book


def _watched(holdings: Mapping[str, tuple[Holding, ...]]) -> frozenset[int]:
    """The accounts whose usage a trigger may count."""
    triggers = read_trigger_book(EVENT_COUNTERS)
    if triggers is None:
        return frozenset()
    return frozenset(
        line.account_id
        for periods in holdings.values()
        for _, _, line in periods
        if triggers.may_concern(line.account_id, line.tenant, line.trigger_set_id)
    )


def _read_holdings(msisdns: Collection[str], first: datetime, last: datetime, *, lock: bool) -> KnownHoldings:
    found = msisdn_holdings(msisdns, first, last)
    subscriber_ids = sorted({subscriber_id for _, subscriber_id, _, _ in found})
    accounts = _payers(subscriber_ids, lock=lock)
    lines = lines_of(subscriber_ids, accounts, first, last)
    holdings: dict[str, list[Holding]] = defaultdict(list)
    for msisdn, subscriber_id, start, end in found:
        line = lines.get(subscriber_id)
        if line is not None:
            holdings[msisdn].append(Holding(start, end or NO_END, line))
    return KnownHoldings(
        subscriber_ids, accounts, {msisdn: in_order(periods) for msisdn, periods in holdings.items()}
    )


class UsageWriting(NamedTuple):
    """What a batch used and debited, as it is written: (row id, used) of the counters there are, rows of new ones."""

    counters: list[tuple[int, int]]
    new_counters: list[tuple[int | str, ...]]
    movements: list[Movement]
    uses: dict[int, list[Use]]


def usage_to_write(book: UsageBook, cause: str) -> UsageWriting:
    """What :func:`write_usage` is to write; ``cause`` names the batch: it moves money once a run. No database."""
    known, new = [], []
    for key in book.changed:
        row_id = book.stored.get(key)
        if row_id is None:
            new.append((*key, book.counters[key]))
        else:
            known.append((row_id, book.counters[key]))
    movements = [
        Movement(
            account_id=account_id,
            at=debit.last_start,
            amount_micros=-debit.amount_micros,
            kind=LedgerEntry.Kind.USAGE.value,
            book=LedgerBook.Code.REVENUE.value,
            cause=f"{cause}:{book.run}:{account_id}:{day}",
        )
        for (account_id, day), debit in book.debits.items()
    ]
    uses = book.uses(cause) if isinstance(book, CountingUsageBook) and book.run == DEFAULT_RUN else {}
    return UsageWriting(sorted(known), sorted(new), sorted(movements), uses)


def write_usage(writing: UsageWriting) -> None:
    """Write it, inside the transaction that locked the book.

    A prepaid account gets one entry a day of usage, and is debited even below zero: the usage has happened
    (CGRateS: *pseudoprepaid*); overruns are for real-time charging to prevent.
    """
    table = AllowanceCounter._meta.db_table
    for start in range(0, len(writing.counters), COUNTERS_A_STATEMENT):
        update_few(connection, table, ("used",), writing.counters[start : start + COUNTERS_A_STATEMENT])
    insert_rows(table, (*CounterKey._fields, "used"), writing.new_counters)
    if writing.uses:
        lock_accounts({*writing.uses, *(movement.account_id for movement in writing.movements)})
    post_movements(writing.movements)
    if writing.uses:
        now = max(use.at for uses in writing.uses.values() for use in uses)
        carry_out_firings(watch_uses(writing.uses, now), now)


def save_usage_book(book: UsageBook, cause: str) -> None:
    """Write what the batch used and debited, inside the transaction that locked the book; as :func:`write_usage`."""
    write_usage(usage_to_write(book, cause))


def _start(period: Holding | PlanPeriod | BundlePeriod) -> datetime:
    return period.start


def lock_payers(subscriber_ids: list[int]) -> None:
    """Lock the subscribers' payer rows in id order until the caller's transaction ends."""
    _payers(subscriber_ids, lock=True)


def _payers(subscriber_ids: list[int], *, lock: bool) -> dict[int, int]:
    """The account that pays for each subscriber."""
    locking = for_update() if lock else ""
    return dict(
        select_in(
            "SELECT subscriber_id, account_id FROM charging_payer WHERE subscriber_id IN ({values})"
            f" ORDER BY subscriber_id{locking}",
            subscriber_ids,
        )
    )


def lines_of(
    subscriber_ids: list[int],
    accounts: Mapping[int, int],
    first: datetime,
    last: datetime,
    terms: Terms | None = None,
) -> dict[int, Line]:
    """The lines of subscribers whose accounts are given, with plans and bundles valid within ``[first, last]``.

    ``terms`` are remembered from an earlier call, and added to.
    """
    known = terms if terms is not None else Terms.nothing()
    plans = _plan_periods(subscriber_ids, first, last, known)
    bundles = _bundle_periods(subscriber_ids, first, last, known)
    rows = select_in(
        "SELECT id, mode, tenant_id, trigger_set_id, charging_mode FROM charging_account WHERE id IN ({values})",
        set(accounts.values()),
    )
    known.learn_tenants({row[2] for row in rows})
    owners = {
        account_id: (mode == Account.Mode.PREPAID, *known.tenants[tenant_id])
        for account_id, mode, tenant_id, _, _ in rows
    }
    special = {row[0]: row[3:] for row in rows}
    return {
        subscriber_id: Line(
            subscriber_id,
            account_id,
            *owners[account_id],
            in_order(plans.get(subscriber_id, ())),
            in_order(bundles.get(subscriber_id, ())),
            *special[account_id],
        )
        for subscriber_id, account_id in accounts.items()
        if account_id in owners
    }


def in_order(periods: Sequence[Period]) -> tuple[Period, ...]:
    """The periods as they begin."""
    return tuple(periods) if len(periods) < 2 else tuple(sorted(periods, key=_start))


def _plan_periods(
    subscriber_ids: Collection[int], first: datetime, last: datetime, terms: Terms
) -> dict[int, list[PlanPeriod]]:
    rows = plan_periods(subscriber_ids, first, last)
    terms.learn_plans({plan_id for _, plan_id, _, _ in rows})
    periods: dict[int, list[PlanPeriod]] = defaultdict(list)
    for subscriber_id, plan_id, start, end in rows:
        periods[subscriber_id].append(terms.plan_period(plan_id, start, end))
    return periods


def _bundle_periods(
    subscriber_ids: Collection[int], first: datetime, last: datetime, terms: Terms
) -> dict[int, list[BundlePeriod]]:
    rows = bundle_periods(subscriber_ids, first, last)
    terms.learn_bundles({bundle_id for _, bundle_id, _, _ in rows})
    periods: dict[int, list[BundlePeriod]] = defaultdict(list)
    for subscriber_id, bundle_id, start, end in rows:
        periods[subscriber_id].append(terms.bundle_period(bundle_id, start, end))
    return periods


def _counters(
    subscriber_ids: list[int], first: datetime, last: datetime
) -> tuple[dict[CounterKey, int], dict[CounterKey, int]]:
    """The free units used in the months from that of ``first`` to that of ``last``, and the row of each."""
    rows = select_in(
        "SELECT subscriber_id, year, month, service_id, origin, run, used, id FROM charging_allowancecounter"
        f" WHERE year * 12 + month BETWEEN {first.year * 12 + first.month} AND {last.year * 12 + last.month}"
        " AND subscriber_id IN ({values})",
        subscriber_ids,
    )
    counters: dict[CounterKey, int] = {}
    stored: dict[CounterKey, int] = {}
    for *fields, used, row_id in rows:
        key = CounterKey(*fields)
        counters[key], stored[key] = used, row_id
    return counters, stored
