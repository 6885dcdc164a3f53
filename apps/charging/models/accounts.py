"""Accounts and what they hold: who pays, balances of money and units, free units used."""

from __future__ import annotations

from fractions import Fraction

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from apps.charging.domain.modes import ChargingMode
from apps.rating.domain.runs import DEFAULT_RUN, LONGEST_RUN
from apps.rating.models import Service, TariffPlan, Tenant
from apps.subscribers.models import Customer, Subscriber

DEFAULT_BALANCE = "*default"


class TriggerSet(models.Model):
    """Account triggers that go together; an account has one set at most (CGRateS: the tag of action triggers)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="trigger_sets")
    code = models.CharField(max_length=64, help_text="Unique within the tenant.")
    tariff_plan = models.ForeignKey(
        TariffPlan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The folder that it was loaded with; empty = made by hand.",
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["tenant", "code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="trigger_set_code_once_a_tenant")
        ]

    def __str__(self) -> str:
        return self.code


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
    charging_mode = models.CharField(
        max_length=14,
        blank=True,
        default="",
        db_default="",
        choices=[(mode.value, mode.value) for mode in ChargingMode],
        help_text=(
            "How its usage is charged, where not as usual: *prepaid = in real time alone, *pseudoprepaid = from the "
            "balance by its records, *postpaid = by the bill, *rated = priced only, *none = kept only. Empty: prepaid "
            "accounts in real time and by records, postpaid accounts by the bill."
        ),
    )
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    trigger_set = models.ForeignKey(
        TriggerSet, on_delete=models.PROTECT, related_name="accounts", null=True, blank=True
    )
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


class SharedGroup(models.Model):
    """Balances of several accounts that these accounts use together (CGRateS: shared group)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="shared_groups")
    code = models.CharField(max_length=64)
    tariff_plan = models.ForeignKey(
        TariffPlan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="The folder that it was loaded with; empty = made by hand.",
    )
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="shared_group_code_once_a_tenant")
        ]

    def __str__(self) -> str:
        return self.code


class SharedGroupTerms(models.Model):
    """In which order an account (or, without one, any) uses the balances of a shared group."""

    class Strategy(models.TextChoices):
        LOWEST = "*lowest", "The lowest first"
        HIGHEST = "*highest", "The highest first"
        RANDOM = "*random", "At random"
        MINE_LOWEST = "*mine_lowest", "One’s own, then the lowest first"
        MINE_HIGHEST = "*mine_highest", "One’s own, then the highest first"
        MINE_RANDOM = "*mine_random", "One’s own, then at random"

    group = models.ForeignKey(SharedGroup, on_delete=models.CASCADE, related_name="terms")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", null=True, blank=True)
    strategy = models.CharField(max_length=16, choices=Strategy.choices, default=Strategy.MINE_RANDOM)
    rating_subject = models.CharField(
        max_length=64, blank=True, help_text="Prices units used through the group; empty = the balance’s own."
    )

    class Meta:
        verbose_name_plural = "terms of shared groups"
        constraints = [models.UniqueConstraint(fields=["group", "account"], name="shared_group_terms_once")]

    def __str__(self) -> str:
        return f"{self.group}: {self.strategy}"


class SharedGroupLimit(models.Model):
    """How much a member of a shared group may use of the others' balances of a kind, in a calendar month.

    Of one account or, without one, of each that has no limit of its own.
    """

    class Kind(models.TextChoices):
        MONETARY = "monetary", "Money"
        VOICE = "voice", "Voice, seconds"
        DATA = "data", "Data, octets"
        SMS = "sms", "Messages"
        GENERIC = "generic", "Generic units"

    group = models.ForeignKey(SharedGroup, on_delete=models.CASCADE, related_name="limits")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", null=True, blank=True)
    kind = models.CharField("what", max_length=8, choices=Kind.choices)
    amount_micros = models.PositiveBigIntegerField(default=0, help_text="Micro-units a month, of money.")
    units = models.PositiveBigIntegerField(
        default=0, help_text="Seconds, octets, messages or units a month, of anything else."
    )

    class Meta:
        verbose_name = "limit of a member"
        verbose_name_plural = "limits of members"
        constraints = [
            models.UniqueConstraint(fields=["group", "account", "kind"], name="shared_group_limit_once"),
            models.CheckConstraint(
                condition=Q(kind="monetary", units=0) | (~Q(kind="monetary") & Q(amount_micros=0)),
                name="shared_group_limit_of_one_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group}, {self.account or 'any'}: {self.kind}"

    @property
    def limit(self) -> int:
        """Micro-units or units."""
        return self.amount_micros + self.units

    def clean(self) -> None:
        if self.kind == self.Kind.MONETARY and self.units:
            raise ValidationError({"units": "Money is limited in micro-units."})
        if self.kind != self.Kind.MONETARY and self.amount_micros:
            raise ValidationError({"amount_micros": "Units are limited in units."})
        if self.account is not None and self.account.tenant_id != self.group.tenant_id:
            raise ValidationError({"account": f"{self.account} belongs to another tenant."})
        again = SharedGroupLimit.objects.filter(group=self.group, account=self.account, kind=self.kind)
        if self.group_id and again.exclude(pk=self.pk).exists():
            raise ValidationError({"kind": "There is such a limit already; change that one."})


class SharedGroupUse(models.Model):
    """What an account has used of the others' balances of a shared group; written under the lock of its balances.

    What is on hold for its sessions is not among it.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="shared_group_uses", db_constraint=False
    )
    group = models.ForeignKey(SharedGroup, on_delete=models.CASCADE, related_name="uses", db_constraint=False)
    kind = models.CharField(max_length=8)
    period = models.PositiveIntegerField(help_text="The month: year × 12 + month.")
    used = models.BigIntegerField(default=0, help_text="Micro-units or units.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "group", "kind"], name="shared_group_use_once")
        ]

    def __str__(self) -> str:
        return f"{self.account} of {self.group}: {self.used}"


class Balance(models.Model):
    """Money or units that an account holds; always the sum of its ledger entries.

    Which usage it pays for, and when, is decided by the terms (CGRateS: balance); see
    :class:`apps.charging.domain.balances.Balance`.
    """

    class Kind(models.TextChoices):
        MONETARY = "monetary", "Money"
        VOICE = "voice", "Voice, seconds"
        DATA = "data", "Data, octets"
        SMS = "sms", "Messages"
        GENERIC = "generic", "Generic units"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="balances")
    tag = models.CharField(max_length=64, default=DEFAULT_BALANCE)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.MONETARY, db_default="monetary")
    amount_micros = models.BigIntegerField(default=0)
    units = models.BigIntegerField(
        default=0, db_default=0, help_text="Seconds, octets or events; for money 0."
    )
    reserved_micros = models.BigIntegerField(default=0, db_default=0, help_text="Held for open sessions.")
    reserved_units = models.BigIntegerField(default=0, db_default=0, help_text="Held for open sessions.")
    overdraft_micros = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="How far below zero a rule has let it go: usage from files, fees, an account that may.",
    )
    weight = models.IntegerField(default=0, db_default=0, help_text="The highest is used first.")
    destinations = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="Destination ids that it serves, split by “;”; “!” before one excludes it; empty = all.",
    )
    categories = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="Rating categories that it serves, split by “;”; empty = all.",
    )
    timings = models.CharField(
        max_length=1_000,
        blank=True,
        default="",
        db_default="",
        help_text='When it may be used, as JSON: [{"months": [5], "weekdays": [1], "start": "08:00", "end": "18:00"}].',
    )
    active_from = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    disabled = models.BooleanField(default=False, db_default=False)
    blocker = models.BooleanField(default=False, db_default=False, help_text="Nothing after it is used.")
    rating_subject = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="*zero1m: free in whole minutes; empty: free; another: that subject’s rates are paid as well.",
    )
    factors = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="Generic units: usage that one unit buys by type of record: voice=60;sms=1/4 (four units a message).",
    )
    used_part = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text="How much of one of the units is used already, such as 1/2; it is booked when nothing of it is left.",
    )
    groups = models.ManyToManyField(SharedGroup, related_name="balances", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "tag"], name="balance_tag_once_an_account"),
            models.CheckConstraint(
                condition=Q(amount_micros__gte=F("reserved_micros") - F("overdraft_micros")),
                name="balance_not_below_zero_without_a_rule",
            ),
            models.CheckConstraint(
                condition=Q(units__gte=F("reserved_units")), name="balance_units_not_below_zero"
            ),
            models.CheckConstraint(
                condition=Q(reserved_micros__gte=0, reserved_units__gte=0, overdraft_micros__gte=0),
                name="balance_reserved_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="monetary", units=0, reserved_units=0)
                | (~Q(kind="monetary") & Q(amount_micros=0, reserved_micros=0)),
                name="balance_of_one_kind",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="balance_expiry")]

    def __str__(self) -> str:
        return f"{self.account} {self.tag}"

    @property
    def units_text(self) -> str:
        """The units that are left, exactly: 98 5/6."""
        if not self.used_part:
            return str(self.units)
        rest = 1 - Fraction(self.used_part)
        return f"{self.units - 1} {rest}" if self.units > 1 else str(rest)


class AllowanceCounter(models.Model):
    """Free units that a subscriber used up in one calendar month of the tenant's time zone.

    ``origin`` names the grant: ``plan:<id>`` or ``bundle:<id>``. Used in seconds, octets or events.
    """

    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="allowance_counters")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    origin = models.CharField(max_length=40)
    run = models.CharField(
        max_length=LONGEST_RUN,
        default=DEFAULT_RUN,
        db_default=DEFAULT_RUN,
        help_text="Of which charge of the records: *default is the subscriber's own, and all that is used online.",
    )
    year = models.PositiveSmallIntegerField()
    month = models.PositiveSmallIntegerField()
    used = models.BigIntegerField(default=0)
    used_online = models.BigIntegerField(
        default=0, db_default=0, help_text="The part of it that sessions and events used."
    )
    reserved = models.BigIntegerField(default=0, db_default=0, help_text="Held for open sessions.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "year", "month", "service", "origin", "run"],
                name="allowance_counter_once",
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="allowance_used_not_negative"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0, used_online__gte=0), name="allowance_reserved_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.service} {self.year}-{self.month:02d} {self.origin}: {self.used}"
