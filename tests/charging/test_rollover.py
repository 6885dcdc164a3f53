"""Rollover: what is left of units that are renewed is kept for a time, within bounds, on balances of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.charging.domain.acting import act
from apps.charging.domain.balance_actions import Action, months_after
from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.balances import BalanceTerms
from apps.charging.domain.requests import Operation
from apps.charging.domain.rollover import Rollover, rollover_of
from apps.charging.domain.state import FIRST_NEW_ID, Account
from apps.charging.models import Balance, LedgerEntry, SharedGroup
from apps.kernel.errors import InvalidInput
from tests.charging.online import item
from tests.charging.stored import NOW, account_of, assert_books_are_right, charge_now, make_prepaid, request
from tests.charging.test_balance_actions import BERLIN, acted, do, only

RENEW = Action("*topup_reset", "voice", 600, tag="MINUTES", expiry="*monthly", rollover=Rollover())


def minutes(value: int = 500, **fields: object) -> dict[int, BalanceValue]:
    terms = fields.pop("terms", BalanceTerms(expires_at=NOW, weight=5, included=frozenset({"DE"})))
    return only(tag="MINUTES", kind="voice", value=value, terms=terms, **fields)


def test_what_is_left_is_kept_beside_the_renewed_units_and_used_before_them() -> None:
    after = acted(minutes(), RENEW)
    assert after["MINUTES"].value == 600
    kept = after["MINUTES~1"]
    assert kept.value == 500
    month = months_after(NOW, 1, BERLIN)
    assert kept.terms == BalanceTerms(expires_at=month, weight=6, included=frozenset({"DE"}))


@pytest.mark.parametrize(
    ("terms", "left", "kept"),
    [
        (Rollover(minimum=500), 500, 500),
        (Rollover(minimum=501), 500, None),
        (Rollover(maximum=200), 500, 200),
        (Rollover(), 0, None),
    ],
)
def test_less_than_the_minimum_and_more_than_the_maximum_lapse(
    terms: Rollover, left: int, kept: int | None
) -> None:
    after = acted(minutes(left), RENEW._replace(rollover=terms))
    assert after["MINUTES"].value == 600
    assert (after["MINUTES~1"].value if "MINUTES~1" in after else None) == kept


def test_units_that_ended_before_do_not_roll_and_what_sessions_hold_stays() -> None:
    before = minutes(terms=BalanceTerms(expires_at=NOW - timedelta(seconds=1)))
    assert acted(before, RENEW).keys() == {"MINUTES"}
    after = acted(minutes(reserved=120), RENEW)
    assert (after["MINUTES"].value, after["MINUTES"].reserved, after["MINUTES~1"].value) == (720, 120, 380)


def test_a_unit_that_is_used_in_part_does_not_roll() -> None:
    before = only(tag="UNITS", kind="generic", value=5, used_part=Fraction(1, 2))
    after = acted(before, Action("*topup_reset", "generic", 5, tag="UNITS", rollover=Rollover()))
    assert (after["UNITS~1"].value, after["UNITS"].value, after["UNITS"].used_part) == (4, 5, 0)


def test_units_of_each_period_end_by_themselves_and_their_balances_are_used_again() -> None:
    action = RENEW._replace(rollover=Rollover(months=2, weight=1))
    balances = minutes()
    for month in range(1, 6):
        owner = Account(1, "A1", "default", BERLIN, "EUR", True)
        at = months_after(NOW, month, BERLIN)
        balances = dict(act(owner, balances, [action], f"k{month}", at, FIRST_NEW_ID + month).balances)
        if month == 1:
            # What was there ended a month ago.
            assert len(balances) == 1
    by_tag = {balance.tag: balance for balance in balances.values()}
    assert by_tag.keys() == {"MINUTES", "MINUTES~1", "MINUTES~2"}
    ends = sorted(by_tag[tag].terms.expires_at for tag in ("MINUTES~1", "MINUTES~2"))  # type: ignore[type-var]
    assert ends == [months_after(NOW, 6, BERLIN), months_after(NOW, 7, BERLIN)]
    assert [balance.value for balance in by_tag.values()] == [600, 600, 600]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a note", None),
        ("rollover", Rollover()),
        ("Rollover; minimum=1m; maximum=2h; months=3; weight=-5", Rollover(60, 7200, 3, -5)),
    ],
)
def test_the_terms_are_written_as_extra_parameters(text: str, terms: Rollover | None) -> None:
    assert rollover_of("voice", text) == terms


@pytest.mark.parametrize(
    "text",
    ["rollover;most=5", "rollover;months=0", "rollover;months=x", "rollover;minimum=5;maximum=4",
     "rollover;months=1;months=2", "rollover;maximum=0", "rollover;maximum"],
)  # fmt: skip
def test_terms_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        rollover_of("voice", text)


@pytest.mark.django_db
def test_rolled_units_are_shared_and_paid_with_first_and_the_ledger_says_where_they_come_from() -> None:
    make_prepaid()
    group = SharedGroup.objects.create(tenant=account_of().tenant, code="FAMILY")
    renew = Action("*topup_reset", "sms", 10, "SMS", "*monthly", groups=(group.pk,), rollover=Rollover())
    do(renew, key="plan:1:1")
    do(renew, key="plan:1:2", at=NOW + timedelta(days=1))
    charge_now(request(Operation.EVENT, item("sms", 3)))
    assert dict(Balance.objects.filter(kind="sms").values_list("tag", "units")) == {"SMS": 10, "SMS~1": 7}
    assert list(Balance.objects.get(tag="SMS~1").groups.all()) == [group]
    entries = LedgerEntry.objects.filter(cause__startswith="action:plan:1:2:").order_by("cause")
    assert [(entry.balance.tag, entry.kind, entry.units, entry.note) for entry in entries] == [
        ("SMS", "transfer", -10, "rolled over to SMS~1"),
        ("SMS~1", "transfer", 10, "rolled over from SMS"),
        ("SMS", "top_up", 10, ""),
    ]
    do(renew._replace(rollover=Rollover(minimum=11)), key="plan:1:3", at=NOW + timedelta(days=2))
    lapsed = LedgerEntry.objects.get(note="not rolled over")
    assert (lapsed.units, lapsed.book.code) == (-10, "correction")
    do(renew, key="plan:1:3", at=NOW + timedelta(days=2))
    assert LedgerEntry.objects.filter(balance__kind="sms", kind="top_up").count() == 3
    assert_books_are_right()


_PERIODS = st.lists(st.tuples(st.integers(0, 1_500), st.integers(0, 40)), min_size=1, max_size=8)


@given(
    _PERIODS,
    st.builds(Rollover, st.integers(0, 400), st.none() | st.integers(400, 900), st.integers(1, 3), st.none()),
)
def test_law_used_rolled_and_lapsed_units_are_what_was_granted(
    periods: list[tuple[int, int]], terms: Rollover
) -> None:
    owner = Account(1, "A1", "default", BERLIN, "EUR", True)
    action = RENEW._replace(rollover=terms)
    balances: dict[int, BalanceValue] = {}
    used = lapsed = rolled_in = rolled_out = fresh = 0
    at: datetime = NOW
    for number, (use, days) in enumerate(periods):
        after = act(owner, balances, [action], f"k{number}", at, FIRST_NEW_ID + fresh)
        balances, fresh = dict(after.balances), after.fresh_id - FIRST_NEW_ID
        for entry in after.entries:
            rolled_in += max(entry.amount, 0) if entry.kind == "transfer" else 0
            if entry.kind == "transfer":
                assert max(terms.minimum, 1) <= abs(entry.amount) <= (terms.maximum or 600)
            rolled_out -= min(entry.amount, 0) if entry.kind == "transfer" else 0
            lapsed -= entry.amount if entry.kind == "adjustment" else 0
        assert rolled_in == rolled_out
        assert sum(balance.value for balance in balances.values()) + used + lapsed == 600 * (number + 1)
        assert len({balance.tag for balance in balances.values()}) == len(balances)
        for pk, balance in balances.items():
            part = min(use, balance.value)
            balances[pk], used, use = balance.holding(balance.value - part, 0), used + part, use - part
        at += timedelta(days=days)
