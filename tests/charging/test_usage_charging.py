"""A usage book over the database: filled under locks, written back with the batch."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.charging.domain.lines import CounterKey
from apps.charging.domain.usage_book import Debit
from apps.charging.models import Account, AllowanceCounter, Balance, LedgerEntry, Payer
from apps.charging.services.ledger import post
from apps.charging.services.usage import lock_usage_book, read_holdings, save_usage_book
from apps.crm.selectors.usage import usage_data
from apps.kernel.errors import Conflict, InvalidInput
from apps.subscribers.services.assignments import assign_bundle, assign_plan
from tests.factories import make_bundle, make_plan, make_subscriber

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
MSISDN = "4915550000001"


def book(first: datetime = MAY, last: datetime = JUNE):
    with transaction.atomic():
        return lock_usage_book([MSISDN, "4900"], first, last)


def test_the_book_knows_plan_free_units_and_payer_of_each_number():
    plan = make_plan(voice=(90_000, 100, "DE;!GB"), data=(None, -1), sms=(1, 0))
    subscriber = make_subscriber(plan=plan, mode="prepaid")
    line = book().line_of(MSISDN, MAY)
    assert (line.subscriber_id, line.account_id, line.prepaid) == (
        subscriber.pk,
        subscriber.payer.account_id,
        True,
    )
    (period,) = line.plans
    assert period.subject == "*plan:PLAN"
    (voice,) = period.grants["voice"]
    # Free units are sold in minutes and kept in seconds.
    assert (voice.origin, voice.units, voice.included, voice.excluded) == (
        f"plan:{plan.pk}",
        6_000,
        {"DE"},
        {"GB"},
    )
    assert period.grants["data"][0].units == -1
    assert "sms" not in period.grants
    assert book().line_of("4900", MAY) is None


def test_prefetched_rows_are_not_read_again_but_counters_are():
    subscriber = make_subscriber(plan=make_plan(voice=(90_000, 10)))
    known = read_holdings([MSISDN, "4900"], MAY, JUNE)
    service_id = AllowanceCounter._meta.get_field("service").related_model.objects.get(code="voice").pk
    AllowanceCounter.objects.create(
        subscriber=subscriber, year=2026, month=5, service_id=service_id, origin="plan:1", used=7
    )
    with transaction.atomic():
        some = lock_usage_book([MSISDN, "4900"], MAY, JUNE, known)
    assert some.holdings is known.holdings
    assert list(some.counters.values()) == [7]


def test_the_present_payer_pays_though_another_did_at_the_prefetch():
    subscriber, other = make_subscriber(1, plan=make_plan()), make_subscriber(2)
    known = read_holdings([MSISDN], MAY, JUNE)
    Payer.objects.filter(subscriber=subscriber).update(account=other.payer.account)
    with transaction.atomic():
        line = lock_usage_book([MSISDN], MAY, JUNE, known).line_of(MSISDN, MAY)
    assert line.account_id == other.payer.account_id


def test_plans_and_bundles_are_those_of_the_time_of_the_records():
    subscriber = make_subscriber(plan=make_plan("OLD"))
    assign_plan(subscriber.pk, make_plan("NEW").pk, MAY + timedelta(days=10))
    assign_bundle(subscriber.pk, make_bundle(voice=10).pk, MAY + timedelta(days=5))
    line = book().line_of(MSISDN, MAY)
    assert [period.subject for period in line.plans] == ["*plan:OLD", "*plan:NEW"]
    assert [period.start for period in line.bundles] == [MAY + timedelta(days=5)]
    assert book(MAY - timedelta(days=9), MAY).line_of(MSISDN, MAY).bundles == ()


def test_an_expired_plan_prices_nothing_from_its_day_on():
    plan = make_plan()
    plan.expiration_date = date(2026, 5, 10)
    plan.save()
    make_subscriber(plan=plan)
    (period,) = book().line_of(MSISDN, MAY).plans
    assert period.end == datetime(2026, 5, 10, tzinfo=UTC)


def test_what_a_batch_used_is_there_for_the_next_one():
    subscriber = make_subscriber(plan=make_plan(voice=(1, 100)))
    first = book()
    key = CounterKey(subscriber.pk, 2026, 5, first.services["voice"].service_id, "plan:1")
    for used in (60, 90):
        some = book()
        some.counters[key] = used
        some.changed.add(key)
        with transaction.atomic():
            save_usage_book(some, f"file:{used}")
    assert AllowanceCounter.objects.get().used == 90
    assert book().counters == {key: 90}
    assert book(JUNE + timedelta(days=2), JUNE + timedelta(days=3)).counters == {}


def test_another_run_of_the_records_counts_and_debits_apart_from_the_default_one():
    plan = make_plan(voice=(60, 100))
    subscriber = make_subscriber(plan=plan, mode="prepaid", opening_balance_micros=10)
    default = book()
    key = CounterKey(subscriber.pk, 2026, 5, default.services["voice"].service_id, f"plan:{plan.pk}")
    for run, used in (("*default", 60), ("reseller", 90)):
        some = book()
        some.run = run
        some.counters[key._replace(run=run)] = used
        some.changed.add(key._replace(run=run))
        some.debits[(subscriber.payer.account_id, date(2026, 5, 1))] = Debit(3, MAY)
        with transaction.atomic():
            save_usage_book(some, "cdr-file:1")
    assert book().counters == {key: 60, key._replace(run="reseller"): 90}
    causes = LedgerEntry.objects.filter(kind="usage").order_by("pk").values_list("cause", flat=True)
    account_id = subscriber.payer.account_id
    assert list(causes) == [f"cdr-file:1:{run}:{account_id}:2026-05-01" for run in ("*default", "reseller")]
    shown = usage_data("default", subscriber.pk, now=MAY).free_units
    assert [one.used for one in shown] == [60]


def test_a_batch_debits_an_account_once_however_often_it_is_saved():
    account_id = make_subscriber(plan=make_plan(), mode="prepaid", opening_balance_micros=10).payer.account_id
    some = book()
    some.debits[(account_id, date(2026, 5, 1))] = Debit(15, MAY)
    some.debits[(account_id, date(2026, 5, 2))] = Debit(1, MAY + timedelta(days=1))
    with transaction.atomic():
        save_usage_book(some, "file:1")
    assert Balance.objects.get().amount_micros == -6
    with pytest.raises(IntegrityError), transaction.atomic():
        save_usage_book(some, "file:1")
    assert Balance.objects.get().amount_micros == -6
    assert sum(LedgerEntry.objects.values_list("amount_micros", flat=True)) == -6


def test_a_cause_moves_money_once():
    account = Account.objects.get(pk=make_subscriber(plan=make_plan()).payer.account_id)
    entry = post(account, 500, kind="top_up", book="cash", cause="voucher:1", at=MAY)
    assert entry.amount_micros == 500
    with pytest.raises(Conflict):
        post(account, 500, kind="top_up", book="cash", cause="voucher:1", at=MAY)
    with pytest.raises(InvalidInput):
        post(account, 0, kind="top_up", book="cash", cause="voucher:2", at=MAY)
    assert Balance.objects.get().amount_micros == 500
