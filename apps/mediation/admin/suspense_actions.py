"""What can be done about a record in suspense: put it right, rate it again, give it up."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest

from apps.backoffice.actions import PageAction
from apps.backoffice.display import grouped
from apps.backoffice.forms import ActionForm, InstantField
from apps.kernel.clock import utc_now
from apps.mediation.models import Source, SuspendedRecord
from apps.mediation.services.suspense import Recycled, correct, discard, recycle
from apps.rating.models import Service

CHANGE = ("mediation.change_suspendedrecord",)
MOST_AT_ONCE = 20_000


def _codes(model: type[Service] | type[Source]) -> list[tuple[str, str]]:
    return [("", "as it was read"), *((row.code, str(row)) for row in model.objects.order_by("code"))]


class CorrectionForm(ActionForm):
    """Corrected values; an empty one withdraws a former correction."""

    service = forms.ChoiceField(required=False)
    msisdn = forms.CharField(required=False, max_length=20, label="MSISDN")
    imsi = forms.CharField(required=False, max_length=15, label="IMSI")
    other_party = forms.CharField(required=False, max_length=64)
    start = InstantField(required=False, label="Start")
    usage = forms.IntegerField(required=False, min_value=0, help_text="Seconds, octets or events.")
    record_id = forms.CharField(required=False, max_length=64, label="Record id")
    source = forms.ChoiceField(required=False)
    then_recycle = forms.BooleanField(
        required=False, initial=True, label="Rate it again at once", help_text="With these values."
    )

    def prepare(self) -> None:
        record: SuspendedRecord = self.obj
        for name, model in (("service", Service), ("source", Source)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = _codes(model)
        read = {
            "service": record.service_code,
            "msisdn": record.msisdn,
            "other_party": record.other_party,
            "start": record.start and f"{record.start:%Y-%m-%d %H:%M:%S}",
            "usage": record.usage,
            "record_id": record.record_id,
        }
        for name, value in read.items():
            if value not in ("", None):
                field = self.fields[name]
                field.help_text = f"{field.help_text} Read: {value}".strip()
        for name, value in record.corrections.items():
            if name in self.fields:
                self.initial[name] = value

    def corrections(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name != "then_recycle" and (value not in ("", None) or name in self.obj.corrections)
        }


def told(result: Recycled) -> str:
    """The outcome of recycling, as a sentence."""
    parts = []
    if result.rated:
        parts.append(f"{grouped(result.rated)} rated")
    if result.duplicates:
        parts.append(f"{grouped(result.duplicates)} found to be there already")
    if result.refused:
        reasons = ", ".join(reason.replace("_", " ") for reason in sorted(result.reasons))
        parts.append(f"{grouped(result.refused)} still in suspense ({reasons})")
    return (", ".join(parts) or "nothing was open") + "."


def correct_record(request: HttpRequest, record: SuspendedRecord, form: CorrectionForm) -> str:
    correct(record.pk, form.corrections())
    if not form.cleaned_data["then_recycle"]:
        return "The corrections are kept for when the record is rated again."
    return "Corrected: " + told(recycle([record.pk], now=utc_now(), by=request.user.get_username()))


def recycle_record(request: HttpRequest, record: SuspendedRecord, form: ActionForm) -> str:
    return "Rated again: " + told(recycle([record.pk], now=utc_now(), by=request.user.get_username()))


def discard_record(request: HttpRequest, record: SuspendedRecord, form: ActionForm) -> str:
    discard([record.pk], now=utc_now(), by=request.user.get_username())
    return "The record is given up; it stays here, marked as discarded."


def is_open(record: SuspendedRecord) -> bool:
    return record.state == SuspendedRecord.State.OPEN


SUSPENSE_ACTIONS = (
    PageAction(
        "discard",
        "Discard",
        CHANGE,
        discard_record,
        icon="delete",
        danger=True,
        offered=is_open,
        explain=lambda record: (
            f"Record {record.record_id or record.pk} is given up and never charged. It stays here, marked as discarded."
        ),
    ),
    PageAction(
        "recycle",
        "Recycle",
        CHANGE,
        recycle_record,
        icon="recycling",
        offered=is_open,
        explain=lambda record: (
            "Rates the record again, with its corrections and today's tariff and subscribers. If it cannot be "
            f"rated, it stays here with its newest reason. Until now: {record.message}"
        ),
    ),
    PageAction(
        "correct",
        "Correct",
        CHANGE,
        correct_record,
        CorrectionForm,
        icon="edit",
        primary=True,
        offered=is_open,
        explain=lambda record: (
            f"{record.message[:1].upper()}{record.message[1:]}. Empty fields keep the value that was read."
        ),
    ),
)
