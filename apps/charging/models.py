"""Rows of the charging room: who pays, what they hold, and every movement of it."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from apps.rating.models import Service, Tenant
from apps.subscribers.models import Customer, Subscriber

DEFAULT_BALANCE = "*default"


class Account(models.Model):
    """Who pays for one or more subscribers; gets the bill (postpaid) or the statement (prepaid)."""

    class Mode(models.TextChoices):
        PREPAID = "prepaid", "Prepaid"
        POSTPAID = "postpaid", "Postpaid"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="accounts")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="accounts")
    number = models.CharField(max_length=40, help_text="The account's number; unique within the tenant.")
    mode = models.CharField(max_length=8, choices=Mode.choices)
    currency = models.CharField(max_length=3)
    allow_negative = models.BooleanField(
        default=False, help_text="Whether real-time charging may take the default balance below zero."
    )
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="account_number_once_a_tenant")
        ]

    def __str__(self) -> str:
        return self.number


class Payer(models.Model):
    """Which account pays for a subscriber."""

    subscriber = models.OneToOneField(
        Subscriber, on_delete=models.PROTECT, primary_key=True, related_name="payer"
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payers")

    def __str__(self) -> str:
        return f"{self.account} pays for {self.subscriber}"


class Balance(models.Model):
    """A sum of money that an account holds; always the sum of its ledger entries."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="balances")
    tag = models.CharField(max_length=64, default=DEFAULT_BALANCE)
    amount_micros = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "tag"], name="balance_tag_once_an_account")]

    def __str__(self) -> str:
        return f"{self.account} {self.tag}"


class LedgerEntry(models.Model):
    """One movement between a balance and a book of the operator (double entry in one row; never changed)."""

    class Book(models.TextChoices):
        """The other side: what the operator's own books call it."""

        CASH = "cash", "Cash received"
        REVENUE = "revenue", "Usage revenue"
        FEES = "fees", "Recurring fees"
        PROMOTION = "promotion", "Promotions given"
        CORRECTION = "correction", "Corrections"

    class Kind(models.TextChoices):
        OPENING = "opening", "Opening balance"
        TOP_UP = "top_up", "Top-up"
        USAGE = "usage", "Usage"
        FEE = "fee", "Fee"
        ADJUSTMENT = "adjustment", "Adjustment"

    balance = models.ForeignKey(Balance, on_delete=models.PROTECT, related_name="entries", db_index=False)
    at = models.DateTimeField(help_text="When the movement took effect.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    book = models.CharField(max_length=12, choices=Book.choices)
    amount_micros = models.BigIntegerField(
        help_text="Added to the balance and taken from the book; or the reverse."
    )
    cause = models.CharField(
        max_length=100,
        unique=True,
        help_text="What moved it, such as cdr-file:12:34; a cause moves money once.",
    )
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["balance", "at"], name="ledger_by_balance")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_micros} ({self.cause})"


class AllowanceCounter(models.Model):
    """Free units that a subscriber used up in one calendar month of the tenant's time zone.

    ``origin`` names the grant: ``plan:<id>`` or ``bundle:<id>``. Used in seconds, octets or events.
    """

    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="allowance_counters")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    origin = models.CharField(max_length=40)
    year = models.PositiveSmallIntegerField()
    month = models.PositiveSmallIntegerField()
    used = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "year", "month", "service", "origin"], name="allowance_counter_once"
            ),
            models.CheckConstraint(condition=models.Q(used__gte=0), name="allowance_used_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.service} {self.year}-{self.month:02d} {self.origin}: {self.used}"
