"""Rows of the subscribers room: who uses, with which numbers, on which plan and since when."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from apps.rating.models import Bundle, PricePlan, Tenant


class Customer(models.Model):
    """A person or a company that has a contract; may have several subscribers."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        COMPANY = "company", "Company"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="customers")
    number = models.CharField(max_length=40, help_text="The customer's number; unique within the tenant.")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PERSON)
    name = models.CharField(max_length=160)
    street = models.CharField(max_length=160, blank=True)
    address_line2 = models.CharField(
        max_length=160, blank=True, default="", db_default="", help_text="Building, floor, care of."
    )
    postcode = models.CharField(max_length=16, blank=True)
    city = models.CharField(max_length=80, blank=True, db_index=True)
    region = models.CharField(
        max_length=80, blank=True, default="", db_default="", help_text="State, province or canton."
    )
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166 code.")
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=32, blank=True)
    tax_number = models.CharField(max_length=40, blank=True)
    locale = models.CharField(max_length=20, blank=True, help_text="Of the bills; empty = the tenant's.")
    created_at = models.DateTimeField()
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="customer_number_once_a_tenant")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"


class PaymentCard(models.Model):
    """The card that a customer pays with, as the payment provider's vault knows it.

    Never the card's number (PAN) or its code: the vault has those, and gives a token for them.
    """

    customer = models.OneToOneField(
        Customer, on_delete=models.PROTECT, primary_key=True, related_name="payment_card"
    )
    token = models.CharField(max_length=120, help_text="The payment provider's; not a card number.")
    brand = models.CharField(max_length=20, blank=True)
    last_four = models.CharField(max_length=4, blank=True)
    expiry_month = models.PositiveSmallIntegerField(null=True, blank=True)
    expiry_year = models.PositiveSmallIntegerField(null=True, blank=True)
    holder = models.CharField(max_length=120, blank=True)
    added_at = models.DateTimeField()
    history = HistoricalRecords(excluded_fields=["token"])

    def __str__(self) -> str:
        return f"{self.brand or 'Card'} … {self.last_four or '????'}"


class NumberSeries(models.Model):
    """The last number that the system gave out to a tenant's customers or subscribers who came without one."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12)
    last = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "number series"
        constraints = [models.UniqueConstraint(fields=["tenant", "kind"], name="number_series_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.last}"


class Subscriber(models.Model):
    """One line: the holder of a SIM. Usage is theirs; an account pays for it (charging room)."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        TERMINATED = "terminated", "Terminated"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="subscribers")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscribers")
    number = models.CharField(max_length=40, help_text="The subscriber's number; unique within the tenant.")
    name = models.CharField(
        max_length=160, blank=True, help_text="Who uses the line, where not the customer."
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE, db_index=True)
    activated_at = models.DateTimeField()
    suspended_at = models.DateTimeField(null=True, blank=True)
    terminated_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="subscriber_number_once_a_tenant")
        ]

    def __str__(self) -> str:
        return self.number


class Resource(models.Model):
    """A number or a device that can be given to a subscriber: MSISDN, IMSI or handset (IMEI)."""

    class Kind(models.TextChoices):
        MSISDN = "msisdn", "MSISDN"
        IMSI = "imsi", "IMSI"
        HANDSET = "handset", "Handset (IMEI)"

    class Status(models.TextChoices):
        FREE = "free", "Free"
        ASSIGNED = "assigned", "Assigned"
        QUARANTINED = "quarantined", "In quarantine"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="resources")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    value = models.CharField(
        max_length=20, help_text="Digits only; an MSISDN in international form without “+”."
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.FREE, db_index=True)
    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="resource_value_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"


class EffectiveDated(models.Model):
    """Valid for instants in ``[start, end)``; no end = until further notice. Periods of one owner never overlap."""

    start = models.DateTimeField()
    end = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class ResourceAssignment(EffectiveDated):
    """A resource in the hands of a subscriber for a time; usage finds its subscriber through it."""

    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="assignments")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="resources")
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource", "start"], name="resource_assigned_once_at_a_time"),
            models.CheckConstraint(
                condition=models.Q(end__isnull=True) | models.Q(end__gte=models.F("start")),
                name="resource_assignment_not_backwards",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource} → {self.subscriber}"


class PlanAssignment(EffectiveDated):
    """The price plan of a subscriber for a time; usage is priced by the one valid when it started."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="plans")
    price_plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="assignments")
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "start"], name="plan_assigned_once_at_a_time"),
            models.CheckConstraint(
                condition=models.Q(end__isnull=True) | models.Q(end__gte=models.F("start")),
                name="plan_assignment_not_backwards",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber}: {self.price_plan}"


class BundleAssignment(EffectiveDated):
    """A bundle that a subscriber has for a time; several different ones may run side by side."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="bundles")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="assignments")
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "bundle", "start"], name="bundle_assigned_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=models.Q(end__isnull=True) | models.Q(end__gte=models.F("start")),
                name="bundle_assignment_not_backwards",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber}: {self.bundle}"
