"""The bounds of what peers debit and refund by amount, read and written in the transaction that charges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from apps.charging.domain.money_bounds import MoneyBounds
from apps.charging.domain.requests import MoneyLimit, OnlineRequest, Operation
from apps.charging.domain.state import Account
from apps.charging.models import LedgerEntry, PeerDay

MAX_MICROS = 1 << 62
_COUNTED = (Operation.EVENT, Operation.REFUND)
_Key = tuple[str, str]
"""Peer and currency."""


class MoneyBook:
    """The bounds of one batch's requests. Nothing is read unless one of them moves money and has a limit."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._day: date = now.date()
        self._refundable: dict[int, int] = {}
        self._days: dict[_Key, PeerDay] = {}
        self._changed: set[_Key] = set()

    def read(
        self,
        requests: Iterable[tuple[OnlineRequest, int | None]],
        accounts: Mapping[int, Account],
    ) -> None:
        """Read for the requests, each with its account, whose locks the caller has."""
        wanted = [
            (request.money_limit, accounts[account_id])
            for request, account_id in requests
            if account_id is not None
            and account_id in accounts
            and request.money_limit is not None
            and request.operation in _COUNTED
        ]
        if not wanted:
            return
        since = self._now - timedelta(days=settings.CHARGING_REFUND_WINDOW_D)
        ids = {account.account_id for _, account in wanted}
        moved = (
            LedgerEntry.objects.filter(
                balance__account_id__in=ids,
                balance__kind="monetary",
                kind__in=(LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REFUND),
                at__gte=since,
            )
            .values_list("balance__account_id")
            .annotate(Sum("amount_micros"))
            .order_by()
        )
        self._refundable = dict.fromkeys(ids, 0) | {account_id: -total for account_id, total in moved}
        keys = sorted({(limit.peer, account.currency) for limit, account in wanted})
        self._lock_days(keys)
        missing = [key for key in keys if key not in self._days]
        if missing:
            # Only what is missing: on a row that is there this takes a shared lock, and two that have one wait for
            # each other to have it alone.
            PeerDay.objects.bulk_create(
                [PeerDay(peer=peer, day=self._day, currency=currency) for peer, currency in missing],
                ignore_conflicts=True,
            )
            self._lock_days(keys)

    def _lock_days(self, keys: list[_Key]) -> None:
        there = PeerDay.objects.filter(day=self._day, peer__in={peer for peer, _ in keys})
        # Found without a lock: a locking search for rows that are not there would lock the gap between rows.
        ids = list(there.order_by("peer", "currency").values_list("pk", flat=True))
        rows = PeerDay.objects.select_for_update().filter(pk__in=ids).order_by("peer", "currency")
        self._days = {(row.peer, row.currency): row for row in rows} if ids else {}

    def bounds(self, operation: Operation, limit: MoneyLimit, account: Account) -> MoneyBounds:
        """What is left by now; of a session's money nothing is counted, and no row is locked for it."""
        if operation not in _COUNTED:
            return MoneyBounds(0, limit.micros_a_day)
        row = self._days[limit.peer, account.currency]
        left = limit.micros_a_day - row.debited_micros - row.refunded_micros
        return MoneyBounds(self._refundable[account.account_id], left)

    def note(self, limit: MoneyLimit, account: Account, after: MoneyBounds, session_id: str) -> None:
        """Take over what a request has moved, or was refused."""
        key = limit.peer, account.currency
        row = self._days[key]
        row.debited_micros += after.debited_micros
        row.refunded_micros += after.refunded_micros
        row.refusals += after.refused
        row.refused_micros = min(row.refused_micros + after.refused_micros, MAX_MICROS)
        if after.refused:
            row.last_refusal = f"{after.last_refusal}: account {account.number}, {session_id}"[:200]
        self._refundable[account.account_id] = after.refundable_micros
        self._changed.add(key)

    def write(self) -> None:
        """Write what changed; the rows are locked since they were read."""
        for key in sorted(self._changed):
            self._days[key].save()
