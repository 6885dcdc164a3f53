"""“What would this cost?”: a price enquiry with its explanation. Nothing is charged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest

from apps.backoffice.actions import PageAction
from apps.backoffice.forms import ActionForm, InstantField
from apps.kernel.clock import utc_now
from apps.kernel.errors import InvalidInput
from apps.kernel.units import NANO, VOICE_NS, parse_nanoseconds
from apps.rating.admin.explanations import ExplainedPrice, explained
from apps.rating.domain import Usage, plan_subject
from apps.rating.domain.explain import explain
from apps.rating.domain.usage import VOICE
from apps.rating.models import PricePlan, Service, TariffVersion, Tenant
from apps.rating.selectors import current_tariff, rater_as_of
from apps.rating.selectors.tariffs import read_as_of


class EnquiryForm(ActionForm):
    service = forms.ModelChoiceField(Service.objects.all(), initial=lambda: Service.objects.first())
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(), initial=lambda: Tenant.objects.first(), empty_label=None
    )
    price_plan = forms.ModelChoiceField(
        PricePlan.objects.select_related("tenant"), required=False, help_text="Empty: by the subject below."
    )
    subject = forms.CharField(
        required=False,
        initial="*any",
        max_length=64,
        help_text="Of a rating profile, if no price plan is chosen.",
    )
    destination = forms.CharField(
        max_length=64,
        required=False,
        label="To",
        help_text="The number dialled with country code and without “+”; empty for data.",
    )
    amount = forms.CharField(
        label="Usage",
        initial="60",
        max_length=20,
        help_text="Seconds (also 1m30s or 1500ms), octets, messages or events.",
    )
    start = InstantField(required=False, label="Begun at", help_text="Empty: now.")
    position = forms.IntegerField(
        min_value=0, initial=0, required=False, help_text="Usage of the same session that was priced before."
    )
    as_of = forms.CharField(
        required=False,
        max_length=40,
        label="Tariff as of",
        help_text="A version such as 17, a time such as 2026-11-01T00:00:00Z, or a commit of the history. "
        "Empty: the one in force.",
    )

    def clean_as_of(self) -> int | datetime | str | None:
        text = self.cleaned_data["as_of"]
        try:
            return read_as_of(text) if text else None
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean_amount(self) -> int:
        """Billionths of a unit."""
        try:
            return parse_nanoseconds(self.cleaned_data["amount"])
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        plan, tenant = data.get("price_plan"), data.get("tenant")
        service = data.get("service")
        if service is not None and service.type_of_record != VOICE and data.get("amount", 0) % NANO:
            self.add_error("amount", "Only voice can be finer than a unit; write a whole number.")
        if plan is not None and tenant is not None and plan.tenant_id != tenant.pk:
            self.add_error("price_plan", f"{plan} belongs to another tenant than {tenant}.")
        return data


def enquire(request: HttpRequest, obj: TariffVersion | None, form: EnquiryForm) -> ExplainedPrice:
    data = form.cleaned_data
    plan, service, tenant = data["price_plan"], data["service"], data["tenant"]
    tariff = current_tariff() if data["as_of"] is None else rater_as_of(data["as_of"])
    tor, amount, position = service.type_of_record, data["amount"], data["position"] or 0
    if amount % NANO:
        tor, position = VOICE_NS, position * NANO
    else:
        amount //= NANO
    explanation = explain(
        tariff.rater,
        Usage(
            tenant.code,
            service.category,
            plan_subject(plan.code) if plan else data["subject"] or "*any",
            tor,
            data["destination"].removeprefix("+"),
            data["start"] or utc_now(),
            amount,
        ),
        position,
    )
    currency = plan.currency if plan else tenant.currency
    return explained(
        explanation,
        currency,
        version=tariff.version_id,
        note="Without free units: an enquiry is not for a subscriber. Nothing was charged.",
    )


ENQUIRY = PageAction(
    "enquiry",
    "Price enquiry",
    ("rating.view_tariffversion",),
    enquire,
    EnquiryForm,
    icon="calculate",
    primary=True,
    on_list=True,
    submit="What does it cost?",
    result_template="admin/rating/enquiry_result.html",
    explain=lambda _: "Prices usage by the tariff and says how the price comes about. Nothing is charged.",
)
