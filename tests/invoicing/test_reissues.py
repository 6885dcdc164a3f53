"""Documents issued again: a new revision in the file's place, the former one kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.billing.models import Bill
from apps.invoicing.models import BillDocument, BillRendering
from apps.invoicing.selectors.documents import current_document
from apps.invoicing.services.document_files import digest_of, path_of
from apps.invoicing.services.reissues import request_reissue
from apps.kernel.errors import NotFound
from tests.invoicing.pdf import text_of
from tests.invoicing.scenes import NOW, files_in, new_bills
from tests.invoicing.test_formatter import break_bill, format_all

pytestmark = pytest.mark.django_db


def issued_bill() -> Bill:
    bill = new_bills(postpaid=1)[0]
    format_all()
    bill.refresh_from_db()
    return bill


def rename_customer(bill: Bill, name: str) -> None:
    customer = bill.account.customer
    customer.name = name
    customer.save()


def files_match_their_rows() -> bool:
    return all(
        digest_of(path_of(document.path)) == document.sha256 for document in BillDocument.objects.all()
    )


def test_a_reissue_takes_the_files_place_and_keeps_the_former(invoices: Path):
    bill = issued_bill()
    former = current_document(bill.pk)
    rename_customer(bill, "Now Somebody Else")
    request_reissue([bill.pk], "the name was wrong", "clerk", NOW)
    assert format_all() == ([bill.pk], {})
    first, second = BillDocument.objects.order_by("revision")
    assert (first.path, first.sha256) == (f"2026/01/bc_1/{bill.pk}.r1.pdf", former.sha256)
    assert second.path == f"2026/01/bc_1/{bill.pk}.pdf"
    assert (second.revision, second.reason, second.requested_by) == (2, "the name was wrong", "clerk")
    assert current_document(bill.pk) == second
    assert files_match_their_rows()
    assert "Now Somebody Else" in text_of(path_of(second.path))
    assert "Revision 2" in text_of(path_of(second.path))
    assert "Now Somebody Else" not in text_of(path_of(first.path))
    bill.refresh_from_db()
    assert bill.status == "unpaid"
    assert not BillRendering.objects.exists()


def test_every_former_document_is_kept(invoices: Path):
    bill = issued_bill()
    for _ in range(3):
        request_reissue([bill.pk], "", "clerk", NOW)
        format_all()
    names = [f"{bill.pk}.pdf", *(f"{bill.pk}.r{revision}.pdf" for revision in (1, 2, 3))]
    assert files_in(invoices) == sorted(f"2026/01/bc_1/{name}" for name in names)
    assert files_match_their_rows()


def test_asking_twice_before_it_is_done_is_asking_once(invoices: Path):
    bill = issued_bill()
    request_reissue([bill.pk], "first", "a", NOW)
    request_reissue([bill.pk], "second", "b", NOW)
    format_all()
    assert format_all() == ([], {})
    assert [document.reason for document in BillDocument.objects.order_by("revision")] == ["", "first"]


def test_a_bill_without_a_document_is_simply_tried_again(invoices: Path):
    bill = new_bills(postpaid=1)[0]
    fee = bill.lines.get(kind="recurring").amount_micros
    break_bill(bill)
    format_all()
    BillRendering.objects.update(given_up_at=NOW, retry_at=None)
    bill.lines.filter(kind="recurring").update(amount_micros=fee)
    assert format_all() == ([], {})
    request_reissue([bill.pk], "mended", "clerk", NOW)
    assert format_all() == ([bill.pk], {})
    document = BillDocument.objects.get()
    assert (document.revision, document.reason) == (1, "")


def test_a_file_that_was_tampered_with_is_not_passed_off_as_the_former(invoices: Path):
    bill = issued_bill()
    path_of(current_document(bill.pk).path).write_bytes(b"%PDF-forged")
    request_reissue([bill.pk], "", "clerk", NOW)
    written, failed = format_all()
    assert not written
    assert "is not the document that was written" in failed[bill.pk]
    assert files_in(invoices) == [f"2026/01/bc_1/{bill.pk}.pdf"]


def test_a_lost_file_is_issued_again_and_its_row_says_so(invoices: Path):
    bill = issued_bill()
    path_of(current_document(bill.pk).path).unlink()
    request_reissue([bill.pk], "lost", "clerk", NOW)
    assert format_all() == ([bill.pk], {})
    assert [document.path for document in BillDocument.objects.order_by("revision")] == [
        "",
        f"2026/01/bc_1/{bill.pk}.pdf",
    ]


def test_asking_for_a_bill_that_is_not_there_asks_for_none(invoices: Path):
    bill = issued_bill()
    with pytest.raises(NotFound, match="no bill 999999"):
        request_reissue([bill.pk, 999999], "", "clerk", NOW)
    assert not BillRendering.objects.exists()
