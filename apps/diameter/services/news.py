"""Reads what lower rooms have written and turns it into orders for the gateways of open sessions.

A top-up, a change of plan or a trigger that says so re-authorises (RAR): the client asks anew and gets what is
possible now. A suspension, a termination or a barred account aborts (ASR). Lower rooms do not know of gateways; their
rows carry the news, and this room reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, Q

from apps.charging.models import (
    AccountBar,
    BalanceTrigger,
    ChargingSession,
    LedgerEntry,
    Payer,
    TriggerFiring,
)
from apps.diameter.models import NewsMark
from apps.diameter.services.orders import order_abort, order_reauthorisation
from apps.diameter.services.tariff_news import read_publications
from apps.subscribers.models import BundleAssignment, PlanAssignment, Subscriber

OVERLAP = timedelta(seconds=5)
"""Rows get their ids before they are committed: what was new this long ago is read again; causes count once."""
MAX_NEWS_AT_ONCE = 2_000

_MORE_TO_SPEND = (
    LedgerEntry.Kind.TOP_UP,
    LedgerEntry.Kind.REFUND,
    LedgerEntry.Kind.TRANSFER,
    LedgerEntry.Kind.ADJUSTMENT,
)


class Item(NamedTuple):
    """One piece of news: whose sessions it is about, and what to call it instead of by its source."""

    id: int
    account_id: int | None
    subscriber_id: int | None
    word: str = ""


class Source(NamedTuple):
    """Where news of one kind is read, and what follows from it."""

    name: str
    latest: Callable[[], int]
    since: Callable[[int, int], Iterable[Item]]
    """News with ids above the first and up to the second."""
    aborts: bool


def _top_ups(after: int, upto: int) -> Iterable[Item]:
    rows = LedgerEntry.objects.filter(
        Q(amount_micros__gt=0) | Q(units__gt=0), id__gt=after, id__lte=upto, kind__in=_MORE_TO_SPEND
    ).order_by("id")
    for entry_id, account_id in rows.values_list("id", "balance__account_id")[:MAX_NEWS_AT_ONCE]:
        yield Item(entry_id, account_id, None)


def _barred(after: int, upto: int) -> Iterable[Item]:
    rows = (
        Subscriber.history.filter(history_id__gt=after, history_id__lte=upto)
        .exclude(status=Subscriber.Status.ACTIVE)
        .order_by("history_id")
    )
    for history_id, subscriber_id in rows.values_list("history_id", "id")[:MAX_NEWS_AT_ONCE]:
        yield Item(history_id, None, subscriber_id)


def _firings(after: int, upto: int) -> Iterable[Item]:
    rows = TriggerFiring.objects.filter(
        id__gt=after, id__lte=upto, action=BalanceTrigger.Action.REAUTHORISE
    ).order_by("id")
    for firing_id, account_id in rows.values_list("id", "account_id")[:MAX_NEWS_AT_ONCE]:
        yield Item(firing_id, account_id, None)


def _bars(after: int, upto: int) -> Iterable[Item]:
    rows = AccountBar.history.filter(history_id__gt=after, history_id__lte=upto, history_type="+").order_by(
        "history_id"
    )
    for history_id, account_id, reason in rows.values_list("history_id", "account_id", "reason")[
        :MAX_NEWS_AT_ONCE
    ]:
        yield Item(history_id, account_id, None, f"bar-{reason}")


def _changed(history) -> Callable[[int, int], Iterable[Item]]:
    def read(after: int, upto: int) -> Iterable[Item]:
        rows = history.filter(history_id__gt=after, history_id__lte=upto).order_by("history_id")
        for history_id, subscriber_id in rows.values_list("history_id", "subscriber_id")[:MAX_NEWS_AT_ONCE]:
            yield Item(history_id, None, subscriber_id)

    return read


def _latest(rows, field: str) -> Callable[[], int]:
    return lambda: rows.aggregate(latest=Max(field))["latest"] or 0


SOURCES = (
    Source("top-up", _latest(LedgerEntry.objects, "id"), _top_ups, aborts=False),
    Source("barred", _latest(Subscriber.history, "history_id"), _barred, aborts=True),
    Source(
        "plan", _latest(PlanAssignment.history, "history_id"), _changed(PlanAssignment.history), aborts=False
    ),
    Source(
        "bundle",
        _latest(BundleAssignment.history, "history_id"),
        _changed(BundleAssignment.history),
        aborts=False,
    ),
    Source("threshold", _latest(TriggerFiring.objects, "id"), _firings, aborts=False),
    Source("bar", _latest(AccountBar.history, "history_id"), _bars, aborts=True),
)


class NewsReader:
    """Reads all sources; every process has one, and what two of them see is ordered once.

    A mark in the database says how far was read for good, so that a restart misses nothing. The first time ever,
    what is there already is no news.
    """

    def __init__(self) -> None:
        self._passed: dict[str, list[tuple[datetime, int]]] = {}

    def read(self, now: datetime) -> int:
        """Order what the news asks for; returns how many orders were written."""
        return sum(self._read_source(source, now) for source in SOURCES) + read_publications(now)

    def _read_source(self, source: Source, now: datetime) -> int:
        latest = source.latest()
        mark, made = NewsMark.objects.get_or_create(source=source.name, defaults={"last_id": latest})
        if made or latest <= mark.last_id:
            return 0
        items = list(source.since(mark.last_id, latest))
        ordered = sum(_order(source, item, now) for item in items)
        if len(items) == MAX_NEWS_AT_ONCE:
            # The rest is for the next round.
            latest = items[-1].id
        passed = self._passed.setdefault(source.name, [])
        passed.append((now, latest))
        done = [number for at, number in passed if at <= now - OVERLAP]
        if done:
            self._passed[source.name] = [entry for entry in passed if entry[0] > now - OVERLAP]
            NewsMark.objects.filter(source=source.name, last_id__lt=done[-1]).update(last_id=done[-1])
        return ordered


def _order(source: Source, item: Item, now: datetime) -> int:
    sessions = ChargingSession.objects.filter(status=ChargingSession.Status.OPEN).exclude(peer="")
    if item.account_id is not None:
        sessions = sessions.filter(account_id=item.account_id)
    else:
        account_id = (
            Payer.objects.filter(subscriber_id=item.subscriber_id)
            .values_list("account_id", flat=True)
            .first()
        )
        sessions = sessions.filter(account_id=account_id, subscriber_id=item.subscriber_id)
    order = order_abort if source.aborts else order_reauthorisation
    return sum(
        order(session, f"{item.word or source.name}:{item.id}:{session.id}", now) is not None
        for session in sessions
    )
