"""What postpaid accounts owe on their default balance: money that gateways debited (CC-Money, RFC 8506, 8.22).

There is no record of such usage to bill, only the debit, which takes the balance below zero. A bill until E takes over
what the balance owed at E, as far as it is owed still, with a ledger entry of the kind ``billed``. The balance itself
says how much that is, so nothing is billed twice or left out, whatever was refunded, paid in or corrected meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, Q, Sum

from apps.billing.domain import OneOff
from apps.billing.domain.values import OTHER_DEBITS, PAID_FROM_BALANCE
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.charging.models import DEFAULT_BALANCE, Balance, LedgerEntry
from apps.rating.models import Service

A_SECOND = timedelta(seconds=1)


class ChargedOnline(NamedTuple):
    """What a bill takes over: its lines, and their sum, by which the balance rises again."""

    lines: tuple[OneOff, ...]
    amount_micros: int


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


def charged_online(account_ids: Collection[int], until: datetime) -> dict[int, ChargedOnline]:
    """What bills until ``until`` take over, by account; accounts for which that is nothing are left out.

    Not what was debited after ``until``, nor what has been paid in since.
    """
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
    by_service = _by_service(owed, until)
    names = dict(Service.objects.values_list("code", "name")) if owed else {}
    return {
        account_id: ChargedOnline(tuple(_lines(by_service[balance_id], billed, names)), billed)
        for balance_id, (account_id, billed) in owed.items()
    }


def _lines(by_service: dict[str, int], billed: int, names: dict[str, str]) -> list[OneOff]:
    """A line for each service that was debited, and what else the balance saw; together what is billed."""
    lines = [
        OneOff(None, names.get(code, code) or OTHER_DEBITS, micros, taxed=False)
        for code, micros in by_service.items()
        if micros
    ]
    rest = billed - sum(by_service.values())
    if rest:
        lines.append(OneOff(None, PAID_FROM_BALANCE if rest < 0 else OTHER_DEBITS, rest, taxed=False))
    return lines


def _by_service(balance_ids: Collection[int], until: datetime) -> dict[int, dict[str, int]]:
    """What gateways debited, less what they gave back, since the last bill that took something over."""
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    if not balance_ids:
        return sums
    entries = LedgerEntry.objects.filter(balance_id__among=among(balance_ids))
    before = {
        balance_id: _TakenOver(at + A_SECOND, entry)
        for balance_id, at, entry in entries.filter(kind=LedgerEntry.Kind.BILLED)
        .values_list("balance_id")
        .annotate(Max("at"), Max("pk"))
    }
    unread = entries.filter(kind__in=[LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REFUND], at__lt=until)
    if len(before) == len(balance_ids):
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
