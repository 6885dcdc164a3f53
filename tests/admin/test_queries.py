"""Lists and the dashboard ask the database as often for many rows as for few, and never count the huge tables."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.kernel.clock import utc_now
from apps.mediation.models import CdrFile
from apps.subscribers.models import Subscriber
from bss_project.dashboard_figures import read_figures
from bss_project.time_zone import operator_zone
from tests.admin.world import make_usage, make_world
from tests.factories import make_subscriber

pytestmark = pytest.mark.django_db

LISTS = (
    "billing.activity",
    "billing.bill",
    "billing.billcycle",
    "billing.billrun",
    "charging.account",
    "charging.allowancecounter",
    "charging.balance",
    "charging.ledgerentry",
    "invoicing.billdocument",
    "mediation.cdr",
    "mediation.cdrfile",
    "mediation.suspendedrecord",
    "mediation.waitingfile",
    "rating.priceplan",
    "subscribers.customer",
    "subscribers.resource",
    "subscribers.subscriber",
)

# Lists that a row more must not cost a statement more; of these the world has several rows.
MORE_THAN_ONE = {
    "actions.accountplan",
    "actions.actiongroup",
    "actions.actionplan",
    "actions.dueaction",
    "actions.errand",
    "actions.refusedactions",
    "charging.balancetrigger",
    "charging.triggerfiring",
    "charging.triggerset",
    "insight.whatif",
    "mediation.derivedcharger",
    "mediation.sessionrecord",
    "rating.keptrow",
    "rating.supplier",
    "rating.tariffdraft",
    "rating.tariffload",
    "rating.tariffversion",
    "rerating.reratejob",
}


@pytest.fixture
def client(db) -> Client:
    cache.clear()
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    return client


def queries_of(client: Client, address: str, **parameters: object) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address, parameters).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def address_of(label: str) -> str:
    app, model = label.split(".")
    return reverse(f"admin:{app}_{model}_changelist")


def test_lists_ask_as_often_for_many_rows_as_for_few(client):
    make_world(subscribers=2, records=4, days=2)
    for label in LISTS:
        client.get(address_of(label))  # Content types and the like are read once a process.
    before = {label: len(queries_of(client, address_of(label))) for label in LISTS}
    for number in range(100, 112):
        make_subscriber(number, price_plan="PREPAID_EASY", mode="prepaid", opening_balance_micros=1_000_000)
    make_usage(list(Subscriber.objects.all()), 8, 4, utc_now(), name="MSC02")
    after = {label: len(queries_of(client, address_of(label))) for label in LISTS}
    grown = {label: (before[label], after[label]) for label in LISTS if after[label] > before[label]}
    assert grown == {}
    assert max(after.values()) <= 15


def test_no_list_asks_once_more_for_each_row_that_it_shows(client, monkeypatch):
    make_world()
    grown, several = {}, set()
    for model, model_admin in admin.site._registry.items():
        label = model._meta.label_lower
        counts = []
        client.get(address_of(label))
        for shown in (1, 50):
            monkeypatch.setattr(model_admin, "list_per_page", shown)
            counts.append(len(queries_of(client, address_of(label))))
        if model._default_manager.count() > 1:
            several.add(label)
        # Consumers of events are a handful, and what each has before it is counted for each.
        if counts[1] > counts[0] and label != "events.mark":
            grown[label] = counts
    assert grown == {}
    assert several >= MORE_THAN_ONE


def test_no_list_reads_snapshots_of_tariffs(client):
    make_world(subscribers=2, records=4, days=2)
    reading = {
        model._meta.label_lower
        for model in admin.site._registry
        for sql in queries_of(client, address_of(model._meta.label_lower))
        if "snapshot" in sql.replace("LENGTH", "").split(" FROM ")[0] and "LENGTH" not in sql
    }
    assert reading == set()


@pytest.mark.parametrize("label", ["mediation.cdr", "charging.ledgerentry", "billing.bill"])
def test_a_huge_table_is_never_counted(client, label):
    make_world(subscribers=2, records=4, days=2)
    app, model = label.split(".")
    counting = [
        sql
        for sql in queries_of(client, address_of(label))
        if "COUNT(" in sql.upper() and f"{app}_{model}" in sql.split("FROM", 1)[-1]
    ]
    assert counting == []


def _shown_day(moment: datetime) -> date:
    """The day as the admin shows it and takes it, which near midnight is not that of UTC."""
    return timezone.localdate(moment, operator_zone())


def test_the_cdr_list_narrows_days_and_files_to_a_range_of_ids(client):
    make_world(subscribers=2, records=6, days=3)
    file = CdrFile.objects.filter(rated__gt=0).order_by("pk").first()
    assert file is not None
    by_file = client.get(address_of("mediation.cdr"), {"file": file.pk}).context["cl"]
    assert {row.file_id for row in by_file.result_list} == {file.pk}
    day = _shown_day(file.first_start)
    by_day = client.get(address_of("mediation.cdr"), {"start_from": day, "start_to": day}).context["cl"]
    assert {_shown_day(row.start) for row in by_day.result_list} == {day}
    assert any(
        "id" in sql and ">" in sql for sql in queries_of(client, address_of("mediation.cdr"), file=file.pk)
    )
    nothing = client.get(address_of("mediation.cdr"), {"file": "x"}).context["cl"]
    assert list(nothing.result_list) == []


def test_a_range_of_days_includes_its_last_day(client):
    make_world(subscribers=2, records=2, days=3)
    day = _shown_day(CdrFile.objects.exclude(loaded_at=None).order_by("pk").first().loaded_at)
    found = client.get(address_of("mediation.cdrfile"), {"loaded_at_from": day, "loaded_at_to": day})
    assert {_shown_day(file.loaded_at) for file in found.context["cl"].result_list} == {day}
    bills = client.get(
        address_of("billing.bill"), {"issued_on_from": "2000-01-01", "issued_on_to": "2000-01-02"}
    )
    assert list(bills.context["cl"].result_list) == []


def test_the_dashboard_reads_a_bounded_number_of_times_and_never_the_records(
    client, django_assert_max_num_queries
):
    make_world(subscribers=2, records=6, days=3)
    with CaptureQueriesContext(connection) as captured:
        read_figures(utc_now(), ZoneInfo("UTC"))
    tables = " ".join(query["sql"] for query in captured.captured_queries)
    assert '"mediation_cdr"' not in tables
    assert "`mediation_cdr`" not in tables
    assert len(captured.captured_queries) <= 10
    address = reverse("admin:index")
    client.get(address)
    # The second visitor within seconds is served from the cache, but for how far the runs are.
    with django_assert_max_num_queries(8):
        client.get(address)


def test_every_model_of_the_rooms_has_a_page_or_is_shown_on_another():
    from django.apps import apps

    from bss_project.staff_groups import ROOMS

    shown_elsewhere = {
        "bills' number series": "billing.billnumberseries",
        "a run's chunks": "billing.billrunchunk",
        "a bill's lines": "billing.billline",
        "an account's page": "billing.billingaccount",
        "a destination's panel": "rating.destinationprefix",
        "inlines": "rating.rateslot rating.ratingplanentry rating.priceplanservice rating.bundleservice "
        "actions.action actions.actionplanentry",
        "a subscriber's panels": "subscribers.planassignment subscribers.bundleassignment "
        "subscribers.resourceassignment",
        "a session's panel, inlines": "charging.reservation charging.sharedgroupterms charging.sharedgrouplimit",
        "a group's panel": "charging.sharedgroupuse",
        "a trigger's panel": "charging.triggerstate",
        "what a repeated request gets": "charging.storedanswer",
        "free units used online": "charging.allowanceentry",
        "an account's panel": "charging.payer",
        "what a file charged by day": "mediation.cdrfileday",
        "a re-rating's panels": "rerating.rerateaccount rerating.reratedifference",
        "a record's panel": "mediation.cdrcorrection",
        "which accounts' bills have derived runs": "mediation.runaccount",
        "a bill's document panel": "invoicing.billrendering",
        "which *asap actions have run": "actions.ranatonce",
        "news": "invoicing.documentcount",
        "order of commits": "mediation.loadsequence",
        "which accounts runs have charged": "mediation.runaccount",
        "a tariff that is being told": "diameter.tariffchange",
        "how far statistics go": "insight.collectormark",
        "a what-if's progress and sums": "insight.whatifshard insight.whatifgroup insight.whatifaccount",
        "a customer's page": "subscribers.paymentcard",
        "numbers given out": "subscribers.numberseries",
        "clients' keys, tokens taken back, answers kept": "crm.apikey crm.revokedtoken crm.storedanswer",
        "a person's page": "crm.stafftenant",
    }
    known = {label for labels in shown_elsewhere.values() for label in labels.split()}
    admin.autodiscover()
    registered = {model._meta.label_lower for model in admin.site._registry}
    missing = {
        model._meta.label_lower
        for room in ROOMS
        for model in apps.get_app_config(room).get_models()
        if not model.__name__.startswith("Historical")
    } - registered
    assert missing - known == set()
