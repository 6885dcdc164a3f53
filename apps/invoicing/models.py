"""Rows of the invoicing room: documents that were written."""

from __future__ import annotations

from django.db import models

from apps.billing.models import Bill


class BillDocument(models.Model):
    """A PDF of a bill on disk. A re-issue is a new revision; the former file is kept."""

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="documents")
    revision = models.PositiveSmallIntegerField(default=1)
    path = models.CharField(max_length=255, help_text="Within the invoices folder.")
    sha256 = models.CharField(max_length=64)
    size_octets = models.PositiveIntegerField()
    engine = models.CharField(max_length=20)
    rendered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bill", "revision"], name="document_revision_once_a_bill")
        ]

    def __str__(self) -> str:
        return self.path
