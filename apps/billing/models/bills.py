"""Bills, their lines, payments on them, and news for operators."""

from __future__ import annotations

from django.db import models

from apps.billing.models.cycles import Activity, BillCycle, BillRun
from apps.charging.models import Account
from apps.mediation.models import RatedDestination
from apps.rating.models import Service, Tenant
from apps.subscribers.models import Subscriber


def cause_of_bill(bill_id: int) -> str:
    """Under which a bill moves money in the ledger."""
    return f"bill:{bill_id}"


class BillNumberSeries(models.Model):
    """Numbers of bills run without gaps within a tenant, kind and year of issue: taken and written together."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    prefix = models.CharField(max_length=12)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "bill number series"
        constraints = [models.UniqueConstraint(fields=["tenant", "prefix"], name="bill_number_series_once")]

    def __str__(self) -> str:
        return f"{self.prefix}{self.last}"


class Bill(models.Model):
    """What one account owes (postpaid), or has spent (prepaid), for one period; its lines add up to its total.

    A credit note takes a whole bill back (EN 16931, type 381): the same lines with the sign changed.
    """

    class Kind(models.TextChoices):
        POSTPAID = "postpaid", "Bill"
        PREPAID = "prepaid", "Statement"
        CREDIT = "credit", "Credit note"

    class Status(models.TextChoices):
        NEW = "new", "New"
        UNPAID = "unpaid", "Unpaid"
        PAID = "paid", "Paid"
        CANCELLED = "cancelled", "Cancelled"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="bills", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="bills", db_index=False)
    cycle = models.ForeignKey(BillCycle, on_delete=models.PROTECT, related_name="bills", db_index=False)
    # Without a constraint: checking it would lock the run, for which a stop or a progress page would wait.
    run = models.ForeignKey(
        BillRun, null=True, blank=True, on_delete=models.PROTECT, related_name="bills", db_constraint=False
    )
    number = models.CharField(
        max_length=24,
        null=True,
        help_text="Bill (invoice) number, as printed; every bill that is committed has one.",
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.NEW, db_index=True)
    # A unique index takes any number of empty values, on every database.
    current = models.BooleanField(
        null=True,
        default=True,
        help_text="The account's bill for the period; empty: cancelled, or a credit note.",
    )
    corrects = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="credit_note",
        help_text="Credit notes: the bill that is cancelled (EN 16931, BT-25).",
    )
    reason = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="Of a credit note."
    )
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    issued_on = models.DateField()
    due_on = models.DateField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    recurring_micros = models.BigIntegerField(default=0)
    usage_micros = models.BigIntegerField(default=0)
    one_off_micros = models.BigIntegerField(default=0)
    discount_micros = models.BigIntegerField(default=0, help_text="Negative or zero.")
    tax_micros = models.BigIntegerField(default=0)
    rounding_micros = models.BigIntegerField(
        default=0, help_text="What rounding its lines came to; contained in the amounts above."
    )
    total_micros = models.BigIntegerField()
    opening_balance_micros = models.BigIntegerField(null=True, blank=True, help_text="Prepaid.")
    closing_balance_micros = models.BigIntegerField(null=True, blank=True, help_text="Prepaid.")
    # Which records and ledger entries are on it: in before ``…_sequence``, and either of this period or late, that is
    # in after the previous bill's.
    usage_sequence = models.BigIntegerField(help_text="Records of files up to this load sequence are billed.")
    usage_from = models.DateTimeField(
        help_text="Usage before this is billed only if loaded after the previous bill."
    )
    usage_after_sequence = models.BigIntegerField(default=0)
    ledger_entry = models.BigIntegerField(
        default=0, help_text="Prepaid: ledger entries up to this one are shown."
    )
    ledger_after_entry = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "period_end", "current"], name="bill_once_an_account_and_period"
            ),
            models.UniqueConstraint(fields=["tenant", "number"], name="bill_number_once_a_tenant"),
            models.CheckConstraint(
                condition=models.Q(
                    total_micros=models.F("recurring_micros")
                    + models.F("usage_micros")
                    + models.F("one_off_micros")
                    + models.F("discount_micros")
                    + models.F("tax_micros")
                ),
                name="bill_total_is_the_sum_of_its_parts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class BillLine(models.Model):
    """One line of a bill, in the currency's decimals. All lines of a bill add up to its total."""

    class Kind(models.TextChoices):
        RECURRING = "recurring", "Recurring"
        USAGE = "usage", "Usage"
        ONE_OFF = "one_off", "One-off"
        ONLINE = "online", "Charged online"
        DISCOUNT = "discount", "Discount"
        TAX = "tax", "Tax"

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="lines", db_index=False)
    number = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=9, choices=Kind.choices)
    subscriber = models.ForeignKey(
        Subscriber, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    service = models.ForeignKey(
        Service, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    destination = models.ForeignKey(
        RatedDestination,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    description = models.CharField(max_length=200)
    # The database's own defaults: a run writes these columns only on the lines that have them.
    records = models.PositiveIntegerField(default=0, db_default=0, help_text="Usage: how many records.")
    unit = models.CharField(max_length=3, help_text="Of the quantity, by UN/ECE Recommendation 20 (BT-130).")
    quantity = models.BigIntegerField(help_text="Usage: seconds, octets or events.")
    free_quantity = models.BigIntegerField(default=0, db_default=0)
    period_start = models.DateTimeField(null=True, help_text="Recurring: the part of the period it is for.")
    period_end = models.DateTimeField(null=True)
    rate_millionths = models.PositiveIntegerField(null=True, help_text="Tax and discount.")
    base_micros = models.BigIntegerField(
        null=True, help_text="Tax and discount: on what. Charged online: with its taxes."
    )
    tax_category = models.CharField(
        max_length=2, blank=True, help_text="S, Z or O (EN 16931, BT-151); empty: taxes are in the price."
    )
    tax_rate_millionths = models.PositiveIntegerField(help_text="All its taxes together (BT-152).")
    origin = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="What it comes from, such as plan:7."
    )
    corrects = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text="Credit notes: the line that is taken back.",
    )
    exact_micros = models.BigIntegerField(help_text="What the amount was rounded from, once.")
    amount_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bill", "number"], name="bill_line_number_once_a_bill")
        ]

    def __str__(self) -> str:
        return self.description


class Payment(models.Model):
    """Money received for a bill; never changed or removed, corrected by a further one.

    A credit that passes from one bill to another is two of them: given back there, received here, together nothing.
    """

    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="payments")
    other_bill = models.ForeignKey(
        Bill,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="A credit taken over: the bill at its other end.",
    )
    at = models.DateTimeField(db_index=True)
    amount_micros = models.BigIntegerField()
    method = models.CharField(max_length=40, blank=True)
    reference = models.CharField(max_length=100, help_text="The bank's or desk's own reference.")
    recorded_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bill", "reference"], name="payment_reference_once_a_bill")
        ]

    def __str__(self) -> str:
        return self.reference


class Notification(models.Model):
    """News for operators: a run is through, a file was refused, a bill is ready; acknowledged by a person."""

    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_index=True)
    level = models.CharField(
        max_length=8, choices=[("info", "Info"), ("warning", "Warning"), ("error", "Error")]
    )
    text = models.CharField(max_length=500)
    activity = models.ForeignKey(Activity, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    bill = models.ForeignKey(Bill, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.text
