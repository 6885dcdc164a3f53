"""Amounts of money that gateways debited from postpaid accounts (CC-Money, RFC 8506, 8.22), and that no bill has shown.

There is no record of such usage to bill, only the debit: it stands on the account's default balance, below zero,
until a bill takes it over with a ledger entry of the kind ``billed``. A bill until E takes over debits and refunds from
before E that are not older than the end of the one before, or were written after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, Sum

from apps.billing.domain import OneOff
from apps.billing.domain.values import CHARGED_ONLINE, PAID_FROM_BALANCE
from apps.billing.selectors.among import among
from apps.billing.selectors.due import DueAccount
from apps.charging.models import DEFAULT_BALANCE, Balance, LedgerEntry
from apps.rating.models import Service

A_SECOND = timedelta(seconds=1)


class ChargedOnline(NamedTuple):
    """What a bill takes over: its lines, and their sum, by which the balance rises again."""

    lines: tuple[OneOff, ...]
    amount_micros: int


def accounts_charged_online(accounts: Sequence[DueAccount]) -> list[DueAccount]:
    """The postpaid ones among ``accounts`` whose default balance is not zero; few are."""
    postpaid = [account.account_id for account in accounts if not account.prepaid]
    if not postpaid:
        return []
    owing = set(
        Balance.objects.filter(account_id__among=among(postpaid), tag=DEFAULT_BALANCE)
        .exclude(amount_micros=0)
        .values_list("account_id", flat=True)
    )
    return [account for account in accounts if account.account_id in owing]


def charged_online(account_ids: Collection[int], until: datetime) -> dict[int, ChargedOnline]:
    """What bills until ``until`` take over, by account; accounts for which that is nothing are left out.

    Never more than the balance is below zero (or, for refunds, above it): the rest was paid from the balance.
    """
    if not account_ids:
        return {}
    balances = {
        balance_id: (account_id, amount)
        for balance_id, account_id, amount in Balance.objects.filter(
            account_id__among=among(account_ids), tag=DEFAULT_BALANCE
        ).values_list("pk", "account_id", "amount_micros")
    }
    entries = LedgerEntry.objects.filter(balance_id__among=among(balances))
    later = dict(entries.filter(at__gte=until).values_list("balance_id").annotate(Sum("amount_micros")))
    taken_over = {
        balance_id: (at + A_SECOND, newest)
        for balance_id, at, newest in entries.filter(kind=LedgerEntry.Kind.BILLED)
        .values_list("balance_id")
        .annotate(Max("at"), Max("pk"))
    }
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    charged = entries.filter(kind__in=[LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REFUND], at__lt=until)
    for balance_id, pk, at, note, amount in charged.order_by("pk").values_list(
        "balance_id", "pk", "at", "note", "amount_micros"
    ):
        end, newest = taken_over.get(balance_id, (None, 0))
        if end is None or at >= end or pk > newest:
            sums[balance_id][note] -= amount
    names = dict(Service.objects.values_list("code", "name"))
    found: dict[int, ChargedOnline] = {}
    for balance_id, by_service in sums.items():
        account_id, amount = balances[balance_id]
        owed = later.get(balance_id, 0) - amount
        charged_micros = sum(by_service.values())
        billed = (
            min(charged_micros, max(owed, 0)) if charged_micros > 0 else max(charged_micros, min(owed, 0))
        )
        lines = [
            OneOff(None, f"{CHARGED_ONLINE}{names.get(code, code)}", micros, taxed=False)
            for code, micros in by_service.items()
            if micros
        ]
        if billed != charged_micros:
            lines.append(OneOff(None, PAID_FROM_BALANCE, billed - charged_micros, taxed=False))
        if billed:
            found[account_id] = ChargedOnline(tuple(lines), billed)
    return found
