"""Usage that is charged, billed, paid and cancelled in any order is billed once; no money is lost or made."""

from __future__ import annotations

import contextlib
import random

import pytest
from django.db.models import Sum

from apps.billing.models import Bill, OneOffCharge, Payment
from apps.billing.selectors.credits import open_credits, paid_of
from apps.billing.services.cancelling import cancel_bill
from apps.billing.services.payments import record_payment
from apps.charging.models import Balance
from apps.charging.services.audit import differences
from apps.charging.services.ledger import post
from apps.kernel.errors import Conflict
from tests.billing.scenes import EURO, Usage, at, lines_add_up, month, people, run, store
from tests.factories import make_cycle, make_plan

pytestmark = pytest.mark.django_db
MONTHS = 7


class History:
    """One postpaid account; ``due`` is all that it has to be billed for, ``received`` what was paid less what was
    given back."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.cycle = make_cycle(1)
        (self.subscriber,) = people(1, plan=make_plan("PLAN", fee_micros=10 * EURO))
        self.account = self.subscriber.payer.account
        self.due = self.received = self.number = 0

    def cents(self, most: int) -> int:
        return self.dice.randint(1, most) * 10_000

    def charge(self, month_number: int) -> None:
        when = at(month_number, self.dice.randint(2, 27))
        kind = self.dice.choice(["usage", "charge", "credit", "online", "refund"])
        amount = self.cents(4_000 if kind == "credit" else 2_000)
        self.number += 1
        if kind == "usage":
            store([Usage(self.subscriber, when, amount)])
        elif kind in ("charge", "credit"):
            amount = amount if kind == "charge" else -amount
            OneOffCharge.objects.create(account=self.account, at=when, description=kind, amount_micros=amount)
        else:
            amount = amount if kind == "online" else -amount // 3 // 10_000 * 10_000
            entry = "usage" if kind == "online" else "refund"
            post(
                self.account,
                -amount,
                kind=entry,
                book="usage",
                cause=f"shop:{self.number}",
                at=when,
                note="sms",
            )
        self.due += amount

    def pay(self, month_number: int) -> None:
        bills = list(Bill.objects.exclude(status="cancelled").order_by("pk"))
        if not bills:
            return
        bill = self.dice.choice(bills)
        left = bill.total_micros - paid_of([bill.pk]).get(bill.pk, 0)
        amount = self.dice.choice([left, left // 2, left + self.cents(500) if left > 0 else left])
        if amount:
            self.number += 1
            record_payment(bill.pk, amount, f"bank {self.number}", at(month_number, 28))
            self.received += amount

    def cancel(self, month_number: int) -> None:
        bills = list(Bill.objects.filter(kind="postpaid").order_by("pk"))
        if bills:
            bill = self.dice.choice(bills)
            with contextlib.suppress(Conflict):
                cancel_bill(bill.pk, "wrong", at(month_number, 28), again=self.dice.random() < 0.5)

    def check(self) -> None:
        bills = list(Bill.objects.order_by("pk"))
        paid = paid_of([bill.pk for bill in bills])
        left = {bill.pk: bill.total_micros - paid.get(bill.pk, 0) for bill in bills}
        for bill in bills:
            if bill.status == "cancelled":
                assert left[bill.pk] == 0, "a cancelled bill demands nothing and gives nothing back"
        current = sum(bill.total_micros for bill in bills if bill.current)
        assert sum(left.values()) == current - self.received
        offsets = Payment.objects.exclude(other_bill=None).aggregate(sum=Sum("amount_micros"))["sum"] or 0
        assert offsets == 0
        assert all(
            credit.open_micros > 0 for credit in open_credits([self.account.pk]).get(self.account.pk, [])
        )
        numbers = [bill.number for bill in bills]
        assert len(set(numbers)) == len(numbers)
        assert lines_add_up()
        assert list(differences()) == []


@pytest.mark.parametrize("seed", range(4))
def test_everything_is_billed_once_and_no_payment_is_lost(seed: int) -> None:
    history = History(seed)
    for month_number in range(1, MONTHS + 1):
        for _ in range(history.dice.randint(0, 5)):
            history.charge(month_number)
        before = set(Bill.objects.values_list("pk", flat=True))
        run(history.cycle, month(month_number, history.cycle))
        history.check()
        for bill in Bill.objects.exclude(pk__in=before).filter(total_micros__gt=0):
            credit = sum(one.open_micros for one in open_credits([bill.account_id]).get(bill.account_id, []))
            assert credit == 0 or paid_of([bill.pk])[bill.pk] == bill.total_micros
        for _ in range(history.dice.randint(0, 6)):
            history.dice.choice([history.pay, history.cancel])(month_number + 1)
            history.check()
    run(history.cycle, month(MONTHS + 1, history.cycle))
    history.check()
    billed = Bill.objects.filter(current=True).aggregate(sum=Sum("total_micros"))["sum"]
    owed = -(Balance.objects.filter(account=history.account).aggregate(sum=Sum("amount_micros"))["sum"] or 0)
    assert billed + owed == history.due + (MONTHS + 1) * 10 * EURO
