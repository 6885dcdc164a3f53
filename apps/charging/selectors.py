"""Reads of the charging room."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db.models import Sum

from apps.charging.models import DEFAULT_BALANCE, LedgerEntry
from apps.kernel.periods import Period
from apps.subscribers.selectors import in_portions


class HistoryEntry(NamedTuple):
    """One movement of an account's default balance, as statements show it."""

    at: datetime
    kind: str
    note: str
    amount_micros: int


class BalanceHistory(NamedTuple):
    """What a balance was when a period began, each movement in it, and what it was when it ended."""

    opening_micros: int
    entries: tuple[HistoryEntry, ...]

    @property
    def closing_micros(self) -> int:
        return self.opening_micros + sum(entry.amount_micros for entry in self.entries)


def balance_history(account_id: int, period: Period) -> BalanceHistory:
    """Movements of the account's default balance that took effect within the period."""
    entries = LedgerEntry.objects.filter(balance__account_id=account_id, balance__tag=DEFAULT_BALANCE)
    return BalanceHistory(
        opening_micros=_sum(entries.filter(at__lt=period.start)),
        entries=tuple(
            HistoryEntry(*row)
            for row in entries.filter(at__gte=period.start, at__lt=period.end)
            .order_by("at", "pk")
            .values_list("at", "kind", "note", "amount_micros")
        ),
    )


def balances_at(account_ids: Collection[int], instant: datetime) -> dict[int, int]:
    """Each account's default balance just before ``instant``, micro-units; accounts without entries are absent."""
    found: dict[int, int] = {}
    for portion in in_portions(list(account_ids)):
        found.update(
            LedgerEntry.objects.filter(
                balance__account_id__in=portion, balance__tag=DEFAULT_BALANCE, at__lt=instant
            )
            .values_list("balance__account_id")
            .annotate(total=Sum("amount_micros"))
        )
    return found


def _sum(entries) -> int:
    return entries.aggregate(total=Sum("amount_micros"))["total"] or 0
