"""Fair use: once so many free units are used in a month, a grant turns to redirect or restrict."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from apps.charging.domain.lines import Grant
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import FinalUnit, FinalUnitAction, Operation, Result
from apps.charging.models import AllowanceCounter
from apps.charging.models import QuotaPolicy as PolicyRow
from apps.charging.services.executor import forget_directory
from apps.rating.models import Service
from tests.charging.online import MIB, NOON, Charger, item, make_line, money
from tests.charging.stored import NOW, account_of, charge_now, make_prepaid, request
from tests.factories import make_plan

SLOWLY = FinalUnit(FinalUnitAction.RESTRICT, filters=("permit in ip from any to 10.0.0.1",))


def limited(units: int, fair_use: int, final: FinalUnit = SLOWLY) -> Charger:
    grants = {"data": (Grant("plan:1", units, frozenset(), frozenset()),)}
    policies = {("data", 0): QuotaPolicy(10 * MIB, final=final, fair_use_units=fair_use)}
    return Charger(money(10**6), line=make_line(grants=grants), policies=policies)


def test_unlimited_free_units_are_granted_up_to_fair_use_and_then_restricted() -> None:
    charger = limited(-1, 25 * MIB)
    told = []
    for number in range(4):
        operation = Operation.UPDATE if number else Operation.INITIATE
        used = told[-1][1] if told else None
        answer = charger.send(operation, item("data", 10 * MIB, used), number=number)
        told.append((answer.result, answer.items[0].granted, answer.items[0].final))
    success = Result.SUCCESS
    assert told == [
        (success, 10 * MIB, None),
        (success, 10 * MIB, None),
        (success, 5 * MIB, SLOWLY),
        (success, 0, SLOWLY),
    ]


def test_what_other_sessions_hold_counts_and_what_they_give_back_does_not() -> None:
    charger = limited(-1, 15 * MIB)
    asked = item("data", 10 * MIB)
    grants = [charger.send(Operation.INITIATE, asked, session=name).items[0].granted for name in "abc"]
    assert grants == [10 * MIB, 5 * MIB, 0]
    charger.send(Operation.TERMINATE, item("data", used=MIB), session="a", number=1)
    assert charger.send(Operation.UPDATE, asked, session="c", number=1).items[0].granted == 9 * MIB


def test_what_is_used_after_fair_use_is_charged_and_the_next_month_begins_with_nothing() -> None:
    charger = limited(10 * MIB, 10 * MIB)
    charger.send(Operation.INITIATE, item("data", 10 * MIB))
    charger.send(Operation.TERMINATE, item("data", used=12 * MIB), number=1)
    assert charger.value() == 10**6 - 20_000
    assert charger.send(Operation.INITIATE, item("data", MIB), session="b").items[0].granted == 0
    later = NOON + timedelta(days=20)
    assert charger.send(Operation.INITIATE, item("data", MIB), session="c", at=later).items[0].granted == MIB


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["prepaid", "postpaid"])
def test_the_free_units_that_the_database_counts_bound_grants_of_either_mode(mode: str) -> None:
    subscriber = make_prepaid(plan=make_plan("PLAN", data=(10_000, -1)).code)
    account = account_of()
    account.mode = mode
    account.save()
    service = Service.objects.get(code="data")
    PolicyRow.objects.create(
        service=service, default_units=10 * MIB, fair_use_units=20 * MIB, final_action="redirect"
    )
    AllowanceCounter.objects.create(
        subscriber=subscriber, service=service, origin="plan:1", year=NOW.year, month=NOW.month, used=17 * MIB
    )
    forget_directory()
    answer = charge_now(request(Operation.INITIATE, item("data", 10 * MIB)))
    assert (answer.result, answer.items[0].granted) == (Result.SUCCESS, 3 * MIB)
    assert answer.items[0].final == FinalUnit(FinalUnitAction.REDIRECT)


@pytest.mark.django_db
def test_fair_use_goes_with_redirect_or_restrict() -> None:
    policy = PolicyRow(service=Service.objects.first(), default_units=1, fair_use_units=5)
    with pytest.raises(ValidationError, match="goes on more slowly"):
        policy.clean()
    policy.final_action = "restrict"
    policy.clean()
