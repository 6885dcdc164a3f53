"""Tenants: the operator itself, its brands and the MVNOs that it carries."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from simple_history.models import HistoricalRecords

DEFAULT_TENANT = "default"

code_validator = RegexValidator(
    r"^[A-Za-z0-9*][A-Za-z0-9_.:*-]*$", "Use letters, digits and _ . : - (no spaces)."
)
currency_validator = RegexValidator(r"^[A-Z]{3}$", "Use the three capital letters of ISO 4217.")


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless ``name`` is in the IANA database."""
    if name not in available_timezones():
        raise ValidationError(f"“{name}” is not an IANA time zone; write it like Europe/Berlin.")


class Tenant(models.Model):
    """Whose customers, prices, records and bills these are; nothing is shared between two tenants."""

    code = models.CharField(max_length=64, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Decides days, months and tariff bands (IANA name, such as Europe/Berlin).",
    )
    currency = models.CharField(max_length=3, default="EUR", validators=[currency_validator])
    locale = models.CharField(
        max_length=20, default="en_GB", help_text="Language and number format of bills (such as de_DE)."
    )
    legal_name = models.CharField(max_length=200, blank=True, help_text="Name on the bills' letterhead.")
    address = models.TextField(blank=True, help_text="Postal address on the bills, a line each.")
    tax_number = models.CharField(max_length=40, blank=True)
    payment_details = models.TextField(blank=True, help_text="How to pay, printed on unpaid bills.")
    contact = models.CharField(
        max_length=200, blank=True, help_text="Printed on bills: phone, e-mail or web."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
