"""Random requests through the executor while batches break: each is charged once, as one after the other would be.

A twin of each subscriber sends the same requests one at a time, undisturbed; balances, counters, sessions, ledger and
answers of both must be equal in the end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from apps.charging.domain.requests import ChargingAnswer, OnlineRequest, Operation
from apps.charging.models import (
    AllowanceCounter,
    AllowanceEntry,
    Balance,
    ChargingSession,
    LedgerEntry,
    Reservation,
)
from apps.charging.services import batch, executor
from apps.charging.services.executor import BatchExecutor, forget_directory
from apps.subscribers.services.assignments import assign_bundle, assign_plan
from tests.charging.online import MIB, item
from tests.charging.stored import account_of, assert_books_are_right, make_prepaid, msisdn, order, submit
from tests.factories import make_bundle, make_plan

pytestmark = pytest.mark.django_db(transaction=True)

SUBSCRIBERS, TWINS = 4, 100
WAVES = 60
# Half an hour before the month ends where the plan's clock is.
BEGIN = datetime(2026, 5, 31, 21, 30, tzinfo=UTC)
INTERNAL = "internal_error"


class History:
    """What one subscriber sends, wave after wave: sessions opened, reported and ended in any order, and repeats."""

    def __init__(self, number: int, dice: random.Random) -> None:
        self.number, self.dice = number, dice
        self.sent: list[Callable[[int, bool], OnlineRequest]] = []
        self.sessions: dict[str, int] = {}

    def next(self, at: datetime) -> Callable[[int, bool], OnlineRequest]:
        """The next request, to be made for a subscriber's number, flagged as a repeat or not."""
        dice = self.dice
        if self.sent and dice.random() < 0.15:
            return dice.choice(self.sent)
        kind = dice.choice(
            ["initiate", "update", "update", "update", "terminate", "event", "order", "release"]
        )
        service = dice.choice(["voice", "data", "sms"])
        scale = {"voice": 60, "data": MIB, "sms": 1}[service]
        asked, used = dice.randint(1, 5) * scale, dice.choice([None, 0, dice.randint(1, 5) * scale])
        name, place = f"{kind}-{len(self.sent)}", 0
        more: dict[str, Any] = {}
        items = (item(service, asked),)
        operation = Operation.EVENT
        if kind == "order":
            operation = dice.choice([Operation.TOP_UP, Operation.ADJUST])
            items, amount = (), dice.randint(1, 200) * 1_000
            unit_kind = dice.choice(["monetary", "monetary", "data"])
            if unit_kind == "data":
                operation, amount = Operation.TOP_UP, amount * 10
                more = {"tag": "extra", "kind": "data", "expires_at": BEGIN + timedelta(minutes=90)}
            of_order = (amount, more)
        elif kind != "event":
            operation = Operation(kind)
            if kind == "initiate":
                name = f"session-{len(self.sent)}"
                self.sessions[name] = 0
            elif self.sessions:
                name = dice.choice(list(self.sessions))
                self.sessions[name] += 1
                place = self.sessions[name]
                items = (item(service, None if kind == "terminate" else asked, used),)
                if kind == "release":
                    items = ()
            else:
                operation = Operation.EVENT
        elif dice.random() < 0.2:
            operation = Operation.REFUND

        def make(number: int, repeated: bool) -> OnlineRequest:
            ordered = order(of_order[0], number, **of_order[1]) if kind == "order" else None
            return OnlineRequest(
                operation,
                f"{name}/{number}",
                place,
                at,
                "" if ordered else msisdn(number),
                items=items,
                order=ordered,
                repeated=repeated,
            )

        self.sent.append(make)
        return make


@contextmanager
def faults(dice: random.Random, patch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Requests and batches that break, and connections that are lost before and after the commit."""
    found: Counter[str] = Counter()
    charge, write, execute = batch.charge, batch.write, executor.execute

    def happens(name: str, share: float) -> bool:
        if dice.random() < share:
            found[name] += 1
            return True
        return False

    def charge_or_break(*given: Any) -> Any:
        outcome = charge(*given)
        if happens("request", 0.03):
            raise RuntimeError("a request that breaks")
        return outcome

    def write_or_break(connection: Any, writing: Any, now: datetime, commit: bool = False) -> None:
        if happens("batch", 0.05):
            raise RuntimeError("a batch that breaks")
        write(connection, writing, now, commit)
        if happens("committed" if commit else "not committed", 0.1):
            raise OperationalError(2013, "Lost connection to server during query")

    def execute_or_lose(
        requests: Any, now: datetime, directory: Any, rater: Any, memory: Any, *more: Any
    ) -> Any:
        results = execute(requests, now, directory, rater, memory, *more)
        if happens("committed", 0.05):
            # What another process would know of it.
            memory.clear()
            raise OperationalError(2013, "Lost connection to server during query")
        return results

    with patch.context() as patched:
        patched.setattr(batch, "charge", charge_or_break)
        patched.setattr(batch, "write", write_or_break)
        patched.setattr(executor, "execute", execute_or_lose)
        yield found


def told(answer: ChargingAnswer) -> tuple[Any, ...]:
    """What an answer says, without what differs between twins."""
    return answer._replace(account_id=None, subscriber_id=None, message="", replayed=False)


def is_release(make: Callable[[int, bool], OnlineRequest]) -> bool:
    """A session is released once; a second caller is told that it has ended."""
    return make(1, False).operation is Operation.RELEASE


def state_of(number: int) -> dict[str, Any]:
    """All that charging keeps of a subscriber, without ids."""
    mine = {"balance__account__number": f"C{number}"}
    subscriber = account_of(number).payers.get().subscriber
    return {
        "balances": sorted(
            Balance.objects.filter(account__number=f"C{number}").values_list(
                "tag", "kind", "amount_micros", "units", "reserved_micros", "reserved_units", "expires_at"
            ),
            key=str,
        ),
        "ledger": sorted(
            LedgerEntry.objects.filter(**mine).values_list(
                "balance__tag", "at", "kind", "amount_micros", "units"
            ),
            key=str,
        ),
        "counters": sorted(
            AllowanceCounter.objects.filter(subscriber=subscriber, used__gt=0).values_list(
                "year", "month", "service__code", "used", "used_online", "reserved"
            )
        ),
        "allowances": sorted(
            AllowanceEntry.objects.filter(counter__subscriber=subscriber).values_list(
                "counter__month", "counter__service__code", "at", "units"
            )
        ),
        "sessions": sorted(
            (name.split("/")[0], *rest)
            for name, *rest in ChargingSession.objects.filter(subscriber=subscriber).values_list(
                "session_id", "status", "last_number", "cost_micros", "unpaid_micros"
            )
        ),
        "held": sorted(
            Reservation.objects.filter(session__subscriber=subscriber).values_list("meter", "amount")
        ),
    }


def make_people() -> None:
    plan = make_plan("PLAN", voice=(60_000, 300), data=(10_000, 6), sms=(50_000, 3))
    other = make_plan("OTHER", voice=(120_000, 60), data=(5_000, 3), sms=(10_000, 0))
    bundle = make_bundle("EXTRA", voice=5, data=4)
    for number in range(1, SUBSCRIBERS + 1):
        for twin in (number, number + TWINS):
            subscriber = make_prepaid(twin, balance_micros=700_000, plan=plan.code)
            if number > 2:
                assign_plan(subscriber.pk, other.pk, BEGIN + timedelta(minutes=40))
            if number % 2:
                assign_bundle(
                    subscriber.pk, bundle.pk, BEGIN - timedelta(days=3), BEGIN + timedelta(minutes=70)
                )
    forget_directory()


@pytest.mark.parametrize("seed", range(2))
def test_each_request_is_charged_once_however_often_batches_break(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    make_people()
    histories = [History(number, random.Random(f"{seed} {number}")) for number in range(1, SUBSCRIBERS + 1)]
    now = BEGIN
    waves: list[tuple[datetime, list[tuple[int, Callable[[int, bool], OnlineRequest], ChargingAnswer]]]] = []
    with faults(dice, monkeypatch) as broken, BatchExecutor(writers=2, clock=lambda: now) as own:
        for _ in range(WAVES):
            now += timedelta(seconds=dice.randint(5, 110))
            wanted = [(history.number, history.next(now)) for history in histories]
            answers: dict[int, ChargingAnswer] = {}
            while len(answers) < len(wanted):
                # Each several times at once, as by gateways that lose patience; with T flag or without.
                asked = [
                    (place, submit(own, make(number, dice.random() < 0.5)))
                    for place, (number, make) in enumerate(wanted)
                    for _ in range(dice.choice([1, 1, 2]))
                    if place not in answers
                ]
                for place, future in asked:
                    answer = future.result(30)
                    if answer.reason == INTERNAL:
                        continue
                    assert told(answers.setdefault(place, answer)) == told(answer) or is_release(
                        wanted[place][1]
                    )
            waves.append((now, [(*wanted[place], answers[place]) for place in range(len(wanted))]))
    assert len(broken) >= 3, broken
    for at, wave in waves:
        for number, make, answer in wave:
            forget_directory()
            alone = executor.charge_now(make(number + TWINS, True), at)
            assert told(alone) == told(answer) or is_release(make), make(number, False)
    assert_books_are_right()
    for number in range(1, SUBSCRIBERS + 1):
        assert state_of(number) == state_of(number + TWINS)
