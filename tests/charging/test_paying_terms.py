"""The terms that a line keeps for a service: worked out once, and anew whenever they would be others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.charging.domain.lines import NO_END, BundlePeriod, Grant, PlanPeriod
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import Operation
from tests.charging.online import LONG_AGO, MIB, NOON, Desk, item, make_line, money


def ask(desk: Desk, session: str, minutes: int = 0, service: str = "data"):  # type: ignore[no-untyped-def]
    at = NOON + timedelta(minutes=minutes)
    (answer,) = desk.send(Operation.INITIATE, item(service, 1), session=session, at=at).items
    return answer


def test_terms_are_worked_out_once_for_a_line_and_service() -> None:
    desk = Desk(money(1_000_000))
    assert desk.line is not None
    ask(desk, "a")
    kept = desk.line.terms["data"]
    ask(desk, "b", 5)
    assert desk.line.terms["data"] is kept
    ask(desk, "c", service="sms")
    assert desk.line.terms.keys() == {"data", "sms"}


def test_terms_change_with_the_policies_they_were_worked_out_from() -> None:
    desk = Desk(money(1_000_000))
    assert ask(desk, "a").validity_s == 600
    desk.world = desk.world._replace(policies={("data", 0): QuotaPolicy(default_units=MIB, validity_s=60)})
    assert ask(desk, "b").validity_s == 60


def test_terms_change_with_the_price_plan_of_the_time() -> None:
    change = NOON + timedelta(minutes=10)
    plans = (
        PlanPeriod(LONG_AGO, change, 1, "*plan:basic", {}),
        PlanPeriod(
            change, NO_END, 2, "*plan:basic", {"data": (Grant("plan:2", MIB, frozenset(), frozenset()),)}
        ),
    )
    desk = Desk(money(1_000_000), line=replace(make_line(), plans=plans))
    ask(desk, "paid")
    assert not desk.counters
    ask(desk, "free", 20)
    assert [key.origin for key in desk.counters] == ["plan:2"]
    # A request that is about the time before the change is charged by the plan of that time.
    ask(desk, "paid again", 5)
    assert desk.reserved() == 2 * 10_000


@pytest.mark.parametrize(("minutes", "is_free"), [(0, False), (20, True), (40, False)])
def test_a_bundle_that_comes_and_goes_counts_for_its_time_only(minutes: int, is_free: bool) -> None:
    grants = {"data": (Grant("bundle:1", MIB, frozenset(), frozenset()),)}
    start, end = NOON + timedelta(minutes=10), NOON + timedelta(minutes=30)
    desk = Desk(money(1_000_000), line=make_line(bundles=(BundlePeriod(start, end, grants),)))
    for number, before in enumerate(range(0, minutes + 1, 20)):
        ask(desk, f"s{number}", before)
    assert (f"s{minutes // 20}", 0) in desk.sessions
    (meter,) = desk.sessions[f"s{minutes // 20}", 0].meters
    assert (meter.holds[0].balance_id < 0) is is_free
