"""The main ways through the admin in a real browser: look, put right, bill and watch, open the PDF, explain a price."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command

from apps.billing.models import Activity, Bill, BillRun, BillRunChunk
from apps.billing.services.execution import run_activity
from apps.billing.services.runs import bill_chunk
from apps.kernel.clock import utc_now
from apps.mediation.models import Cdr, CdrFile, Source, SuspendedRecord
from apps.rating.services.publishing import publish
from tests.factories import make_plan, make_subscriber, make_tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


@pytest.fixture
def signed_in(signed_in_page: Any, live_server: Any) -> Any:
    """A page of a signed-in superuser whose ``go("/admin/…")`` is relative to the server."""
    cache.clear()
    signed_in_page.go = lambda path: signed_in_page.goto(f"{live_server.url}{path}")
    return signed_in_page


def make_operator(subscribers: int = 3) -> list[Any]:
    """An operator with a published tariff and subscribers on a plan that prices calls itself."""
    make_tenant()
    plan = make_plan("TALK", fee_micros=10_000_000, voice=(120_000, 0))
    people = [make_subscriber(number, plan=plan) for number in range(1, subscribers + 1)]
    publish(utc_now())
    return people


def make_suspense() -> SuspendedRecord:
    """A call of an unassigned number; the right one ends with 1."""
    now = utc_now()
    source = Source.objects.create(code="MSC01", format="protobuf")
    file = CdrFile.objects.create(
        name="MSC01_1.cdr",
        source=source,
        format="protobuf",
        content_hash="1" * 64,
        state="loaded",
        records=1,
        suspended=1,
        taken_at=now,
        loaded_at=now,
    )
    return SuspendedRecord.objects.create(
        file=file,
        source=source,
        byte_offset=0,
        raw=b"\x0a\x03r-1",
        reason="unknown_subscriber",
        message="no subscriber had the number 4915559999999",
        record_id="r-1",
        service_code="voice",
        msisdn="4915559999999",
        start=now - timedelta(days=40),
        usage=90,
        created_at=now,
    )


def text_of(page: Any, selector: str) -> str:
    return " ".join(page.inner_text(selector).split())


def test_the_dashboard_leads_to_suspense_where_a_record_is_put_right_and_its_price_explained(signed_in):
    make_operator(1)
    record = make_suspense()
    signed_in.go("/admin/")
    assert "In suspense 1" in text_of(signed_in, ".bss-facts")
    assert signed_in.locator("#chart-suspense canvas").is_visible()

    signed_in.click("#chart-suspense a")
    signed_in.wait_for_url(re.compile("suspendedrecord/.*state__exact=open"))
    signed_in.click(f"text=#{record.pk}")
    assert "r-1" in signed_in.inner_text("#panels")
    signed_in.click("#main a:has-text('Correct')")
    signed_in.wait_for_url(re.compile("/do/correct/"))
    signed_in.select_option("select[name=service]", "voice")
    signed_in.fill("input[name=msisdn]", "+4915550000001")
    signed_in.fill("input[name=other_party]", "4930123456")
    signed_in.fill("input[name=usage]", "90")
    signed_in.fill("input[name=start_0]", f"{record.start:%Y-%m-%d}")
    signed_in.fill("input[name=start_1]", f"{record.start:%H:%M:%S}")
    signed_in.click("button:has-text('Correct')")
    signed_in.wait_for_url(re.compile(rf"/{record.pk}/change/"))
    assert "Corrected: 1 rated." in signed_in.inner_text("#main")
    record.refresh_from_db()
    assert (record.state, record.settled_by) == ("recycled", "admin")

    cdr = Cdr.objects.get()
    signed_in.go("/admin/mediation/cdr/")
    signed_in.click("#result_list tbody a >> nth=0")
    shown = text_of(signed_in, "#explanation")
    assert "Price 0.24 EUR" in shown
    assert "In words 90 s of voice to 4930123456" in shown
    assert (cdr.cost_micros, cdr.billed_usage) == (240_000, 120)


def test_a_cycle_is_run_and_watched_to_its_end_and_a_bill_opened(signed_in, settings):
    settings.BILLING_CHUNK_ACCOUNTS = 1
    make_operator(3)
    signed_in.go("/admin/billing/billcycle/")
    signed_in.click("#result_list tbody a >> nth=0")
    signed_in.click("#main a:has-text('Run this cycle')")
    signed_in.wait_for_url(re.compile("/do/run/"))
    signed_in.click("button:has-text('Run this cycle')")
    signed_in.wait_for_url(re.compile("/admin/billing/activity/"))
    activity = Activity.objects.get()
    assert f"Activity {activity.pk} is queued" in signed_in.inner_text("#main")

    # What the cycle's worker does, step by step, while the page watches.
    run_activity(activity.pk, utc_now())
    run = BillRun.objects.get()
    signed_in.go(f"/admin/billing/activity/{activity.pk}/watch/")
    signed_in.wait_for_url(re.compile(f"/admin/billing/billrun/{run.pk}/"))
    assert "Running 0 %" in text_of(signed_in, "#progress")
    chunks = list(BillRunChunk.objects.order_by("number"))
    assert len(chunks) == 3
    bill_chunk(chunks[0].pk, utc_now())
    signed_in.wait_for_function("document.querySelector('[data-field=percent]').textContent === '33'")
    assert "1 of 3" in text_of(signed_in, "#progress")
    for chunk in chunks[1:]:
        bill_chunk(chunk.pk, utc_now())
    # At the end the page is reloaded: its buttons are others now.
    signed_in.wait_for_selector("#main a:has-text('Repeat')")
    assert "Completed 100 %" in text_of(signed_in, "#progress")

    call_command("formatbills", limit=1, workers=1, verbosity=0)
    bill = Bill.objects.get(documents__isnull=False)
    signed_in.go(f"/admin/billing/bill/{bill.pk}/change/")
    assert signed_in.locator("object[type='application/pdf']").count() == 1
    address = signed_in.get_attribute("a:has-text('Open PDF')", "href")
    answer = signed_in.request.get(signed_in.url.split("/admin/")[0] + address)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")
    signed_in.click("nav.bss-tabs >> text=Lines")
    assert "Talk" in signed_in.inner_text("#panels")


def test_a_price_is_enquired_by_phone_number(signed_in):
    make_operator(1)
    signed_in.go("/admin/")
    signed_in.click("text=Products & tariffs")
    signed_in.click("text=Price enquiry")
    signed_in.wait_for_url(re.compile("/do/enquiry/"))
    signed_in.select_option("select[name=price_plan]", label="Talk")
    signed_in.fill("input[name=destination]", "4930123456")
    signed_in.fill("input[name=amount]", "2m")
    signed_in.click("button:has-text('What does it cost?')")
    signed_in.wait_for_selector("#explanation")
    assert "Price 0.24 EUR" in text_of(signed_in, "#explanation")


def test_a_subscriber_is_found_by_number_suspended_and_seen_in_its_history(signed_in):
    (person,) = make_operator(1)
    signed_in.go("/admin/subscribers/subscriber/")
    signed_in.fill("#searchbar", "+4915550000001")
    signed_in.press("#searchbar", "Enter")
    signed_in.wait_for_url(re.compile("q="))
    signed_in.click("#result_list tbody a >> nth=0")
    signed_in.click("#main a:has-text('Suspend')")
    signed_in.wait_for_url(re.compile("/do/suspend/"))
    signed_in.click("button:has-text('Suspend')")
    signed_in.wait_for_url(re.compile("/change/"))
    assert f"Subscriber {person} is suspended." in signed_in.inner_text("#main")
    signed_in.click("#main a:has-text('Reactivate')")
    signed_in.click("button:has-text('Reactivate')")
    signed_in.click("#main a:has-text('History')")
    signed_in.wait_for_selector("#change-history")
    assert "suspended arrow_right_alt active" in text_of(signed_in, "#change-history")
