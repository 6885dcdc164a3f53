"""Triggers that count, or that fire once until they are reset: by the rules, and on the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.charging.domain.balances import Balance, BalanceTerms
from apps.charging.domain.requests import Operation, RequestItem, Result, Units, UsedUnits
from apps.charging.domain.trigger_filters import BalanceFilter
from apps.charging.domain.trigger_states import FRESH, Happened, Movement, Use, watch
from apps.charging.domain.triggers import Trigger, TriggerKind
from apps.charging.models import Balance as BalanceRow
from apps.charging.models import BalanceTrigger, TriggerFiring, TriggerSet, TriggerState
from apps.charging.services import operations
from apps.charging.services.executor import forget_directory
from apps.charging.services.trigger_expiries import watch_expiries
from apps.charging.services.trigger_resets import reset_counters_of, reset_triggers_of
from apps.charging.services.trigger_settings import assign_trigger_set, reset_trigger
from apps.charging.services.usage import lock_usage_book, save_usage_book
from apps.kernel.errors import NotFound
from apps.rating.domain import Rater
from apps.rating.domain.tariff_files import read_tariff_files
from apps.rating.models import Tenant
from apps.rating.selectors import current_tariff
from apps.rating.services.tariff_loading import load_tariff_plan
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    make_prepaid,
    msisdn,
    request,
)
from tests.charging.test_triggers import fired, make_trigger, sms
from tests.factories import make_plan, make_subscriber
from tests.rating.folders import encoded

UTC_ZONE = ZoneInfo("UTC")
RATER = cast(Rater, object())
"""Never asked: without destinations in a filter, every number counts."""


def trigger(kind: str, threshold: int = 100, **terms: object) -> Trigger:
    return Trigger(1, "default", "EUR", kind, threshold, filter=BalanceFilter())._replace(**terms)  # type: ignore[arg-type]


def moves(first: int, *amounts: int, at: datetime = NOW) -> Happened:
    movements = []
    for number, amount in enumerate(amounts):
        movements.append(Movement(f"m{number}", at, Balance(1, 7), first, amount, spends=True))
        first += amount
    return Happened(7, "default", UTC_ZONE, movements)


def uses(*units: int, at: datetime = NOW, tor: str = "voice") -> Happened:
    return Happened(
        7,
        "default",
        UTC_ZONE,
        uses=[
            Use(f"u{number}", at, "call", tor, "49", amount, amount * 10)
            for number, amount in enumerate(units)
        ],
    )


def seen(watched: Trigger, *happened: Happened, now: datetime = NOW):
    """What the trigger remembers after all of it, and the causes that fired it."""
    state, causes = FRESH, []
    for one in happened:
        state, firings = watch(watched, state, one, RATER, now)
        causes += [firing.cause for firing in firings]
    return state, causes


@pytest.mark.parametrize(
    ("kind", "first", "amounts", "fires"),
    [
        ("min_balance", 150, (-49, -1, -50), ["m1"]),
        ("min_balance", 99, (1, 50), ["m0"]),
        ("min_balance", 150, (-10,), []),
        ("max_balance", 50, (50, 1), ["m0"]),
        ("max_balance", 150, (-10,), ["m0"]),
        ("max_balance", 50, (49,), []),
    ],
)
def test_a_level_fires_once_at_its_threshold_and_no_more_before_it_is_reset(kind, first, amounts, fires):
    state, causes = seen(trigger(kind), moves(first, *amounts), moves(first, *amounts))

    assert causes == fires
    assert state.executed is bool(fires)


def test_a_recurrent_one_fires_each_time_but_not_before_it_has_slept():
    often = trigger("max_event_counter", recurrent=True, filter=BalanceFilter(kind="voice"))
    assert seen(often, uses(60, 60, 60))[1] == ["u1", "u2"]
    sleepy = often._replace(min_sleep_s=60)
    state, causes = seen(sleepy, uses(60, 60, 60))
    assert causes == ["u1"]
    assert watch(sleepy, state, uses(1), RATER, NOW + timedelta(seconds=59))[1] == []
    assert len(watch(sleepy, state, uses(1), RATER, NOW + timedelta(seconds=60))[1]) == 1


amounts = st.lists(st.integers(1, 60), min_size=1, max_size=15)


@given(amounts, st.data(), st.integers(1, 400), st.sampled_from(["event", "balance"]))
def test_a_counter_is_the_sum_of_what_was_used_and_fires_once_however_it_is_split(parts, data, threshold, of):
    """The law: any split of the usage into requests, and of these into batches, in any order."""
    watched = trigger(f"max_{of}_counter", threshold)
    order = data.draw(st.permutations(parts))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)), max_size=5)) | {0, len(order)})
    batches = [order[low:high] for low, high in pairwise(cuts)]
    happened = [
        moves(9_999, *(-part for part in batch)) if of == "balance" else uses(*batch) for batch in batches
    ]
    watched = watched._replace(filter=BalanceFilter(kind="monetary" if of == "balance" else "voice"))
    state, causes = seen(watched, *happened)

    assert state.counted == sum(parts)
    assert len(causes) == (sum(parts) >= threshold)


def test_a_monthly_counter_begins_at_zero_with_the_month_and_fires_again():
    watched = trigger("max_event_counter", 100, monthly=True, filter=BalanceFilter(kind="voice"))
    june = datetime(2026, 6, 1, tzinfo=UTC)
    state, causes = seen(watched, uses(99, 1, 50), uses(20, at=june), uses(500), uses(80, at=june))

    # What is of May comes too late once June has begun.
    assert causes == ["u1", "u0"]
    assert state.counted == 100


def test_filters_tell_which_balances_and_which_usage_count():
    cheap = BalanceTerms(weight=5, included=frozenset({"DE", "AT"}), categories=frozenset({"call"}))
    balance = Balance(1, 7, "minutes", "voice", terms=cheap)
    for fits in (
        BalanceFilter(kind="voice"),
        BalanceFilter("minutes", "voice", frozenset({"DE"}), weight=5),
        BalanceFilter(kind="voice", categories=frozenset({"call"}), blocker=False),
    ):
        assert fits.matches(balance)
    for differs in (
        BalanceFilter(),
        BalanceFilter("other", "voice"),
        BalanceFilter(kind="voice", included=frozenset({"FR"})),
        BalanceFilter(kind="voice", weight=4),
        BalanceFilter(kind="voice", group_id=3),
        BalanceFilter(kind="voice", disabled=True),
        BalanceFilter(kind="voice", expires_at=NOW),
    ):
        assert not differs.matches(balance)
    assert BalanceFilter(kind="voice").counts("call", "voice")
    assert BalanceFilter().counts("call", "voice")
    assert not BalanceFilter(kind="data").counts("call", "voice")
    assert not BalanceFilter(categories=frozenset({"sms"})).counts("call", "voice")


# On the database.


def talk(*seconds: int, session: str = "call", at: datetime = NOW) -> None:
    """A call that reports so many seconds, piece by piece."""
    item = RequestItem("voice", "4917", Units(time_s=600))
    charge_now(request(Operation.INITIATE, item, session=session, at=at))
    for number, used in enumerate(seconds, 1):
        last = number == len(seconds)
        piece = item._replace(
            used=(UsedUnits(Units(time_s=used)),), requested=None if last else Units(time_s=600)
        )
        operation = Operation.TERMINATE if last else Operation.UPDATE
        charge_now(request(operation, piece, session=session, number=number, at=at))


def counted(name: str) -> int:
    return TriggerState.objects.get(trigger__name=name).counted


def load(*records: tuple[str, int], of: int = 1) -> None:
    """Records from a file: service and amount."""
    with transaction.atomic():
        book = lock_usage_book([msisdn(of)], NOW, NOW)
        rater = current_tariff().rater
        for service, amount in records:
            book.charge(rater, msisdn(of), service, "4917", NOW, amount)
        save_usage_book(book, f"cdr-file:{len(records)}{records[0]}")


@pytest.mark.django_db
@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=4), min_size=1, max_size=4))
def test_counters_on_the_database_are_the_sum_of_what_sessions_used(calls):
    with transaction.atomic():
        make_prepaid(balance_micros=100_000_000)
        everything = {"balance_tag": ""}
        make_trigger(
            "max_event_counter", 0, name="s", balance_kind="voice", threshold_units=700, **everything
        )
        make_trigger("max_event_counter", 2_000_000, name="cost", **everything)
        make_trigger("max_balance_counter", 2_000_000, name="drawn", **everything)
        for number, pieces in enumerate(calls):
            talk(*pieces, session=f"call {number}")
        total = sum(sum(pieces) for pieces in calls)
        spent = 100_000_000 - BalanceRow.objects.get().amount_micros
        assert counted("s") == total
        assert counted("cost") == counted("drawn") == spent
        expected = {name for name, came in (("s", total >= 700), ("cost", spent >= 2_000_000)) if came}
        assert sorted(name for name, _, _ in fired()) == sorted(
            [*expected, *(["drawn"] if spent >= 2_000_000 else [])]
        )
        transaction.set_rollback(True)
    forget_directory()


@pytest.mark.django_db
def test_records_from_files_count_with_what_sessions_used():
    make_prepaid(balance_micros=10_000_000)
    make_trigger(
        "max_event_counter", 0, name="voice", balance_kind="voice", threshold_units=300, balance_tag=""
    )
    make_trigger("max_balance_counter", 500_000, name="money")
    talk(100, 20)
    load(("voice", 60), ("sms", 2), ("voice", 60))
    assert counted("voice") == 240
    assert fired() == []
    load(("voice", 60))

    assert counted("voice") == 300
    (firing,) = TriggerFiring.objects.filter(trigger__name="voice")
    assert (firing.value_units, firing.threshold_units, firing.balance_kind) == (300, 300, "voice")
    assert firing.sentence == "used 300 seconds, threshold 300 seconds"
    assert counted("money") == 10_000_000 - BalanceRow.objects.get().amount_micros
    assert_books_are_right()


@pytest.mark.django_db
def test_usage_of_postpaid_accounts_counts_once_with_their_records():
    make_subscriber(1, plan=make_plan("POST", voice=(60_000, 0)), mode="postpaid")
    make_prepaid(2)
    make_trigger(
        "max_event_counter", 0, name="voice", balance_kind="voice", threshold_units=100, balance_tag=""
    )
    talk(100)
    assert not TriggerState.objects.exists()
    load(("voice", 100))

    assert counted("voice") == 100
    assert [account_id for _, account_id, _ in fired()] == [account_of().pk]


@pytest.mark.django_db
def test_destinations_and_categories_choose_the_usage_that_counts():
    files = read_tariff_files(encoded(), plan_code="*shared")
    load_tariff_plan(files, NOW)
    make_prepaid(balance_micros=10_000_000)
    terms = {"balance_kind": "voice", "balance_tag": "", "threshold_units": 100}
    make_trigger("max_event_counter", 0, name="mobile", destinations="DE_MOBILE", **terms)
    make_trigger("max_event_counter", 0, name="fixed", destinations="GERMANY;!DE_MOBILE", **terms)
    make_trigger("max_event_counter", 0, name="calls", categories="call", **terms)
    make_trigger("max_event_counter", 0, name="films", categories="film", **terms)
    talk(60)
    load(("voice", 40))

    assert [name for name, _, _ in fired()] == ["mobile", "calls"]
    assert not TriggerState.objects.filter(trigger__name__in=("fixed", "films")).exists()


@pytest.mark.django_db
def test_events_count_and_what_is_refused_or_given_back_does_not():
    make_prepaid(balance_micros=120_000)
    make_trigger("max_event_counter", 0, name="sms", balance_kind="sms", threshold_units=2, balance_tag="")
    assert charge_now(sms(2)).result is Result.SUCCESS
    assert charge_now(sms(2, number=1)).result is Result.CREDIT_LIMIT_REACHED
    refund = sms(1, number=2)._replace(operation=Operation.REFUND)
    assert charge_now(refund).result is Result.SUCCESS

    assert counted("sms") == 2
    assert len(fired()) == 1


@pytest.mark.django_db
def test_a_set_of_triggers_watches_the_accounts_that_have_it():
    make_prepaid(1, balance_micros=600_000)
    make_prepaid(2, balance_micros=600_000)
    chosen = TriggerSet.objects.create(tenant=Tenant.objects.get(code="default"), code="FRAUD")
    make_trigger("min_balance", name="low", trigger_set=chosen, currency="")
    assign_trigger_set(chosen.tenant, ["C2"], "FRAUD")
    charge_all([sms(4, of=1), sms(4, of=2)])

    assert fired() == [("low", account_of(2).pk, 400_000)]
    assign_trigger_set(chosen.tenant, ["C2"], None)
    reset_trigger(chosen.tenant, chosen.triggers.get().pk)
    forget_directory()
    charge_now(sms(1, of=2, number=5))
    assert len(fired()) == 1
    with pytest.raises(NotFound, match="C9"):
        assign_trigger_set(chosen.tenant, ["C9"], "FRAUD")
    with pytest.raises(NotFound, match="OTHER"):
        assign_trigger_set(chosen.tenant, ["C1"], "OTHER")


@pytest.mark.django_db
def test_triggers_and_counters_are_reset_each_by_itself():
    make_prepaid(balance_micros=10_000_000)
    made = make_trigger("max_balance_counter", 100_000, name="spent")
    account = account_of()
    charge_now(sms(3))
    charge_now(sms(1, number=1))
    assert len(fired()) == 1
    reset_triggers_of([account.pk])
    charge_now(sms(1, number=2))
    assert [value for _, _, value in fired()] == [150_000, 250_000]
    reset_counters_of([account.pk])
    charge_now(sms(1, number=3))
    assert counted("spent") == 50_000
    assert reset_trigger(made.tenant, made.pk, account=account) == 1
    charge_now(sms(2, number=4))
    assert [value for _, _, value in fired()] == [150_000, 250_000, 100_000]


@pytest.mark.django_db
def test_a_trigger_watches_only_while_it_is_in_force_and_the_highest_weight_comes_first():
    make_prepaid(balance_micros=600_000)
    make_trigger("min_balance", name="over", expires_at=NOW)
    make_trigger("min_balance", name="to come", active_from=NOW + timedelta(seconds=1))
    make_trigger("min_balance", name="second", active_from=NOW)
    make_trigger("min_balance", name="first", weight=10, expires_at=NOW + timedelta(seconds=1))
    charge_now(sms(4))

    assert [name for name, _, _ in fired()] == ["first", "second"]


@pytest.mark.django_db
def test_a_balance_that_has_expired_fires_once():
    make_prepaid()
    operations.top_up(
        account_of(), 60, NOW, key="1", tag="promo", kind="voice", expires_at=NOW + timedelta(hours=1)
    )
    make_trigger("balance_expired", 0, name="gone", balance_kind="voice", balance_tag="promo", recurrent=True)
    assert watch_expiries(NOW) == 0
    assert watch_expiries(NOW + timedelta(minutes=59)) == 0
    assert watch_expiries(NOW + timedelta(minutes=61)) == 1
    (firing,) = TriggerFiring.objects.all()
    assert (firing.at, firing.value_units) == (NOW + timedelta(hours=1), 60)

    # A look that died before it could say how far it was.
    BalanceTrigger.objects.update(expiries_seen_until=NOW)
    assert watch_expiries(NOW + timedelta(minutes=62)) == 1
    assert watch_expiries(NOW + timedelta(minutes=63)) == 0
    assert TriggerFiring.objects.count() == 1


@pytest.mark.django_db
def test_a_batch_costs_no_statement_more_where_nothing_watches():
    make_prepaid(1, balance_micros=10_000_000)
    make_prepaid(2, balance_micros=10_000_000)

    def statements(number: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            charge_now(sms(1, number=number))
        return len(queries)

    charge_now(sms(1))
    without = statements(1)
    make_trigger("max_event_counter", 0, threshold_units=9, balance_kind="sms", account=account_of(2))
    charge_now(sms(1, number=2))

    assert statements(3) == without


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"kind": "below", "recurrent": True}, "recurrent"),
        ({"kind": "min_balance", "min_sleep_s": 5}, "min_sleep_s"),
        ({"kind": "min_balance", "monthly": True}, "monthly"),
        ({"kind": "min_balance", "threshold_units": 5}, "threshold_units"),
        ({"kind": "min_balance", "balance_kind": "voice"}, "threshold_micros"),
        ({"kind": "spent", "window_s": 3_600, "balance_kind": "voice"}, "balance_kind"),
        ({"kind": "min_balance", "active_from": NOW, "expires_at": NOW}, "expires_at"),
        ({"kind": "min_balance", "currency": ""}, "currency"),
        ({"kind": "min_balance", "unique_id": "x"}, "unique_id"),
    ],
)
def test_terms_of_levels_and_counters_that_make_no_sense_are_refused(terms, field):
    make_prepaid()
    with pytest.raises(ValidationError) as caught:
        make_trigger(**terms)

    assert field in caught.value.message_dict


def test_every_kind_of_the_domain_is_one_of_the_rows():
    assert set(BalanceTrigger.Kind.values) == {kind.value for kind in TriggerKind}
