"""Reads what lower rooms have written and turns it into orders for the gateways of open sessions.

A top-up, a change of plan or a trigger that says so re-authorises (RAR): the client asks anew and gets what is
possible now. A suspension, a termination or a barred account aborts (ASR). Lower rooms do not know of gateways; their
rows carry the news, and this room reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

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
    rows: Any
    """The manager of the model that holds it."""
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


SOURCES = (
    Source("top-up", LedgerEntry.objects, _top_ups, aborts=False),
    Source("barred", Subscriber.history, _barred, aborts=True),
    Source("plan", PlanAssignment.history, _changed(PlanAssignment.history), aborts=False),
    Source("bundle", BundleAssignment.history, _changed(BundleAssignment.history), aborts=False),
    Source("threshold", TriggerFiring.objects, _firings, aborts=False),
    Source("bar", AccountBar.history, _bars, aborts=True),
)


def _latest_ids() -> dict[str, int]:
    """The newest id of every source, in one statement: they are asked for every second, and mostly nothing is new."""
    parts = []
    for source in SOURCES:
        meta = source.rows.model._meta
        parts.append(f"SELECT '{source.name}', COALESCE(MAX({meta.pk.column}), 0) FROM {meta.db_table}")
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())


class NewsReader:
    """Reads all sources; every process has one, and what two of them see is ordered once.

    A mark in the database says how far was read for good, so that a restart misses nothing. The first time ever,
    what is there already is no news.
    """

    def __init__(self) -> None:
        self._passed: dict[str, list[tuple[datetime, int]]] = {}

    def read(self, now: datetime) -> int:
        """Order what the news asks for; returns how many orders were written."""
        latest = _latest_ids()
        marks = dict(NewsMark.objects.values_list("source", "last_id"))
        ordered = 0
        for source in SOURCES:
            newest, mark = latest[source.name], marks.get(source.name)
            if mark is None:
                NewsMark.objects.get_or_create(source=source.name, defaults={"last_id": newest})
            elif newest > mark:
                ordered += self._read_source(source, mark, newest, now)
        return ordered + read_publications(now)

    def _read_source(self, source: Source, mark: int, latest: int, now: datetime) -> int:
        items = list(source.since(mark, latest))
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
