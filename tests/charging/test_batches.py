"""Requests charged against the database: storing, replays, refusals, and isolation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from apps.charging.domain.requests import Operation, RequestItem, Result, Units, UsedUnits
from apps.charging.models import (
    Account,
    AllowanceCounter,
    Balance,
    ChargingSession,
    LedgerEntry,
    QuotaPolicy,
    Reservation,
    SharedGroup,
    SharedGroupTerms,
    StoredAnswer,
)
from apps.charging.services import batch as batches
from apps.charging.services.executor import forget_directory
from apps.charging.services.operations import set_terms
from apps.rating.models import Service
from apps.subscribers.models import Subscriber
from tests.charging.online import MIB, item
from tests.charging.stored import (
    NOW,
    account_of,
    assert_books_are_right,
    charge_all,
    charge_now,
    default_balance,
    make_prepaid,
    order,
    request,
)
from tests.factories import make_bundle, make_plan

pytestmark = pytest.mark.django_db


def test_a_session_is_stored_from_its_first_request_to_its_last() -> None:
    make_prepaid()
    answer = charge_now(
        request(Operation.INITIATE, item("data", 10 * MIB, rating_group=7), peer="gw.example")
    )
    assert (answer.result, answer.items[0].granted, answer.balance_micros) == (
        Result.SUCCESS,
        10 * MIB,
        900_000,
    )
    session = ChargingSession.objects.get()
    assert (session.session_id, session.status, session.peer) == ("s", "open", "gw.example")
    assert [(row.meter, row.holder_id, row.amount) for row in Reservation.objects.all()] == [
        (0, default_balance().pk, 100_000)
    ]
    charge_now(request(Operation.UPDATE, item("data", 20 * MIB, 8 * MIB, rating_group=7), number=1))
    balance = default_balance()
    assert (balance.amount_micros, balance.reserved_micros) == (920_000, 200_000)
    charge_now(request(Operation.TERMINATE, item("data", None, 5 * MIB, rating_group=7), number=2))
    balance = default_balance()
    assert (balance.amount_micros, balance.reserved_micros) == (870_000, 0)
    session.refresh_from_db()
    assert (session.status, session.cost_micros, session.last_number) == ("closed", 130_000, 2)
    assert not Reservation.objects.exists()
    usage = LedgerEntry.objects.filter(kind="usage").order_by("pk")
    assert [(row.amount_micros, row.session_id, row.note) for row in usage] == [
        (-80_000, session.pk, "data"),
        (-50_000, session.pk, "data"),
    ]
    assert_books_are_right()


def test_a_session_needs_its_number_in_the_first_request_only() -> None:
    make_prepaid()
    charge_now(request(Operation.INITIATE, item(asked=60)))
    answer = charge_now(request(Operation.TERMINATE, item(used=30), number=1)._replace(msisdn=""))
    assert answer.cost_micros == 60_000


def test_a_subscriber_is_found_by_imsi_if_there_is_no_msisdn() -> None:
    make_prepaid(imsi="262019876543210")
    named = request(Operation.EVENT, item("sms", 1))._replace(msisdn="", imsi="262019876543210")
    assert charge_now(named).cost_micros == 50_000


def test_a_repeat_is_charged_once_and_answered_as_the_first() -> None:
    make_prepaid()
    sms = request(Operation.EVENT, item("sms", 1))
    first = charge_now(sms)
    again = charge_now(sms)
    assert again == first._replace(replayed=True)
    assert default_balance().amount_micros == 950_000
    assert StoredAnswer.objects.count() == 1


def test_repeats_within_a_batch_are_charged_once() -> None:
    make_prepaid()
    sms = request(Operation.EVENT, item("sms", 1))
    other = request(Operation.EVENT, item("sms", 1), session="t")
    answers = charge_all([sms, other, sms])
    assert [answer.replayed for answer in answers] == [False, False, True]
    assert default_balance().amount_micros == 900_000


def test_an_answer_that_refused_is_repeated_too() -> None:
    make_prepaid(balance_micros=10_000)
    sms = request(Operation.EVENT, item("sms", 1))
    assert charge_now(sms).result is Result.CREDIT_LIMIT_REACHED
    charge_now(request(Operation.TOP_UP, session="top-up", order=order(1_000_000)))
    assert charge_now(sms).result is Result.CREDIT_LIMIT_REACHED


def test_an_enquiry_is_computed_each_time() -> None:
    make_prepaid(balance_micros=10_000)
    question = request(Operation.CHECK_BALANCE, item("sms", 1))
    assert charge_now(question).enough is False
    charge_now(request(Operation.TOP_UP, session="top-up", order=order(1_000_000)))
    assert charge_now(question).enough is True


def test_requests_of_one_batch_see_each_other() -> None:
    make_prepaid(balance_micros=100_000)
    answers = charge_all(
        [request(Operation.INITIATE, item("data", 8 * MIB), session=f"s{number}") for number in range(3)]
    )
    assert [answer.items[0].granted for answer in answers] == [8 * MIB, 2 * MIB, 0]
    assert_books_are_right()


def test_a_whole_session_fits_into_one_batch() -> None:
    make_prepaid()
    answers = charge_all(
        [
            request(Operation.INITIATE, item(asked=60)),
            request(Operation.UPDATE, item(asked=60, used=60), number=1),
            request(Operation.TERMINATE, item(used=10), number=2),
        ]
    )
    assert [answer.cost_micros for answer in answers] == [0, 60_000, 60_000]
    assert default_balance().amount_micros == 880_000
    assert_books_are_right()


def test_an_unassigned_number_is_an_unknown_user() -> None:
    make_prepaid()
    assert charge_now(request(Operation.EVENT, item("sms", 1), of=99)).result is Result.UNKNOWN_USER


def test_a_suspended_subscriber_is_barred_at_once() -> None:
    make_prepaid()
    charge_now(request(Operation.EVENT, item("sms", 1)))
    Subscriber.objects.update(status="suspended")
    assert charge_now(request(Operation.EVENT, item("sms", 1), session="t")).result is Result.BARRED


def test_a_closed_account_pays_for_nothing() -> None:
    make_prepaid()
    Account.objects.update(closed_at=NOW)
    assert charge_now(request(Operation.EVENT, item("sms", 1))).result is Result.BARRED


def test_one_request_that_stumbles_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    make_prepaid()
    real = batches.charge

    def stumbling(state, asked, rater, now):  # type: ignore[no-untyped-def]
        if asked.session_id == "bad":
            raise ZeroDivisionError
        return real(state, asked, rater, now)

    monkeypatch.setattr(batches, "charge", stumbling)
    answers = charge_all(
        [request(Operation.EVENT, item("sms", 1), session=name) for name in ("a", "bad", "c")]
    )
    assert [answer.result for answer in answers] == [Result.SUCCESS, Result.UNABLE_TO_COMPLY, Result.SUCCESS]
    assert default_balance().amount_micros == 900_000


def test_free_units_are_counted_and_held_in_the_database() -> None:
    plan = make_plan("FREE", voice=(60_000, 0), sms=(50_000, 3), data=(10_000, 5))
    make_prepaid(plan=plan.code, bundles=(make_bundle(sms=1).code,))
    charge_now(request(Operation.EVENT, item("sms", 5)))
    assert default_balance().amount_micros == 950_000
    charge_now(request(Operation.INITIATE, item("data", 2 * MIB), session="d"))
    counter = AllowanceCounter.objects.get(service__code="data")
    assert (counter.used, counter.reserved) == (0, 2 * MIB)
    charge_now(request(Operation.TERMINATE, item("data", None, MIB), session="d", number=1))
    counter.refresh_from_db()
    assert (counter.used, counter.used_online, counter.reserved) == (MIB, MIB, 0)
    assert_books_are_right()


def test_units_that_files_used_are_gone_for_sessions() -> None:
    plan = make_plan("FREE", voice=(60_000, 0), sms=(50_000, 3), data=(10_000, 5))
    subscriber = make_prepaid(plan=plan.code)
    AllowanceCounter.objects.create(
        subscriber=subscriber,
        service=Service.objects.get(code="sms"),
        origin=f"plan:{plan.pk}",
        year=2026,
        month=5,
        used=2,
    )
    charge_now(request(Operation.EVENT, item("sms", 3)))
    assert default_balance().amount_micros == 900_000
    assert AllowanceCounter.objects.get().used == 3


def test_a_balance_of_units_is_made_and_used() -> None:
    make_prepaid()
    expires = NOW + timedelta(days=30)
    charge_now(
        request(
            Operation.TOP_UP,
            session="x",
            order=order(100, tag="bonus", kind="voice", weight=3, expires_at=expires),
        )
    )
    bonus = Balance.objects.get(tag="bonus")
    assert (bonus.kind, bonus.units, bonus.amount_micros, bonus.weight, bonus.expires_at) == (
        "voice",
        100,
        0,
        3,
        expires,
    )
    charge_all(
        [request(Operation.INITIATE, item(asked=60)), request(Operation.TERMINATE, item(used=45), number=1)]
    )
    bonus.refresh_from_db()
    assert (bonus.units, bonus.reserved_units, default_balance().amount_micros) == (55, 0, 1_000_000)
    assert_books_are_right()


def test_a_balance_is_made_and_spent_within_one_batch() -> None:
    make_prepaid(balance_micros=0)
    charge_all(
        [
            request(Operation.TOP_UP, session="x", order=order(100, tag="bonus", kind="voice")),
            request(Operation.INITIATE, item(asked=60)),
        ]
    )
    assert Reservation.objects.get().holder_id == Balance.objects.get(tag="bonus").pk
    assert_books_are_right()


def test_the_terms_of_a_balance_are_read_from_its_row() -> None:
    make_prepaid()
    terms = {
        "destinations": "DE;!DE_BERLIN",
        "categories": "call;data",
        "timings": '[{"weekdays": [3], "start": "08:00", "end": "18:00"}]',
        "rating_subject": "*zero1m",
        "blocker": True,
        "active_from": NOW - timedelta(days=1),
    }
    row = Balance.objects.create(
        account=account_of(), tag="bonus", kind="generic", factors="voice=60;sms=1", **terms
    )
    from django.db import connection

    from apps.charging.services.rows import BALANCE_COLUMNS, balance_of

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {BALANCE_COLUMNS} FROM charging_balance WHERE id = %s", [row.pk])
        terms = balance_of(cursor.fetchone()).terms
    assert terms.included == {"DE"}
    assert terms.excluded == {"DE_BERLIN"}
    assert terms.categories == {"call", "data"}
    assert (terms.timings[0].weekdays, terms.timings[0].start_s, terms.timings[0].end_s) == (
        (3,),
        28_800,
        64_800,
    )
    assert terms.factors == (("voice", 60), ("sms", 1))
    assert (terms.blocker, terms.active_from) == (True, NOW - timedelta(days=1))


def test_a_unit_that_is_used_in_part_is_kept_exactly_until_it_is_used_up() -> None:
    make_prepaid(balance_micros=0)
    charge_now(request(Operation.TOP_UP, session="x", order=order(3, tag="bonus", kind="generic")))
    row = Balance.objects.get(tag="bonus")
    set_terms(row.pk, factors="sms=2;mms=1/2;voice=60")
    kept = []
    for number in range(3):
        charge_now(request(Operation.EVENT, item("sms", 1), session=f"sms-{number}"))
        row.refresh_from_db()
        kept.append((row.units, row.used_part, row.units_text))
    assert kept == [(3, "1/2", "2 1/2"), (2, "", "2"), (2, "1/2", "1 1/2")]
    assert [entry.units for entry in row.entries.filter(kind="usage").order_by("pk")] == [0, -1, 0]
    set_terms(row.pk, factors="sms=3")
    row.refresh_from_db()
    assert row.used_part == "1/3"
    charge_now(request(Operation.ADJUST, session="y", order=order(-2, tag="bonus", kind="generic")))
    row.refresh_from_db()
    assert (row.units, row.used_part) == (0, "")
    call_command("audit")


def test_a_session_in_nanoseconds_is_stored_goes_on_and_leaves_its_part_of_a_second() -> None:
    make_prepaid(balance_micros=0)
    charge_now(request(Operation.TOP_UP, session="x", order=order(60, tag="bonus", kind="voice")))
    row = Balance.objects.get(tag="bonus")
    set_terms(row.pk, rating_subject="*zero5ms")
    for number, operation in enumerate((Operation.INITIATE, Operation.UPDATE, Operation.TERMINATE)):
        used = () if number == 0 else (UsedUnits(Units(time_ns=1_251_000_000)),)
        asked = None if number == 2 else Units(time_ns=10_000_000_000)
        fine = RequestItem("voice", "4930123456", asked, used)
        answer = charge_now(request(operation, fine, session="fine", number=number))
        assert answer.result is Result.SUCCESS
    # 2,502 ms in increments of 5 ms; the seconds that are used up are booked.
    row.refresh_from_db()
    assert (row.units, row.used_part) == (58, "101/200")
    assert [entry.units for entry in row.entries.filter(kind="usage").order_by("pk")] == [-1, -1]
    call_command("audit")


def test_accounts_of_a_shared_group_spend_together() -> None:
    make_prepaid(1, balance_micros=0)
    make_prepaid(2, balance_micros=0)
    group = SharedGroup.objects.create(tenant=account_of().tenant, code="FAMILY")
    SharedGroupTerms.objects.create(group=group, strategy="*mine_lowest")
    for number in (1, 2):
        charge_now(
            request(
                Operation.TOP_UP, session=f"x{number}", order=order(100, number, tag="family", kind="voice")
            )
        )
        Balance.objects.get(account=account_of(number), tag="family").groups.add(group)
    forget_directory()
    charge_all(
        [request(Operation.INITIATE, item(asked=150)), request(Operation.TERMINATE, item(used=150), number=1)]
    )
    assert list(Balance.objects.filter(tag="family").order_by("pk").values_list("units", flat=True)) == [
        0,
        50,
    ]
    assert_books_are_right()


def test_a_quota_policy_decides_size_validity_and_the_last_action() -> None:
    subscriber = make_prepaid(balance_micros=50_000)
    plan = subscriber.plans.get().price_plan
    data = Service.objects.get(code="data")
    QuotaPolicy.objects.create(service=data, default_units=MIB)
    QuotaPolicy.objects.create(
        service=data,
        price_plan=plan,
        default_units=3 * MIB,
        validity_s=45,
        quota_holding_s=0,
        final_action="redirect",
        redirect_address="https://top.up",
    )
    forget_directory()
    from apps.charging.domain.requests import SERVER_DECIDES, RequestItem

    (got,) = charge_now(request(Operation.INITIATE, RequestItem("data", requested=SERVER_DECIDES))).items
    assert (got.granted, got.validity_s, got.quota_holding_s, got.final) == (3 * MIB, 45, 0, None)
    assert ChargingSession.objects.get().expires_at - ChargingSession.objects.get().updated_at == timedelta(
        seconds=90
    )
    (got,) = charge_now(request(Operation.UPDATE, item("data", 9 * MIB, 3 * MIB), number=1)).items
    assert got.granted == 2 * MIB
    assert got.final is not None
    assert got.final.redirect_address == "https://top.up"


def test_a_transfer_moves_money_between_two_accounts() -> None:
    make_prepaid(1)
    make_prepaid(2, balance_micros=5)
    given = order(400_000, to_account_id=account_of(2).pk)
    assert charge_now(request(Operation.TRANSFER, session="t", order=given)).result is Result.SUCCESS
    assert (default_balance(1).amount_micros, default_balance(2).amount_micros) == (600_000, 400_005)
    assert_books_are_right()


@pytest.mark.parametrize(
    "spoil",
    [
        {"amount_micros": -1},
        {"reserved_micros": 1_000_001},
        {"units": 1},
        {"reserved_micros": -1},
        {"kind": "voice"},
    ],
)
def test_the_database_refuses_a_balance_that_breaks_a_rule(spoil: dict[str, object]) -> None:
    make_prepaid()
    with pytest.raises(Exception, match=r"(?i)constraint"), transaction.atomic():
        Balance.objects.update(**spoil)


def test_the_database_refuses_a_second_answer_and_a_second_entry() -> None:
    make_prepaid()
    charge_now(request(Operation.EVENT, item("sms", 1)))
    answer = StoredAnswer.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        StoredAnswer.objects.create(key=answer.key, answered_at=NOW, answer="")
    entry = LedgerEntry.objects.filter(kind="usage").get()
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.create(
            balance=entry.balance, at=NOW, kind="usage", book=entry.book, amount_micros=-1, cause=entry.cause
        )


def test_postpaid_sessions_are_followed_without_a_debit() -> None:
    make_prepaid()
    Account.objects.update(mode="postpaid")
    forget_directory()
    charge_all(
        [
            request(Operation.INITIATE, item("data", 900 * MIB)),
            request(Operation.TERMINATE, item("data", None, 900 * MIB), number=1),
        ]
    )
    assert not LedgerEntry.objects.filter(kind="usage").exists()
    assert ChargingSession.objects.get().status == "closed"


def test_a_report_of_absurd_size_is_refused_or_kept_and_harms_no_other_request() -> None:
    make_prepaid(1)
    make_prepaid(2)
    charge_all([request(Operation.INITIATE, item(asked=60), session=name) for name in ("a", "b", "c")])
    answers = charge_all(
        [
            request(Operation.TERMINATE, item("data", None, 1 << 62), session="a", number=1),
            request(Operation.TERMINATE, item("data", None, 1 << 70), session="b", number=1),
            request(Operation.TERMINATE, item("data", None, 1 << 50), session="c", number=1),
            request(Operation.EVENT, item("sms", 1), of=2, session="d"),
        ]
    )
    assert [answer.result for answer in answers[:2]] == [Result.INVALID_VALUE] * 2
    assert answers[3].result is Result.SUCCESS
    assert default_balance(1).amount_micros == 0
    assert_books_are_right()
