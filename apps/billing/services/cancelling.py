"""Cancel a bill by a credit note, and issue it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.billing.domain import BillLine as DraftLine
from apps.billing.domain import TaxTreatment
from apps.billing.domain.credit_notes import taken_back
from apps.billing.models import Bill, BillingAccount, BillLine, OneOffCharge
from apps.billing.models.bills import cause_of_bill
from apps.billing.selectors.credits import paid_of
from apps.billing.services.billing import bill_accounts
from apps.billing.services.inserting import LINE_COLUMNS, line_row
from apps.billing.services.notifications import notify
from apps.billing.services.numbering import number_bills
from apps.billing.services.settling import use_credits
from apps.charging.models import LedgerBook, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.kernel.periods import Period, as_utc
from apps.storage.bulk import insert_rows
from apps.storage.retry import retrying

MOST_REASON = 200


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The credit note, and the bill that was issued instead, if any."""

    credit_note: Bill
    successor: Bill | None


def cancel_bill(bill_id: int, reason: str, at: datetime, *, by: str = "", again: bool = False) -> Cancelled:
    """Take a bill back whole, by a credit note with a number and a document of its own.

    Its usage, fees and one-off charges are billable again: by the next run, or at once (``again``), for the same
    period. What was paid for it becomes a credit that pays the next bill. An account's bills are cancelled from the
    last one backwards, since each begins where the one before it ended.

    Raises NotFound, InvalidInput (no reason, a prepaid statement or credit note), Conflict (code cancelled,
    not_the_last, nothing_to_bill).
    """
    return retrying(lambda: _cancel(bill_id, reason.strip(), at, by, again))


@transaction.atomic
def _cancel(bill_id: int, reason: str, at: datetime, by: str, again: bool) -> Cancelled:
    if not reason:
        raise InvalidInput("say why it is cancelled; the credit note keeps it", where="reason")
    if len(reason) > MOST_REASON:
        raise InvalidInput(f"a reason has at most {MOST_REASON} characters", where="reason")
    account_id = Bill.objects.filter(pk=bill_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound(f"there is no bill {bill_id}")
    # In the order in which a run locks: the account's row, then its bills.
    account = BillingAccount.objects.select_for_update().get(pk=account_id)
    bill = Bill.objects.select_for_update().get(pk=bill_id)
    _require_cancellable(bill)
    note = _write_credit_note(bill, reason, at)
    _give_back_what_was_taken_over(bill, note)
    OneOffCharge.objects.filter(bill=bill).update(bill=None)
    # Its usage is billed again at the prices of now, which leaves nothing to correct.
    OneOffCharge.objects.filter(corrects=bill, bill=None).delete()
    _unbill(account, bill)
    unpaid = bill.total_micros - paid_of([bill.pk]).get(bill.pk, 0)
    if unpaid:
        use_credits([(note.pk, bill.pk, unpaid)], at, by)
    bill.status, bill.current = Bill.Status.CANCELLED, None
    bill.save(update_fields=["status", "current"])
    number_bills(bill.tenant_id, note.issued_on.year, Bill.Kind.CREDIT, [note.pk])
    note.refresh_from_db()
    successor = _issue_again(bill, at) if again else None
    who = f" ({by})" if by else ""
    instead = f"; {successor} was issued instead" if successor else ""
    notify(f"{bill} was cancelled by {note}{instead}: {reason}{who}", at, tenant_id=bill.tenant_id, bill=note)
    return Cancelled(note, successor)


def _require_cancellable(bill: Bill) -> None:
    if bill.kind == Bill.Kind.PREPAID:
        raise InvalidInput(
            "a prepaid statement demands nothing; correct the balance instead", where="bill_id"
        )
    if bill.kind == Bill.Kind.CREDIT:
        raise InvalidInput("a credit note is not cancelled; issue the bill again", where="bill_id")
    if bill.status == Bill.Status.CANCELLED:
        raise Conflict(f"{bill} was cancelled by {bill.credit_note} already", code="cancelled")
    later = (
        Bill.objects.filter(account_id=bill.account_id, current=True, period_end__gt=bill.period_end)
        .order_by("-period_end")
        .first()
    )
    if later is not None:
        raise Conflict(
            f"{later} follows {bill}; cancel later bills first, the last one before all", code="not_the_last"
        )


def _write_credit_note(bill: Bill, reason: str, at: datetime) -> Bill:
    note = Bill.objects.create(
        tenant_id=bill.tenant_id,
        account_id=bill.account_id,
        cycle=bill.cycle,
        kind=Bill.Kind.CREDIT,
        current=None,
        corrects=bill,
        reason=reason,
        period_start=bill.period_start,
        period_end=bill.period_end,
        issued_on=at.astimezone(bill.cycle.zone).date(),
        currency=bill.currency,
        recurring_micros=-bill.recurring_micros,
        usage_micros=-bill.usage_micros,
        one_off_micros=-bill.one_off_micros,
        discount_micros=-bill.discount_micros,
        tax_micros=-bill.tax_micros,
        rounding_micros=-bill.rounding_micros,
        total_micros=-bill.total_micros,
        usage_sequence=bill.usage_sequence,
        usage_from=bill.usage_from,
        usage_after_sequence=bill.usage_after_sequence,
        created_at=at,
    )
    rows = [line_row(note.pk, number, line) for number, line in _lines_taken_back(bill)]
    insert_rows(BillLine._meta.db_table, LINE_COLUMNS, rows)
    return note


def _lines_taken_back(bill: Bill) -> Iterator[tuple[int, DraftLine]]:
    for row in bill.lines.order_by("number"):
        line = DraftLine(
            row.kind,
            row.amount_micros,
            row.exact_micros,
            TaxTreatment(row.tax_category, (), row.tax_rate_millionths),
            row.origin,
            row.description,
            row.subscriber_id,
            row.service_id,
            row.destination_id,
            row.unit,
            row.quantity,
            row.free_quantity,
            row.records,
            row.period_start,
            row.period_end,
            row.rate_millionths,
            row.base_micros,
        )
        yield row.number, taken_back(line, row.pk)


def _give_back_what_was_taken_over(bill: Bill, note: Bill) -> None:
    """The balance owes again what the bill had taken over, as of the time at which it owed it before."""
    entry = LedgerEntry.objects.filter(cause=cause_of_bill(bill.pk), kind=LedgerEntry.Kind.BILLED).first()
    if entry is None:
        return
    post_movements(
        [
            Movement(
                account_id=bill.account_id,
                at=entry.at,
                amount_micros=-entry.amount_micros,
                kind=LedgerEntry.Kind.BILLED,
                book=LedgerBook.Code.RECEIVABLES,
                cause=cause_of_bill(note.pk),
                note="Given back by the credit note",
            )
        ]
    )


def _unbill(account: BillingAccount, bill: Bill) -> None:
    """The account is billed as far as it was before the bill."""
    before = Bill.objects.filter(
        account_id=bill.account_id, current=True, period_end__lte=bill.period_start
    ).exists()
    account.billed_until = bill.period_start if before else None
    if not before:
        account.billing_from = bill.period_start
    account.billed_sequence = bill.usage_after_sequence
    if account.cycle_id != bill.cycle_id:
        account.next_cycle_id = account.next_cycle_id or account.cycle_id
        account.cycle_id = bill.cycle_id
    account.save()


def _issue_again(bill: Bill, at: datetime) -> Bill:
    period = Period(as_utc(bill.period_start), as_utc(bill.period_end))
    done = bill_accounts(bill.cycle, [bill.account_id], period, at)
    if done.problems:
        raise InvalidInput(done.problems[0])
    if not done.bills:
        raise Conflict(f"account {bill.account} has nothing to bill for the period", code="nothing_to_bill")
    return Bill.objects.get(pk=done.bills[bill.account_id])
