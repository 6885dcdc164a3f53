"""Hand events to their consumers: at least once, in order a subject, a mark each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q

from apps.events.domain.kinds import EventKind
from apps.events.models import Event, Mark, StuckEvent
from apps.events.services.relay import newest_number, relay
from apps.storage.retry import is_rolled_back, may_have_committed, retrying

log = logging.getLogger(__name__)

LONGEST_RETRY = timedelta(hours=1)

CONSUMERS: dict[str, Consumer] = {}
"""Every consumer by its name, as the rooms register them when Django is ready."""


@dataclass(frozen=True, eq=False, slots=True)
class Consumer:
    """Who wants to know. ``handle`` runs in the transaction that moves the mark: its rows commit with it, once.

    What it does elsewhere may be done twice. Its first start begins with the oldest event that is still there.
    ``repeatable``: handling an event twice changes nothing (idempotent), so that an operator may have it done.
    ``by_itself``: a process of its own delivers to it, and events wait for that one.
    """

    name: str
    kinds: Sequence[EventKind]
    handle: Callable[[Sequence[Event], datetime], object]
    at_once: int = 1_000
    repeatable: bool = True
    by_itself: bool = False


def register(consumer: Consumer) -> None:
    CONSUMERS[consumer.name] = consumer


def deliver(now: datetime, consumers: Iterable[Consumer] | None = None) -> int:
    """Number new events and hand them to these consumers, or to all without a process of their own; how many events.

    Several processes may do this at once: each event is handled by one of them.
    """
    relay()
    done = 0
    if consumers is None:
        consumers = [consumer for consumer in CONSUMERS.values() if not consumer.by_itself]
    for consumer in consumers:
        try:
            done += _consume(consumer, now)
        except Exception as error:
            if may_have_committed(error):
                raise
            # Others are not to wait for it.
            log.exception("the consumer %s failed", consumer.name)
    return done


def replay(event: Event, consumer: Consumer, now: datetime) -> None:
    """Hand an event over once more, as an operator asks. Raises what the consumer raises."""
    with transaction.atomic():
        consumer.handle([event], now)


def _consume(consumer: Consumer, now: datetime) -> int:
    done = _retry_stuck(consumer, now)
    while True:
        mark = Mark.objects.filter(pk=consumer.name).first()
        reached, newest = mark.number if mark is not None else 0, newest_number()
        if reached >= newest:
            return done
        events = _between(consumer, reached, newest)
        upto = events[-1].number or newest if len(events) == consumer.at_once else newest
        hand_over = partial(_hand_over, consumer, events, reached, upto, now)
        try:
            done += retrying(partial(hand_over, all_together=True), repeatable=True)
        except Exception as error:
            if _is_passing(error):
                raise
            log.exception("the consumer %s failed; its events are handed over one by one", consumer.name)
            done += retrying(partial(hand_over, all_together=False), repeatable=True)


def _between(consumer: Consumer, after: int, upto: int) -> list[Event]:
    kinds = [kind.name for kind in consumer.kinds]
    found = Event.objects.filter(number__gt=after, number__lte=upto, kind__in=kinds)
    return list(found.order_by("number")[: consumer.at_once])


def _hand_over(
    consumer: Consumer, events: Sequence[Event], reached: int, upto: int, now: datetime, *, all_together: bool
) -> int:
    """Handle the events and move the mark from ``reached`` to ``upto``, or do nothing if another was quicker."""
    with transaction.atomic():
        mark = _locked(consumer)
        if mark.number != reached:
            return 0
        blocked = _blocked_subjects(consumer)
        free = [event for event in events if event.subject not in blocked]
        if all_together and len(free) == len(events):
            if events:
                consumer.handle(events, now)
        else:
            for event in events:
                _handle_or_set_aside(consumer, event, blocked, now)
        mark.number, mark.at = upto, now
        mark.save(update_fields=["number", "at"])
    return len(events)


def _handle_or_set_aside(consumer: Consumer, event: Event, blocked: set[str], now: datetime) -> None:
    error = "waits for an earlier event of its subject"
    if event.subject not in blocked:
        error = _error_of(consumer, event, now)
        if not error:
            return
    blocked.add(event.subject)
    StuckEvent.objects.create(consumer=consumer.name, event=event, error=error, retry_at=now)


def _error_of(consumer: Consumer, event: Event, now: datetime) -> str:
    """Handle one event; empty, or the error. Locks and lost connections are raised."""
    try:
        with transaction.atomic():
            consumer.handle([event], now)
    except Exception as error:
        if _is_passing(error):
            raise
        log.exception("the consumer %s could not handle event %s", consumer.name, event.pk)
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def _is_passing(error: Exception) -> bool:
    """Whether the database's state is to blame rather than the event: another attempt at all of it may succeed."""
    return is_rolled_back(error) or may_have_committed(error)


def _retry_stuck(consumer: Consumer, now: datetime) -> int:
    """Try again what could not be handled, the oldest of each subject first; how many were handled now."""
    if not StuckEvent.objects.filter(consumer=consumer.name, retry_at__lte=now).exists():
        return 0
    done, blocked = 0, set()
    with transaction.atomic():
        _locked(consumer)
        for stuck in (
            StuckEvent.objects.filter(consumer=consumer.name)
            .select_related("event")
            .order_by("event__number")
        ):
            subject = stuck.event.subject
            if subject in blocked:
                continue
            error = _error_of(consumer, stuck.event, now) if stuck.retry_at <= now else stuck.error
            if not error:
                stuck.delete()
                done += 1
                continue
            blocked.add(subject)
            if stuck.retry_at <= now:
                stuck.attempts, stuck.error = stuck.attempts + 1, error
                stuck.retry_at = now + min(timedelta(seconds=2 ** min(stuck.attempts, 12)), LONGEST_RETRY)
                stuck.save(update_fields=["attempts", "error", "retry_at"])
    return done


def _blocked_subjects(consumer: Consumer) -> set[str]:
    return set(StuckEvent.objects.filter(consumer=consumer.name).values_list("event__subject", flat=True))


def _locked(consumer: Consumer) -> Mark:
    mark = Mark.objects.select_for_update().filter(pk=consumer.name).first()
    if mark is None:
        Mark.objects.bulk_create([Mark(name=consumer.name)], ignore_conflicts=True)
        mark = Mark.objects.select_for_update().get(pk=consumer.name)
    return mark


def unhandled(consumer: Consumer, subjects: Collection[str]) -> set[str]:
    """Those of ``subjects`` that have an event which the consumer has not handled yet.

    Inside the caller's transaction, until whose end the consumer handles none.
    """
    mark = _locked(consumer)
    waiting = Event.objects.filter(subject__in=subjects, kind__in=[kind.name for kind in consumer.kinds])
    stuck = StuckEvent.objects.filter(consumer=consumer.name, event__subject__in=subjects)
    return {
        *waiting.filter(Q(number=None) | Q(number__gt=mark.number)).values_list("subject", flat=True),
        *stuck.values_list("event__subject", flat=True),
    }


def retry_now(stuck: StuckEvent, now: datetime) -> None:
    """Have the event tried at the next delivery; one that waits behind another of its subject goes on waiting."""
    StuckEvent.objects.filter(pk=stuck.pk).update(retry_at=now)
