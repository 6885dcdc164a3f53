"""The last steps of a batch: files get their names, rows say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.billing.models import Bill
from apps.billing.services.notifications import notify
from apps.billing.services.payments import issue_bills
from apps.invoicing.domain.attempts import next_attempt
from apps.invoicing.domain.naming import former_name
from apps.invoicing.models import BillDocument, BillRendering, DocumentCount
from apps.invoicing.services.claims import Claim
from apps.invoicing.services.document_files import (
    keep_under_another_name,
    path_of,
    put_in_place,
    remove_leftovers,
    sync_folders,
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document that is complete on disk under a temporary name."""

    claim: Claim
    revision: int
    relative: str
    temporary: Path
    sha256: str
    size_octets: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A bill that could not be rendered this time."""

    claim: Claim
    error: str


def commit_rendered(
    rendered: Sequence[Rendered], engine: str, now: datetime, on_step: Callable[[str, int], None]
) -> list[int]:
    """Give the files their names and record them; the ids of the bills that got one.

    A bill that is no longer due, because another process was quicker, keeps what it has.
    """
    if not rendered:
        return []
    with transaction.atomic():
        ids = [document.claim.bill_id for document in rendered]
        bills = {bill.pk: bill for bill in Bill.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
        wanted = BillRendering.objects.select_for_update().in_bulk(ids)
        due = [document for document in rendered if _is_due(document, bills, wanted)]
        for document in due:
            put_in_place(document.temporary, path_of(document.relative))
            on_step("placed", document.claim.bill_id)
        sync_folders(path_of(document.relative).parent for document in due)
        BillDocument.objects.bulk_create(
            BillDocument(
                bill_id=document.claim.bill_id,
                revision=document.revision,
                path=document.relative,
                sha256=document.sha256,
                size_octets=document.size_octets,
                engine=engine,
                rendered_at=now,
                reason=document.claim.reason,
                requested_by=document.claim.requested_by,
            )
            for document in due
        )
        done = [document.claim.bill_id for document in due]
        new = [bills[pk] for pk in done if bills[pk].status == Bill.Status.NEW]
        issue_bills(new)
        BillRendering.objects.filter(pk__in=done).delete()
        _count(new)
        on_step("committing", len(due))
    on_step("committed", len(due))
    for document in rendered:
        if document not in due:
            with suppress(OSError):
                document.temporary.unlink()
        elif document.claim.attempts > 1:
            final = path_of(document.relative)
            remove_leftovers(final.parent, final.name)
    return done


def _is_due(document: Rendered, bills: dict[int, Bill], wanted: dict[int, BillRendering]) -> bool:
    bill = bills.get(document.claim.bill_id)
    if bill is None:
        return False
    if document.claim.requested_at is None:
        return bool(bill.status == Bill.Status.NEW)
    rendering = wanted.get(bill.pk)
    return rendering is not None and rendering.requested_at == document.claim.requested_at


@transaction.atomic
def keep_former(bill_id: int) -> None:
    """Move the current document's row to a name of its own, before that of a later revision takes its file's place.

    The file gets the name first, so that every row names its own file at any time.
    """
    Bill.objects.select_for_update().get(pk=bill_id)
    document = BillDocument.objects.filter(bill_id=bill_id).order_by("-revision").first()
    if document is None or not document.path:
        return
    current = path_of(document.path)
    former = current.with_name(former_name(bill_id, document.revision))
    if current == former:
        return
    kept = keep_under_another_name(current, former, document.sha256)
    document.path = f"{document.path.rpartition('/')[0]}/{former.name}" if kept else ""
    document.save(update_fields=["path"])


def _count(bills: Sequence[Bill]) -> None:
    counts: dict[tuple[int, datetime], int] = {}
    for bill in bills:
        key = bill.cycle_id, bill.period_end
        counts[key] = counts.get(key, 0) + 1
    for (cycle_id, period_end), number in sorted(counts.items()):
        found = DocumentCount.objects.filter(cycle_id=cycle_id, period_end=period_end)
        if not found.update(documents=F("documents") + number):
            try:
                with transaction.atomic():
                    DocumentCount.objects.create(cycle_id=cycle_id, period_end=period_end, documents=number)
            except IntegrityError:
                found.update(documents=F("documents") + number)


@transaction.atomic
def commit_failures(failures: Sequence[Failure], now: datetime) -> None:
    """Keep each reason, and when to try again; after the last attempt operators are told."""
    for failure in failures:
        claim = failure.claim
        again = next_attempt(claim.attempts, now)
        BillRendering.objects.filter(pk=claim.bill_id).update(
            owner="",
            claimed_until=None,
            error=failure.error,
            retry_at=again,
            given_up_at=None if again else now,
        )
        bill = Bill.objects.filter(pk=claim.bill_id).first()
        if again is None and bill is not None:
            notify(
                f"{bill} could not be rendered after {claim.attempts} attempts: {failure.error}",
                now,
                level="error",
                tenant_id=bill.tenant_id,
                bill=bill,
            )
