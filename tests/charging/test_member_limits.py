"""Limits of members of shared groups: no member uses more of the others' balances a month than it may."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.balances import Group, Strategy
from apps.charging.domain.member_limits import MemberLimit
from apps.charging.domain.requests import Operation, Result
from apps.charging.models import Balance, SharedGroup, SharedGroupLimit, SharedGroupTerms, SharedGroupUse
from apps.charging.services import member_limits as member_limit_rows
from apps.charging.services.executor import BatchExecutor, forget_directory
from apps.charging.services.member_limit_settings import member_limits, set_member_limit
from apps.charging.services.operations import top_up
from apps.kernel.clock import utc_now
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import Tenant
from tests.charging.online import ACCOUNT_ID, NOON, Charger, item, money, units
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    make_prepaid,
    request,
    submit,
)
from tests.charging.test_shared_groups import shared

GROUP = [Group(1, {0: (Strategy.MINE_LOWEST, "")})]


def limited(*balances: object, limit: int, kind: str = "voice", own: int = 0) -> Charger:
    charger = Charger(money(0), shared(1_000, own, ACCOUNT_ID, kind), *balances, groups=GROUP)  # type: ignore[arg-type]
    charger.members = {(1, kind): MemberLimit(limit)}
    return charger


def test_a_grant_ends_at_the_limit_and_ones_own_balances_do_not_count() -> None:
    charger = limited(shared(2, 600, kind="voice"), limit=100, own=30)
    answer = charger.send(Operation.INITIATE, item(asked=300))
    assert answer.items[0].granted == 130
    assert charger.members == {(1, "voice"): MemberLimit(100, 0, 100)}
    charger.send(Operation.TERMINATE, item(used=110), number=1, at=NOON + timedelta(seconds=110))
    assert charger.members == {(1, "voice"): MemberLimit(100, 80, 0)}
    assert charger.send(Operation.MAX_USAGE, item(asked=300)).items[0].granted == 20


def test_a_limit_is_for_all_balances_of_the_group_together_also_of_money() -> None:
    charger = limited(shared(2, 40_000), shared(3, 90_000, 3), limit=50_000, kind="monetary")
    assert charger.send(Operation.MAX_USAGE, item(asked=600)).items[0].granted == 50
    assert charger.send(Operation.EVENT, item("sms", money_micros=60_000)).result is (
        Result.CREDIT_LIMIT_REACHED
    )
    charger.send(Operation.EVENT, item("sms", money_micros=45_000), session="e")
    assert charger.members == {(1, "monetary"): MemberLimit(50_000, 45_000)}


def test_usage_that_has_happened_past_the_limit_is_not_paid_by_the_others() -> None:
    charger = limited(shared(2, 600, kind="voice"), limit=100)
    charger.send(Operation.INITIATE, item(asked=60))
    charger.send(Operation.TERMINATE, item(used=200), number=1, at=NOON + timedelta(seconds=200))
    assert charger.value(2) == 500
    assert charger.sessions["s", 0].meters[0].unpaid_micros > 0


def test_units_that_are_used_in_parts_count_whole() -> None:
    pool = units(2, "generic", 50, account_id=2, groups=(1,), factors=(("sms", 4),))
    charger = limited(pool, limit=2, kind="generic")
    assert charger.send(Operation.EVENT, item("sms", 5)).result is Result.SUCCESS
    assert charger.members[1, "generic"].used == 2
    assert charger.send(Operation.EVENT, item("sms", 1), session="f").result is Result.CREDIT_LIMIT_REACHED


_STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90), st.integers(0, 120)), max_size=14)


@given(_STEPS, st.integers(0, 200), st.integers(0, 60), st.booleans())
def test_law_no_member_is_ever_above_the_limit(
    steps: list[tuple[int, int, int]], limit: int, own: int, in_money: bool
) -> None:
    kind, scale = ("monetary", 1_000) if in_money else ("voice", 1)
    others = [shared(pk, value * scale, pk, kind) for pk, value in ((2, 70), (3, 400))]
    charger = limited(*others, limit=limit * scale, own=own * scale, kind=kind)
    began = sum(balance.value for balance in others)
    open_since: dict[int, tuple[datetime, int]] = {}
    for number, (session, used, asked) in enumerate(steps):
        at = NOON + timedelta(seconds=100 * number)
        if session not in open_since:
            answer = charger.send(
                Operation.INITIATE, item(asked=asked), session=f"{number}.{session}", number=0, at=at
            )
            if answer.result is Result.SUCCESS:
                open_since[session] = at, number
        else:
            _, first = open_since[session]
            ends = asked == 0
            operation = Operation.TERMINATE if ends else Operation.UPDATE
            asking = item(used=used) if ends else item(used=used, asked=asked)
            charger.send(operation, asking, session=f"{first}.{session}", number=number, at=at)
            if ends:
                del open_since[session]
        now = charger.members[1, kind]
        assert now.used + now.held <= now.limit
        assert now.used == began - sum(charger.value(pk) for pk in (2, 3))
        assert now.held == sum(charger.reserved(pk) for pk in (2, 3))


def family(limit: int | None = 100, kind: str = "voice") -> Tenant:
    """Account C1 has nothing; C2 shares 600 seconds and two euros with it."""
    make_prepaid(1, balance_micros=0)
    make_prepaid(2, balance_micros=2_000_000)
    tenant = account_of().tenant
    group = SharedGroup.objects.create(tenant=tenant, code="FAMILY")
    SharedGroupTerms.objects.create(group=group, account=account_of(1), strategy=Strategy.LOWEST)
    top_up(account_of(2), 600, NOW, key="minutes", kind="voice", tag="minutes")
    Balance.objects.get(tag="minutes").groups.add(group)
    if limit is not None:
        set_member_limit(tenant, "FAMILY", "C1", kind, limit)
    forget_directory()
    return tenant


def use_of_c1() -> list[tuple[str, int]]:
    return list(SharedGroupUse.objects.filter(account=account_of(1)).values_list("kind", "used"))


@pytest.mark.django_db
def test_concurrent_sessions_hold_and_use_no_more_than_the_limit() -> None:
    tenant = family()
    first, second = charge_all(
        [request(Operation.INITIATE, item(asked=60), session=name) for name in ("a", "b")]
    )
    assert (first.items[0].granted, second.items[0].granted) == (60, 40)
    refused = charge_now(request(Operation.INITIATE, item(asked=60), session="c"))
    assert refused.result is Result.CREDIT_LIMIT_REACHED
    at = NOW + timedelta(seconds=50)
    charge_now(request(Operation.TERMINATE, item(used=50), session="a", number=1, at=at))
    assert use_of_c1() == [("voice", 50)]
    assert charge_now(request(Operation.INITIATE, item(asked=60), session="d", at=at)).items[0].granted == 10
    charge_now(request(Operation.RELEASE, session="b", number=1, at=at))
    answer = charge_now(request(Operation.UPDATE, item(used=0, asked=60), session="d", number=1, at=at))
    assert answer.items[0].granted == 50
    # The others of the group have no limit.
    assert charge_now(request(Operation.MAX_USAGE, item(asked=900), of=2, at=at)).items[0].granted > 500
    (limit,) = member_limits(tenant, "FAMILY", NOW)
    assert (limit.account, limit.kind, limit.limit, limit.used) == ("C1", "voice", 100, 50)
    assert_books_are_right()


@pytest.mark.django_db
def test_a_new_month_begins_at_nothing_used() -> None:
    family()
    charge_now(request(Operation.EVENT, item(asked=100)))
    june = datetime(2026, 6, 1, tzinfo=NOW.tzinfo)
    ask = request(Operation.EVENT, item(asked=100), session="t")
    assert charge_now(ask._replace(at=june - timedelta(seconds=1))).result is Result.CREDIT_LIMIT_REACHED
    assert charge_now(ask._replace(at=june, session_id="u")).result is Result.SUCCESS
    assert use_of_c1() == [("voice", 100)]


@pytest.mark.django_db
def test_a_limit_for_any_member_holds_for_those_without_their_own() -> None:
    tenant = family(limit=None)
    set_member_limit(tenant, "FAMILY", None, "voice", 30)
    forget_directory()
    ask = request(Operation.MAX_USAGE, item(asked=900))
    assert charge_now(ask).items[0].granted == 30
    set_member_limit(tenant, "FAMILY", "C1", "voice", 70)
    forget_directory()
    assert charge_now(ask).items[0].granted == 70


@pytest.mark.django_db
def test_groups_without_limits_cost_no_statement_more(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = family(limit=None)
    done: list[str] = []
    for name in ("select", "upsert_few"):
        real = getattr(member_limit_rows, name)
        monkeypatch.setattr(
            member_limit_rows, name, lambda *a, n=name, r=real, **k: (done.append(n), r(*a, **k))[1]
        )
    ask = request(Operation.EVENT, item(asked=1))
    charge_now(ask)
    SharedGroup.objects.create(tenant=tenant, code="OTHER")
    set_member_limit(tenant, "OTHER", None, "voice", 100)
    forget_directory()
    charge_now(ask._replace(session_id="t"))
    assert done == []
    set_member_limit(tenant, "FAMILY", "C1", "voice", 100)
    forget_directory()
    charge_now(ask._replace(session_id="u"))
    # What was used and what is held are read, and the use is written.
    assert done == ["select", "select", "upsert_few"]


@pytest.mark.django_db(transaction=True)
def test_executors_side_by_side_keep_to_the_limit() -> None:
    family(limit=25)
    asked = [request(Operation.EVENT, item(asked=2), session=f"e{n}") for n in range(30)]
    with (
        BatchExecutor(clock=lambda: NOW, batch_size=3) as one,
        BatchExecutor(clock=lambda: NOW, batch_size=5) as other,
    ):
        futures = [submit((one, other)[n % 2], ask) for n, ask in enumerate(asked)]
        results = [future.result().result for future in futures]
    assert results.count(Result.SUCCESS) == 12
    assert use_of_c1() == [("voice", 24)]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("sharedlimits", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_limits_are_set_shown_and_cleared_by_command() -> None:
    family(limit=None)
    assert run("set", "FAMILY", "C1", "voice", "2m") == "FAMILY, C1: 120 seconds a month\n"
    run("set", "FAMILY", "*any", "monetary", "5.50")
    charge_now(request(Operation.EVENT, item(asked=100), at=utc_now()))
    assert run("show", "FAMILY").splitlines() == [
        "FAMILY, C1: 100 seconds of 120 seconds",
        "FAMILY, *any: 5.50 EUR for each",
    ]
    assert run("clear", "FAMILY", "C1", "voice") == "FAMILY, C1: no limit of voice any more\n"
    assert SharedGroupLimit.objects.count() == 1
    for wrong in (("show", "NONE"), ("set", "FAMILY", "C9", "voice", "1"), ("clear", "FAMILY", "C1", "sms")):
        with pytest.raises(CommandError):
            run(*wrong)


@pytest.mark.django_db
def test_a_limit_that_cannot_be_is_refused() -> None:
    tenant = family(limit=None)
    with pytest.raises(InvalidInput, match="no kind"):
        set_member_limit(tenant, "FAMILY", "C1", "gold", 1)
    with pytest.raises(InvalidInput, match="below zero"):
        set_member_limit(tenant, "FAMILY", "C1", "voice", -1)
    with pytest.raises(NotFound):
        set_member_limit(tenant, "FAMILY", "C9", "voice", 1)


@pytest.mark.django_db
def test_the_page_of_a_group_shows_and_takes_limits(client: Client) -> None:
    family()
    charge_now(request(Operation.EVENT, item(asked=70)))
    client.force_login(User.objects.create_superuser("boss"))
    page = reverse("admin:charging_sharedgroup_change", args=[SharedGroup.objects.get().pk])
    shown = client.get(page).content.decode()
    assert "70 seconds" in shown
    assert "2026-05" in shown
    assert "limits-0-units" in shown
