"""When account triggers fire: what happened to an account, held against what each trigger remembers of it.

:func:`watch` takes what happened in its order, so that neither the split of a session nor the bounds of a batch decide
whether, or how often, a trigger fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.balances import Balance, BalanceKind
from apps.charging.domain.triggers import (
    BALANCE_COUNTERS,
    EVENT_COUNTERS,
    FLOORS,
    LEVELS,
    Trigger,
    TriggerKind,
)
from apps.kernel.errors import InvalidInput
from apps.kernel.periods import month_of
from apps.rating.domain import Rater

STEPS = 24
"""A window is added up in so many steps: of 150 seconds for an hour, of an hour for a day."""


class Movement(NamedTuple):
    """One movement of an account's balance, in the order of the ledger.

    ``cause`` is that of its entry. ``before`` is the balance's value, including reservations. ``spends`` says whether
    it debits usage (or gives some back), ``online`` whether it does so in real time.
    """

    cause: str
    at: datetime
    balance: Balance
    before: int
    amount: int
    spends: bool = False
    online: bool = False


class Use(NamedTuple):
    """Usage that was charged to an account: ``units`` of the type of record, at ``cost_micros``.

    ``destination`` is the number that was used, or its longest known prefix. Less than was reported before is below
    zero.
    """

    cause: str
    at: datetime
    category: str
    type_of_record: str
    destination: str
    units: int
    cost_micros: int


class Happened(NamedTuple):
    """What happened to an account in one transaction, and whose it is."""

    account_id: int
    tenant: str
    zone: ZoneInfo
    movements: Sequence[Movement] = ()
    uses: Sequence[Use] = ()


class Window(NamedTuple):
    """What was spent lately: (start of the step in seconds since 1970, micro-units), the oldest first.

    The trigger rests until ``rests_until``.
    """

    steps: tuple[tuple[int, int], ...] = ()
    rests_until: datetime | None = None


NO_WINDOW = Window()


class TriggerState(NamedTuple):
    """What a trigger remembers of an account.

    ``counted`` is what a counter counted, in the month ``period`` (year × 12 + month, 0 = since the last reset) only.
    ``executed``: it fired, and does no more before it is reset. ``recurrent`` replaces what the trigger says, unless
    None. ``row_id`` is where it is kept, 0 if it is not yet.
    """

    counted: int = 0
    period: int = 0
    executed: bool = False
    last_fired_at: datetime | None = None
    window: Window = NO_WINDOW
    recurrent: bool | None = None
    row_id: int = 0


FRESH = TriggerState()


class Firing(NamedTuple):
    """A trigger fired: by what, and what the watched figure was after it."""

    trigger: Trigger
    account_id: int
    at: datetime
    value: int
    cause: str


def watch(
    trigger: Trigger, state: TriggerState, happened: Happened, rater: Rater | None, now: datetime
) -> tuple[TriggerState, list[Firing]]:
    """Let the trigger see what happened to an account; what it remembers afterwards, and how it fired.

    ``rater`` knows the destinations of what was used; it may be None where nothing was.
    """
    kind = trigger.kind
    if kind in EVENT_COUNTERS and rater is not None:
        return _count(trigger, state, happened, _used(trigger, happened, rater), now)
    if kind in BALANCE_COUNTERS:
        return _count(trigger, state, happened, _drawn(trigger, happened), now)
    if kind in LEVELS:
        return _levels(trigger, state, happened, now)
    if kind == TriggerKind.SPENT:
        window, firing = spend(trigger, happened.account_id, state.window, happened.movements, now)
        return state._replace(window=window), [firing] if firing is not None else []
    if kind in (TriggerKind.BELOW, TriggerKind.ABOVE):
        return state, crossings(trigger, happened.account_id, happened.movements)
    return state, []


def watch_expiry(
    trigger: Trigger, state: TriggerState, balance: Balance, cause: str, now: datetime
) -> tuple[TriggerState, list[Firing]]:
    """As :func:`watch`, for a balance that has expired."""
    at = balance.terms.expires_at
    if at is None or not trigger.filter.matches(balance) or not _may_fire(trigger, state, now):
        return state, []
    return _fired(trigger, state, now), [Firing(trigger, balance.account_id, at, balance.value, cause)]


def _may_fire(trigger: Trigger, state: TriggerState, now: datetime) -> bool:
    if state.executed:
        return False
    last = state.last_fired_at
    return last is None or now - last >= timedelta(seconds=trigger.min_sleep_s)


def _fired(trigger: Trigger, state: TriggerState, now: datetime) -> TriggerState:
    recurrent = trigger.recurrent if state.recurrent is None else state.recurrent
    return state._replace(executed=not recurrent, last_fired_at=now)


def _is_reached(trigger: Trigger, value: int) -> bool:
    return value <= trigger.threshold if trigger.kind in FLOORS else value >= trigger.threshold


def _levels(
    trigger: Trigger, state: TriggerState, happened: Happened, now: datetime
) -> tuple[TriggerState, list[Firing]]:
    firings = []
    for movement in happened.movements:
        after = movement.before + movement.amount
        if (
            _is_reached(trigger, after)
            and trigger.filter.matches(movement.balance)
            and _may_fire(trigger, state, now)
        ):
            firings.append(Firing(trigger, happened.account_id, movement.at, after, movement.cause))
            state = _fired(trigger, state, now)
    return state, firings


Counted = tuple[str, datetime, int]
"""The cause, when, and how much."""


def _used(trigger: Trigger, happened: Happened, rater: Rater) -> list[Counted]:
    wanted = trigger.filter
    money = wanted.kind == BalanceKind.MONETARY
    found = []
    for use in happened.uses:
        amount = use.cost_micros if money else use.units
        if (
            amount
            and wanted.counts(use.category, use.type_of_record)
            and wanted.reaches(rater, happened.tenant, use.destination)
        ):
            found.append((use.cause, use.at, amount))
    return found


def _drawn(trigger: Trigger, happened: Happened) -> list[Counted]:
    return [
        (movement.cause, movement.at, -movement.amount)
        for movement in happened.movements
        if movement.spends and trigger.filter.matches(movement.balance)
    ]


def _count(
    trigger: Trigger, state: TriggerState, happened: Happened, counted: Sequence[Counted], now: datetime
) -> tuple[TriggerState, list[Firing]]:
    """Add up. What belongs to a month before that of the counter comes too late for it, and is left out."""
    if not counted:
        return state, []
    firings = []
    # A new value for each use would cost more than all else here.
    total = state.counted
    for cause, at, amount in counted:
        if trigger.monthly:
            year, month = month_of(at, happened.zone)
            period = year * 12 + month
            if period < state.period:
                continue
            if period > state.period:
                state, total = state._replace(period=period, executed=False), 0
        total += amount
        if _is_reached(trigger, total) and _may_fire(trigger, state, now):
            firings.append(Firing(trigger, happened.account_id, at, total, cause))
            state = _fired(trigger, state, now)
    # Half the time of _replace, for each watched account and batch.
    return state if total == state.counted else TriggerState(total, *state[1:]), firings


def crossings(trigger: Trigger, account_id: int, movements: Iterable[Movement]) -> list[Firing]:
    """The movements that took a balance of the trigger's across its threshold (BELOW, ABOVE)."""
    found = []
    threshold, falls = trigger.threshold, trigger.kind == TriggerKind.BELOW
    for movement in movements:
        before = movement.before
        after = before + movement.amount
        crosses = after < threshold <= before if falls else before <= threshold < after
        if crosses and trigger.filter.matches(movement.balance):
            found.append(Firing(trigger, account_id, movement.at, after, movement.cause))
    return found


def spend(
    trigger: Trigger, account_id: int, window: Window, movements: Iterable[Movement], now: datetime
) -> tuple[Window, Firing | None]:
    """Add what the movements spend at ``now`` to the window; the window afterwards, and the firing if it is too much.

    What is older than the window is left out by whole steps, so something spent within all but one step of the
    window always counts, and nothing that is older than the window ever does.
    """
    length = trigger.window_s
    step = max(length // STEPS, 1)
    moment = int(now.timestamp())
    steps = {start: micros for start, micros in window.steps if start > moment - length}
    total = sum(steps.values())
    rests_until = window.rests_until
    if rests_until is not None and rests_until <= now:
        rests_until = None
    firing = None
    place = moment - moment % step
    for movement in movements:
        if not movement.online or movement.amount >= 0 or movement.balance.kind != BalanceKind.MONETARY:
            continue
        steps[place] = steps.get(place, 0) - movement.amount
        total -= movement.amount
        if total > trigger.threshold and rests_until is None:
            firing = Firing(trigger, account_id, movement.at, total, movement.cause)
            rests_until = now + timedelta(seconds=length)
    return Window(tuple(sorted(steps.items())), rests_until), firing


def window_to_text(window: Window) -> str:
    """The steps as ``start:micro-units`` split by blanks."""
    return " ".join([f"{start}:{micros}" for start, micros in window.steps])


def window_from_text(text: str, rests_until: datetime | None) -> Window:
    """The window again. Raises InvalidInput for what :func:`window_to_text` has not written."""
    steps = []
    for part in text.split():
        start, colon, micros = part.partition(":")
        if not (colon and start.isdecimal() and micros.isdecimal()):
            raise InvalidInput(f"“{part}” is not a step of a window; steps are written start:micro-units")
        steps.append((int(start), int(micros)))
    if rests_until is not None and rests_until.tzinfo is None:
        rests_until = rests_until.replace(tzinfo=UTC)
    return Window(tuple(steps), rests_until)
