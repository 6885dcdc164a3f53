"""Write the bills of a chunk of accounts: rows of bills and lines, and how far each account is billed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Subquery

from apps.billing.domain import BillLine as DraftLine
from apps.billing.domain.draft import USAGE
from apps.billing.models import Bill, BillingAccount, BillLine, OneOffCharge
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.billing.selectors.inputs import Inputs, usage_names
from apps.billing.selectors.sql import instant_text
from apps.billing.services.context import Billed, BillingContext
from apps.billing.services.settling import ShownBalance, newest_ledger_entry
from apps.storage.bulk import database_instant, insert_rows
from apps.storage.dialect import without_foreign_key_checks
from apps.subscribers.selectors import in_portions

LINES_AT_A_TIME = 20_000

BILL_COLUMNS = (
    "tenant_id",
    "account_id",
    "cycle_id",
    "run_id",
    "kind",
    "status",
    "current",
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
    "unit",
    "quantity",
    "free_quantity",
    "tax_category",
    "tax_rate_millionths",
    "exact_micros",
    "amount_micros",
)
LINE_COLUMNS = (
    *USAGE_COLUMNS,
    "period_start",
    "period_end",
    "rate_millionths",
    "base_micros",
    "origin",
    "corrects_id",
)


def write_bills(
    context: BillingContext, bills: Sequence[Billed], inputs: Inputs, shown: Mapping[int, ShownBalance]
) -> dict[int, int]:
    """Insert the bills with their lines, with the balances that statements show; bill ids by account id."""
    if not bills:
        return {}
    insert_rows(Bill._meta.db_table, BILL_COLUMNS, list(_bill_rows(context, bills, shown)))
    ids: dict[int, int] = {}
    for portion in in_portions([account.account_id for account, _, _ in bills]):
        ids.update(
            Bill.objects.filter(
                account_id__among=among(portion), period_end=context.until, current=True
            ).values_list("account_id", "pk")
        )
    _write_lines(bills, usage_names(inputs), ids)
    _mark_one_offs(bills, inputs.one_off_ids, ids)
    return ids


def move_on(context: BillingContext, accounts: Sequence[DueAccount]) -> None:
    """The accounts are billed until here, and pass to the cycle that they were to move to."""
    newest = newest_ledger_entry() if any(account.prepaid for account in accounts) else 0
    for portion in in_portions([account.account_id for account in accounts]):
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {BillingAccount._meta.db_table} SET billed_until = %s, billed_sequence = %s, "
                "billed_ledger_entry = CASE WHEN %s > billed_ledger_entry THEN %s ELSE billed_ledger_entry END, "
                "cycle_id = COALESCE(next_cycle_id, cycle_id), next_cycle_id = NULL "
                f"WHERE account_id IN ({','.join(map(str, portion))})",
                [database_instant(context.until), context.sequence, newest, newest],
            )


def _bill_rows(
    context: BillingContext, bills: Sequence[Billed], shown: Mapping[int, ShownBalance]
) -> Iterator[tuple[Any, ...]]:
    cycle, issued_on = context.cycle, context.issued_on
    due_on = (issued_on + timedelta(days=cycle.payment_term_days)).isoformat()
    prepaid_kind, postpaid_kind = Bill.Kind.PREPAID.value, Bill.Kind.POSTPAID.value
    status = Bill.Status.NEW.value
    issued = issued_on.isoformat()
    until, at = database_instant(context.until), database_instant(context.at)
    for account, window, value in bills:
        balance = shown.get(account.account_id)
        begins = instant_text(window.start)
        yield (
            account.tenant_id,
            account.account_id,
            cycle.pk,
            context.run_id,
            prepaid_kind if account.prepaid else postpaid_kind,
            status,
            1,
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
            balance.opening_micros if balance else None,
            balance.closing_micros if balance else None,
            context.sequence,
            begins,
            account.billed_sequence,
            0,
            account.billed_ledger_entry if account.prepaid else 0,
            at,
        )


def _write_lines(bills: Sequence[Billed], names: Mapping[tuple[int, int], str], ids: dict[int, int]) -> None:
    """The lines of the bills: usage, of which there is most, apart, with the columns that it fills."""
    usage: list[tuple[Any, ...]] = []
    others: list[tuple[Any, ...]] = []
    for account, _window, value in bills:
        bill_id = ids[account.account_id]
        for number, line in enumerate(value.lines, 1):
            if line.kind != USAGE:
                others.append(line_row(bill_id, number, line))
                continue
            (
                _,
                amount,
                exact,
                tax,
                _,
                _,
                subscriber_id,
                service_id,
                place_id,
                unit,
                used,
                free,
                records,
                *_,
            ) = line
            usage.append(
                (
                    bill_id,
                    number,
                    USAGE,
                    subscriber_id,
                    service_id,
                    place_id,
                    names[service_id, place_id],  # type: ignore[index]  # usage has both
                    records,
                    unit,
                    used,
                    free,
                    tax.category,
                    tax.rate_millionths,
                    exact,
                    amount,
                )
            )
    table = BillLine._meta.db_table
    # The bills were written just before, in this transaction.
    with without_foreign_key_checks():
        for start in range(0, len(usage), LINES_AT_A_TIME):
            insert_rows(table, USAGE_COLUMNS, usage[start : start + LINES_AT_A_TIME])
        insert_rows(table, LINE_COLUMNS, others)


def line_row(bill_id: int, number: int, line: DraftLine) -> tuple[Any, ...]:
    """A line in the order of ``LINE_COLUMNS``."""
    return (
        bill_id,
        number,
        line.kind,
        line.subscriber_id,
        line.service_id,
        line.destination_id,
        line.description,
        line.records,
        line.unit,
        line.quantity,
        line.free_quantity,
        line.tax.category,
        line.tax.rate_millionths,
        line.exact_micros,
        line.amount_micros,
        instant_text(line.period_start) if line.period_start else None,
        instant_text(line.period_end) if line.period_end else None,
        line.rate_millionths,
        line.base_micros,
        line.origin,
        line.corrects_id,
    )


def _mark_one_offs(
    bills: Sequence[Billed], one_off_ids: Mapping[int, list[int]], ids: Mapping[int, int]
) -> None:
    """One-off charges know the bill that they are on; what a balance could not bear is charged again next time."""
    billed = [pk for account, _, _ in bills for pk in one_off_ids.get(account.account_id, ())]
    bill_ids = list(ids.values())
    for portion in in_portions(billed):
        bill = Bill.objects.filter(account_id=OuterRef("account_id"), pk__among=among(bill_ids))
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
