"""The ledger: every movement of a balance, and every use of free units online; never changed."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.charging.models.accounts import AllowanceCounter, Balance
from apps.rating.models import Tenant


class LedgerBook(models.Model):
    """An account of the operator's own, such as the cash received in a currency: one side of every movement.

    What it holds is what was credited to it less what was debited from it; no figure of it is stored.
    """

    class Code(models.TextChoices):
        """The standard books; those of each tenant and currency are made with the first that is used."""

        CASH = "cash", "Cash received"
        REVENUE = "revenue", "Usage revenue"
        FEES = "fees", "Recurring fees"
        PROMOTION = "promotion", "Promotions given"
        CORRECTION = "correction", "Corrections"
        TRANSFER = "transfer", "Transfers between accounts"
        RECEIVABLES = "receivables", "Owed by bill"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="ledger_books")
    currency = models.CharField(max_length=3)
    code = models.CharField(max_length=12, choices=Code.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "currency", "code"], name="ledger_book_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_code_display()}, {self.currency}"


class BookPosting(models.Model):
    """Money from one book to another, without a balance; never changed. Both are of one tenant and currency."""

    debit = models.ForeignKey(LedgerBook, on_delete=models.PROTECT, related_name="debits")
    credit = models.ForeignKey(LedgerBook, on_delete=models.PROTECT, related_name="credits")
    at = models.DateTimeField(db_index=True, help_text="When the posting took effect.")
    amount_micros = models.BigIntegerField(help_text="Taken from the debited book and added to the other.")
    cause = models.CharField(max_length=100, unique=True, help_text="A cause moves money once.")
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="book_posting_above_zero"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="book_posting_between_two"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_micros} ({self.cause})"


class LedgerEntry(models.Model):
    """A posting between a balance and a book (double entry in one row; never changed)."""

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
    # Neither an index nor a constraint: each entry would pay for both, and all would lock the same few books.
    book = models.ForeignKey(
        LedgerBook, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="entries"
    )
    amount_micros = models.BigIntegerField(
        help_text="Added to the balance and taken from the book; or the reverse."
    )
    units = models.BigIntegerField(default=0, db_default=0, help_text="The same for balances of units.")
    cause = models.CharField(
        max_length=100,
        unique=True,
        help_text="What moved it, such as cdr-file:12:*default:34:2026-05-20; a cause moves money once.",
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
