"""Vouchers: batches of prepaid value, each voucher with its status, and who guesses PINs too often."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from apps.charging.models.accounts import DEFAULT_BALANCE, Account, Balance
from apps.charging.models.ledger import LedgerBook
from apps.rating.models import Bundle, Tenant
from apps.vouchers.domain.vouchers import VoucherStatus, status_at


class VoucherBatch(models.Model):
    """Vouchers that were generated together: what each is worth, and from when to when.

    It stays as it was generated; the PINs are not here.
    """

    class Handover(models.TextChoices):
        """How the PINs left the system; it was the only time."""

        SHOWN = "shown", "Shown once"
        PASSPHRASE = "passphrase", "Sealed with a passphrase"
        RECIPIENT = "recipient", "Sealed for a recipient's key"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="voucher_batches")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=Balance.Kind.choices, default=Balance.Kind.MONETARY)
    amount_micros = models.BigIntegerField(default=0, help_text="Micro-units for each voucher; for units 0.")
    units = models.BigIntegerField(default=0, help_text="Seconds, octets or events for each; for money 0.")
    currency = models.CharField(max_length=3, help_text="Only accounts in this currency can redeem them.")
    tag = models.CharField(
        max_length=64, default=DEFAULT_BALANCE, help_text="The balance that is credited; made if missing."
    )
    balance_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Days after redemption for which the credited balance is valid; empty = for ever.",
    )
    bundle = models.ForeignKey(
        Bundle, on_delete=models.PROTECT, related_name="voucher_batches", null=True, blank=True
    )
    bundle_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days for which the bundle is given."
    )
    book = models.CharField(
        max_length=12, choices=LedgerBook.Code.choices, help_text="cash for sold ones, promotion for gifts."
    )
    count = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="As generated; vouchers that were extended have a later one.")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    handover = models.CharField(max_length=10, choices=Handover.choices, default=Handover.SHOWN)
    key = models.CharField(max_length=100, help_text="Names the order; a repeat of it generates nothing.")

    class Meta:
        verbose_name_plural = "voucher batches"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="voucher_batch_key_once_a_tenant"),
            models.CheckConstraint(
                condition=Q(kind="monetary", units=0) | (~Q(kind="monetary") & Q(amount_micros=0)),
                name="voucher_batch_of_one_kind",
            ),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0) | Q(units__gt=0) | Q(bundle__isnull=False),
                name="voucher_batch_of_value",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("valid_from")), name="voucher_batch_valid_for_a_time"
            ),
            models.CheckConstraint(
                condition=Q(amount_micros__gte=0, units__gte=0), name="voucher_batch_value_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk:06d} {self.name}"

    @property
    def value(self) -> int:
        """Micro-units of money, or units, that each voucher credits."""
        return self.amount_micros if self.kind == Balance.Kind.MONETARY else self.units


class Voucher(models.Model):
    """One voucher. Of its PIN only a keyed hash is kept, with the id of the key; see ``docs/operations.md``."""

    # “expired” is never stored: it follows from the time.
    STATUSES = [(status.value, status.value.title()) for status in VoucherStatus if status != "expired"]

    batch = models.ForeignKey(VoucherBatch, on_delete=models.PROTECT, related_name="vouchers", db_index=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    serial = models.CharField(max_length=20, help_text="For support; unique within the tenant.")
    pin_hash = models.CharField(max_length=64)
    pin_key = models.CharField(max_length=16, help_text="Which key the hash was made with.")
    status = models.CharField(max_length=9, choices=STATUSES)
    valid_from = models.DateTimeField()
    expires_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="When its status or validity changed last.")
    changed_by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="vouchers", null=True, blank=True
    )
    msisdn = models.CharField(max_length=32, blank=True, help_text="For which number it was redeemed.")
    redeemed_at = models.DateTimeField(null=True, blank=True)
    redemption_key = models.CharField(max_length=100, null=True, blank=True)
    balance_micros = models.BigIntegerField(
        null=True, blank=True, help_text="What the account's money could buy after the redemption."
    )
    cause = models.CharField(max_length=100, blank=True, help_text="Of its ledger entry.")

    class Meta:
        indexes = [models.Index(fields=["batch", "status"], name="voucher_by_batch_and_status")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "pin_hash"], name="voucher_pin_once_a_tenant"),
            models.UniqueConstraint(fields=["tenant", "serial"], name="voucher_serial_once_a_tenant"),
            models.UniqueConstraint(
                fields=["tenant", "redemption_key"], name="voucher_redemption_key_once_a_tenant"
            ),
            models.CheckConstraint(
                condition=Q(
                    status="redeemed",
                    account__isnull=False,
                    redeemed_at__isnull=False,
                    redemption_key__isnull=False,
                )
                | (~Q(status="redeemed") & Q(account__isnull=True, redeemed_at__isnull=True)),
                name="voucher_redeemed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.serial

    def status_at(self, now: datetime) -> VoucherStatus:
        """The status as it is at ``now``: open vouchers expire."""
        return status_at(self.status, self.expires_at, now)


class RedemptionGuard(models.Model):
    """A party whose PINs were wrong: ``account:<id>`` or ``caller:<name>``. Lifted locks stay as rows."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    subject = models.CharField(max_length=120)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True, db_index=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)
    lift_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "party with wrong PINs"
        verbose_name_plural = "wrong PINs"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "subject"], name="redemption_guard_once_a_subject")
        ]

    def __str__(self) -> str:
        return self.subject
