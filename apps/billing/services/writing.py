"""Write the bills of a chunk of accounts: rows of bills and lines, and how far each account is billed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, OuterRef, Subquery, Sum

from apps.billing.domain import BillValue, Charge, Window
from apps.billing.domain.statement import USAGE
from apps.billing.models import Bill, BillCycle, BillingAccount, BillLine, BillNumberSeries, OneOffCharge
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.billing.selectors.inputs import Inputs, usage_names
from apps.billing.selectors.sql import instant_text
from apps.charging.models import DEFAULT_BALANCE, Balance, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from apps.storage.bulk import database_instant, insert_rows
from apps.storage.dialect import joined, without_foreign_key_checks, zero_padded
from apps.subscribers.selectors import in_portions

LINES_AT_A_TIME = 20_000
A_SECOND = timedelta(seconds=1)

BILL_COLUMNS = (
    "tenant_id",
    "account_id",
    "cycle_id",
    "run_id",
    "kind",
    "status",
    "period_start",
    "period_end",
    "issued_on",
    "due_on",
    "currency",
    "recurring_micros",
    "usage_micros",
    "one_off_micros",
    "discount_micros",
    "tax_micros",
    "rounding_micros",
    "total_micros",
    "opening_balance_micros",
    "closing_balance_micros",
    "usage_sequence",
    "usage_from",
    "usage_after_sequence",
    "ledger_entry",
    "ledger_after_entry",
    "created_at",
)
USAGE_COLUMNS = (
    "bill_id",
    "number",
    "kind",
    "subscriber_id",
    "service_id",
    "destination_id",
    "description",
    "records",
    "usage",
    "free_usage",
    "amount_micros",
)
CHARGE_COLUMNS = (
    "bill_id",
    "number",
    "kind",
    "subscriber_id",
    "service_id",
    "description",
    "period_start",
    "period_end",
    "rate_millionths",
    "base_micros",
    "amount_micros",
)

Billed = tuple[DueAccount, Window, BillValue]


@dataclass(frozen=True)
class Sitting:
    """What is the same for every bill that one transaction writes."""

    cycle: BillCycle
    until: datetime
    sequence: int
    run_id: int | None
    now: datetime

    @property
    def issued_on(self) -> date:
        return self.now.astimezone(self.cycle.zone).date()


def write_bills(sitting: Sitting, bills: Sequence[Billed], inputs: Inputs) -> dict[int, int]:
    """Insert the bills with their lines, settle balances with them; bill ids by account id."""
    if not bills:
        return {}
    _take_over_online_charges(sitting, bills, inputs)
    prepaid = _settle_prepaid(sitting, [bill for bill in bills if bill[0].prepaid])
    insert_rows(Bill._meta.db_table, BILL_COLUMNS, list(_bill_rows(sitting, bills, prepaid)))
    ids: dict[int, int] = {}
    for portion in in_portions([account.account_id for account, _, _ in bills]):
        ids.update(
            Bill.objects.filter(account_id__among=among(portion), period_end=sitting.until).values_list(
                "account_id", "pk"
            )
        )
    _write_lines(bills, usage_names(inputs), ids)
    _mark_one_offs(bills, inputs.one_off_ids, sitting)
    return ids


def move_on(sitting: Sitting, accounts: Sequence[DueAccount]) -> None:
    """The accounts are billed until here, and pass to the cycle that they were to move to."""
    newest = _newest_ledger_entry() if any(account.prepaid for account in accounts) else 0
    for portion in in_portions([account.account_id for account in accounts]):
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {BillingAccount._meta.db_table} SET billed_until = %s, billed_sequence = %s, "
                "billed_ledger_entry = CASE WHEN %s > billed_ledger_entry THEN %s ELSE billed_ledger_entry END, "
                "cycle_id = COALESCE(next_cycle_id, cycle_id), next_cycle_id = NULL "
                f"WHERE account_id IN ({','.join(map(str, portion))})",
                [database_instant(sitting.until), sitting.sequence, newest, newest],
            )


def _newest_ledger_entry() -> int:
    return LedgerEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0


@dataclass(frozen=True)
class _Settled:
    """The balances that a prepaid statement shows, and up to which ledger entry."""

    opening_micros: int
    closing_micros: int
    entry: int


def _settle_prepaid(sitting: Sitting, bills: Sequence[Billed]) -> dict[int, _Settled]:
    """Take fees and the like from the balances, which the caller has locked; what each statement shows of them."""
    if not bills:
        return {}
    movements = []
    for account, _window, value in bills:
        due = value.total_micros - value.usage_micros
        if due:
            movements.append(
                Movement(
                    account_id=account.account_id,
                    # The last second of the period: the statement's own history ends with it.
                    at=sitting.until - A_SECOND,
                    amount_micros=-due,
                    kind=LedgerEntry.Kind.FEE,
                    book=LedgerEntry.Book.FEES,
                    cause=_cause_of_bill(account, sitting),
                    note="Fees and charges of the statement",
                )
            )
    post_movements(movements)
    entry = _newest_ledger_entry()
    accounts = {account.account_id: account for account, _, _ in bills}
    settled: dict[int, _Settled] = {}
    for portion in in_portions(accounts):
        balances = Balance.objects.filter(account_id__among=among(portion), tag=DEFAULT_BALANCE)
        now = dict(balances.values_list("account_id", "amount_micros"))
        after = _sum_of_entries(portion, at__gte=sitting.until)
        opening = _opening_balances(portion, accounts)
        for account_id in portion:
            closing = now.get(account_id, 0) - after.get(account_id, 0)
            settled[account_id] = _Settled(opening[account_id], closing, entry)
    return settled


def _take_over_online_charges(sitting: Sitting, bills: Sequence[Billed], inputs: Inputs) -> None:
    """What is owed by bill from now on is no longer owed on the balance, which the caller has locked."""
    post_movements(
        [
            Movement(
                account_id=account.account_id,
                at=sitting.until - A_SECOND,
                amount_micros=inputs.charged_online[account.account_id],
                kind=LedgerEntry.Kind.BILLED,
                book=LedgerEntry.Book.RECEIVABLES,
                cause=_cause_of_bill(account, sitting),
                note="Taken over by the bill",
            )
            for account, _, _ in bills
            if account.account_id in inputs.charged_online
        ]
    )


def _cause_of_bill(account: DueAccount, sitting: Sitting) -> str:
    return f"bill:{account.account_id}:{sitting.until:%Y-%m-%dT%H:%M:%SZ}"


def _opening_balances(account_ids: Sequence[int], accounts: Mapping[int, DueAccount]) -> dict[int, int]:
    """What the last statement ended with, so that anything posted late for its period shows on this one.

    Before the first statement: what there was when it began.
    """
    found: dict[int, int] = {}
    rows = Bill.objects.filter(
        account_id__among=among(account_ids), period_end__in={accounts[pk].begins for pk in account_ids}
    ).values_list("account_id", "period_end", "closing_balance_micros")
    for account_id, period_end, closing in rows:
        if period_end == accounts[account_id].begins:
            found[account_id] = closing or 0
    others: dict[datetime, list[int]] = {}
    for account_id in account_ids:
        if account_id not in found:
            others.setdefault(accounts[account_id].begins, []).append(account_id)
    for begins, group in others.items():
        before = _sum_of_entries(group, at__lt=begins)
        found.update({account_id: before.get(account_id, 0) for account_id in group})
    return found


def _sum_of_entries(account_ids: Sequence[int], **conditions: object) -> dict[int, int]:
    return dict(
        LedgerEntry.objects.filter(
            balance__account_id__among=among(account_ids), balance__tag=DEFAULT_BALANCE, **conditions
        )
        .values_list("balance__account_id")
        .annotate(total=Sum("amount_micros"))
    )


def _bill_rows(
    sitting: Sitting, bills: Sequence[Billed], prepaid: dict[int, _Settled]
) -> Iterator[tuple[Any, ...]]:
    cycle, issued_on = sitting.cycle, sitting.issued_on
    due_on = (issued_on + timedelta(days=cycle.payment_term_days)).isoformat()
    prepaid_kind, postpaid_kind, status = (
        Bill.Kind.PREPAID.value,
        Bill.Kind.POSTPAID.value,
        Bill.Status.NEW.value,
    )
    issued = issued_on.isoformat()
    until, now = database_instant(sitting.until), database_instant(sitting.now)
    for account, window, value in bills:
        settled = prepaid.get(account.account_id)
        begins = instant_text(window.start)
        yield (
            account.tenant_id,
            account.account_id,
            cycle.pk,
            sitting.run_id,
            prepaid_kind if account.prepaid else postpaid_kind,
            status,
            begins,
            until,
            issued,
            None if account.prepaid else due_on,
            account.currency,
            value.recurring_micros,
            value.usage_micros,
            value.one_off_micros,
            value.discount_micros,
            value.tax_micros,
            value.rounding_micros,
            value.total_micros,
            settled.opening_micros if settled else None,
            settled.closing_micros if settled else None,
            sitting.sequence,
            begins,
            account.billed_sequence,
            settled.entry if settled else 0,
            _ledger_after(account, settled),
            now,
        )


def _ledger_after(account: DueAccount, settled: _Settled | None) -> int:
    """Entries after this one are shown even if they are older than the period; none on a first statement."""
    if settled is None:
        return 0
    return account.billed_ledger_entry if account.billed_before else settled.entry


def number_bills(sitting: Sitting, bills: Sequence[Billed], ids: Mapping[int, int]) -> None:
    """Give the bills their numbers: the last step of a transaction, since a series is locked until it is committed."""
    for letter, prepaid in (("", False), ("S", True)):
        numbered = sorted(ids[account.account_id] for account, _, _ in bills if account.prepaid is prepaid)
        if not numbered:
            continue
        prefix = f"{letter}{sitting.issued_on.year}-"
        series, _ = BillNumberSeries.objects.get_or_create(tenant_id=sitting.cycle.tenant_id, prefix=prefix)
        series = BillNumberSeries.objects.select_for_update().get(pk=series.pk)
        number = joined("%s", zero_padded("id - %s", digits=8))
        with connection.cursor() as cursor:
            for first, last in _without_gaps(numbered):
                cursor.execute(
                    f"UPDATE billing_bill SET number = {number} WHERE id BETWEEN %s AND %s",
                    [prefix, first - series.last - 1, first, last],
                )
                series.last += last - first + 1
        series.save(update_fields=["last"])


def _without_gaps(ordered: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges: 1 2 3 7 8 are 1–3 and 7–8."""
    first = previous = ordered[0]
    for number in ordered[1:]:
        if number != previous + 1:
            yield first, previous
            first = number
        previous = number
    yield first, previous


def _write_lines(bills: Sequence[Billed], names: Mapping[tuple[int, int], str], ids: dict[int, int]) -> None:
    """The lines of the bills: usage and the rest apart, each with the columns that they fill."""
    usage: list[tuple[Any, ...]] = []
    charges: list[tuple[Any, ...]] = []
    for account, _window, value in bills:
        bill_id = ids[account.account_id]
        number = 0
        for charge in value.fees:
            number += 1
            charges.append(_charge_row(bill_id, number, charge))
        for _, subscriber_id, service_id, destination_id, records, used, free, cost in value.usage:
            number += 1
            name = names[service_id, destination_id]
            usage.append(
                (
                    bill_id,
                    number,
                    USAGE,
                    subscriber_id,
                    service_id,
                    destination_id,
                    name,
                    records,
                    used,
                    free,
                    cost,
                )
            )
        for charge in value.rest:
            number += 1
            charges.append(_charge_row(bill_id, number, charge))
    table = BillLine._meta.db_table
    # The bills of these lines have been written in this transaction.
    with without_foreign_key_checks():
        for start in range(0, len(usage), LINES_AT_A_TIME):
            insert_rows(table, USAGE_COLUMNS, usage[start : start + LINES_AT_A_TIME])
        insert_rows(table, CHARGE_COLUMNS, charges)


def _charge_row(bill_id: int, number: int, charge: Charge) -> tuple[Any, ...]:
    if charge.period_start is None or charge.period_end is None:
        return (bill_id, number, *charge)
    period = instant_text(charge.period_start), instant_text(charge.period_end)
    return (bill_id, number, *charge[:4], *period, *charge[6:])


def _mark_one_offs(bills: Sequence[Billed], one_off_ids: dict[int, list[int]], sitting: Sitting) -> None:
    """One-off charges know the bill that they are on; what a balance could not bear is charged again next time."""
    billed = [pk for account, _, _ in bills for pk in one_off_ids.get(account.account_id, ())]
    for portion in in_portions(billed):
        bill = Bill.objects.filter(account_id=OuterRef("account_id"), period_end=sitting.until)
        OneOffCharge.objects.filter(pk__among=among(portion)).update(bill_id=Subquery(bill.values("pk")[:1]))
    OneOffCharge.objects.bulk_create(
        [
            OneOffCharge(
                account_id=account.account_id,
                at=window.end,
                description=f"Carried over from the statement to {window.last_day:%Y-%m-%d}",
                amount_micros=value.carried_over_micros,
            )
            for account, window, value in bills
            if value.carried_over_micros
        ],
        batch_size=1_000,
    )
