"""What bills do to balances and to each other: fees taken, debts taken over, credits used. The ledger follows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum

from apps.billing.domain import BillValue
from apps.billing.models import Bill, Payment
from apps.billing.models.bills import cause_of_bill
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.billing.services.context import Billed, BillingContext
from apps.charging.models import DEFAULT_BALANCE, Balance, LedgerBook, LedgerEntry
from apps.charging.services.ledger import Movement, post_movements
from apps.subscribers.selectors import in_portions

A_SECOND = timedelta(seconds=1)
CREDIT_METHOD = "credit"


@dataclass(frozen=True)
class ShownBalance:
    """The balances that a prepaid statement shows, once its fees are taken."""

    opening_micros: int
    closing_micros: int


def balances_shown(context: BillingContext, bills: Sequence[Billed]) -> dict[int, ShownBalance]:
    """What prepaid statements show, by account id, before anything is taken; the caller has locked the balances."""
    prepaid = {
        account.account_id: (account, _due(value)) for account, _window, value in bills if account.prepaid
    }
    found: dict[int, ShownBalance] = {}
    for portion in in_portions(prepaid):
        balances = Balance.objects.filter(account_id__among=among(portion), tag=DEFAULT_BALANCE)
        held = dict(balances.values_list("account_id", "amount_micros"))
        after = _sum_of_entries(portion, at__gte=context.until)
        opening = _opening_balances([prepaid[account_id][0] for account_id in portion])
        for account_id in portion:
            closing = held.get(account_id, 0) - after.get(account_id, 0) - prepaid[account_id][1]
            found[account_id] = ShownBalance(opening[account_id], closing)
    return found


def settle(context: BillingContext, bills: Sequence[Billed], ids: Mapping[int, int]) -> None:
    """Take fees of prepaid statements, and lift balances by what bills take over of them; ``ids`` are the bills'."""
    movements = []
    for account, _window, value in bills:
        taken = _due(value) if account.prepaid else -value.taken_over_micros
        if taken:
            movements.append(
                Movement(
                    account_id=account.account_id,
                    # The last second of the period: the statement's own history ends with it.
                    at=context.until - A_SECOND,
                    amount_micros=-taken,
                    kind=LedgerEntry.Kind.FEE if account.prepaid else LedgerEntry.Kind.BILLED,
                    book=LedgerBook.Code.FEES if account.prepaid else LedgerBook.Code.RECEIVABLES,
                    cause=cause_of_bill(ids[account.account_id]),
                    note="Fees and charges of the statement" if account.prepaid else "Taken over by the bill",
                )
            )
    post_movements(movements)
    _note_entries_shown([account for account, _, _ in bills if account.prepaid], ids)
    use_credits(
        [
            (credit.bill_id, ids[account.account_id], credit.open_micros)
            for account, _, value in bills
            for credit in value.credits
        ],
        context.at,
    )


def use_credits(offsets: Sequence[tuple[int, int, int]], at: datetime, by: str = "") -> None:
    """Let each first bill, a credit, pay an amount of the second one: two payments, together nothing."""
    if not offsets:
        return
    Payment.objects.bulk_create(
        Payment(
            bill_id=bill_id,
            other_bill_id=other_id,
            at=at,
            amount_micros=amount,
            method=CREDIT_METHOD,
            reference=f"credit {credit_id}:{debit_id}",
            recorded_by=by or "billing",
        )
        for credit_id, debit_id, micros in offsets
        for bill_id, other_id, amount in ((credit_id, debit_id, -micros), (debit_id, credit_id, micros))
    )


def newest_ledger_entry() -> int:
    return LedgerEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _due(value: BillValue) -> int:
    """What a statement settles with the balance; usage has been taken already, exactly."""
    return value.total_micros - value.usage_micros


def _note_entries_shown(accounts: Sequence[DueAccount], ids: Mapping[int, int]) -> None:
    """Up to which ledger entry statements show the balance; a first one shows none that are older than its period."""
    if not accounts:
        return
    newest = newest_ledger_entry()
    for portion in in_portions([ids[account.account_id] for account in accounts]):
        Bill.objects.filter(pk__among=among(portion)).update(ledger_entry=newest)
    firsts = [ids[account.account_id] for account in accounts if not account.billed_before]
    for portion in in_portions(firsts):
        Bill.objects.filter(pk__among=among(portion)).update(ledger_after_entry=newest)


def _opening_balances(accounts: Sequence[DueAccount]) -> dict[int, int]:
    """What the last statement ended with, so that anything posted late for its period shows on this one.

    Before the first statement: what there was when it began.
    """
    begins = {account.account_id: account.begins for account in accounts}
    found: dict[int, int] = {}
    rows = Bill.objects.filter(
        account_id__among=among(begins), period_end__in=set(begins.values()), current=True
    ).values_list("account_id", "period_end", "closing_balance_micros")
    for account_id, period_end, closing in rows:
        if period_end == begins[account_id]:
            found[account_id] = closing or 0
    others: dict[datetime, list[int]] = {}
    for account_id, begin in begins.items():
        if account_id not in found:
            others.setdefault(begin, []).append(account_id)
    for begin, group in others.items():
        before = _sum_of_entries(group, at__lt=begin)
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
