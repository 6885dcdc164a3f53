"""Account triggers: what an operator wants done when an account's money falls, rises, or is spent too fast.

A threshold is crossed by a movement: the balance was on one side before it and is on the other after it. So a
trigger fires once, and again only after the balance has been back. Spending is added up over a rolling window, and
once it was too much, the trigger rests until a whole window is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from apps.kernel.errors import InvalidInput
from apps.kernel.money import format_micros

STEPS = 24
"""A window is added up in so many steps: of 150 seconds for an hour, of an hour for a day."""


class TriggerKind(StrEnum):
    """What is watched."""

    BELOW = "below"
    """A balance of money that was at the threshold or over it is below it."""
    ABOVE = "above"
    """A balance of money that was at the threshold or below it is over it."""
    SPENT = "spent"
    """More than the threshold was debited for usage in real time within the window, off all balances of money."""


class TriggerAction(StrEnum):
    """What follows, beside the notification."""

    NOTIFY = "notify"
    REAUTHORISE = "reauthorise"
    """The gateways of the account's open sessions re-authorise them (RAR)."""
    BAR = "bar"
    """The account is barred and its open sessions are ended (ASR)."""


class Trigger(NamedTuple):
    """One trigger, for accounts of its tenant and currency.

    ``account_id`` and ``price_plan_id`` narrow it to one account, or to accounts that pay for a subscriber who has
    the plan. ``tag`` names the balance whose amount is watched (BELOW, ABOVE), ``window_s`` is that of SPENT.
    """

    trigger_id: int
    tenant: str
    currency: str
    kind: str
    threshold_micros: int
    action: str = TriggerAction.NOTIFY
    tag: str = "*default"
    window_s: int = 0
    account_id: int | None = None
    price_plan_id: int | None = None


class TriggerBook(NamedTuple):
    """All triggers that are switched on, by what they are for."""

    of_tenant: Mapping[tuple[str, str], tuple[Trigger, ...]]
    of_plan: Mapping[int, tuple[Trigger, ...]]
    of_account: Mapping[int, tuple[Trigger, ...]]

    def concerning(
        self, account_id: int, tenant: str, currency: str, price_plan_ids: Iterable[int]
    ) -> list[Trigger]:
        """The triggers of an account of this tenant and currency that pays for these price plans."""
        found = list(self.of_tenant.get((tenant, currency), ()))
        narrower = [*self.of_account.get(account_id, ())]
        for price_plan_id in price_plan_ids:
            narrower += self.of_plan.get(price_plan_id, ())
        found += [trigger for trigger in narrower if (trigger.tenant, trigger.currency) == (tenant, currency)]
        return found


def trigger_book(triggers: Iterable[Trigger]) -> TriggerBook | None:
    """The triggers in their places; None if there are none."""
    of_tenant: dict[tuple[str, str], tuple[Trigger, ...]] = {}
    of_plan: dict[int, tuple[Trigger, ...]] = {}
    of_account: dict[int, tuple[Trigger, ...]] = {}
    for trigger in triggers:
        if trigger.account_id is not None:
            of_account[trigger.account_id] = (*of_account.get(trigger.account_id, ()), trigger)
        elif trigger.price_plan_id is not None:
            of_plan[trigger.price_plan_id] = (*of_plan.get(trigger.price_plan_id, ()), trigger)
        else:
            key = (trigger.tenant, trigger.currency)
            of_tenant[key] = (*of_tenant.get(key, ()), trigger)
    if not (of_tenant or of_plan or of_account):
        return None
    return TriggerBook(of_tenant, of_plan, of_account)


class Movement(NamedTuple):
    """One movement of an account's balance of money, in the order of the ledger.

    ``cause`` is that of its entry. ``before_micros`` is the balance's amount, including reservations.
    ``spends`` says whether it debits usage in real time.
    """

    cause: str
    at: datetime
    tag: str
    before_micros: int
    amount_micros: int
    spends: bool = False


class Window(NamedTuple):
    """What was spent lately: (start of the step in seconds since 1970, micro-units), the oldest first.

    The trigger rests until ``rests_until``.
    """

    steps: tuple[tuple[int, int], ...] = ()
    rests_until: datetime | None = None


NO_WINDOW = Window()


class Firing(NamedTuple):
    """A trigger fired: by which movement, and what the watched figure was after it."""

    trigger: Trigger
    account_id: int
    at: datetime
    value_micros: int
    cause: str


def crossings(trigger: Trigger, account_id: int, movements: Iterable[Movement]) -> list[Firing]:
    """The movements that took the trigger's balance across its threshold (BELOW, ABOVE)."""
    found = []
    threshold, falls = trigger.threshold_micros, trigger.kind == TriggerKind.BELOW
    for movement in movements:
        if movement.tag != trigger.tag:
            continue
        before = movement.before_micros
        after = before + movement.amount_micros
        if after < threshold <= before if falls else before <= threshold < after:
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
        if not movement.spends or movement.amount_micros >= 0:
            continue
        steps[place] = steps.get(place, 0) - movement.amount_micros
        total -= movement.amount_micros
        if total > trigger.threshold_micros and rests_until is None:
            firing = Firing(trigger, account_id, movement.at, total, movement.cause)
            rests_until = now + timedelta(seconds=length)
    return Window(tuple(sorted(steps.items())), rests_until), firing


def sentence(
    kind: str, threshold_micros: int, value_micros: int, currency: str, tag: str, window_s: int | None
) -> str:
    """What happened, for people: “balance *default fell below 5.00 EUR, to 4.95 EUR”."""
    threshold = f"{format_micros(threshold_micros, 2)} {currency}"
    value = f"{format_micros(value_micros, 2)} {currency}"
    if kind == TriggerKind.SPENT:
        hours = (window_s or 0) / 3600
        within = "an hour" if hours == 1 else f"{hours:g} hours"
        return f"spent {value} within {within}, more than {threshold}"
    went = "fell below" if kind == TriggerKind.BELOW else "rose above"
    return f"balance {tag} {went} {threshold}, to {value}"


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
