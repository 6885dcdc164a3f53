"""Actions on accounts: what each does to balances, terms and switches; all of a group or none; once for a key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from apps.charging.domain.acting import Refused, act
from apps.charging.domain.action_filters import check_condition
from apps.charging.domain.balance_actions import (
    Action,
    ActionKind,
    amount_of,
    check_expiry,
    expiry_at,
    in_order,
)
from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.balances import BalanceTerms
from apps.charging.domain.requests import Operation, Result
from apps.charging.domain.state import FIRST_NEW_ID
from apps.charging.domain.state import Account as AccountValue
from apps.charging.models import (
    Account,
    AccountBar,
    Balance,
    BalanceTrigger,
    LedgerEntry,
    SharedGroup,
    TriggerFiring,
    TriggerState,
)
from apps.charging.services.balance_actions import ActionOrder, carry_out_actions
from apps.charging.services.barring import bar_account
from apps.charging.services.trigger_settings import make_trigger
from apps.events.models import Event
from apps.kernel.errors import Conflict, InvalidInput
from apps.rating.domain.source import Timing
from tests.charging.online import item
from tests.charging.stored import NOW, account_of, assert_books_are_right, charge_now, make_prepaid, request

pytestmark = pytest.mark.django_db
EURO = 1_000_000
BERLIN = ZoneInfo("Europe/Berlin")


def do(
    *actions: Action, number: int = 1, key: str = "k", at: datetime = NOW, remember: bool = True
) -> object:
    (answer,) = carry_out_actions(
        [ActionOrder(account_of(number).pk, actions, key, at)], NOW, remember=remember
    )
    return answer


def amounts(number: int = 1) -> dict[str, int]:
    return {
        balance.tag: balance.amount_micros or balance.units
        for balance in Balance.objects.filter(account=account_of(number))
    }


def only(**fields: object) -> dict[int, BalanceValue]:
    balance = BalanceValue(7, 1, **fields)  # type: ignore[arg-type]
    return {balance.balance_id: balance}


def acted(balances: dict[int, BalanceValue], *actions: Action, **account: object) -> dict[str, BalanceValue]:
    """The account's balances by tag after the actions, without a database."""
    fields: dict[str, object] = {"prepaid": True} | account
    owner = AccountValue(1, "A1", "default", BERLIN, "EUR", **fields)  # type: ignore[arg-type]
    after = act(owner, balances, in_order(actions), "k", NOW, FIRST_NEW_ID)
    return {balance.tag: balance for balance in after.balances.values()}


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", None),
        ("*unlimited", None),
        ("*UNLIMITED", None),
        ("+720h", datetime(2026, 3, 1, 23, tzinfo=UTC)),
        ("90m", datetime(2026, 1, 31, 0, 30, tzinfo=UTC)),
        ("*daily", datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("*monthly", datetime(2026, 2, 27, 23, tzinfo=UTC)),
        ("*yearly", datetime(2027, 1, 30, 23, tzinfo=UTC)),
        ("*month_end", datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("2026-07-01T00:00:00", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-07-01T00:00:00Z", datetime(2026, 7, 1, tzinfo=UTC)),
    ],
)
def test_an_end_is_reckoned_on_the_tenants_calendar(text: str, end: datetime | None) -> None:
    midnight = datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert expiry_at(text, midnight, BERLIN) == end


@pytest.mark.parametrize("text", ["*whenever", "soon", "+1x", "-5h"])
def test_an_end_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_expiry(text)


def test_units_are_money_or_usage_and_never_negative() -> None:
    assert amount_of("monetary", "12.5") == 12_500_000
    assert amount_of("voice", "1m30s") == 90
    assert amount_of("data", "") is None
    with pytest.raises(InvalidInput, match="which way"):
        amount_of("monetary", "-3")


def test_a_top_up_without_an_id_goes_onto_default_money_and_bounded_money_beside_it() -> None:
    after = acted(only(value=EURO), Action("*topup", amount=EURO))
    assert after["*default"].value == 2 * EURO
    after = acted(only(value=EURO), Action("*topup", amount=EURO, expiry="+24h"))
    assert after["*default"].value == EURO
    (bonus,) = [balance for tag, balance in after.items() if tag != "*default"]
    assert (bonus.value, bonus.terms.expires_at) == (EURO, NOW + timedelta(days=1))


def test_the_same_top_up_finds_its_balance_again_and_prolongs_it() -> None:
    bundle = Action("*topup", "voice", 600, expiry="+24h", included=frozenset({"DE"}), balance_weight=20)
    once = acted({}, bundle)
    assert len(once) == 1
    twice = acted({balance.balance_id: balance for balance in once.values()}, bundle._replace(expiry="+48h"))
    (balance,) = twice.values()
    assert (balance.value, balance.terms.expires_at) == (1200, NOW + timedelta(days=2))
    assert (balance.terms.included, balance.terms.weight) == ({"DE"}, 20)


def test_units_that_have_expired_do_not_come_back_with_new_ones() -> None:
    over = BalanceTerms(expires_at=NOW, rating_subject="*zero1m")
    before = only(tag="MINUTES", kind="voice", value=500, terms=over)
    after = acted(before, Action("*topup", "voice", 60, tag="MINUTES", expiry="+24h"))
    assert after["MINUTES"].value == 60
    assert after["MINUTES"].terms.expires_at == NOW + timedelta(days=1)


def test_a_reset_leaves_the_amount_to_spend_and_what_sessions_hold() -> None:
    before = only(tag="MINUTES", kind="voice", value=500, reserved=120)
    after = acted(before, Action("*topup_reset", "voice", 60, tag="MINUTES"))
    assert (after["MINUTES"].value, after["MINUTES"].reserved) == (180, 120)


def test_a_debit_stops_at_what_is_there_unless_the_account_may_go_below_zero() -> None:
    with pytest.raises(Refused, match=r"has 1\.00 EUR left, less than 2\.00 EUR"):
        acted(only(value=EURO), Action("*debit", amount=2 * EURO))
    after = acted(only(value=EURO), Action("*debit", amount=2 * EURO), allow_negative=True)
    assert after["*default"].value == -EURO
    assert after["*default"].overdraft == EURO
    allowed_first = [Action("*debit", amount=2 * EURO), Action("*allow_negative", weight="10")]
    assert acted(only(value=EURO), *allowed_first)["*default"].value == -EURO


def test_a_debit_takes_from_the_balance_whose_terms_it_states() -> None:
    cheap = BalanceTerms(weight=5, included=frozenset({"DE"}))
    balances = only(value=EURO) | {8: BalanceValue(8, 1, "PROMO", value=EURO, terms=cheap)}
    after = acted(balances, Action("*debit", amount=EURO, included=frozenset({"DE"})))
    assert (after["*default"].value, after["PROMO"].value) == (EURO, 0)


def test_a_debit_below_zero_takes_default_money_that_has_ended_or_has_other_terms() -> None:
    make_prepaid()
    do(Action("*allow_negative"), Action("*set_balance", tag="*default", expiry="+1h"), key="a")
    later = NOW + timedelta(hours=2)
    do(Action("*debit", amount=EURO), key="b", at=later)
    assert amounts() == {"*default": -EURO}
    do(Action("*set_balance", balance_weight=10, tag="*default"), key="c", at=later)
    do(Action("*debit", amount=EURO, balance_weight=0), key="d", at=later)
    assert amounts() == {"*default": -2 * EURO}
    assert Balance.objects.get().weight == 10


def test_debit_reset_empties_a_balance_and_then_debits() -> None:
    after = acted(only(value=5 * EURO), Action("*debit_reset", amount=EURO), allow_negative=True)
    assert after["*default"].value == -EURO
    assert acted(only(value=5 * EURO), Action("*debit_reset"))["*default"].value == 0


@pytest.mark.parametrize("amount", [5, 3, 0])
def test_set_balance_leaves_no_unit_used_in_part(amount: int) -> None:
    make_prepaid()
    row = Balance.objects.create(account=account_of(), tag="UNITS", kind="generic")
    do(Action("*topup", "generic", 5, tag="UNITS"))
    Balance.objects.filter(pk=row.pk).update(factors="sms=2")
    charge_now(request(Operation.EVENT, item("sms", 1)))
    row.refresh_from_db()
    assert (row.units, row.used_part) == (5, "1/2")
    do(Action("*set_balance", "generic", amount, tag="UNITS"), key="set")
    row.refresh_from_db()
    assert (row.units, row.used_part) == (amount, "")


def test_set_balance_sets_the_amount_and_only_the_stated_terms() -> None:
    before = only(tag="DATA", kind="data", value=10, terms=BalanceTerms(weight=3, blocker=True))
    after = acted(before, Action("*set_balance", "data", 4096, tag="DATA", balance_weight=9, expiry="+24h"))
    assert after["DATA"].value == 4096
    assert after["DATA"].terms == BalanceTerms(weight=9, blocker=True, expires_at=NOW + timedelta(days=1))
    assert acted({}, Action("*set_balance", "data", 5, tag="NEW"))["NEW"].value == 5


def test_a_removed_balance_is_written_off_and_ended_and_default_money_only_emptied() -> None:
    before = only(value=EURO) | {8: BalanceValue(8, 1, "PROMO", value=EURO)}
    after = acted(before, Action("*remove_balance", tag="PROMO"))
    assert (after["PROMO"].value, after["PROMO"].terms.expires_at) == (0, NOW)
    assert after["*default"].value == EURO
    after = acted(before, Action("*remove_balance", tag="*default"))
    assert (after["*default"].value, after["*default"].terms.expires_at) == (0, None)


def test_money_of_other_balances_moves_onto_the_default_one() -> None:
    before = only(value=EURO) | {
        8: BalanceValue(8, 1, "PROMO", value=2 * EURO, reserved=EURO),
        9: BalanceValue(9, 1, "OVER", value=EURO, terms=BalanceTerms(expires_at=NOW)),
        10: BalanceValue(10, 1, "MINUTES", "voice", 60),
    }
    after = acted(before, Action("*transfer_monetary_default"))
    assert {tag: balance.value for tag, balance in after.items()} == {
        "*default": 2 * EURO,
        "PROMO": EURO,
        "OVER": EURO,
        "MINUTES": 60,
    }


def test_a_reset_account_holds_nothing_and_a_postpaid_one_still_owes() -> None:
    before = only(value=-EURO, overdraft=EURO) | {8: BalanceValue(8, 1, "MINUTES", "voice", 60)}
    after = acted(before, Action("*reset_account"))
    assert (after["*default"].value, after["MINUTES"].value) == (0, 0)
    assert acted(before, Action("*reset_account"), prepaid=False)["*default"].value == -EURO


@pytest.mark.parametrize(
    ("condition", "acts"),
    [
        ("", True),
        ('{"Value": {"*lt": 5}}', True),
        ('{"Value": {"*gte": 5}}', False),
        ('{"*and": [{"Value": {"*lt": 5}}, {"Id": {"*eq": "*default"}}]}', True),
        ('{"*or": [{"Type": "*voice"}, {"Weight": 0}]}', True),
        ('{"*not": [{"Type": "*monetary"}]}', False),
        ('{"ExpirationDate": {"*exp": true}}', False),
        ('{"Categories": {"*has": ["call"]}}', False),
    ],
)
def test_an_action_is_left_out_unless_a_balance_meets_its_filter(condition: str, acts: bool) -> None:
    after = acted(only(value=4 * EURO), Action("*topup", amount=EURO, condition=condition))
    assert after["*default"].value == (5 if acts else 4) * EURO


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"Colour": 1}', '{"Value": {"*lt": "5"}}', '{"Value": {"*exp": true}}']
)
def test_a_filter_that_cannot_be_read_says_why(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_condition(text)


def test_what_actions_did_is_in_the_ledger_with_their_cause_and_told_as_a_credit() -> None:
    make_prepaid()
    group = SharedGroup.objects.create(tenant=account_of().tenant, code="FAMILY")
    bundle = Action(
        "*topup", "voice", 600, "FAMILY_MINUTES", "+24h", 10, frozenset({"DE"}), frozenset({"DE_MOBILE"}),
        frozenset({"call"}), None, "*zero1m", (group.pk,), True, False,
    )  # fmt: skip
    do(Action("*topup", amount=EURO), bundle, key="plan:1")
    causes = LedgerEntry.objects.filter(cause__startswith="action:plan:1:").order_by("pk")
    assert [(entry.kind, entry.amount_micros, entry.units, entry.book.code) for entry in causes] == [
        ("top_up", EURO, 0, "promotion"),
        ("top_up", 0, 600, "promotion"),
    ]
    row = Balance.objects.get(tag="FAMILY_MINUTES")
    assert (row.destinations, row.categories, row.weight, row.rating_subject, row.blocker) == (
        "DE;!DE_MOBILE",
        "call",
        10,
        "*zero1m",
        True,
    )
    assert list(row.groups.all()) == [group]
    assert row.expires_at == NOW + timedelta(days=1)
    credited = Event.objects.filter(kind="charging.account_credited", body__kind="top_up")
    assert sorted((event.body["amount_micros"], event.body["units"]) for event in credited)[-2:] == [
        (0, 600),
        (EURO, 0),
    ]
    assert_books_are_right()
    do(bundle._replace(amount=60), key="plan:2")
    assert amounts()["FAMILY_MINUTES"] == 660


def test_a_repeat_of_a_key_changes_nothing_and_gets_the_first_answer() -> None:
    make_prepaid()
    assert do(Action("*topup", amount=EURO)).replayed is False  # type: ignore[attr-defined]
    assert do(Action("*topup", amount=EURO)).replayed is True  # type: ignore[attr-defined]
    assert amounts() == {"*default": 2 * EURO}
    with pytest.raises(Conflict, match="moved a balance before"), transaction.atomic():
        do(Action("*topup", amount=EURO), remember=False)
    assert amounts() == {"*default": 2 * EURO}


def test_a_group_is_carried_out_whole_or_not_at_all_and_others_go_on() -> None:
    make_prepaid(1)
    make_prepaid(2, balance_micros=5 * EURO)
    actions = (Action("*topup", "sms", 10, weight="20"), Action("*debit", amount=3 * EURO, weight="10"))
    orders = [ActionOrder(account_of(number).pk, actions, f"k{number}", NOW) for number in (1, 2)]
    orders.append(ActionOrder(10**9, actions, "k3", NOW))
    first, second, third = carry_out_actions(orders, NOW)
    assert (first.result, first.reason) == (Result.CREDIT_LIMIT_REACHED, "credit_limit_reached")
    assert second.result is Result.SUCCESS
    assert third.reason == "no_account"
    assert amounts(1) == {"*default": EURO}
    assert amounts(2)["*default"] == 2 * EURO
    assert 10 in amounts(2).values()


def test_a_balance_that_a_batch_makes_may_get_other_terms_in_it() -> None:
    make_prepaid()
    make = (Action("*set_balance", "data", 5, tag="A", expiry="+1h"),)
    orders = [
        ActionOrder(account_of().pk, make, f"k{hours}", NOW + timedelta(hours=hours)) for hours in (0, 2)
    ]
    carry_out_actions(orders, NOW)
    balance = Balance.objects.get(tag="A")
    assert (balance.units, balance.expires_at) == (5, NOW + timedelta(hours=3))
    assert_books_are_right()


def test_switches_of_the_account_take_effect_with_the_balances() -> None:
    make_prepaid()
    do(Action("*allow_negative"), key="a")
    assert account_of().allow_negative
    assert account_of().history.first().history_change_reason == "action:a"
    do(Action("*debit", amount=3 * EURO), key="b")
    assert amounts() == {"*default": -2 * EURO}
    do(Action("*deny_negative"), key="c")
    assert not account_of().allow_negative
    do(Action("*disable_account"), key="d")
    sms = item("sms", 1)
    assert charge_now(request(Operation.EVENT, sms, session="e")).result is Result.BARRED
    do(Action("*enable_account"), key="e")
    assert not AccountBar.objects.exists()


def test_enabling_an_account_leaves_a_bar_of_staff() -> None:
    make_prepaid()
    bar_account(account_of(), "fraud", NOW, by="anna")
    do(Action("*enable_account"))
    assert AccountBar.objects.get().barred_by == "anna"


def test_a_removed_account_is_empty_and_closed() -> None:
    make_prepaid()
    do(Action("*remove_account"), key="a")
    assert account_of().closed_at == NOW
    assert amounts() == {"*default": 0}
    assert do(Action("*topup", amount=EURO), key="b").reason == "account_closed"  # type: ignore[attr-defined]
    assert_books_are_right()


def test_a_trigger_sees_what_actions_move_and_a_reset_lets_it_count_from_zero() -> None:
    make_prepaid()
    tenant = account_of().tenant
    make_trigger(tenant, "low", BalanceTrigger.Kind.BELOW, threshold_micros=500_000)
    spent = make_trigger(tenant, "spent", BalanceTrigger.Kind.SPENT, threshold_micros=EURO, window_s=3600)
    TriggerState.objects.create(trigger=spent, account=account_of(), steps="1:5")
    do(Action("*debit", amount=600_000))
    assert TriggerFiring.objects.get().cause == "action:k:0:0"
    do(Action("*reset_triggers"), key="b")
    assert TriggerState.objects.get().steps == ""


def test_an_errand_is_published_with_the_name_that_makes_it_one() -> None:
    make_prepaid()
    do(
        Action("*call_url", parameters="https://crm.example/hook"),
        Action("*topup", amount=EURO),
        key="firing:7",
    )
    event = Event.objects.get(kind="charging.errand_due")
    assert event.body == {
        "account_id": account_of().pk,
        "key": "firing:7",
        "number": 0,
        "action": "*call_url",
        "parameters": "https://crm.example/hook",
    }


_KINDS = [kind for kind in ActionKind if kind != ActionKind.REMOVE_ACCOUNT]
_ACTIONS = st.builds(
    Action,
    kind=st.sampled_from(_KINDS),
    balance_kind=st.sampled_from(["monetary", "voice", "data"]),
    amount=st.none() | st.integers(0, 3 * EURO),
    tag=st.sampled_from(["", "", "*default", "A", "B"]),
    expiry=st.sampled_from(["", "*unlimited", "+1h", "*monthly"]),
    balance_weight=st.sampled_from([None, None, 10]),
    included=st.sampled_from([None, None, frozenset({"DE"})]),
    excluded=st.none(),
    categories=st.none(),
    timings=st.sampled_from([None, (Timing("T0", weekdays=(6, 7), start_s=3600),)]),
    rating_subject=st.sampled_from([None, None, "*zero1m"]),
    groups=st.none(),
    blocker=st.none(),
    disabled=st.sampled_from([None, None, True]),
    weight=st.sampled_from(["0", "10"]),
    parameters=st.just(""),
    condition=st.sampled_from(["", "", '{"Value": {"*lt": 1}}']),
)
_ORDERS = st.lists(
    st.tuples(
        st.integers(1, 2), st.lists(_ACTIONS, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 5)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(_ORDERS)
def test_law_balances_are_the_sum_of_their_entries_and_no_key_acts_twice(
    orders: list[tuple[int, list[Action], int, int]],
) -> None:
    with transaction.atomic():
        for number in (1, 2):
            if not Account.objects.filter(number=f"C{number}").exists():
                make_prepaid(number)
        made = [
            ActionOrder(
                account_of(number).pk, tuple(actions), f"{number}:{key}", NOW + timedelta(hours=hours)
            )
            for number, actions, key, hours in orders
        ]
        first = carry_out_actions(made, NOW)
        assert_books_are_right()
        held, entries = {n: amounts(n) for n in (1, 2)}, LedgerEntry.objects.count()
        # Once more, each by itself: nothing changes and the answers are the same.
        again = [answer for order in made for answer in carry_out_actions([order], NOW)]
        assert [a._replace(replayed=True) for a in first] == again
        assert ({n: amounts(n) for n in (1, 2)}, LedgerEntry.objects.count()) == (held, entries)
        per_order = LedgerEntry.objects.filter(cause__startswith="action:").values_list("cause", flat=True)
        assert len(set(per_order)) == len(per_order)
        transaction.set_rollback(True)
