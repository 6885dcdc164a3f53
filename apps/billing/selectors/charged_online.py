"""What postpaid accounts owe on their default balance: money that gateways debited (CC-Money, RFC 8506, 8.22).

There is no record of such usage to bill, only the debit, which takes the balance below zero. A bill until E takes over
what the balance owed at E, if it is still owed, with a ledger entry of the kind ``billed``. The balance itself
says how much that is, so nothing is billed twice or left out, even after refunds, payments and corrections.
Fractions of the smallest payable amount stay on the balance, for a later bill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, Q, Sum

from apps.billing.domain import OnlineCharge
from apps.billing.domain.values import OTHER_DEBITS, PAID_FROM_BALANCE
from apps.billing.models import Bill, BillCycle
from apps.billing.models.bills import cause_of_bill
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerEntry
from apps.rating.models import Service

A_SECOND = timedelta(seconds=1)


class _TakenOver(NamedTuple):
    """Movements older than ``end`` and written no later than ``entry`` were on a bill before."""

    end: datetime | None = None
    entry: int = 0


def accounts_charged_online(accounts: Sequence[DueAccount]) -> list[DueAccount]:
    """The postpaid ones among ``accounts`` whose default balance is below zero now; few are."""
    postpaid = [account.account_id for account in accounts if not account.prepaid]
    if not postpaid:
        return []
    owing = set(
        Balance.objects.filter(
            account_id__among=among(postpaid), tag=DEFAULT_BALANCE, amount_micros__lt=0
        ).values_list("account_id", flat=True)
    )
    return [account for account in accounts if account.account_id in owing]


def charged_online(account_ids: Collection[int], until: datetime) -> dict[int, list[OnlineCharge]]:
    """What bills until ``until`` can take over, exactly, by account; accounts without anything are left out.

    Excludes debits after ``until`` and payments since.
    """
    owed = owed_online(account_ids, until)
    by_service = _by_service({balance_id: account_id for balance_id, (account_id, _) in owed.items()}, until)
    services = {code: (pk, name) for pk, code, name in Service.objects.values_list("pk", "code", "name")}
    return {
        account_id: _charges(by_service[balance_id], billed, services)
        for balance_id, (account_id, billed) in owed.items()
    }


def owed_online(account_ids: Collection[int], until: datetime) -> dict[int, tuple[int, int]]:
    """The account and the amount owed at ``until`` and still, by balance id; balances that owe nothing are left out."""
    if not account_ids:
        return {}
    entries = LedgerEntry.objects.filter(
        balance__account_id__among=among(account_ids), balance__tag=DEFAULT_BALANCE
    )
    later = dict(entries.filter(at__gte=until).values_list("balance_id").annotate(Sum("amount_micros")))
    owed: dict[int, tuple[int, int]] = {}
    for balance_id, account_id, amount in Balance.objects.filter(
        account_id__among=among(account_ids), tag=DEFAULT_BALANCE
    ).values_list("pk", "account_id", "amount_micros"):
        billed = min(-amount, later.get(balance_id, 0) - amount)
        if billed > 0:
            owed[balance_id] = account_id, billed
    return owed


class OwedByAccount(NamedTuple):
    """What the next bill takes over of an account's balance; ``last`` is when one did before, None = never."""

    account: Account
    owed_micros: int
    last: datetime | None


def owed_in_cycle(cycle: BillCycle, until: datetime) -> list[OwedByAccount]:
    """What bills of the cycle until ``until`` would take over of balances, the most first; with a few queries.

    To look at before the first run after an upgrade: debts that were collected otherwise are to be adjusted before.
    """
    owing = Balance.objects.filter(
        account__billing__cycle=cycle,
        account__mode=Account.Mode.POSTPAID,
        tag=DEFAULT_BALANCE,
        amount_micros__lt=0,
    )
    owed = owed_online(list(owing.values_list("account_id", flat=True)), until)
    accounts = Account.objects.in_bulk([account_id for account_id, _ in owed.values()])
    billed = LedgerEntry.objects.filter(balance_id__among=among(owed), kind=LedgerEntry.Kind.BILLED)
    last = dict(billed.values_list("balance_id").annotate(Max("at")))
    rows = [
        OwedByAccount(accounts[account_id], micros, last.get(balance_id))
        for balance_id, (account_id, micros) in owed.items()
    ]
    return sorted(rows, key=lambda row: (-row.owed_micros, row.account.pk))


def _charges(
    by_service: dict[str, int], billed: int, services: dict[str, tuple[int, str]]
) -> list[OnlineCharge]:
    """One for each debited service, and one for other movements of the balance; together the debt."""
    charges = []
    for code, micros in by_service.items():
        if micros:
            pk, name = services.get(code, (None, code))
            charges.append(OnlineCharge(pk, name or OTHER_DEBITS, micros))
    rest = billed - sum(by_service.values())
    if rest:
        charges.append(OnlineCharge(None, PAID_FROM_BALANCE if rest < 0 else OTHER_DEBITS, rest))
    return charges


def _by_service(account_of: dict[int, int], until: datetime) -> dict[int, dict[str, int]]:
    """What gateways debited, less what they gave back, since the last bill that took something over, by balance id."""
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    if not account_of:
        return sums
    entries = LedgerEntry.objects.filter(balance_id__among=among(account_of))
    cancelled = Bill.objects.filter(
        account_id__among=among(set(account_of.values())), status=Bill.Status.CANCELLED
    )
    undone = [cause_of_bill(pk) for pk in cancelled.values_list("pk", flat=True)]
    before = {
        balance_id: _TakenOver(at + A_SECOND, entry)
        for balance_id, at, entry in entries.filter(kind=LedgerEntry.Kind.BILLED, amount_micros__gt=0)
        .exclude(cause__in=undone)
        .values_list("balance_id")
        .annotate(Max("at"), Max("pk"))
    }
    unread = entries.filter(kind__in=[LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REFUND], at__lt=until)
    if len(before) == len(account_of):
        # The common case: no need to go through years of entries.
        first_end = min(taken.end for taken in before.values() if taken.end is not None)
        unread = unread.filter(Q(at__gte=first_end) | Q(pk__gt=min(taken.entry for taken in before.values())))
    for balance_id, pk, at, note, amount in unread.order_by("pk").values_list(
        "balance_id", "pk", "at", "note", "amount_micros"
    ):
        taken = before.get(balance_id, _TakenOver())
        if taken.end is None or at >= taken.end or pk > taken.entry:
            sums[balance_id][note] -= amount
    return sums
