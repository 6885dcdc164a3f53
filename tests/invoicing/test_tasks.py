"""Beat's tick and real workers: due bills are found and rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.billing.models import Bill, Notification
from apps.invoicing import tasks
from apps.invoicing.models import BillRendering
from tests.invoicing.scenes import files_in, new_bills
from tests.patience import eventually


@pytest.fixture
def sent(monkeypatch) -> list[dict]:
    found: list[dict] = []
    monkeypatch.setattr(tasks.render_bills, "apply_async", lambda **options: found.append(options))
    return found


@pytest.mark.django_db
def test_a_tick_sends_a_task_for_each_batch_that_is_due_but_no_more_than_the_fan_out(
    invoices: Path, settings, sent: list[dict]
):
    settings.INVOICE_BATCH, settings.INVOICE_FAN_OUT = 2, 3
    new_bills(postpaid=3)
    tasks.render_new_bills()
    assert len(sent) == 2
    settings.INVOICE_BATCH, settings.INVOICE_FAN_OUT = 1, 2
    tasks.render_new_bills()
    assert len(sent) == 4
    assert all(options["expires"] for options in sent)


@pytest.mark.django_db
def test_a_tick_with_nothing_due_sends_nothing(invoices: Path, sent: list[dict]):
    tasks.render_new_bills()
    assert sent == []


@pytest.mark.django_db
def test_a_task_renders_until_nothing_is_due_and_tells_operators(invoices: Path, settings):
    settings.INVOICE_BATCH = 1
    new_bills(postpaid=3)
    tasks.render_bills()
    assert len(files_in(invoices)) == 3
    assert Notification.objects.filter(text__contains="3 documents written").count() == 1


@pytest.mark.django_db
def test_a_task_may_be_told_how_many_to_render(invoices: Path):
    new_bills(postpaid=3)
    tasks.render_bills(limit=2)
    assert len(files_in(invoices)) == 2


@pytest.mark.django_db
def test_a_machine_that_cannot_render_says_so_once(invoices: Path, settings):
    new_bills(postpaid=1)
    settings.PDF_ENGINE = "typewriter"
    tasks.render_bills()
    tasks.render_bills()
    assert Notification.objects.get(level="error").text.startswith("No documents can be written:")
    assert not BillRendering.objects.exists()


def test_two_real_workers_render_what_a_tick_finds(celery_worker_process, invoices: Path, settings):
    bills = new_bills(postpaid=6, records=2)
    environment = {
        "BSS_INVOICES_DIR": str(invoices),
        "BSS_PDF_ENGINE": "plutoprint",
        "BSS_INVOICE_BATCH": "2",
    }
    for _ in range(2):
        celery_worker_process(["invoicing"], env=environment)
    tasks.render_new_bills.delay()
    eventually(lambda: not Bill.objects.filter(status="new").exists())
    assert files_in(invoices) == sorted(f"2026/01/bc_1/{bill.pk}.pdf" for bill in bills)
