"""The formatter: NEW bills become documents and PAID or UNPAID, with concurrent formatters and failures."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from apps.billing.models import Bill, Notification, OneOffCharge
from apps.billing.services.cancelling import cancel_bill
from apps.billing.services.payments import record_payment
from apps.invoicing.models import BillDocument, BillRendering
from apps.invoicing.services import claims
from apps.invoicing.services.announcements import announce_finished
from apps.invoicing.services.claims import Choice
from apps.invoicing.services.document_files import FolderUnusable
from apps.invoicing.services.documents import pdf_engine
from apps.invoicing.services.engines import EngineUnusable
from apps.invoicing.services.formatter import format_batch
from apps.invoicing.services.owners import this_process
from apps.invoicing.services.workers import format_bills
from tests.billing.scenes import at, month, run
from tests.invoicing.pdf import text_of
from tests.invoicing.scenes import NOW, clock_at, files_in, new_bills

pytestmark = pytest.mark.django_db


def format_all(now=NOW, **options) -> tuple[list[int], dict[int, str]]:
    written, failed = [], {}
    for outcome in format_bills(clock_at(now), **options):
        written += outcome.written
        failed.update(outcome.failed)
    return written, failed


def break_bill(bill: Bill) -> None:
    """Its lines no longer make its total: nothing that adds up can be printed."""
    bill.lines.filter(kind="recurring").update(amount_micros=10_000)


def test_a_new_bill_gets_its_document_and_becomes_unpaid_or_paid(invoices: Path):
    bills = new_bills(postpaid=2, prepaid=1)
    written, failed = format_all()
    assert not failed
    assert sorted(written) == [bill.pk for bill in bills]
    for bill in Bill.objects.all():
        document = bill.documents.get()
        path = invoices / "2026" / "01" / "bc_1" / f"{bill.pk}.pdf"
        assert document.path == f"2026/01/bc_1/{bill.pk}.pdf"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == document.sha256
        assert path.stat().st_size == document.size_octets
        assert path.read_bytes().startswith(b"%PDF-")
        assert (document.revision, document.engine, document.rendered_at) == (1, "plutoprint", NOW)
        assert bill.status == ("paid" if bill.kind == "prepaid" else "unpaid")
    assert not BillRendering.objects.exists()
    assert len(files_in(invoices)) == 3


def test_a_bill_that_was_paid_before_it_was_printed_is_paid(invoices: Path):
    bill = new_bills(postpaid=1)[0]
    record_payment(bill.pk, bill.total_micros, "R1", NOW)
    format_all()
    bill.refresh_from_db()
    assert bill.status == "paid"


def test_formatting_twice_changes_nothing(invoices: Path):
    new_bills(postpaid=2)
    format_all()
    before = {path: (invoices / path).stat().st_mtime_ns for path in files_in(invoices)}
    assert format_all() == ([], {})
    assert {path: (invoices / path).stat().st_mtime_ns for path in files_in(invoices)} == before
    assert BillDocument.objects.count() == 2


def test_a_limit_and_a_cycle_choose_bills(invoices: Path, settings):
    settings.INVOICE_BATCH = 2
    bills = new_bills(postpaid=4)
    assert format_all(limit=3)[0] == [bill.pk for bill in bills[:3]]
    assert format_all(choice=Choice(cycle_number=2)) == ([], {})
    assert format_all(choice=Choice(cycle_number=1))[0] == [bills[3].pk]


def test_a_batch_costs_a_bounded_number_of_queries(invoices: Path, django_assert_max_num_queries):
    new_bills(postpaid=5)
    engine = pdf_engine()
    with django_assert_max_num_queries(35):
        assert len(format_batch(engine, clock_at(NOW)).written) == 5


def test_a_bill_that_cannot_be_rendered_keeps_its_reason_and_the_others_go_on(invoices: Path):
    good, bad, other = new_bills(postpaid=3)
    break_bill(bad)
    written, failed = format_all()
    assert sorted(written) == [good.pk, other.pk]
    assert "the lines make" in failed[bad.pk]
    rendering = BillRendering.objects.get()
    assert (rendering.pk, rendering.attempts, rendering.owner) == (bad.pk, 1, "")
    assert rendering.error == failed[bad.pk]
    assert rendering.retry_at == NOW + timedelta(seconds=30)
    bad.refresh_from_db()
    assert bad.status == "new"
    assert len(files_in(invoices)) == 2


def test_a_failed_bill_is_tried_again_after_a_while_and_given_up_after_five_attempts(invoices: Path):
    bad = new_bills(postpaid=1)[0]
    break_bill(bad)
    now = NOW
    for attempt in range(1, 5):
        assert list(format_all(now)[1]) == [bad.pk]
        rendering = BillRendering.objects.get(pk=bad.pk)
        assert (rendering.attempts, rendering.given_up_at) == (attempt, None)
        assert rendering.retry_at - now == timedelta(seconds=30) * 2 ** (attempt - 1)
        now = rendering.retry_at
        assert format_all(now - timedelta(seconds=1)) == ([], {})
    assert list(format_all(now)[1]) == [bad.pk]
    assert BillRendering.objects.get().given_up_at == now
    assert format_all(now + timedelta(days=30)) == ([], {})
    news = Notification.objects.get(bill=bad, level="error")
    assert "after 5 attempts" in news.text


def test_a_mended_bill_comes_through_at_its_next_attempt(invoices: Path):
    bill = new_bills(postpaid=1)[0]
    fee = bill.lines.get(kind="recurring").amount_micros
    break_bill(bill)
    format_all()
    bill.lines.filter(kind="recurring").update(amount_micros=fee)
    assert format_all(NOW + timedelta(seconds=29)) == ([], {})
    assert format_all(NOW + timedelta(seconds=30)) == ([bill.pk], {})
    assert not BillRendering.objects.exists()


def test_a_full_disk_is_no_bills_fault(invoices: Path):
    bills = new_bills(postpaid=2)
    invoices.parent.mkdir(exist_ok=True)
    invoices.write_text("a file where the folder should be")
    with pytest.raises(FolderUnusable, match="bills stay due"):
        format_all()
    assert not BillRendering.objects.exists()
    invoices.unlink()
    assert sorted(format_all()[0]) == [bill.pk for bill in bills]


def test_an_unknown_engine_is_said_before_anything_is_claimed(invoices: Path, settings):
    new_bills(postpaid=1)
    settings.PDF_ENGINE = "typewriter"
    with pytest.raises(EngineUnusable, match="BSS_PDF_ENGINE"):
        format_all()
    assert not BillRendering.objects.exists()


def test_a_claim_keeps_others_away_until_it_runs_out(invoices: Path, settings):
    bill = new_bills(postpaid=1)[0]
    assert [claim.bill_id for claim in claims.claim("elsewhere:1:1", 10, NOW)] == [bill.pk]
    assert format_all(NOW + timedelta(seconds=settings.INVOICE_CLAIM_S - 1)) == ([], {})
    assert format_all(NOW + timedelta(seconds=settings.INVOICE_CLAIM_S))[0] == [bill.pk]


def test_a_claim_of_a_dead_process_of_this_host_is_free_at_once(invoices: Path):
    bill = new_bills(postpaid=1)[0]
    host, _, began = this_process().rpartition(":")
    claims.claim(f"{host}:{int(began) + 1}", 10, NOW)
    assert format_all() == ([bill.pk], {})


def test_what_was_begun_before_is_taken_alone(invoices: Path):
    first, second, third = new_bills(postpaid=3)
    claims.claim("elsewhere:1:1", 2, NOW)
    later = NOW + timedelta(hours=1)
    assert [claim.bill_id for claim in claims.claim("a", 10, later)] == [third.pk]
    assert [(claim.bill_id, claim.attempts) for claim in claims.claim("b", 10, later)] == [(first.pk, 2)]
    assert [claim.bill_id for claim in claims.claim("c", 10, later)] == [second.pk]


def test_the_second_formatter_of_a_bill_deletes_its_own_document(invoices: Path):
    bill = new_bills(postpaid=1)[0]
    engine = pdf_engine()
    quicker: list[int] = []

    def overtake(step: str, bill_id: int) -> None:
        if step == "written" and not quicker:
            quicker.append(bill_id)
            assert format_batch(engine, clock_at(NOW + timedelta(hours=1))).written == [bill.pk]

    assert format_batch(engine, clock_at(NOW), on_step=overtake).written == []
    document = BillDocument.objects.get()
    assert document.rendered_at == NOW + timedelta(hours=1)
    assert files_in(invoices) == [document.path]


@pytest.mark.django_db(transaction=True)
def test_two_formatters_at_once_write_each_document_once(invoices: Path, settings):
    settings.INVOICE_BATCH = 2
    bills = new_bills(postpaid=12, records=2)
    written: list[int] = []
    troubles: list[BaseException] = []
    start = threading.Barrier(3)

    def work() -> None:
        try:
            start.wait()
            for outcome in format_bills(clock_at(NOW)):
                written.extend(outcome.written)
                assert not outcome.failed
        except BaseException as error:
            troubles.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    assert sorted(written) == [bill.pk for bill in bills]
    assert BillDocument.objects.count() == len(bills) == len(files_in(invoices))
    assert not BillRendering.objects.exists()


def test_operators_hear_once_that_a_periods_documents_are_there(invoices: Path):
    new_bills(postpaid=3)
    Notification.objects.all().delete()
    format_all(limit=2)
    assert announce_finished(NOW) == 0
    format_all()
    assert (announce_finished(NOW), announce_finished(NOW)) == (1, 0)
    news = Notification.objects.get()
    assert (news.level, news.tenant_id) == ("info", Bill.objects.first().tenant_id)
    assert "3 documents written for the period to 2026-01-31" in news.text


def test_a_bill_that_was_given_up_is_part_of_the_news(invoices: Path):
    bad = new_bills(postpaid=2)[0]
    break_bill(bad)
    format_all()
    assert announce_finished(NOW) == 0
    BillRendering.objects.update(attempts=4, retry_at=None)
    format_all()
    Notification.objects.all().delete()
    assert announce_finished(NOW) == 1
    news = Notification.objects.get()
    assert news.level == "warning"
    assert "1 document written" in news.text
    assert "1 could not be rendered" in news.text


def test_a_credit_note_gets_a_document_that_names_the_bill_and_takes_back_its_lines(invoices: Path):
    (bill,) = new_bills(postpaid=1)
    format_all()
    note = cancel_bill(bill.pk, "wrong price", NOW).credit_note
    written, failed = format_all()
    assert (written, failed) == ([note.pk], {})
    bill.refresh_from_db()
    printed = text_of(invoices / note.documents.get().path)
    for text in (
        "Credit note number",
        note.number,
        f"cancels bill {bill.number}",
        "-9.99",
        "Credit in your favour",
    ):
        assert text in printed
    assert "Itemised usage" not in printed
    note.refresh_from_db()
    assert (note.status, bill.status) == ("paid", "cancelled")


def test_a_bill_that_former_credits_pay_in_part_shows_the_amount_due(invoices: Path):
    (bill,) = new_bills(postpaid=1)
    OneOffCharge.objects.create(
        account=bill.account, at=at(2, 3), description="Returned", amount_micros=-12_000_000
    )
    cycle = bill.cycle
    run(cycle, month(2, cycle), at(3, 1, 1))
    run(cycle, month(3, cycle), at(4, 1, 1))
    format_all(at(4, 1, 6))
    march = Bill.objects.latest("pk")
    printed = text_of(invoices / march.documents.get().path)
    for text in ("Credit of former bills", "-2.01", "Please pay €7.98"):
        assert text in printed
