"""The ledger: every movement of a balance, and every use of free units online; never changed."""

from __future__ import annotations

from django.db import models

from apps.charging.models.accounts import AllowanceCounter, Balance


class LedgerEntry(models.Model):
    """One movement between a balance and a book of the operator (double entry in one row; never changed)."""

    class Book(models.TextChoices):
        """The other side: what the operator's own books call it."""

        CASH = "cash", "Cash received"
        REVENUE = "revenue", "Usage revenue"
        FEES = "fees", "Recurring fees"
        PROMOTION = "promotion", "Promotions given"
        CORRECTION = "correction", "Corrections"
        TRANSFER = "transfer", "Transfers between accounts"
        RECEIVABLES = "receivables", "Owed by bill"

    class Kind(models.TextChoices):
        OPENING = "opening", "Opening balance"
        TOP_UP = "top_up", "Top-up"
        USAGE = "usage", "Usage"
        FEE = "fee", "Fee"
        ADJUSTMENT = "adjustment", "Adjustment"
        REFUND = "refund", "Refund"
        TRANSFER = "transfer", "Transfer"
        BILLED = "billed", "Taken over by a bill"

    balance = models.ForeignKey(Balance, on_delete=models.PROTECT, related_name="entries", db_index=False)
    at = models.DateTimeField(help_text="When the movement took effect.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    book = models.CharField(max_length=12, choices=Book.choices)
    amount_micros = models.BigIntegerField(
        help_text="Added to the balance and taken from the book; or the reverse."
    )
    units = models.BigIntegerField(default=0, db_default=0, help_text="The same for balances of units.")
    cause = models.CharField(
        max_length=100,
        unique=True,
        help_text="What moved it, such as cdr-file:12:34; a cause moves money once.",
    )
    note = models.CharField(max_length=200, blank=True)
    session_id = models.BigIntegerField(
        null=True, blank=True, help_text="The charging session, if one moved it."
    )

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["balance", "at"], name="ledger_by_balance"),
            models.Index(fields=["at"], name="ledger_by_date"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_micros} ({self.cause})"


class AllowanceEntry(models.Model):
    """Free units that a session or an event used; a counter's ``used_online`` is the sum of its entries."""

    counter = models.ForeignKey(AllowanceCounter, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField()
    units = models.BigIntegerField(help_text="Seconds, octets or events.")
    cause = models.CharField(max_length=100, unique=True)
    session_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "allowance entries"

    def __str__(self) -> str:
        return f"{self.units} ({self.cause})"
