"""What was debited and given back before: read for refunds and for totals that fall, which are rare."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings

from apps.charging.domain.lines import CounterKey, ServiceInfo
from apps.charging.domain.requests import OnlineRequest
from apps.charging.domain.sessions import Session
from apps.charging.domain.state import FIRST_NEW_ID, Counter, Entry
from apps.charging.models import AllowanceEntry, LedgerEntry

MOST_ENTRIES = 1_000
"""Of a balance's last entries: a refund further back goes onto the default balance."""
_KINDS = (LedgerEntry.Kind.USAGE, LedgerEntry.Kind.REFUND)


def taken_before(
    request: OnlineRequest,
    session: Session | None,
    balance_ids: Iterable[int],
    counters: Mapping[CounterKey, Counter],
    services: Mapping[str, ServiceInfo],
    now: datetime,
) -> list[Entry]:
    """Entries of these balances and counters for the request's services, in the order of time; of a session its own."""
    codes = {item.service for item in request.items}
    balances = {pk for pk in balance_ids if pk < FIRST_NEW_ID}
    keys = {counter.counter_id: key for key, counter in counters.items()}
    code_of = {info.service_id: code for code, info in services.items() if code in codes}
    counted = {-pk: code_of[key.service_id] for pk, key in keys.items() if key.service_id in code_of}
    if session is not None:
        row, since = session.row_id, session.opened_at - timedelta(days=1)
        entries = LedgerEntry.objects.filter(session_id=row)
        used = AllowanceEntry.objects.filter(session_id=row)
    else:
        row, since = None, now - timedelta(days=settings.CHARGING_REFUND_WINDOW_D)
        entries, used = LedgerEntry.objects.all(), AllowanceEntry.objects.all()
    known = [pk for pk in counted if pk < FIRST_NEW_ID]
    found = [
        Entry(-pk, at, "usage" if units > 0 else "refund", "", units, cause, counted[pk], in_session)
        for pk, at, units, cause, in_session in used.filter(counter_id__in=known, at__gte=since)
        .order_by("-pk")
        .values_list("counter_id", "at", "units", "cause", "session_id")[:MOST_ENTRIES]
    ][::-1]
    booked = [
        Entry(pk, at, kind, "", micros + units, cause, note, in_session)
        for pk, at, kind, micros, units, cause, note, in_session in entries.filter(
            balance_id__in=balances, at__gte=since, kind__in=_KINDS
        )
        .order_by("-pk")
        .values_list("balance_id", "at", "kind", "amount_micros", "units", "cause", "note", "session_id")[
            :MOST_ENTRIES
        ]
    ][::-1]
    return sorted([*found, *booked], key=lambda entry: entry.at)


def with_pending(
    found: Iterable[Entry],
    pending: Iterable[Entry],
    balance_ids: Collection[int],
    counters: Mapping[CounterKey, Counter],
    session_row: int | None,
) -> list[Entry]:
    """The entries with those of the same balances and counters that the batch has not written yet."""
    ours = {*balance_ids, *(counter.counter_id for counter in counters.values())}
    entries = [
        entry
        for entry in pending
        if entry.balance_id in ours
        and entry.kind in _KINDS
        and (session_row is None or entry.session_row == session_row)
    ]
    return sorted([*found, *entries], key=lambda entry: entry.at)
