"""Money received for bills, and the state of a bill that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from apps.billing.models import Bill, Payment
from apps.kernel.errors import Conflict, InvalidInput, NotFound


@transaction.atomic
def record_payment(
    bill_id: int, amount_micros: int, reference: str, at: datetime, *, method: str = "", recorded_by: str = ""
) -> Payment:
    """Money received (or, if negative, given back) for a bill, which is paid once its total is covered.

    ``reference`` is the bank's or desk's own; recording the same again changes nothing and returns the first. Raises
    NotFound, InvalidInput (no amount, no reference, a prepaid statement), Conflict (the reference with
    another amount, a cancelled bill).
    """
    bill = _locked(bill_id)
    reference = reference.strip()
    if bill.kind == Bill.Kind.PREPAID:
        raise InvalidInput(
            "a prepaid statement is paid from the balance; top the account up instead", where="bill_id"
        )
    if bill.status == Bill.Status.CANCELLED:
        raise Conflict(
            f"{bill} is cancelled by {bill.credit_note}; pay the bill that replaces it", code="cancelled"
        )
    if not amount_micros:
        raise InvalidInput("an amount of zero pays nothing", where="amount")
    if not reference:
        raise InvalidInput("the bank's or desk's reference is missing", where="reference")
    former = bill.payments.filter(reference=reference).first()
    if former is not None:
        if former.amount_micros != amount_micros:
            raise Conflict(
                f"a payment “{reference}” with another amount is on {bill} already", code="already_recorded"
            )
        return former
    payment = Payment.objects.create(
        bill=bill,
        at=at,
        amount_micros=amount_micros,
        method=method,
        reference=reference,
        recorded_by=recorded_by,
    )
    if bill.status != Bill.Status.NEW:
        _settle(bill)
    return payment


@transaction.atomic
def issue_bill(bill_id: int) -> Bill:
    """The bill has been written as a document: a NEW one becomes PAID (nothing is left to pay) or UNPAID."""
    bill = _locked(bill_id)
    if bill.status == Bill.Status.NEW:
        _settle(bill)
    return bill


def issue_bills(bills: Sequence[Bill]) -> None:
    """As :func:`issue_bill` for many NEW bills that the caller has locked, with a few statements for all."""
    paid = dict(
        Payment.objects.filter(bill__in=bills).values_list("bill_id").annotate(paid=Sum("amount_micros"))
    )
    covered = {
        bill.pk
        for bill in bills
        if bill.kind == Bill.Kind.PREPAID or paid.get(bill.pk, 0) >= bill.total_micros
    }
    Bill.objects.filter(pk__in=covered).update(status=Bill.Status.PAID)
    Bill.objects.filter(pk__in=[bill.pk for bill in bills if bill.pk not in covered]).update(
        status=Bill.Status.UNPAID
    )


def _settle(bill: Bill) -> None:
    paid = bill.payments.aggregate(paid=Sum("amount_micros"))["paid"] or 0
    covered = bill.kind == Bill.Kind.PREPAID or paid >= bill.total_micros
    bill.status = Bill.Status.PAID if covered else Bill.Status.UNPAID
    bill.save(update_fields=["status"])


def _locked(bill_id: int) -> Bill:
    bill = Bill.objects.select_for_update().filter(pk=bill_id).first()
    if bill is None:
        raise NotFound(f"there is no bill {bill_id}")
    return bill
