"""The four services every operator begins with (µBSS service slots 1 to 4)."""

from __future__ import annotations

from django.db import transaction

from apps.kernel.units import TypeOfRecord
from apps.rating.models import Service

STANDARD_SERVICES = (
    ("voice", "Voice", TypeOfRecord.VOICE, "call", 60, "min"),
    ("sms", "SMS", TypeOfRecord.SMS, "sms", 1, "SMS"),
    ("data", "Data", TypeOfRecord.DATA, "data", 1_048_576, "MB"),
    ("mms", "MMS", TypeOfRecord.MMS, "mms", 1, "MMS"),
)


@transaction.atomic
def ensure_standard_services() -> list[Service]:
    """Create those of the four that are missing, by code; what an operator changed stays as it is."""
    return [
        Service.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "type_of_record": type_of_record.value,
                "category": category,
                "unit_size": unit_size,
                "unit_label": unit_label,
            },
        )[0]
        for code, name, type_of_record, category, unit_size, unit_label in STANDARD_SERVICES
    ]
