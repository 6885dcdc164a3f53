"""Account triggers by the rules alone: when they fire, and when they do again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.balances import Balance
from apps.charging.domain.trigger_filters import BalanceFilter
from apps.charging.domain.trigger_states import (
    NO_WINDOW,
    STEPS,
    Movement,
    crossings,
    spend,
    window_from_text,
    window_to_text,
)
from apps.charging.domain.triggers import Trigger, TriggerKind, trigger_book
from apps.kernel.errors import InvalidInput

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
HOUR = 3_600


def trigger(kind: str, threshold: int = 100, **terms: object) -> Trigger:
    return Trigger(1, "default", "EUR", kind, threshold)._replace(**terms)  # type: ignore[arg-type]


def path(first: int, *amounts: int, tag: str = "*default", spends: bool = True) -> list[Movement]:
    movements = []
    for number, amount in enumerate(amounts):
        balance = Balance(1, 7, tag)
        movements.append(Movement(f"m{number}", NOON, balance, first, amount, spends, online=spends))
        first += amount
    return movements


@pytest.mark.parametrize(
    ("kind", "first", "amounts", "fires"),
    [
        ("below", 150, (-49, -1, -1), ["m2"]),
        ("below", 150, (-60, -10, -20), ["m0"]),
        ("below", 150, (-60, 20, -20), ["m0", "m2"]),
        ("below", 99, (-10, -10), []),
        ("below", 99, (1, -1), ["m1"]),
        ("above", 50, (50, 1, 1), ["m1"]),
        ("above", 150, (10,), []),
        ("above", 50, (60, -20, 20), ["m0", "m2"]),
    ],
)
def test_a_threshold_fires_when_it_is_crossed_and_again_once_the_balance_has_been_back(
    kind, first, amounts, fires
):
    found = crossings(trigger(kind), 7, path(first, *amounts))

    assert [firing.cause for firing in found] == fires
    assert {firing.account_id for firing in found} <= {7}


def test_only_the_balance_that_is_watched_counts():
    assert crossings(trigger("below"), 1, path(150, -100, tag="promotion")) == []
    promotion = trigger("below", filter=BalanceFilter("promotion"))
    assert crossings(promotion, 1, path(150, -100, tag="promotion"))[0].value == 50


@given(st.integers(-500, 500), st.lists(st.integers(-300, 300), max_size=20))
def test_falls_and_rises_take_turns(first, amounts):
    movements = path(first, *amounts)
    falls = {firing.cause for firing in crossings(trigger("below", 0), 1, movements)}
    rises = {firing.cause for firing in crossings(trigger("above", -1), 1, movements)}
    assert not falls & rises
    turns = ["fall" if m.cause in falls else "rise" for m in movements if m.cause in falls | rises]
    assert all(one != other for one, other in pairwise(turns))


def test_too_much_spent_within_the_window_fires_once_until_the_window_is_over():
    watched = trigger(TriggerKind.SPENT, window_s=HOUR)
    window, firing = spend(watched, 1, NO_WINDOW, path(1_000, -60, -40), NOON)
    assert firing is None
    window, firing = spend(watched, 1, window, path(900, -1, -50), NOON + timedelta(minutes=10))
    assert firing is not None
    assert (firing.cause, firing.value) == ("m0", 101)
    again = NOON + timedelta(minutes=20)
    window, firing = spend(watched, 1, window, path(800, -500), again)
    assert firing is None
    window, firing = spend(watched, 1, window, path(300, -101), NOON + timedelta(minutes=70))
    assert firing is not None


def test_spending_before_the_window_does_not_count():
    watched = trigger(TriggerKind.SPENT, window_s=HOUR)
    window, _ = spend(watched, 1, NO_WINDOW, path(1_000, -100), NOON)
    for minutes in (61, 122, 183):
        window, firing = spend(watched, 1, window, path(1_000, -100), NOON + timedelta(minutes=minutes))
        assert firing is None
    assert len(window.steps) <= STEPS + 1


def test_only_usage_in_real_time_is_spending():
    watched = trigger(TriggerKind.SPENT, window_s=HOUR)
    movements = [*path(9_000, -5_000, spends=False), *path(4_000, 5_000)]
    assert spend(watched, 1, NO_WINDOW, movements, NOON)[1] is None


@given(
    st.lists(st.tuples(st.integers(0, 2 * HOUR), st.integers(1, 60)), max_size=30),
    st.integers(50, 300),
)
def test_a_window_never_counts_older_spending_and_always_counts_spending_newer_by_a_step(spendings, limit):
    watched = trigger(TriggerKind.SPENT, limit, window_s=HOUR)
    window, spent = NO_WINDOW, []
    at = NOON
    for pause, amount in spendings:
        at += timedelta(seconds=pause)
        spent.append((at, amount))
        rests = window.rests_until is not None and window.rests_until > at
        window, firing = spend(watched, 1, window, path(10_000, -amount), at)
        window = window_from_text(window_to_text(window), window.rests_until)
        most = sum(a for when, a in spent if when > at - timedelta(seconds=HOUR))
        least = sum(a for when, a in spent if when >= at - timedelta(seconds=HOUR - HOUR // STEPS))
        if firing is not None:
            assert most > limit
        elif not rests:
            assert least <= limit


def test_a_window_that_cannot_be_read_says_so():
    with pytest.raises(InvalidInput, match="12:x"):
        window_from_text("1:2 12:x", None)


def test_triggers_are_found_for_the_account_the_plan_and_the_tenant_in_their_currency():
    everybody, plan, mine = (
        trigger("below", trigger_id=1),
        trigger("below", trigger_id=2, price_plan_id=5),
        trigger("below", trigger_id=3, account_id=7),
    )
    book = trigger_book([everybody, plan, mine])
    assert book is not None
    assert book.concerning(7, "default", "EUR", [5], None, NOON) == [everybody, plan, mine]
    assert book.concerning(8, "default", "EUR", [6], None, NOON) == [everybody]
    assert book.concerning(7, "default", "USD", [5], None, NOON) == []
    assert book.concerning(7, "other", "EUR", [5], None, NOON) == []
    assert trigger_book([]) is None
