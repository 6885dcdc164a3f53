"""Compare records of usage that was charged in real time with what charged it, and settle the difference once.

A record and its session come in any order. A record waits until the session is closed and nothing more has come of
either for a while; then all records of the session and service are compared with it by usage, and the difference has
the price of the record's own tariff, without free units. A session that nothing is found of has charged nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from apps.charging.models import LedgerBook, LedgerEntry
from apps.charging.services import ledger
from apps.charging.services.session_search import SessionUse, event_cause, session_use, session_use_of
from apps.kernel.errors import BssError, InvalidInput
from apps.mediation.models import Cdr, SessionRecord
from apps.rating.domain import Usage, plan_subject
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.selectors import tariff_version
from apps.storage.dialect import named_lock

RECORDS_A_LOOK = 1_000
LONGEST_PAUSE = timedelta(hours=1)
SHOW, ADJUST, IGNORE = "show", "adjust", "ignore"
_State = SessionRecord.State
_SETTLED = {ADJUST: _State.ADJUSTED, IGNORE: _State.IGNORED}


@dataclass
class Reconciled:
    """What became of the records that were looked at, by state, and those that cannot be priced any more."""

    states: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    problems: list[str] = field(default_factory=list)


def reconcile(
    now: datetime,
    *,
    by: str,
    policy: str = "",
    on_progress: Callable[[int], None] = lambda done: None,
) -> Reconciled:
    """Compare the records that wait and can be compared; ``policy`` (show, adjust or ignore) is for differences.

    Each session in a transaction of its own; doing it again changes nothing. Raises InvalidInput for another policy.
    """
    policy = policy or settings.RECONCILIATION
    if policy not in (SHOW, ADJUST, IGNORE):
        raise InvalidInput(f"BSS_RECONCILIATION is “{policy}”; it may be {SHOW}, {ADJUST} or {IGNORE}")
    result = Reconciled()
    # One at a time: two records of a session must not be compared beside each other.
    with named_lock("reconcile") as mine:
        if mine:
            _look_through(now, by, policy, result, on_progress)
    return result


def _look_through(
    now: datetime, by: str, policy: str, result: Reconciled, on_progress: Callable[[int], None]
) -> None:
    after = done = 0
    while True:
        ids = list(
            SessionRecord.objects.filter(
                state=_State.WAITING,
                due_at__lte=now,
                taken_at__lte=now - timedelta(seconds=settings.RECONCILIATION_QUIET_S),
                pk__gt=after,
            )
            .order_by("pk")
            .values_list("pk", flat=True)[:RECORDS_A_LOOK]
        )
        if not ids:
            return
        for record_id in ids:
            _compare(record_id, now, by, policy, result)
        after, done = ids[-1], done + len(ids)
        on_progress(done)


def settle(record_ids: Collection[int], decision: str, now: datetime, *, by: str) -> int:
    """Adjust the accounts of records that differ, or ignore the difference; how many were still open.

    Raises InvalidInput for another decision.
    """
    if decision not in _SETTLED:
        raise InvalidInput(f"“{decision}” is no decision; it may be {ADJUST} or {IGNORE}")
    settled = 0
    for record_id in sorted(record_ids):
        with transaction.atomic():
            record = (
                SessionRecord.objects.select_for_update().filter(pk=record_id, state=_State.DIFFERS).first()
            )
            if record is not None:
                _settle(record, decision, now, by)
                settled += 1
    return settled


@transaction.atomic
def _compare(record_id: int, now: datetime, by: str, policy: str, result: Reconciled) -> None:
    record = SessionRecord.objects.select_for_update().filter(pk=record_id, state=_State.WAITING).first()
    if record is None:
        # Compared with an earlier record of its session, or by another process.
        return
    tolerance = timedelta(seconds=settings.RECONCILIATION_TOLERANCE_S)
    found = session_use(
        record.session_ref, record.subscriber_id, record.service.code, record.start, tolerance
    )
    if found is not None and (
        found.is_open or found.updated_at > now - timedelta(seconds=settings.RECONCILIATION_QUIET_S)
    ):
        _wait(record, now, result)
        return
    try:
        if found is not None:
            _compare_with_session(record, found, now, by, policy, result)
        else:
            _compare_without_session(record, tolerance, now, by, policy, result)
    except BssError as error:
        _wait(record, now, result)
        result.problems.append(f"record {record.record_id}: {error}")


def _compare_with_session(
    record: SessionRecord, found: SessionUse, now: datetime, by: str, policy: str, result: Reconciled
) -> None:
    """With all records of the session and service that came; what is new of the difference stands with this one."""
    others = SessionRecord.objects.filter(session_id=found.row_id, service_id=record.service_id)
    before = others.aggregate(usage=Sum("usage", default=0), differences=Sum("difference_micros", default=0))
    use = session_use_of(found.row_id, record.service.code)
    assert use is not None
    record.session_id, record.charged_usage = found.row_id, use.used
    price = _pricing(record)
    difference = price(before["usage"] + record.usage) - price(use.used) - before["differences"]
    _conclude(record, difference, now, by, policy, result)


def _compare_without_session(
    record: SessionRecord, tolerance: timedelta, now: datetime, by: str, policy: str, result: Reconciled
) -> None:
    around = Q(start__gte=record.start - 2 * tolerance, start__lte=record.start + 2 * tolerance)
    claimed = SessionRecord.objects.filter(around, account_id=record.account_id).exclude(event_cause="")
    record.event_cause = event_cause(
        record.account_id,
        record.subscriber_id,
        record.service.code,
        record.start,
        tolerance,
        set(claimed.values_list("event_cause", flat=True)),
    )
    if record.event_cause:
        record.charged_usage = record.usage
        _conclude(record, 0, now, by, policy, result)
    elif record.taken_at > now - timedelta(seconds=settings.RECONCILIATION_WAIT_S):
        _wait(record, now, result)
    else:
        record.charged_usage = 0
        _conclude(record, _pricing(record)(record.usage), now, by, policy, result)


def _wait(record: SessionRecord, now: datetime, result: Reconciled) -> None:
    """Look at it again later, the later the longer it has waited: sessions that never come are asked for seldom."""
    pause = max(timedelta(seconds=settings.RECONCILIATION_QUIET_S), (now - record.taken_at) / 2)
    record.due_at = now + min(pause, LONGEST_PAUSE)
    record.save(update_fields=["due_at"])
    result.states[_State.WAITING] += 1


def _conclude(
    record: SessionRecord, difference: int, now: datetime, by: str, policy: str, result: Reconciled
) -> None:
    record.difference_micros = difference
    record.state = _State.DIFFERS if difference else _State.AGREES
    record.save(update_fields=["session", "event_cause", "charged_usage", "difference_micros", "state"])
    if difference and policy != SHOW:
        _settle(record, policy, now, by)
    result.states[record.state] += 1


def _settle(record: SessionRecord, decision: str, now: datetime, by: str) -> None:
    """In the caller's transaction, which has locked the record; the ledger refuses a second entry for it."""
    if decision == ADJUST:
        ledger.post(
            record.account,
            -record.difference_micros,
            kind=LedgerEntry.Kind.ADJUSTMENT,
            book=LedgerBook.Code.REVENUE,
            cause=f"reconciliation:{record.pk}",
            at=now,
            note=f"Usage record {record.record_id} compared with what was charged in real time"[:200],
        )
    record.state = _SETTLED[decision]
    record.settled_at, record.settled_by = now, by
    record.save(update_fields=["state", "settled_at", "settled_by"])


def _pricing(record: SessionRecord) -> Callable[[int], int]:
    """What so much usage would have cost from the record's start on. Raises RatingError, NotFound."""
    cdr = Cdr.objects.select_related("file", "price_plan").get(
        source_id=record.source_id, record_id=record.record_id, run=DEFAULT_RUN
    )
    rater = tariff_version(cdr.file.tariff_version_id or 0).rater
    service = record.service

    def price(amount: int) -> int:
        usage = Usage(
            record.account.tenant.code,
            service.category,
            plan_subject(cdr.price_plan.code),
            service.type_of_record,
            cdr.other_party,
            cdr.start,
            amount,
        )
        return rater.rate(usage).cost_micros

    return price
