"""Shared groups: who is in one, whose balance pays, and that what is shared is spent once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.balances import Balance, Group, Strategy
from apps.charging.domain.requests import Operation, Result
from apps.charging.models import Balance as BalanceRow
from apps.charging.models import SharedGroup, SharedGroupTerms
from apps.charging.services.barring import bar_account
from apps.charging.services.executor import BatchExecutor, forget_directory
from apps.charging.services.operations import top_up
from tests.charging.online import ACCOUNT_ID, NOON, Charger, call, item, money, units
from tests.charging.stored import NOW, account_of, assert_books_are_right, make_prepaid, request, submit
from tests.charging.stored import charge_now as charge_in_database

OTHER = 2
ANY = [Group(1, {0: (Strategy.MINE_RANDOM, "")})]


def shared(
    balance_id: int, value: int, account_id: int = OTHER, kind: str = "monetary", **terms: object
) -> Balance:
    return units(balance_id, kind, value, account_id=account_id, groups=(1,), **terms)


MEMBERS = {
    "its own balance in the group is empty": [money(0, groups=(1,))],
    "its own balance in the group has expired": [money(0), shared(3, 0, ACCOUNT_ID, expires_at=NOON)],
    "its own balance in the group is disabled": [money(0), shared(3, 9, ACCOUNT_ID, disabled=True)],
    "its own balance in the group is of another kind": [money(0), shared(3, 0, ACCOUNT_ID, "data")],
    "its own balance in the group serves another destination": [
        money(0),
        shared(3, 90_000, ACCOUNT_ID, included=frozenset({"GB"})),
    ],
    "it has the only other balance outside of the group": [money(0), shared(3, 0, ACCOUNT_ID, "sms")],
}


@pytest.mark.parametrize("why", MEMBERS)
@pytest.mark.parametrize("named", [False, True])
def test_a_member_is_paid_for_by_the_others_though(why: str, named: bool) -> None:
    """CGRateS: the account of a debit is itself without money, another of the group has 130 and pays 120."""
    groups = [Group(1, {ACCOUNT_ID: (Strategy.LOWEST, "")})] if named else ANY
    charger = Charger(*MEMBERS[why], shared(2, 130_000), groups=groups)
    assert charger.send(Operation.MAX_USAGE, item(asked=600)).items[0].granted == 130
    assert call(charger, 60, 60) == 120_000
    assert charger.value(2) == 10_000
    assert charger.sessions["s", 0].meters[0].unpaid_micros == 0
    assert charger.send(Operation.EVENT, item("sms", 1)).result is Result.CREDIT_LIMIT_REACHED


@pytest.mark.parametrize("kind", ["monetary", "voice"])
def test_an_account_that_the_groups_terms_name_is_a_member_without_a_balance_in_it(kind: str) -> None:
    there = shared(2, 130_000 if kind == "monetary" else 130, kind=kind)
    named = Group(1, {ACCOUNT_ID: (Strategy.HIGHEST, "")})
    assert (
        Charger(money(0), there, groups=[named]).send(Operation.MAX_USAGE, item(asked=600)).items[0].granted
        == 130
    )
    stranger = Charger(money(0), there, groups=ANY)
    assert stranger.send(Operation.MAX_USAGE, item(asked=600)).items[0].granted == 0


@pytest.mark.parametrize("operation", [Operation.EVENT, Operation.INITIATE])
def test_an_amount_of_money_is_taken_from_the_group_too(operation: Operation) -> None:
    charger = Charger(money(10_000, groups=(1,)), shared(2, 130_000), groups=ANY)
    answer = charger.send(operation, item("sms", money_micros=50_000))
    assert answer.result is Result.SUCCESS
    if operation is Operation.EVENT:
        assert (charger.value(1), charger.value(2)) == (0, 90_000)
    else:
        assert (charger.reserved(1), charger.reserved(2)) == (10_000, 40_000)


def test_the_groups_units_of_a_member_without_any_stand_before_its_money() -> None:
    charger = Charger(money(10**6, groups=(1,)), shared(2, 40, kind="voice"), groups=ANY)
    call(charger, 60)
    assert (charger.value(1), charger.value(2)) == (10**6 - 20_000, 0)


# What is there at first (1 and 4 are one's own), and after each debit of 30.
ORDERS = {
    Strategy.LOWEST: [(40, 20, 60, 80), (30, 0, 60, 80), (0, 0, 60, 80), (0, 0, 30, 80)],
    Strategy.HIGHEST: [(40, 20, 60, 80), (40, 20, 60, 50), (40, 20, 30, 50), (40, 20, 30, 20)],
    Strategy.MINE_LOWEST: [(40, 20, 60, 80), (10, 20, 60, 80), (0, 20, 60, 60), (0, 20, 60, 30)],
    Strategy.MINE_HIGHEST: [(40, 20, 60, 80), (40, 20, 60, 50), (40, 20, 60, 20), (10, 20, 60, 20)],
}


@pytest.mark.parametrize("strategy", ORDERS)
@pytest.mark.parametrize("in_session", [False, True])
def test_each_debit_draws_in_the_order_stated_as_balances_are_then(strategy: str, in_session: bool) -> None:
    first, *then = ORDERS[Strategy(strategy)]
    owners = (ACCOUNT_ID, OTHER, 3, ACCOUNT_ID)
    charger = Charger(
        *(
            shared(n, value, owner, "voice")
            for n, (value, owner) in enumerate(zip(first, owners, strict=True), 1)
        ),
        groups=[Group(1, {0: (strategy, "")})],
    )
    for number, expected in enumerate(then):
        if in_session:
            operation = Operation.UPDATE if number else Operation.INITIATE
            charger.send(operation, item(used=30), number=number, at=NOON + timedelta(seconds=30 * number))
        else:
            charger.send(Operation.EVENT, item(asked=30), session=f"event-{number}")
        assert tuple(charger.value(n) for n in range(1, 5)) == expected


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.MINE_RANDOM])
def test_lots_are_drawn_once_a_session_and_one_balance_is_finished_before_the_next(strategy: str) -> None:
    for number in range(10):
        owners = {1: OTHER, 2: OTHER, 3: ACCOUNT_ID}
        charger = Charger(
            *(shared(n, 50, owner, "voice") for n, owner in owners.items()),
            groups=[Group(1, {0: (strategy, "")})],
        )
        call(charger, 20, 20, 20, 20, 20, 20, session=f"s{number}")
        order = list(dict.fromkeys(entry.balance_id for entry in charger.entries))
        assert [charger.value(balance_id) for balance_id in order] == [0, 0, 30]
        assert strategy == Strategy.RANDOM or order[0] == 3


def test_a_barred_member_does_not_pay_for_others() -> None:
    charger = Charger(money(0, groups=(1,)), shared(2, 100_000), shared(3, 40_000, 3), groups=ANY)
    charger.barred_members = frozenset({OTHER})
    assert charger.send(Operation.MAX_USAGE, item(asked=600)).items[0].granted == 40
    charger.send(Operation.INITIATE, item(asked=30))
    answer = charger.send(
        Operation.UPDATE, item(asked=30, used=30), number=1, at=NOON + timedelta(seconds=30)
    )
    assert answer.items[0].granted == 10
    charger.send(Operation.TERMINATE, item("sms", money_micros=1), number=2)
    assert (charger.value(2), charger.value(3)) == (100_000, 10_000)


STEPS = st.tuples(
    st.integers(1, 3), st.sampled_from("ab"), st.integers(0, 90), st.integers(0, 100), st.booleans()
)


@given(
    st.lists(st.integers(0, 150), min_size=3, max_size=3),
    st.sampled_from(["voice", "monetary"]),
    st.sampled_from(list(Strategy)),
    st.lists(STEPS, min_size=1, max_size=25),
)
def test_sessions_of_several_members_at_once_never_spend_more_than_there_is(
    values: list[int], kind: str, strategy: str, steps: list[tuple[int, str, int, int, bool]]
) -> None:
    """For any requests in any order; and who uses no more than was granted owes nothing."""
    size = 1_000 if kind == "monetary" else 1
    charger = Charger(
        *(shared(n, value * size, n, kind) for n, value in enumerate(values, 1)),
        groups=[Group(1, {0: (strategy, "")})],
    )
    assert charger.account is not None
    first = charger.account
    granted: dict[str, int] = {}
    now = NOON
    for number, (member, name, asked, share, ends) in enumerate(steps):
        now += timedelta(seconds=10)
        charger.account = first._replace(account_id=member)
        session = f"{name}{member}"
        if session not in granted:
            operation, used = Operation.INITIATE, None
        else:
            operation = Operation.TERMINATE if ends else Operation.UPDATE
            used = granted[session] * share // 100
        answer = charger.send(
            operation, item(asked=None if ends else asked, used=used), number=number, session=session, at=now
        )
        assert all(answered.unpaid_micros == 0 for answered in answer.items)
        if operation is Operation.TERMINATE or answer.result is not Result.SUCCESS:
            granted.pop(session, None)
            if operation is Operation.TERMINATE:
                charger.sessions.pop((session, 0), None)
        else:
            granted[session] = answer.items[0].granted or 0
        for balance in charger.balances.values():
            assert 0 <= balance.reserved <= balance.value
    spent = sum(values) * size - sum(balance.value for balance in charger.balances.values())
    assert spent == -sum(entry.amount for entry in charger.entries) <= sum(values) * size


def make_family(*members: int, micros: int = 0, **terms: object) -> SharedGroup:
    """Subscribers with no money of their own in a group; the first account's balance “family” is the group's."""
    for number in members:
        make_prepaid(number, balance_micros=0)
    group = SharedGroup.objects.create(tenant=account_of(members[0]).tenant, code="FAMILY")
    for number in members:
        SharedGroupTerms.objects.create(group=group, account=account_of(number), **terms)
    if micros:
        top_up(account_of(members[0]), micros, NOW, key="family", tag="family")
        BalanceRow.objects.get(tag="family").groups.add(group)
    forget_directory()
    return group


@pytest.mark.django_db(transaction=True)
def test_a_member_by_the_groups_terms_is_paid_for_and_a_barred_owner_pays_no_more() -> None:
    make_family(1, 2, micros=120_000)
    ask = [item("sms", 1)]
    assert charge_in_database(request(Operation.EVENT, *ask, session="a", of=2)).result is Result.SUCCESS
    bar_account(account_of(1), "fraud", NOW, by="staff")
    refused = charge_in_database(request(Operation.EVENT, *ask, session="b", of=2))
    assert refused.result is Result.CREDIT_LIMIT_REACHED
    assert BalanceRow.objects.get(tag="family").amount_micros == 70_000


@pytest.mark.django_db(transaction=True)
def test_a_balance_is_put_into_groups_and_out_of_them_by_its_terms() -> None:
    for number in (1, 2):
        make_prepaid(number, balance_micros=60_000 if number == 1 else 0)
    group = SharedGroup.objects.create(tenant=account_of().tenant, code="FAMILY")
    SharedGroupTerms.objects.create(group=group, account=account_of(2))
    forget_directory()
    results = []
    for number, groups in enumerate(["", "FAMILY", ""]):
        call_command("balance", "terms", "C1", "*default", f"groups={groups}")
        answer = charge_in_database(request(Operation.EVENT, item("sms", 1), session=f"e{number}", of=2))
        results.append(answer.result is Result.SUCCESS)
    assert results == [False, True, False]
    with pytest.raises(CommandError, match="no shared group “FRIENDS”"):
        call_command("balance", "terms", "C1", "*default", "groups=FAMILY;FRIENDS")


@pytest.mark.django_db(transaction=True)
def test_a_bundle_that_a_family_shares_is_spent_once_by_all_its_sessions_together() -> None:
    members: Sequence[int] = (1, 2, 3, 4)
    make_family(*members, micros=2_000_000)
    with BatchExecutor(clock=lambda: NOW, batch_size=7) as executor:
        futures = [
            submit(executor, request(Operation.EVENT, item("sms", 1), session=f"e{n}", of=n % 4 + 1))
            for n in range(60)
        ]
        answers = [future.result() for future in futures]
    paid = [answer for answer in answers if answer.result is Result.SUCCESS]
    assert len(paid) == 40
    assert {answer.result for answer in answers} == {Result.SUCCESS, Result.CREDIT_LIMIT_REACHED}
    assert BalanceRow.objects.get(tag="family").amount_micros == 0
    assert_books_are_right()
