"""The cached terms of a line for a service: computed once, and again whenever they change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.charging.domain.lines import NO_END, BundlePeriod, Grant, PlanPeriod
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import Operation
from tests.charging.online import LONG_AGO, MIB, NOON, Charger, item, make_line, money


def ask(charger: Charger, session: str, minutes: int = 0, service: str = "data"):  # type: ignore[no-untyped-def]
    at = NOON + timedelta(minutes=minutes)
    (answer,) = charger.send(Operation.INITIATE, item(service, 1), session=session, at=at).items
    return answer


def test_terms_are_worked_out_once_for_a_line_and_service() -> None:
    charger = Charger(money(1_000_000))
    assert charger.line is not None
    ask(charger, "a")
    kept = charger.line.terms["data"]
    ask(charger, "b", 5)
    assert charger.line.terms["data"] is kept
    ask(charger, "c", service="sms")
    assert charger.line.terms.keys() == {"data", "sms"}


def test_terms_change_with_the_policies_they_were_worked_out_from() -> None:
    charger = Charger(money(1_000_000))
    assert ask(charger, "a").validity_s == 600
    charger.config = charger.config._replace(
        policies={("data", 0): QuotaPolicy(default_units=MIB, validity_s=60)}
    )
    assert ask(charger, "b").validity_s == 60


def test_terms_change_with_the_price_plan_of_the_time() -> None:
    change = NOON + timedelta(minutes=10)
    plans = (
        PlanPeriod(LONG_AGO, change, 1, "*plan:basic", {}),
        PlanPeriod(
            change, NO_END, 2, "*plan:basic", {"data": (Grant("plan:2", MIB, frozenset(), frozenset()),)}
        ),
    )
    charger = Charger(money(1_000_000), line=replace(make_line(), plans=plans))
    ask(charger, "paid")
    assert not charger.counters
    ask(charger, "free", 20)
    assert [key.origin for key in charger.counters] == ["plan:2"]
    # A request that is about the time before the change is charged by the plan of that time.
    ask(charger, "paid again", 5)
    assert charger.reserved() == 2 * 10_000


@pytest.mark.parametrize(("minutes", "is_free"), [(0, False), (20, True), (40, False)])
def test_a_bundle_that_comes_and_goes_counts_for_its_time_only(minutes: int, is_free: bool) -> None:
    grants = {"data": (Grant("bundle:1", MIB, frozenset(), frozenset()),)}
    start, end = NOON + timedelta(minutes=10), NOON + timedelta(minutes=30)
    charger = Charger(money(1_000_000), line=make_line(bundles=(BundlePeriod(start, end, grants),)))
    for number, before in enumerate(range(0, minutes + 1, 20)):
        ask(charger, f"s{number}", before)
    assert (f"s{minutes // 20}", 0) in charger.sessions
    (meter,) = charger.sessions[f"s{minutes // 20}", 0].meters
    assert (meter.holds[0].balance_id < 0) is is_free
