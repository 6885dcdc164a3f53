"""Rows of the invoicing room: documents that were written, those that are being written, and how far periods are."""

from __future__ import annotations

from django.db import models

from apps.billing.models import Bill, BillCycle


class BillDocument(models.Model):
    """A PDF of a bill on disk. A re-issue is a new revision; the former file is kept under another name.

    The highest revision is the current document, at ``<bill id>.pdf``.
    """

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="documents", db_index=False)
    revision = models.PositiveSmallIntegerField(default=1)
    path = models.CharField(
        max_length=255,
        blank=True,
        help_text="Within the invoices folder; empty: it was lost before a re-issue.",
    )
    sha256 = models.CharField(max_length=64)
    size_octets = models.PositiveIntegerField()
    engine = models.CharField(max_length=20)
    rendered_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was issued again.")
    requested_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bill", "revision"], name="document_revision_once_a_bill")
        ]

    def __str__(self) -> str:
        return self.path


class BillRendering(models.Model):
    """Work on one bill's document: who has it in hand, what went wrong, or that it is to be issued again.

    A NEW bill without a row is due. The row ends with the document's commit, so only documents in progress, failed or
    waits has one. A claim is no lock: it keeps two formatters from doing the same work; the bill's own row, locked
    while the document takes its place, keeps them from both doing it.
    """

    bill = models.OneToOneField(Bill, on_delete=models.PROTECT, primary_key=True, related_name="rendering")
    owner = models.CharField(max_length=120, blank=True, help_text="The process that has it in hand.")
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Begun and not finished: failed, or the process died."
    )
    error = models.TextField(blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(
        null=True, blank=True, help_text="After the last attempt; a person has to ask for another."
    )
    requested_at = models.DateTimeField(null=True, blank=True, help_text="To be issued again since.")
    requested_by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["owner"], name="rendering_by_owner"),
            models.Index(fields=["requested_at"], name="rendering_requested"),
        ]

    def __str__(self) -> str:
        return f"Document of {self.bill}"


class DocumentCount(models.Model):
    """How many documents of a cycle's period there are; news of it goes to operators when none is due any more."""

    cycle = models.ForeignKey(BillCycle, on_delete=models.PROTECT, related_name="+")
    period_end = models.DateTimeField()
    documents = models.PositiveIntegerField(default=0)
    announced = models.PositiveIntegerField(default=0, help_text="Documents that the last news spoke of.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cycle", "period_end"], name="document_count_once_a_period")
        ]

    def __str__(self) -> str:
        return f"{self.cycle} to {self.period_end:%Y-%m-%d}: {self.documents}"
