"""Bills, their documents, activities, news and suspense as the CRM reads and asks for them, within one tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.billing.models import Activity, Bill
from apps.billing.services.execution import run_activity
from apps.billing.services.notifications import notify
from apps.billing.services.payments import issue_bill
from apps.crm.domain.bills import BillView
from apps.crm.selectors.bills import bill_file, get_bill, list_bills, subscriber_bill
from apps.crm.selectors.news import (
    get_activity,
    get_suspended,
    list_activities,
    list_notifications,
    list_suspense,
    unacknowledged,
)
from apps.crm.selectors.reference import (
    forget_reference_data,
    get_bundle,
    get_price_plan,
    reference_data,
)
from apps.crm.selectors.tenants import forget_tenants
from apps.crm.services.billing import (
    acknowledge_notification,
    cancel_bill,
    execute_bill_cycle,
    execute_billing,
    record_payment,
    reformat_bill,
)
from apps.crm.services.suspense import correct_suspended, discard_suspended, recycle_suspended
from apps.invoicing.models import BillDocument, BillRendering
from apps.kernel.errors import BssError, Conflict, InvalidInput, NotFound
from apps.mediation.models import SuspendedRecord
from apps.rating.models import PricePlan
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from apps.subscribers.services.resources import add_resources
from tests.factories import make_bundle, make_cycle, make_plan, make_subscriber, make_tenant
from tests.mediation.samples import START, cdr, load, make_operator, stream

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 2, 9, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh(settings, tmp_path: Path) -> None:
    look_again()
    forget_tenants()
    forget_reference_data()
    settings.CDR_NEW_DIR = tmp_path / "new_cdr"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    settings.CDR_ERROR_DIR = tmp_path / "error_cdr"
    settings.INVOICES_DIR = tmp_path / "invoices"
    settings.CDR_NEW_DIR.mkdir()
    make_tenant("mvno")


@pytest.fixture
def person() -> Subscriber:
    return make_subscriber(1, plan=make_plan(fee_micros=9_000_000), billing_from=MARCH)


@pytest.fixture
def bill(person: Subscriber) -> BillView:
    queued = execute_billing("default", msisdn="+4915550000001", now=NOW, by="crm/ada")
    run_activity(queued.id, NOW)
    assert get_activity("default", queued.id).status == Activity.Status.COMPLETED
    return subscriber_bill("default", person.pk)


def test_billing_on_demand_goes_through_the_queue_and_its_bill_adds_up(person, bill):
    assert (bill.year, bill.month, bill.status, bill.cycle, bill.has_document) == (2026, 3, "new", 1, False)
    assert bill.recurring_micros == 9_000_000
    assert sum(line.amount_micros for line in bill.lines) == bill.total_micros
    assert bill == get_bill("default", bill.id, subscriber_id=person.pk)
    assert bill == subscriber_bill("default", person.pk, year=2026, month=3)
    (listed,) = list_bills("default", subscriber_id=person.pk, status="new")
    assert (listed.id, listed.lines) == (bill.id, ())
    with pytest.raises(NotFound) as none:
        subscriber_bill("default", person.pk, year=2026, month=2)
    assert none.value.code == "no_bill"
    with pytest.raises(Conflict) as again:
        execute_billing("default", subscriber_id=person.pk, now=NOW)
    assert again.value.code == "already_billed"


def test_the_bill_of_a_month_is_the_one_that_was_issued_again(person, bill):
    done = cancel_bill("default", bill.id, "wrong price", now=NOW, again=True, by="crm/ada")
    assert done.successor is not None
    assert subscriber_bill("default", person.pk, year=2026, month=3) == done.successor
    listed = list_bills("default", subscriber_id=person.pk)
    assert [(one.kind, one.status, one.corrects_id, one.credit_note_id, one.reason) for one in listed] == [
        ("postpaid", "new", 0, 0, ""),
        ("credit", "new", bill.id, 0, "wrong price"),
        ("postpaid", "cancelled", 0, done.credit_note.id, ""),
    ]
    assert "(crm/ada)" in list_notifications("default")[-1].text


def test_what_cannot_be_billed_says_why(person):
    with pytest.raises(InvalidInput):
        execute_billing("default", now=NOW)
    with pytest.raises(InvalidInput) as open_month:
        execute_billing("default", subscriber_id=person.pk, now=NOW, year=2026, month=4)
    assert open_month.value.where == "month"
    with pytest.raises(NotFound):
        execute_billing("default", msisdn="4900000", now=NOW)
    execute_billing("default", subscriber_id=person.pk, now=NOW)
    with pytest.raises(Conflict) as queued:
        execute_billing("default", subscriber_id=person.pk, now=NOW)
    assert queued.value.code == "already_queued"


def test_a_cycle_is_run_through_the_queue(person):
    activity = execute_bill_cycle("default", 1, now=NOW, by="crm/ada")
    assert (activity.type, activity.param, activity.status, activity.queued_by) == (2, "1", 0, "crm/ada")
    assert list_activities("default", status=0, type=2) == [activity]
    assert list_activities("default", status=1) == []
    for wrong in ({"type": 9}, {"status": 7}, {"limit": 0}, {"before_id": -1}):
        with pytest.raises(InvalidInput):
            list_activities("default", **wrong)


def test_a_document_is_read_once_it_is_there_and_can_be_issued_again(settings, bill):
    with pytest.raises(Conflict) as missing:
        bill_file("default", bill.id)
    assert missing.value.code == "no_document"
    settings.INVOICES_DIR.mkdir()
    (settings.INVOICES_DIR / "one.pdf").write_bytes(b"%PDF-1.7")
    BillDocument.objects.create(
        bill_id=bill.id, path="one.pdf", sha256="0" * 64, size_octets=8, engine="none", rendered_at=NOW
    )
    issue_bill(bill.id)
    found = bill_file("default", bill.id)
    assert (found.read(), found.file_name, found.revision) == (b"%PDF-1.7", f"{bill.number}.pdf", 1)
    assert get_bill("default", bill.id).has_document

    reformat_bill("default", bill.id, now=NOW, reason="new address", by="crm/ada")
    wanted = BillRendering.objects.get()
    assert (wanted.reason, wanted.requested_by) == ("new address", "crm/ada")


def test_a_payment_counts_once_and_settles_the_bill(bill):
    issue_bill(bill.id)
    half = record_payment("default", bill.id, bill.total_micros - 1, "TX1", now=NOW)
    assert (half.status, half.paid_micros) == ("unpaid", bill.total_micros - 1)
    again = record_payment("default", bill.id, bill.total_micros - 1, "TX1", now=NOW)
    assert again == half
    assert record_payment("default", bill.id, 1, "TX2", now=NOW).status == "paid"


def test_news_is_seen_by_its_tenant_and_acknowledged_once(person):
    own = notify("mine", NOW, tenant_id=person.tenant_id)
    everybodys = notify("a file was refused", NOW)
    theirs = notify("theirs", NOW, tenant_id=make_tenant("mvno").pk)
    assert [row.id for row in list_notifications("default")] == [own.pk, everybodys.pk]
    assert [row.id for row in list_notifications("mvno")] == [theirs.pk]
    first = acknowledge_notification("default", own.pk, now=NOW, by="ada")
    second = acknowledge_notification("default", own.pk, now=NOW + timedelta(days=1), by="bob")
    assert (first.acknowledged_by, first) == ("ada", second)
    assert unacknowledged("default", now=NOW) == 1
    assert [row.id for row in list_notifications("default", unacknowledged_only=True)] == [everybodys.pk]
    with pytest.raises(NotFound):
        acknowledge_notification("default", theirs.pk, now=NOW, by="ada")


@pytest.mark.parametrize(
    "call",
    [
        lambda bill, person: get_bill("mvno", bill.id),
        lambda bill, person: get_bill("default", bill.id, subscriber_id=person.pk + 10_000),
        lambda bill, person: subscriber_bill("mvno", person.pk),
        lambda bill, person: list_bills("mvno", subscriber_id=person.pk),
        lambda bill, person: list_bills("mvno", account_id=bill.account_id),
        lambda bill, person: bill_file("mvno", bill.id),
        lambda bill, person: reformat_bill("mvno", bill.id, now=NOW),
        lambda bill, person: cancel_bill("mvno", bill.id, "wrong price", now=NOW),
        lambda bill, person: record_payment("mvno", bill.id, 1, "TX", now=NOW),
        lambda bill, person: execute_billing("mvno", msisdn="4915550000001", now=NOW),
        lambda bill, person: execute_billing("mvno", subscriber_id=person.pk, now=NOW),
        lambda bill, person: execute_bill_cycle("mvno", 1, now=NOW),
        lambda bill, person: get_activity("mvno", Activity.objects.get().pk),
    ],
)
def test_another_tenants_bills_are_not_found(bill, person, call):
    with pytest.raises(NotFound):
        call(bill, person)
    assert list(list_bills("mvno")) == []
    assert list_activities("mvno") == []
    assert not BillRendering.objects.exists()
    assert Bill.objects.get().payments.count() == 0


def test_a_customers_own_bill_is_not_shown_to_another_customer(bill):
    other = make_subscriber(2, price_plan="PLAN")
    with pytest.raises(NotFound):
        get_bill("default", bill.id, subscriber_id=other.pk)


def test_suspense_belongs_to_whose_pool_the_number_is_in_and_else_to_the_operator():
    make_operator()
    add_resources("mvno", "msisdn", ["4477001"])
    load(stream([cdr(1, msisdn="4477001"), cdr(2, msisdn="4488002"), cdr(3)]))
    theirs, ours = (
        SuspendedRecord.objects.get(msisdn="4477001"),
        SuspendedRecord.objects.get(msisdn="4488002"),
    )
    assert [row.id for row in list_suspense("mvno")] == [theirs.pk]
    assert [row.id for row in list_suspense("default")] == [ours.pk]
    assert get_suspended("default", ours.pk).reason == "unknown_subscriber"
    for call in (
        lambda: get_suspended("mvno", ours.pk),
        lambda: correct_suspended("mvno", ours.pk, {"msisdn": "4915550000001"}, now=NOW),
        lambda: recycle_suspended("mvno", [theirs.pk, ours.pk], now=NOW),
        lambda: discard_suspended("default", [theirs.pk], now=NOW),
    ):
        with pytest.raises(NotFound):
            call()
    correct_suspended("default", ours.pk, {"msisdn": "4915550000001"}, now=NOW)
    assert get_suspended("default", ours.pk).attempts == 0
    done = recycle_suspended("default", [ours.pk], now=START + timedelta(days=1), by="crm/ada")
    assert (done.rated, done.refused) == (1, 0)
    assert discard_suspended("mvno", [theirs.pk], now=NOW, by="crm/ada") == 1
    with pytest.raises(InvalidInput):
        recycle_suspended("default", [], now=NOW)


def test_reference_data_is_of_one_tenant_and_is_refreshed(settings, monkeypatch):
    clock = [1_000.0]
    monkeypatch.setattr("apps.crm.selectors.reference._cache.clock", lambda: clock[0])
    plan = make_plan("PLAN", fee_micros=5, voice=(60_000, 10))
    make_bundle("EXTRA", sms=5)
    make_cycle(1)
    make_plan("THEIRS", tenant=make_tenant("mvno"))
    publish(NOW)
    data = reference_data("default", now=NOW)
    assert [row.code for row in data.price_plans] == ["PLAN"]
    assert data.price_plans[0].services[0].price_micros == 60_000
    assert [row.code for row in data.bundles] == ["EXTRA"]
    assert ([row.number for row in data.cycles], data.currencies) == ([1], ("EUR",))
    assert [row.code for row in reference_data("mvno", now=NOW).price_plans] == ["THEIRS"]
    assert get_price_plan("default", price_plan_id=plan.pk, now=NOW).code == "PLAN"
    assert get_bundle("default", code="EXTRA", now=NOW).services[0].free_units == 5
    with pytest.raises(NotFound):
        get_price_plan("default", code="THEIRS", now=NOW)
    # Another process changes it: nothing here is told.
    PricePlan.objects.filter(pk=plan.pk).update(name="Renamed")
    clock[0] += settings.CRM_REFERENCE_TTL_S - 1
    assert get_price_plan("default", code="PLAN", now=NOW).name == "Plan"
    clock[0] += 1
    assert get_price_plan("default", code="PLAN", now=NOW).name == "Renamed"
    # This process changes it: the next answer has it.
    plan.refresh_from_db()
    plan.name = "Here"
    plan.save()
    assert get_price_plan("default", code="PLAN", now=NOW).name == "Here"


def test_a_month_that_is_none_is_refused_everywhere(person):
    for call in (
        lambda: subscriber_bill("default", person.pk, year=2026),
        lambda: execute_bill_cycle("default", 1, now=NOW, month=13, year=2026),
        lambda: execute_billing("default", subscriber_id=person.pk, now=NOW, month=1, year=99),
    ):
        with pytest.raises(BssError) as refused:
            call()
        assert refused.value.code == "invalid_input"
