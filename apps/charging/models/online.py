"""Real-time charging: sessions, what they hold, the answers that were given, and how quotas are given out."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.charging.models.accounts import Account
from apps.rating.models import PricePlan, Service
from apps.subscribers.models import Subscriber


class ChargingSession(models.Model):
    """A credit-control session (Diameter Gy); closed ones stay as the record of online usage.

    ``key`` is a digest of session id and sub-session; ``meters`` are the quotas, as
    :func:`apps.charging.services.session_rows.meters_to_text` writes them.
    """

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed by its client"
        RELEASED = "released", "Released by the operator"
        EXPIRED = "expired", "Expired"

    id = models.BigIntegerField(primary_key=True)
    key = models.CharField(max_length=32, unique=True)
    session_id = models.CharField(max_length=1_000)
    sub_session = models.BigIntegerField(default=0)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="sessions")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    opened_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(
        help_text="When its supervision timer ends it, unless it reports before."
    )
    last_number = models.BigIntegerField(default=0)
    peer = models.CharField(
        max_length=800, blank=True, help_text="How its client is reached: host, or host/realm/agent."
    )
    owner = models.CharField(
        max_length=520,
        blank=True,
        help_text="The one peer that may go on with it, or @ and a realm; empty = any peer.",
    )
    cost_micros = models.BigIntegerField(default=0)
    unpaid_micros = models.BigIntegerField(
        default=0, help_text="The part of its price that no balance could pay."
    )
    meters = models.TextField(default="[]")
    version = models.BigIntegerField(default=0, help_text="Incremented by each write of the row.")
    due_at = models.DateTimeField(
        help_text="Never after its supervision timer’s end; when it is to be looked at, and then moved to that end."
    )

    class Meta:
        # Not by its end itself, which every request moves: each write to an index costs.
        indexes = [models.Index(fields=["status", "due_at"], name="session_by_due_time")]

    def __str__(self) -> str:
        return self.session_id


class Reservation(models.Model):
    """A part of a balance or of free units held for a quota; pending as long as the row exists.

    It is posted or given back in the transaction that deletes it. ``holder_id`` is a balance's id, or below
    zero that of an allowance counter. ``amount`` is micro-units, seconds, octets or events.
    """

    session = models.ForeignKey(
        ChargingSession,
        on_delete=models.DO_NOTHING,
        related_name="reservations",
        db_constraint=False,
        db_index=False,
    )
    meter = models.PositiveSmallIntegerField(help_text="Which quota of the session, counted from 0.")
    holder_id = models.BigIntegerField()
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "meter", "holder_id"], name="reservation_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.holder_id} for {self.session_id}/{self.meter}"


class StoredAnswer(models.Model):
    """The answer to a request, kept in the transaction that charged it, so that a repeat gets the same.

    ``key`` is a digest of (session id, sub-session, request number).
    """

    key = models.CharField(max_length=32, unique=True)
    answered_at = models.DateTimeField()
    answer = models.TextField()

    def __str__(self) -> str:
        return self.key


class FailedRequest(models.Model):
    """A request that ended in an error of ours (5012): nothing of it was charged, so staff have to look at it.

    It is settled by staff, or by itself once a repeat of the request is answered. ``key`` is that of StoredAnswer.
    """

    key = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField(help_text="When it failed last.")
    operation = models.CharField(max_length=16)
    session_id = models.CharField(max_length=1_000)
    number = models.BigIntegerField()
    party = models.CharField(max_length=32, blank=True, help_text="MSISDN or IMSI, if the request names one.")
    peer = models.CharField(max_length=255, blank=True)
    error = models.CharField(max_length=500)
    settled_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"request {self.number} of session {self.session_id}"


class PeerDay(models.Model):
    """What a peer debited and refunded without rating on one day (UTC) in one currency, and its refusals."""

    peer = models.CharField(max_length=255)
    day = models.DateField()
    currency = models.CharField(max_length=3)
    debited_micros = models.BigIntegerField(default=0, help_text="Direct debits of money (CC-Money).")
    refunded_micros = models.BigIntegerField(default=0, help_text="Refunds, of money and of units.")
    refusals = models.PositiveIntegerField(default=0, help_text="How many were refused.")
    refused_micros = models.BigIntegerField(default=0)
    last_refusal = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["peer", "day", "currency"], name="peer_day_once_a_currency")
        ]
        verbose_name = "day of a peer"
        verbose_name_plural = "money moved by peers"

    def __str__(self) -> str:
        return f"{self.peer} {self.day} {self.currency}"


class QuotaPolicy(models.Model):
    """How quotas of a service are given out under a price plan, or under all that have no policy of their own."""

    class FinalAction(models.TextChoices):
        TERMINATE = "terminate", "End the service"
        REDIRECT = "redirect", "Redirect"
        RESTRICT = "restrict", "Restrict access"

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="quota_policies")
    price_plan = models.ForeignKey(
        PricePlan, on_delete=models.PROTECT, related_name="quota_policies", null=True, blank=True
    )
    default_units = models.PositiveBigIntegerField(
        help_text="Seconds, octets or events granted if the client lets the server decide."
    )
    max_units = models.PositiveBigIntegerField(
        default=0, help_text="The largest grant; 0 = a day of seconds, 10 GiB, or 1,000 of anything else."
    )
    validity_s = models.PositiveIntegerField(
        default=600, help_text="Seconds a grant is valid; a session silent for twice that is ended."
    )
    quota_holding_s = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Seconds of silence after which the client gives up its quota; 0 = never.",
    )
    threshold_percent = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(99)],
        help_text="How much of a grant is left when the client asks for the next; 0 = nothing.",
    )
    fair_use_units = models.PositiveBigIntegerField(
        "fair use",
        default=0,
        db_default=0,
        help_text="Free units used in a month after which grants stop with “redirect” or “restrict”; 0 = never.",
    )
    final_action = models.CharField(max_length=9, choices=FinalAction.choices, default=FinalAction.TERMINATE)
    redirect_address = models.CharField(max_length=255, blank=True, help_text="URL, IP or SIP address.")
    filters = models.CharField(
        max_length=500,
        blank=True,
        help_text="Filter rules that stay open under “restrict access”, split by “;”.",
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "quota policies"
        constraints = [
            models.UniqueConstraint(fields=["service", "price_plan"], name="quota_policy_once"),
            models.CheckConstraint(condition=Q(validity_s__gt=0), name="quota_policy_validity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.price_plan or 'all price plans'}"

    def clean(self) -> None:
        if self.fair_use_units and self.final_action == self.FinalAction.TERMINATE:
            text = "After fair use a service goes on more slowly: choose “redirect” or “restrict access”."
            raise ValidationError({"final_action": text})
