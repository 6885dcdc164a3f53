"""What the CRM reads of money and usage, and moves: once a key, to the micro-unit, within one tenant."""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.charging.models import Account, AllowanceCounter, LedgerEntry
from apps.charging.services.executor import forget_directory
from apps.crm.domain.accounts import BalanceOfAccount
from apps.crm.domain.usage import PriceEnquiry
from apps.crm.selectors.accounts import balances, get_account, get_balance, ledger, list_accounts
from apps.crm.selectors.prices import price_enquiry
from apps.crm.selectors.tenants import forget_tenants
from apps.crm.selectors.usage import subscriber_usage, usage_data
from apps.crm.services.money import adjust_balance, subscriber_account, top_up
from apps.kernel.errors import BssError, Conflict, InvalidInput, NotFound
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from apps.subscribers.services.assignments import assign_bundle, assign_plan
from apps.subscribers.services.lifecycle import terminate_subscriber
from tests.factories import make_bundle, make_plan, make_subscriber, make_tenant
from tests.mediation.samples import MINUTE_MICROS, MSISDN, START, cdr, load, make_operator, stream

pytestmark = pytest.mark.django_db
NOW = START + timedelta(days=5)


@pytest.fixture(autouse=True)
def fresh(settings, tmp_path: Path) -> None:
    look_again()
    forget_tenants()
    forget_directory()
    settings.CDR_NEW_DIR = tmp_path / "new_cdr"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    settings.CDR_ERROR_DIR = tmp_path / "error_cdr"
    settings.CDR_NEW_DIR.mkdir()
    make_tenant("mvno")


@pytest.fixture
def account() -> Account:
    make_subscriber(1, plan=make_plan(), mode="prepaid", opening_balance_micros=5_000_000)
    publish(NOW)
    return Account.objects.get()


def test_a_top_up_under_one_key_moves_money_once(account):
    first = top_up("default", account.pk, 2_000_000, key="K1", now=NOW, note="counter", by="crm/ada")
    again = top_up("default", account.pk, 2_000_000, key="K1", now=NOW + timedelta(days=90))
    assert (first.balance_micros, first.repeated) == (7_000_000, False)
    assert again == replace(first, repeated=True)
    assert LedgerEntry.objects.get(kind="top_up").note == "counter (crm/ada)"


def test_a_key_that_was_used_for_another_amount_is_refused_and_moves_nothing(account):
    top_up("default", account.pk, 2_000_000, key="K1", now=NOW)
    with pytest.raises(Conflict) as refused:
        top_up("default", account.pk, 3_000_000, key="K1", now=NOW)
    assert refused.value.code == "key_reused"
    assert get_account("default", account_id=account.pk).balances[0].amount_micros == 7_000_000


def test_an_adjustment_needs_a_reason_and_stops_at_zero_unless_it_may_not(account):
    with pytest.raises(InvalidInput) as unexplained:
        adjust_balance("default", account.pk, -1, key="A", now=NOW, note=" ")
    assert unexplained.value.where == "note"
    with pytest.raises(Conflict):
        adjust_balance("default", account.pk, -6_000_000, key="A", now=NOW, note="too much")
    # What was refused has used up no key.
    moved = adjust_balance(
        "default", account.pk, -6_000_000, key="A", now=NOW, note="on purpose", may_overdraw=True
    )
    assert moved.balance_micros == -1_000_000


@pytest.mark.parametrize(
    ("amount", "key", "where"),
    [
        (0, "k", "amount_micros"),
        (-5, "k", "amount_micros"),
        (10**18, "k", "amount_micros"),
        (1, "", "key"),
        (1, "k" * 201, "key"),
    ],
)
def test_a_top_up_that_cannot_be_says_which_field_is_wrong(account, amount, key, where):
    with pytest.raises(InvalidInput) as refused:
        top_up("default", account.pk, amount, key=key, now=NOW)
    assert refused.value.where == where


def test_an_account_shows_what_it_holds_and_its_ledger_adds_up(account):
    top_up("default", account.pk, 2_000_000, key="K1", now=NOW)
    shown = get_account("default", number=account.number)
    assert (shown.mode, shown.currency, shown.cycle, shown.customer_number) == ("prepaid", "EUR", 1, "C1")
    assert shown.subscriber_ids == (Subscriber.objects.get().pk,)
    assert shown.balances[0].amount_micros == sum(row.amount_micros for row in ledger("default", account.pk))
    assert [row.kind for row in ledger("default", account.pk, start=NOW)] == ["top_up"]
    assert balances("default", account.pk) == list(shown.balances)
    assert get_balance("default", shown.balances[0].id) == BalanceOfAccount(
        *astuple(shown.balances[0]), account.pk
    )
    assert [row.number for row in list_accounts("default", mode="prepaid")] == [account.number]
    assert list(list_accounts("default", mode="postpaid")) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda account: top_up("mvno", account.pk, 1, key="k", now=NOW),
        lambda account: adjust_balance("mvno", account.pk, 1, key="k", now=NOW, note="n"),
        lambda account: get_account("mvno", account_id=account.pk),
        lambda account: get_account("mvno", number=account.number),
        lambda account: balances("mvno", account.pk),
        lambda account: get_balance("mvno", account.balances.get().pk),
        lambda account: ledger("mvno", account.pk),
        lambda account: subscriber_account("mvno", account.payers.get().pk),
        lambda account: subscriber_usage("mvno", account.payers.get().pk, now=NOW),
        lambda account: usage_data("mvno", account.payers.get().pk, now=NOW),
        lambda account: price_enquiry("mvno", PriceEnquiry(service="voice", usage=1, msisdn=MSISDN), now=NOW),
    ],
)
def test_another_tenants_money_and_usage_are_not_found(account, call):
    with pytest.raises(NotFound):
        call(account)
    assert list(list_accounts("mvno")) == []
    assert LedgerEntry.objects.count() == 1


def test_usage_comes_oldest_first_of_three_months_and_of_the_line_asked_for(monkeypatch):
    make_operator()
    old = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    records = [cdr(number, duration_s=60) for number in range(5)]
    records += [cdr(50, start=int(old.timestamp())), cdr(51, start=int(old.timestamp()) + 60)]
    load(stream([*records, cdr(60, msisdn="4915550000002")]))
    person = Subscriber.objects.get(number="S1")
    monkeypatch.setattr("apps.crm.selectors.rows.ROWS_A_PAGE", 2)

    found = list(subscriber_usage("default", person.pk, now=NOW))
    assert len(found) == 6
    assert [row.start for row in found] == sorted(row.start for row in found)
    assert found[0].start == datetime(2026, 1, 1, tzinfo=UTC)
    assert (found[1].service, found[1].cost_micros, found[1].price_plan) == ("voice", MINUTE_MICROS, "PLAN")
    assert len(list(subscriber_usage("default", person.pk, now=NOW, start=old))) == 7
    assert list(subscriber_usage("default", person.pk, now=NOW, limit=3)) == found[:3]
    assert list(subscriber_usage("default", person.pk, now=NOW, service="sms")) == []
    after = (found[1].start, found[1].id)
    page = list(subscriber_usage("default", person.pk, now=NOW, after=after, limit=2))
    assert page == found[2:4]
    with pytest.raises(InvalidInput):
        subscriber_usage("default", person.pk, now=NOW, service="fax")
    with pytest.raises(InvalidInput):
        subscriber_usage("default", person.pk, now=NOW, end=old)


def test_usage_of_the_same_second_is_neither_skipped_nor_repeated_between_pages():
    make_operator()
    load(stream([cdr(1, record_id=f"same-{number}") for number in range(5)]))
    person = Subscriber.objects.get(number="S1")
    seen, after = [], None
    while page := list(subscriber_usage("default", person.pk, now=NOW, after=after, limit=2)):
        seen += [row.id for row in page]
        after = (page[-1].start, page[-1].id)
    assert len(seen) == len(set(seen)) == 5


def test_free_units_are_shown_as_granted_used_and_left_by_plan_and_bundle():
    make_operator(free_minutes=2)
    person = Subscriber.objects.get(number="S1")
    assign_bundle(person.pk, make_bundle("EXTRA", voice=10, sms=-1).pk, START)
    load(stream([cdr(1, duration_s=60), cdr(2, duration_s=30)]))
    data = usage_data("default", person.pk, now=NOW)
    used = AllowanceCounter.objects.get().used
    shown = {
        (row.origin, row.product, row.service): (row.granted, row.used, row.left) for row in data.free_units
    }
    assert shown == {
        ("plan", "PLAN", "voice"): (120, used, 120 - used),
        ("bundle", "EXTRA", "voice"): (600, 0, 600),
        ("bundle", "EXTRA", "sms"): (-1, 0, -1),
    }
    (voice,) = data.services
    assert (voice.records, voice.usage, voice.cost_micros) == (2, 90, 0)
    assert (data.year, data.month) == (2026, 3)
    assert usage_data("default", person.pk, now=NOW, year=2026, month=2).services == ()
    with pytest.raises(InvalidInput):
        usage_data("default", person.pk, now=NOW, year=2026, month=13)


def test_a_price_is_told_with_its_reason_by_the_plan_that_holds_then():
    make_operator()
    price = price_enquiry(
        "default",
        PriceEnquiry(service="voice", usage=90, destination="+4930123456", msisdn=f"+{MSISDN}"),
        now=NOW,
    )
    assert price.cost_micros == sum(line.cost_micros for line in price.lines) + price.connect_fee_micros > 0
    assert price.currency == "EUR"
    assert price.explanation
    person = Subscriber.objects.get(number="S1")
    cheap = make_plan("CHEAP", voice=(1_000, 0))
    assign_plan(person.pk, cheap.pk, NOW + timedelta(days=1))
    look_again()
    assert price_enquiry(
        "default", PriceEnquiry(service="voice", usage=90, msisdn=MSISDN), now=NOW
    ).cost_micros == (
        price_enquiry(
            "default", PriceEnquiry(service="voice", usage=90, price_plan="PLAN"), now=NOW
        ).cost_micros
    )
    for wrong in (
        {"service": "fax"},
        {"usage": -1},
        {"price_plan": "NONE"},
        {"msisdn": "490000"},
        {"subject": "no-one"},
    ):
        with pytest.raises(BssError):
            price_enquiry("default", PriceEnquiry(**{"service": "voice", "usage": 1, **wrong}), now=NOW)


def test_the_usage_of_a_terminated_subscriber_is_still_there():
    make_operator()
    load(stream([cdr(1)]))
    person = Subscriber.objects.get(number="S1")
    terminate_subscriber(person.pk, NOW)
    assert len(list(subscriber_usage("default", person.pk, now=NOW))) == 1
