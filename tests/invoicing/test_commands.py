"""formatbills, reformatbill and billcontext, as an operator uses them."""

from __future__ import annotations

import json
import os
import signal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import Bill, Notification
from apps.invoicing.models import BillDocument, BillRendering
from apps.invoicing.services import formatter
from tests.invoicing.scenes import files_in, new_bills
from tests.invoicing.test_formatter import break_bill

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str, int]:
    out, err = StringIO(), StringIO()
    status = 0
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as error:
        status = int(error.code or 0)
    return out.getvalue(), err.getvalue(), status


def test_formatbills_writes_due_bills_and_a_summary(invoices: Path, capsys):
    new_bills(postpaid=3)
    out, _, status = run("formatbills", "--workers", "1")
    assert status == 0
    assert out.startswith("3 documents written in ")
    assert "Bills: 3 of 3 documents" in capsys.readouterr().err
    assert len(files_in(invoices)) == 3
    assert Notification.objects.filter(text__contains="3 documents written").exists()
    assert run("formatbills")[0].startswith("0 documents written")


@pytest.mark.django_db(transaction=True)
def test_formatbills_with_several_processes_writes_each_document_once(invoices: Path, settings):
    settings.INVOICE_BATCH = 2
    bills = new_bills(postpaid=9, records=2)
    out, _, status = run("formatbills", "--workers", "3", "--limit", "7")
    assert (status, out.split(" in ")[0]) == (0, "7 documents written")
    assert BillDocument.objects.count() == len(files_in(invoices)) == 7
    assert run("formatbills", "--workers", "3")[0].startswith("2 documents written")
    assert len(files_in(invoices)) == len(bills)


@pytest.mark.django_db(transaction=True)
def test_formatbills_replaces_processes_that_die_and_gives_up_the_bill_that_kills_them(
    invoices: Path, settings, monkeypatch
):
    """The processes are copies of this one, so patches hold there too."""
    settings.INVOICE_BATCH = 2
    bills = new_bills(postpaid=6, records=2)
    killer, real = bills[2], formatter.build_context

    def deadly(bill, history):
        if bill.id == killer.pk:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(bill, history)

    monkeypatch.setattr(formatter, "build_context", deadly)
    out, _, _ = run("formatbills", "--workers", "2")
    assert out.startswith("5 documents written")
    assert "1 given up" in out
    assert BillRendering.objects.get().pk == killer.pk
    assert len(files_in(invoices)) == 5


def test_formatbills_names_the_bills_that_failed(invoices: Path):
    good, bad = new_bills(postpaid=2)
    break_bill(bad)
    out, err, status = run("formatbills")
    assert status == 1
    assert out.startswith("1 document written")
    assert "1 failed and will be tried again" in out
    assert f"bill {bad.number} (id {bad.pk}):" in err
    assert "the lines make" in err
    assert Bill.objects.get(pk=good.pk).status == "unpaid"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--limit", "0"], "--limit must be at least 1"), (["--cycle", "77"], "no bill cycle 77")],
)
def test_formatbills_refuses_what_means_nothing(arguments: list[str], message: str):
    with pytest.raises(CommandError, match=message) as caught:
        run("formatbills", *arguments)
    assert caught.value.returncode == 2


def test_formatbills_names_missing_system_packages(invoices: Path, settings):
    new_bills(postpaid=1)
    settings.PDF_ENGINE = "typewriter"
    with pytest.raises(CommandError, match="no PDF engine"):
        run("formatbills")


def test_reformatbill_takes_an_id_or_a_number_and_says_where_the_document_is(invoices: Path):
    first, second = new_bills(postpaid=2)
    run("formatbills")
    out, _, status = run("reformatbill", str(first.pk), second.number, "--reason", "new letterhead")
    assert status == 0
    assert out == "".join(
        f"bill {bill.pk}: revision 2, {invoices}/2026/01/bc_1/{bill.pk}.pdf\n" for bill in (first, second)
    )
    reasons = BillDocument.objects.filter(revision=2).values_list("reason", flat=True)
    assert list(reasons) == ["new letterhead"] * 2
    assert len(files_in(invoices)) == 4


def test_reformatbill_of_no_bill_is_refused():
    with pytest.raises(CommandError, match="no bill with the id or number 2026-77") as caught:
        run("reformatbill", "2026-77")
    assert caught.value.returncode == 2


def test_reformatbill_says_why_it_could_not(invoices: Path):
    bill = new_bills(postpaid=1)[0]
    run("formatbills")
    break_bill(bill)
    _, err, status = run("reformatbill", str(bill.pk))
    assert status == 1
    assert "the lines make" in err
    assert files_in(invoices) == [f"2026/01/bc_1/{bill.pk}.pdf"]


def test_billcontext_prints_the_context_or_the_document():
    bill = new_bills(postpaid=0, prepaid=1)[0]
    context = json.loads(run("billcontext", bill.number)[0])
    assert context["bill_id"] == str(bill.pk)
    assert [row["movement"] for row in context["balance"]["rows"]].count("Top-up") == 1
    html = run("billcontext", str(bill.pk), "--html")[0]
    assert "<style>" in html
    assert context["title"] in html
    assert bill.number in html
