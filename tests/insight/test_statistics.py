"""Statistics by service, plan and day: each record, movement and subscriber counted once, by the tenant's calendar."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from apps.charging.models import Account, LedgerEntry
from apps.charging.services.ledger import post
from apps.crm.selectors.reference import get_statistics
from apps.crm.selectors.tenants import forget_tenants
from apps.events.services.relay import relay
from apps.insight.domain.days import QUARTER_S, day_of_quarter, days_to_look_at
from apps.insight.models import MoneyDay, SubscriberDay, UsageDay
from apps.insight.services import collecting
from apps.insight.services.collecting import collect_statistics
from apps.insight.services.money import SETTLED_AFTER, collect_money
from apps.insight.services.subscribers import collect_subscribers
from apps.insight.services.usage import collect_usage
from apps.kernel.errors import InvalidInput
from apps.mediation.models import Cdr
from apps.rating.models import Tenant
from apps.rating.selectors.tariffs import look_again
from apps.subscribers.services.assignments import assign_plan
from apps.subscribers.services.lifecycle import suspend_subscriber, terminate_subscriber
from tests.factories import LONG_AGO, make_plan, make_subscriber, make_tenant
from tests.mediation.samples import START, cdr, load, make_operator, stream

pytestmark = pytest.mark.django_db
NOW = START + timedelta(days=2)


@pytest.fixture(autouse=True)
def folders(settings, tmp_path: Path) -> None:
    look_again()
    forget_tenants()
    settings.CDR_NEW_DIR = tmp_path / "new_cdr"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    settings.CDR_ERROR_DIR = tmp_path / "error_cdr"
    settings.CDR_NEW_DIR.mkdir()


def counted() -> dict[str, int]:
    sums = UsageDay.objects.aggregate(
        records=Sum("records"),
        usage=Sum("usage"),
        free_usage=Sum("free_usage"),
        revenue=Sum("revenue_micros"),
    )
    return {name: value or 0 for name, value in sums.items()}


def stored() -> dict[str, int]:
    sums = Cdr.objects.aggregate(usage=Sum("usage"), free_usage=Sum("free_usage"), revenue=Sum("cost_micros"))
    return {"records": Cdr.objects.count(), **sums}


def test_what_was_counted_is_what_the_records_come_to_however_often_the_timer_ticks():
    make_operator()
    load(stream([cdr(1, duration_s=60), cdr(2, duration_s=90)]), "a.cdr")
    assert collect_usage(NOW) == 1
    assert collect_usage(NOW) == 0
    load(stream([cdr(2, duration_s=90), cdr(3, duration_s=30)]), "b.cdr")
    load(stream([cdr(4, duration_s=30)]), "c.cdr")
    assert collect_usage(NOW) == 2
    assert counted() == stored()
    assert counted()["records"] == 4


def test_a_collector_that_dies_before_its_commit_has_counted_nothing(monkeypatch):
    make_operator()
    collect_usage(NOW)
    load(stream([cdr(1, duration_s=60)]), "a.cdr")
    relay()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        # The sums are written, the mark is not.
        dying.setattr("apps.events.models.Mark.save", die)
        with pytest.raises(KeyboardInterrupt):
            collect_usage(NOW)
    assert counted()["records"] == 0
    collect_usage(NOW)
    assert counted() == stored()


@pytest.mark.django_db(transaction=True)
@pytest.mark.mariadb_only
def test_two_collectors_at_once_count_every_file_once():
    make_operator()
    for number in range(6):
        load(stream([cdr(number, duration_s=60)]), f"{number}.cdr")

    def collect() -> None:
        collect_usage(NOW)
        connection.close()

    threads = [threading.Thread(target=collect) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted() == stored()


def test_only_the_new_files_records_are_read():
    make_operator()
    load(stream([cdr(number, duration_s=60) for number in range(20)]), "a.cdr")
    collect_usage(NOW)
    newest = Cdr.objects.order_by("-pk").values_list("pk", flat=True).first()
    load(stream([cdr(100, duration_s=60)]), "b.cdr")
    with CaptureQueriesContext(connection) as queries:
        collect_usage(NOW)
    reads = [query["sql"] for query in queries if "FROM mediation_cdr)" in query["sql"]]
    assert len(reads) == 1
    assert f"c.id > {newest}" in reads[0].replace("`", "").replace('"', "")


def test_a_call_before_midnight_utc_counts_on_the_tenants_next_day():
    make_operator()
    Tenant.objects.update(time_zone="Asia/Kolkata")
    evening = datetime(START.year, START.month, START.day, 18, 29, 59, tzinfo=UTC)
    for number, start in enumerate((evening, evening + timedelta(seconds=1))):
        load(stream([cdr(number, start=int(start.timestamp()), duration_s=60)]), f"{number}.cdr")
    collect_usage(NOW)
    days = dict(UsageDay.objects.values_list("day", "records"))
    assert days == {START.date(): 1, START.date() + timedelta(days=1): 1}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"])
def test_a_quarter_of_an_hour_is_of_one_day_in_every_zone(zone):
    from zoneinfo import ZoneInfo

    where = ZoneInfo(zone)
    first = int(datetime(2026, 4, 4, tzinfo=UTC).timestamp()) // QUARTER_S
    for quarter in range(first, first + 4 * 48):
        ends = datetime.fromtimestamp((quarter + 1) * QUARTER_S - 1, UTC)
        assert day_of_quarter(quarter, where) == ends.astimezone(where).date()


def test_missed_days_are_looked_at_but_not_endlessly():
    today = date(2026, 5, 10)
    assert list(days_to_look_at(date(2026, 5, 8), today, 31)) == [date(2026, 5, 9), today]
    assert list(days_to_look_at(None, today, 2)) == [date(2026, 5, 9), today]
    assert list(days_to_look_at(today, today, 31)) == []


def test_top_ups_and_real_time_usage_are_counted_by_day_once_they_have_settled():
    make_subscriber(1, plan=make_plan(), mode="prepaid", opening_balance_micros=5_000_000)
    account = Account.objects.get()
    movements = (("top_up", "cash", 3_000_000, "t:1"), ("usage", "revenue", -400_000, "session:1:1"),
                 ("usage", "revenue", -100_000, "cdr-file:1:1:1"))  # fmt: skip
    for kind, book, amount, cause in movements:
        post(account, amount, kind=kind, book=book, cause=cause, at=NOW)
    assert collect_money(NOW) == 0
    assert collect_money(NOW + SETTLED_AFTER) >= LedgerEntry.objects.count()
    assert collect_money(NOW + 2 * SETTLED_AFTER) == 0
    sums = {
        row.kind: (row.day, row.entries, row.amount_micros)
        for row in MoneyDay.objects.exclude(kind="opening")
    }
    day = NOW.date()
    assert sums == {
        "top_up": (day, 1, 3_000_000),
        "online_usage": (day, 1, -400_000),
        "usage": (day, 1, -100_000),
    }
    assert MoneyDay.objects.aggregate(sum=Sum("amount_micros")) == LedgerEntry.objects.aggregate(
        sum=Sum("amount_micros")
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.mariadb_only
def test_an_entry_whose_transaction_takes_long_is_waited_for_and_counted():
    """Its id is lower than those of entries that committed long before it."""
    plan = make_plan()
    for number in (1, 2):
        make_subscriber(number, plan=plan, mode="prepaid", opening_balance_micros=5_000_000)
    slow, quick = Account.objects.order_by("pk")
    written, go_on = threading.Event(), threading.Event()

    def load_something_large() -> None:
        with transaction.atomic():
            post(slow, 1_000_000, kind="adjustment", book="cash", cause="t:1", at=NOW)
            written.set()
            go_on.wait(30)
        connection.close()

    loader = threading.Thread(target=load_something_large)
    loader.start()
    assert written.wait(30)
    post(quick, 2_000_000, kind="adjustment", book="cash", cause="t:2", at=NOW)
    collect_money(NOW)
    threading.Timer(0.5, go_on.set).start()
    collect_money(NOW + SETTLED_AFTER)
    loader.join()
    counted_adjustments = MoneyDay.objects.get(kind="adjustment")
    assert (counted_adjustments.entries, counted_adjustments.amount_micros) == (2, 3_000_000)


def test_subscribers_are_counted_by_plan_as_they_come_change_and_go():
    plan, other = make_plan("PLAN"), make_plan("OTHER")
    people = [make_subscriber(number, plan=plan) for number in range(1, 5)]
    make_subscriber(5, plan=other, start=NOW - timedelta(hours=1))
    suspend_subscriber(people[0].pk, NOW - timedelta(hours=2))
    terminate_subscriber(people[1].pk, NOW - timedelta(hours=1))
    assign_plan(people[2].pk, other.pk, NOW - timedelta(hours=1))
    collect_subscribers(NOW)

    def figures(day: date) -> dict[str, tuple[int, int, int, int]]:
        return {
            row.price_plan.code: (row.active, row.suspended, row.new, row.terminated)
            for row in SubscriberDay.objects.filter(day=day).select_related("price_plan")
        }

    assert figures(NOW.date()) == {"PLAN": (1, 1, 0, 1), "OTHER": (2, 0, 1, 0)}
    assert figures(NOW.date() - timedelta(days=1)) == {"PLAN": (4, 0, 0, 0)}
    # The next day, the day before is looked at once more and is done with.
    collect_subscribers(NOW + timedelta(days=1))
    assert figures(NOW.date()) == {"PLAN": (1, 1, 0, 1), "OTHER": (2, 0, 1, 0)}
    assert figures(NOW.date() + timedelta(days=1)) == {"PLAN": (1, 1, 0, 0), "OTHER": (2, 0, 0, 0)}


def test_today_is_not_recounted_at_every_tick():
    make_subscriber(1, plan=make_plan())
    assert collect_subscribers(NOW) == 31
    assert collect_subscribers(NOW + timedelta(minutes=1)) == 0
    assert collect_subscribers(NOW + timedelta(minutes=6)) == 1


def test_what_the_crm_is_told_is_of_its_tenant_and_narrowed_as_asked():
    make_operator()
    mvno = make_tenant("mvno")
    make_subscriber(77, plan=make_plan("THEIRS", tenant=mvno), cycle=9)
    load(stream([cdr(1, duration_s=60), cdr(2, duration_s=60)]), "a.cdr")
    collect_statistics(NOW, at_once=True)
    assert collecting.collect_statistics(NOW, at_once=True).files == 0

    told = get_statistics("default", now=NOW)
    assert (told.last, told.collected_at) == (NOW.date(), NOW)
    assert (told.last - told.first).days == 30
    assert sum(row.records for row in told.usage) == 2
    assert {row.service for row in told.usage} == {"voice"}
    assert "THEIRS" not in {row.price_plan for row in told.subscribers}
    assert get_statistics("default", now=NOW, service="sms").usage == ()
    theirs = get_statistics("mvno", now=NOW)
    assert theirs.usage == ()
    assert {row.price_plan for row in theirs.subscribers} == {"THEIRS"}
    for wrong in (
        {"service": "fax"},
        {"price_plan": "THEIRS"},
        {"first": NOW.date(), "last": LONG_AGO.date()},
        {"first": LONG_AGO.date()},
    ):
        with pytest.raises(InvalidInput):
            get_statistics("default", now=NOW, **wrong)
