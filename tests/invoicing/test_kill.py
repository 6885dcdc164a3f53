"""SIGKILL between any two steps of the formatter, then a restart: no document is missing, half-written or doubled."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from apps.billing.models import Bill, Notification
from apps.invoicing.domain.attempts import MOST_ATTEMPTS
from apps.invoicing.models import BillDocument, BillRendering
from apps.invoicing.services.document_files import digest_of, path_of
from apps.invoicing.services.reissues import request_reissue
from tests import python_processes
from tests.invoicing.scenes import NOW, files_in, new_bills
from tests.invoicing.test_formatter import format_all

STEPS = ("loaded", "rendered", "writing", "written", "placed", "committing", "committed")


def format_and_die(database_url: str, invoices: Path, step: str, count: int = 1, only: int = 0) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bss_project.settings",
        "DATABASE_URL": database_url,
        "BSS_INVOICES_DIR": str(invoices),
        "BSS_PDF_ENGINE": "plutoprint",
    }
    arguments = ["-m", "tests.invoicing.killed_formatter", step, str(count), NOW.isoformat(), str(only)]
    process = python_processes.start(arguments, env=environment)
    said = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, said


def check_whatever_is_there(invoices: Path) -> None:
    """Every file under a document's name is whole, and every row names its own file."""
    for name in files_in(invoices):
        if not Path(name).name.startswith("."):
            content = (invoices / name).read_bytes()
            assert content.startswith(b"%PDF-")
            assert content.rstrip().endswith(b"%%EOF")
    for document in BillDocument.objects.exclude(path=""):
        assert digest_of(path_of(document.path)) == document.sha256
    for bill in Bill.objects.all():
        assert (bill.status == "new") == (not bill.documents.exists())


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_formatter_leaves_nothing_half_done(step: str, database_url: str, invoices: Path):
    bills = new_bills(postpaid=2, prepaid=1, records=3)
    format_and_die(database_url, invoices, step, count=2 if step in ("loaded", "written", "placed") else 1)
    if step != "placed" and step != "committing":
        check_whatever_is_there(invoices)
    # Three at most: bills begun before come one by one.
    format_all()
    check_whatever_is_there(invoices)
    assert files_in(invoices) == sorted(f"2026/01/bc_1/{bill.pk}.pdf" for bill in bills)
    assert sorted(BillDocument.objects.values_list("bill_id", "revision")) == [(bill.pk, 1) for bill in bills]
    assert [bill.status for bill in Bill.objects.order_by("pk")] == ["unpaid", "unpaid", "paid"]
    assert not BillRendering.objects.exists()


@pytest.mark.parametrize("step", [*STEPS, "kept"])
def test_a_killed_reissue_keeps_the_former_and_is_finished_later(
    step: str, database_url: str, invoices: Path
):
    bill = new_bills(postpaid=1, records=3)[0]
    format_all()
    request_reissue([bill.pk], "again", "clerk", NOW)
    format_and_die(database_url, invoices, step)
    for document in BillDocument.objects.all():
        assert digest_of(path_of(document.path)) == document.sha256
    format_all()
    check_whatever_is_there(invoices)
    assert files_in(invoices) == [f"2026/01/bc_1/{bill.pk}.pdf", f"2026/01/bc_1/{bill.pk}.r1.pdf"]
    assert [document.reason for document in BillDocument.objects.order_by("revision")] == ["", "again"]
    assert not BillRendering.objects.exists()


def test_a_bill_that_kills_its_formatter_is_given_up_and_the_others_get_their_documents(
    database_url: str, invoices: Path
):
    killer, other = new_bills(postpaid=2, records=3)
    for _ in range(2):
        format_and_die(database_url, invoices, "loaded", only=killer.pk)
    # The other one, begun in the same batch, has had its turn by itself.
    assert format_all(limit=1)[0] == [other.pk]
    BillRendering.objects.filter(pk=killer.pk).update(attempts=MOST_ATTEMPTS - 1)
    format_and_die(database_url, invoices, "loaded", only=killer.pk)
    assert format_all() == ([], {})
    rendering = BillRendering.objects.get()
    assert (rendering.pk, rendering.given_up_at) == (killer.pk, NOW)
    assert "the process died" in rendering.error
    assert Notification.objects.filter(bill=killer, level="error").exists()
    assert [bill.status for bill in Bill.objects.order_by("pk")] == ["new", "unpaid"]
