"""New customers: everything they need at once, or nothing and a list of faults."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import BillingAccount
from apps.billing.services.onboarding import onboard
from apps.charging.models import Account, Balance, LedgerEntry, Payer
from apps.kernel.errors import InvalidInputs
from apps.rating.models import Bundle
from apps.subscribers.models import Customer, Resource, ResourceAssignment, Subscriber
from tests.factories import LONG_AGO, make_bundle, make_cycle, make_plan, new_line

pytestmark = pytest.mark.django_db


@pytest.fixture
def products():
    make_plan("PLAN")
    make_bundle("BUNDLE", data=10)
    make_cycle(1)


def test_a_line_comes_with_customer_account_numbers_plan_bundle_and_cycle(products):
    onboard([new_line(imsi="262990000000001", bundles=("BUNDLE",))], LONG_AGO)
    subscriber = Subscriber.objects.get(number="S1")
    assert subscriber.customer.number == "C1"
    assert subscriber.payer.account.billing.cycle.number == 1
    assert set(subscriber.resources.values_list("resource__value", "resource__status")) == {
        ("4915550000001", "assigned"),
        ("262990000000001", "assigned"),
    }
    assert subscriber.plans.get().price_plan.code == "PLAN"
    assert subscriber.bundles.get().bundle.code == "BUNDLE"


def test_lines_of_one_customer_share_the_account_unless_they_name_others(products):
    lines = [
        new_line(1),
        new_line(2, customer_number="C1"),
        new_line(3, customer_number="C1", account_number="A3"),
    ]
    done = onboard(lines, LONG_AGO)
    assert (done.customers, done.accounts, done.subscribers) == (1, 2, 3)
    assert dict(Payer.objects.values_list("subscriber__number", "account__number")) == {
        "S1": "C1",
        "S2": "C1",
        "S3": "A3",
    }


def test_an_opening_balance_is_a_ledger_entry(products):
    onboard([new_line(mode="prepaid", opening_balance_micros=5_000_000)], LONG_AGO)
    assert Balance.objects.get().amount_micros == 5_000_000
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.book.code, entry.amount_micros, entry.at) == (
        "opening",
        "cash",
        5_000_000,
        LONG_AGO,
    )


def test_a_number_that_was_given_back_is_taken_again_but_not_for_a_time_when_another_had_it(products):
    onboard([new_line(1)], LONG_AGO)
    until = datetime(2026, 1, 1, tzinfo=UTC)
    ResourceAssignment.objects.update(end=until)
    Resource.objects.update(status="free")
    with pytest.raises(InvalidInputs, match="was in use until 2026-01-01 00:00 UTC"):
        onboard([new_line(2, msisdn="4915550000001")], LONG_AGO)
    onboard([new_line(2, msisdn="4915550000001", start=until)], LONG_AGO)
    assert Resource.objects.get(value="4915550000001").assignments.count() == 2


def test_every_problem_is_told_and_nothing_is_created(products):
    onboard([new_line(1)], LONG_AGO)
    lines = [
        new_line(1, msisdn="4915550000099"),
        new_line(2, price_plan="NONE", bundles=("NONE",)),
        new_line(3, cycle=9, msisdn="4915550000001"),
        new_line(4, tenant="nobody"),
        new_line(5),
        new_line(6, msisdn="4915550000005", customer_number="C5", mode="prepaid"),
    ]
    with pytest.raises(InvalidInputs) as refused:
        onboard(lines, LONG_AGO)
    assert [str(problem) for problem in refused.value.problems] == [
        "line 1, column subscriber_number: subscriber “S1” exists already",
        "line 2, column price_plan: tenant “default” has no price plan “NONE”",
        "line 2, column bundles: tenant “default” has no bundle “NONE”",
        "line 3, column cycle: tenant “default” has no bill cycle 9",
        "line 3, column msisdn: MSISDN 4915550000001 is not free for tenant “default”",
        "line 4, column tenant: there is no tenant “nobody”",
        "line 6, column msisdn: “4915550000005” stands in line 5 already",
        "line 6, column mode: account “C5” is postpaid in line 5",
    ]
    assert (Customer.objects.count(), Subscriber.objects.count(), BillingAccount.objects.count()) == (1, 1, 1)


def test_a_shared_account_must_be_open_the_customers_own_and_of_the_plans_currency(products):
    make_cycle(2, currency="USD")
    Bundle.objects.filter(code="BUNDLE").update(currency="USD")
    onboard([new_line(number, mode="prepaid") for number in (1, 2)], LONG_AGO)
    Account.objects.filter(number="C2").update(closed_at=LONG_AGO)
    lines = [
        new_line(3, mode="prepaid", account_number="C1", opening_balance_micros=5),
        new_line(4, mode="prepaid", customer_number="C2", bundles=("BUNDLE",)),
        new_line(5, mode="prepaid", customer_number="C1", cycle=2),
        new_line(6, cycle=2, customer_name=""),
    ]
    with pytest.raises(InvalidInputs) as refused:
        onboard(lines, LONG_AGO)
    assert [(problem.where[:6], problem.field) for problem in refused.value.problems] == [
        ("line 1", "account_number"),
        ("line 1", "opening_balance"),
        ("line 2", "bundles"),
        ("line 2", "account_number"),
        ("line 3", "cycle"),
        ("line 4", "price_plan"),
        ("line 4", "customer_name"),
    ]
    assert Subscriber.objects.count() == 2


HEADER = "customer_number,customer_name,subscriber_number,msisdn,mode,price_plan,cycle,start,opening_balance,bundles"


def test_a_file_is_imported_and_a_dry_run_writes_nothing(products, tmp_path, capsys):
    file = tmp_path / "new.csv"
    file.write_text(
        f"{HEADER}\nC7,Ada,S7,4915550000007,prepaid,PLAN,1,2026-01-01T00:00:00Z,12.50,BUNDLE\n",
        encoding="utf-8",
    )
    call_command("importsubscribers", str(file), "--dry-run")
    assert Subscriber.objects.count() == 0
    call_command("importsubscribers", str(file))
    assert capsys.readouterr().out.splitlines() == [
        "would create 1 customer, 1 account, 1 subscriber",
        "created 1 customer, 1 account, 1 subscriber",
    ]
    assert Account.objects.get().balances.get().amount_micros == 12_500_000


def test_a_file_with_mistakes_names_line_and_column_of_each(products, tmp_path):
    file = tmp_path / "new.csv"
    file.write_text(
        f"{HEADER}\n"
        "C7,Ada,S7,+49155,prepaid,PLAN,one,2026-01-01T00:00:00Z,,\n"
        "C8,,S8,4915550000008,barter,PLAN,1,2026-01-01,,\n"
        "C9,Bea,S9,4915550000009,postpaid,PLAN,1,2026-01-01T00:00:00Z,1.0000001\n",
        encoding="utf-8",
    )
    with pytest.raises(CommandError) as refused:
        call_command("importsubscribers", str(file))
    text = str(refused.value)
    assert "new.csv, line 2, column cycle: “one” cannot be read" in text
    assert "new.csv, line 3, column customer_name: must not be empty" in text
    assert (
        "new.csv, line 3, column start: “2026-01-01” cannot be read: 2026-01-01 00:00:00 has no time zone"
        in text
    )
    assert "new.csv, line 4: expected 10 columns" in text
    assert Subscriber.objects.count() == 0
