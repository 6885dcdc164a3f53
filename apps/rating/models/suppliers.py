"""Suppliers of termination: how each writes its rate decks, and where its purchase prices are."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.kernel.errors import InvalidInput
from apps.rating.domain.rate_decks import DATE_FORMATS, DeckMapping
from apps.rating.domain.rate_decks.values import increments
from apps.rating.models.tariff import validate_id, validate_subject
from apps.rating.models.tenants import Tenant, currency_validator


def validate_increments(text: str) -> None:
    """Raise ValidationError unless ``text`` are increments such as 60/1."""
    try:
        increments(text)
    except InvalidInput as error:
        raise ValidationError(error.message) from error


class Supplier(models.Model):
    """Whose decks become purchase prices: of a category and subject, in the tariff tables of all prices."""

    code = models.CharField(
        max_length=16,
        unique=True,
        validators=[RegexValidator("^[A-Za-z0-9_-]+$", "Use letters, digits, _ and -.")],
        help_text="Every id of its rates begins with it.",
    )
    name = models.CharField(max_length=120)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    category = models.CharField(
        max_length=64, default="purchase", validators=[validate_id], help_text="Of its rating profile."
    )
    subject = models.CharField(
        max_length=64,
        validators=[validate_subject],
        help_text="Of its rating profile: who is asked for the price.",
    )
    currency = models.CharField(max_length=3, default="EUR", validators=[currency_validator])
    notice_days = models.PositiveSmallIntegerField(
        default=7, help_text="Days in advance that increases are announced; earlier ones are reported."
    )
    # The mapping, field by field as in DeckMapping.
    destination = models.CharField(max_length=60, blank=True, default="Destination")
    country_code = models.CharField(
        max_length=60, blank=True, help_text="If prefixes are split into country and area codes."
    )
    prefix = models.CharField(
        max_length=60, default="Prefix", help_text="Lists and ranges too: 1201-1205, 1210."
    )
    price = models.CharField(max_length=60, default="Price")
    increment = models.CharField(max_length=60, blank=True, help_text="Such as 60/1.")
    connect_fee = models.CharField(max_length=60, blank=True)
    effective = models.CharField(max_length=60, blank=True, verbose_name="effective date")
    status = models.CharField(max_length=60, blank=True, help_text="New, increase, decrease, blocked.")
    currency_column = models.CharField(max_length=60, blank=True)
    header_row = models.PositiveSmallIntegerField(
        default=1, validators=[MaxValueValidator(1000)], help_text="Row of the headings; 0: there are none."
    )
    sheet = models.CharField(max_length=60, blank=True, help_text="Of a workbook; empty: the first.")
    delimiter = models.CharField(
        max_length=1,
        blank=True,
        choices=[(",", ","), (";", ";"), ("|", "|"), ("\t", "tab")],
        help_text="Of CSV; empty: found out.",
    )
    decimal_comma = models.BooleanField(default=False)
    date_format = models.CharField(
        max_length=12, default="YYYY-MM-DD", choices=[(name, name) for name in DATE_FORMATS]
    )
    price_unit = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1)],
        help_text="What a price is for: 60 a minute, 1 a second or message.",
    )
    increments = models.CharField(
        max_length=13, default="60/60", validators=[validate_increments], help_text="Of rows that state none."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "category", "subject"], name="supplier_subject_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mapping(self) -> DeckMapping:
        """How its decks are read."""
        columns = {name: getattr(self, name) for name in DeckMapping._fields if name != "currency"}
        return DeckMapping(**columns, currency=self.currency_column)
