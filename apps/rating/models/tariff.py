"""The rows of tariff plans: timings, destinations, rates and how they make a price (CGRateS's tables).

Rows are the editable form; prices come from the snapshot that publishing makes of them (TariffVersion).
Amounts are plain decimal text because a rate may be finer than a micro-unit, on either database.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.kernel.errors import InvalidInput
from apps.kernel.rounding import RoundingMethod
from apps.rating.domain.rates import DISCONNECT, FREE
from apps.rating.domain.tariff_files import fields, times
from apps.rating.models.tenants import Tenant


def validate_amount(text: str) -> None:
    """Raise ValidationError unless ``text`` is a decimal amount of 0 or more, as tariffs write it."""
    _validated(fields.amount, text)


def validate_id(text: str) -> None:
    """Raise ValidationError unless ``text`` may be an id of a tariff."""
    _validated(fields.identifier, text)


def validate_subject(text: str) -> None:
    """Raise ValidationError unless ``text`` may be the subject of a rating profile."""
    _validated(fields.subject, text)


def validate_subjects(text: str) -> None:
    """Raise ValidationError unless ``text`` is a list of subjects split by semicolons."""
    _validated(fields.fallback_subjects, text)


def validate_prefix(text: str) -> None:
    """Raise ValidationError unless ``text`` may be a number prefix."""
    _validated(fields.prefix, text)


def validate_years(text: str) -> None:
    """Raise ValidationError unless ``text`` is a list of years split by semicolons."""
    _validated(times.number_list(1970, 9000), text)


def validate_months(text: str) -> None:
    """Raise ValidationError unless ``text`` is a list of months split by semicolons."""
    _validated(times.number_list(1, 12), text)


def validate_month_days(text: str) -> None:
    """Raise ValidationError unless ``text`` is a list of days of the month split by semicolons."""
    _validated(times.number_list(1, 31), text)


def validate_weekdays(text: str) -> None:
    """Raise ValidationError unless ``text`` is a list of weekdays (1–7) split by semicolons."""
    _validated(times.number_list(1, 7), text)


def _validated(read: object, text: str) -> None:
    try:
        read(text)  # type: ignore[operator]
    except InvalidInput as error:
        raise ValidationError(error.message) from error


class TariffPlan(models.Model):
    """A set of tariff rows whose ids belong together: one tenant's own (its code) or ``*shared`` by all."""

    code = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class TariffRow(models.Model):
    """What every named row of a tariff plan has."""

    tariff_plan = models.ForeignKey(TariffPlan, on_delete=models.CASCADE, related_name="%(class)ss")
    code = models.CharField(max_length=64, validators=[validate_id])

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.code


class Timing(TariffRow):
    """Days and a time of day at which rates apply; an empty list means every one."""

    years = models.CharField(max_length=200, blank=True, validators=[validate_years], help_text="2026;2027")
    months = models.CharField(max_length=40, blank=True, validators=[validate_months], help_text="1–12: 7;8")
    month_days = models.CharField(
        max_length=100, blank=True, validators=[validate_month_days], help_text="1–31: 1;15"
    )
    weekdays = models.CharField(
        max_length=20, blank=True, validators=[validate_weekdays], help_text="1 (Monday) to 7: 6;7"
    )
    start_s = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(86_399)], help_text="Seconds after midnight, tenant's clock."
    )
    end_s = models.PositiveIntegerField(
        default=86_400,
        validators=[MaxValueValidator(86_400)],
        help_text="Seconds after midnight at which it ends; 86400 = the end of the day.",
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tariff_plan", "code"], name="timing_code_once_a_plan"),
            models.CheckConstraint(
                condition=models.Q(start_s__lt=models.F("end_s")), name="timing_starts_before_it_ends"
            ),
        ]


class Destination(TariffRow):
    """A named set of number prefixes."""

    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tariff_plan", "code"], name="destination_code_once_a_plan")
        ]


class DestinationPrefix(models.Model):
    """A number prefix of a destination."""

    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="prefixes")
    prefix = models.CharField(max_length=32, validators=[validate_prefix])

    class Meta:
        verbose_name_plural = "destination prefixes"
        ordering = ["prefix"]
        constraints = [
            # Beginning with the prefix, so that a number's destinations are found by it.
            models.UniqueConstraint(fields=["prefix", "destination"], name="prefix_once_a_destination")
        ]

    def __str__(self) -> str:
        return self.prefix


class Rate(TariffRow):
    """Slots of prices under one name."""

    nanoseconds = models.BooleanField(
        default=False,
        verbose_name="in nanoseconds",
        help_text="The slots' starts, units and increments count billionths of a second: for increments such as 5 ms.",
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["tariff_plan", "code"], name="rate_code_once_a_plan")]


class RateSlot(models.Model):
    """From ``group_start`` units of a session on: ``price`` for each ``unit``, billed by ``increment``."""

    rate = models.ForeignKey(Rate, on_delete=models.CASCADE, related_name="slots")
    group_start = models.PositiveBigIntegerField(
        default=0, help_text="Seconds, octets or events of the session from which the slot applies."
    )
    connect_fee = models.CharField(
        max_length=32,
        default="0",
        validators=[validate_amount],
        help_text="Charged once a session, from the first slot.",
    )
    price = models.CharField(max_length=32, validators=[validate_amount], help_text="For one unit: 0.09.")
    unit = models.PositiveBigIntegerField(default=60, validators=[MinValueValidator(1)])
    increment = models.PositiveBigIntegerField(
        default=60, validators=[MinValueValidator(1)], help_text="Usage is rounded up to multiples of it."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["rate", "group_start"]
        constraints = [
            models.UniqueConstraint(fields=["rate", "group_start"], name="slot_start_once_a_rate"),
            models.CheckConstraint(
                condition=models.Q(unit__gte=1, increment__gte=1), name="slot_units_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rate} from {self.group_start}: {self.price} for {self.unit}"


class DestinationRate(TariffRow):
    """Rates by destination under one name."""

    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tariff_plan", "code"], name="destination_rate_code_once_a_plan")
        ]


class DestinationRateEntry(models.Model):
    """The rate of one destination, its rounding and its maximum cost."""

    destination_rate = models.ForeignKey(DestinationRate, on_delete=models.CASCADE, related_name="entries")
    destination = models.ForeignKey(
        Destination,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty = any number (*any).",
    )
    rate = models.ForeignKey(Rate, on_delete=models.PROTECT, related_name="+")
    rounding_method = models.CharField(
        max_length=8, default=RoundingMethod.MIDDLE, choices=[(m.value, m.value) for m in RoundingMethod]
    )
    rounding_decimals = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(fields.MAX_DECIMALS)],
        help_text="Decimals of the currency unit; 0 = not rounded.",
    )
    max_cost = models.CharField(
        max_length=32, default="0", validators=[validate_amount], help_text="Of a session; 0 = none."
    )
    max_cost_strategy = models.CharField(
        max_length=12, blank=True, choices=[(FREE, "then free"), (DISCONNECT, "then disconnect")]
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "destination rate entries"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["destination_rate", "destination"], name="destination_once_a_destination_rate"
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination or '*any'}: {self.rate}"


class RatingPlan(TariffRow):
    """Which destination rates apply when."""

    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tariff_plan", "code"], name="rating_plan_code_once_a_plan")
        ]


class RatingPlanEntry(models.Model):
    """Destination rates of a rating plan at a timing; where several apply the highest weight wins."""

    rating_plan = models.ForeignKey(RatingPlan, on_delete=models.CASCADE, related_name="entries")
    destination_rate = models.ForeignKey(DestinationRate, on_delete=models.PROTECT, related_name="+")
    timing = models.ForeignKey(
        Timing,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty = any time (*any).",
    )
    weight = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "rating plan entries"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.destination_rate} at {self.timing or '*any'}"


class RatingProfile(models.Model):
    """The rating plan of a tenant's category and subject from an activation time on."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="rating_profiles")
    category = models.CharField(max_length=64, validators=[validate_id])
    subject = models.CharField(
        max_length=64, validators=[validate_subject], help_text="*any = every subject without its own."
    )
    activation_time = models.DateTimeField()
    rating_plan = models.ForeignKey(RatingPlan, on_delete=models.PROTECT, related_name="profiles")
    fallback_subjects = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_subjects],
        help_text="Asked in order for destinations that the rating plan lacks; split by “;”.",
    )
    cdr_stat_queues = models.CharField(
        max_length=500,
        blank=True,
        verbose_name="queues of CDR statistics",
        help_text="CdrStatQueueIds of the folder, split by “;”; kept and exported, without effect yet.",
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["tenant", "category", "subject", "activation_time"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "category", "subject", "activation_time"], name="profile_activation_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.subject} from {self.activation_time:%Y-%m-%d}"
