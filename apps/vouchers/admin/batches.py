"""Batches of vouchers: generated here, their PINs handed over once."""

from __future__ import annotations

import base64
from datetime import datetime
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import grouped, instant, list_url
from apps.backoffice.forms import ActionForm, InstantField
from apps.backoffice.panels import Fact, add_facts
from apps.charging.domain.balances import BalanceKind
from apps.charging.models import Balance, LedgerBook
from apps.kernel.clock import utc_now
from apps.kernel.errors import InvalidInput
from apps.kernel.money import parse_micros
from apps.rating.models import Bundle, Tenant
from apps.vouchers.admin.actions import change_actions, worth
from apps.vouchers.domain.vouchers import VoucherStatus, printed_pin
from apps.vouchers.models import VoucherBatch
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.export import generate_sealed

GENERATE = ("vouchers.add_voucherbatch",)
# What a page can carry; larger batches are the command's.
MOST_SHOWN = 100
MOST_ON_A_PAGE = 20_000
AGE_FILE = "data:application/octet-stream;base64,"


class GenerateForm(ActionForm):
    """A batch to generate. The hidden key names it, so that sending the form twice generates one."""

    tenant = forms.ModelChoiceField(Tenant.objects.all(), empty_label=None)
    name = forms.CharField(max_length=120, help_text="Such as the shop, the campaign or the printer's order.")
    kind = forms.ChoiceField(label="Credits", choices=Balance.Kind.choices)
    value = forms.CharField(
        label="Value of each", help_text="Money such as 10.00 in the tenant's currency, or whole units."
    )
    count = forms.IntegerField(label="How many", min_value=1, max_value=MOST_ON_A_PAGE)
    valid_from = InstantField(required=False, label="Valid from", help_text="Empty: now.")
    expires_at = InstantField(label="Expires")
    balance_days = forms.IntegerField(
        required=False, label="Credit lasts, days", min_value=1, help_text="Empty: without end."
    )
    bundle = forms.ModelChoiceField(
        Bundle.objects.filter(retired_at=None, monthly_fee_micros=0), required=False, label="Bundle as well"
    )
    bundle_days = forms.IntegerField(required=False, label="Bundle lasts, days", min_value=1)
    book = forms.ChoiceField(
        label="Against",
        choices=[
            (LedgerBook.Code.CASH.value, "Cash received (they are sold)"),
            (LedgerBook.Code.PROMOTION.value, "Promotions given (they are gifts)"),
        ],
    )
    active = forms.BooleanField(
        required=False,
        label="Active at once",
        help_text="Otherwise the batch is activated once the cards arrived.",
    )
    handover = forms.ChoiceField(
        label="PINs",
        choices=[
            (VoucherBatch.Handover.RECIPIENT.value, "sealed for a recipient's key"),
            (VoucherBatch.Handover.PASSPHRASE.value, "sealed with a passphrase"),
            (VoucherBatch.Handover.SHOWN.value, f"shown on the next page (up to {MOST_SHOWN})"),
        ],
        help_text="They leave the system this once and are not kept.",
    )
    recipient = forms.CharField(
        required=False, label="Recipient's key", help_text="age1…, which the recipient makes with age-keygen."
    )
    passphrase = forms.CharField(
        required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )
    passphrase_again = forms.CharField(
        required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )
    key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput, initial=lambda: uuid4().hex)

    def clean(self) -> dict[str, object]:
        data = super().clean() or {}
        handover = data.get("handover")
        if handover == VoucherBatch.Handover.PASSPHRASE and data.get("passphrase") != data.get(
            "passphrase_again"
        ):
            self.add_error("passphrase_again", "The two passphrases differ.")
        if handover == VoucherBatch.Handover.SHOWN and (data.get("count") or 0) > MOST_SHOWN:
            self.add_error("count", f"At most {MOST_SHOWN} can be shown; have more of them sealed.")
        bundle, tenant = data.get("bundle"), data.get("tenant")
        if bundle is not None and tenant is not None and bundle.tenant_id != tenant.pk:
            self.add_error("bundle", "This bundle belongs to another tenant.")
        return data

    def order(self) -> NewBatch:
        data = self.cleaned_data
        return NewBatch(
            data["name"],
            data["count"],
            self._value(),
            data["expires_at"],
            data["valid_from"],
            data["kind"],
            balance_days=data["balance_days"],
            bundle=data["bundle"].code if data["bundle"] else "",
            bundle_days=data["bundle_days"],
            book=data["book"],
            active=data["active"],
        )

    def _value(self) -> int:
        text = self.cleaned_data["value"].strip()
        if self.cleaned_data["kind"] == BalanceKind.MONETARY:
            return parse_micros(text)
        if not text.isdecimal():
            raise InvalidInput(f"“{text}” is not a whole number of units", where="value")
        return int(text)


def generate(request: HttpRequest, _: None, form: GenerateForm) -> HttpResponse:
    data, now, by = form.cleaned_data, utc_now(), request.user.get_username()
    context = {**admin.site.each_context(request), "opts": VoucherBatch._meta, "title": "Vouchers generated"}
    if data["handover"] == VoucherBatch.Handover.SHOWN:
        made = generate_batch(data["tenant"], form.order(), now, key=data["key"], by=by)
        batch = made.batch
        context["shown"] = [(voucher.serial, printed_pin(voucher.pin)) for voucher in made.vouchers]
    else:
        recipient = data["handover"] == VoucherBatch.Handover.RECIPIENT
        sealed = generate_sealed(
            data["tenant"],
            form.order(),
            now,
            key=data["key"],
            by=by,
            recipient=data["recipient"].strip() if recipient else "",
            passphrase="" if recipient else data["passphrase"],
        )
        batch = sealed.batch
        context |= {
            "file_name": sealed.file_name,
            "file_url": AGE_FILE + base64.b64encode(sealed.content).decode(),
            "for_recipient": recipient,
        }
    context |= {
        "batch": batch,
        "worth": worth(batch),
        "active": data["active"],
        "batch_url": reverse("admin:vouchers_voucherbatch_change", args=(batch.pk,)),
    }
    response = TemplateResponse(request, "admin/vouchers/generated.html", context)
    # PINs stay neither in the browser's cache nor in a proxy's.
    response["Cache-Control"] = "no-store"
    return response


@admin.register(VoucherBatch)
class VoucherBatchAdmin(ReadOnlyAdmin):
    list_display = ("number", "name", "worth", "vouchers", "expires", "created", "tenant")
    list_display_links = ("number", "name")
    list_filter = (("tenant", AutocompleteSelectFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("tenant", "bundle")
    search_fields = ("name", "=id")
    search_help_text = "Name or number of the batch"
    ordering = ("-pk",)
    currency_path = "currency"
    fields = (
        ("name", "tenant"),
        ("worth", "vouchers"),
        ("tag", "balance_days"),
        ("starts", "expires"),
        ("created", "created_by"),
        ("book", "handover"),
    )
    page_actions = (
        PageAction(
            "generate",
            "Generate vouchers",
            GENERATE,
            generate,
            GenerateForm,
            icon="add",
            primary=True,
            on_list=True,
            submit="Generate",
            explain=lambda _: (
                "Makes vouchers with PINs of 16 digits. Only a keyed hash of each PIN is kept: this is the one time "
                f"that they can be had. More than {grouped(MOST_ON_A_PAGE)}: manage.py vouchers generate."
            ),
        ),
        *change_actions(True),
    )

    @display(description="Batch", ordering="pk")
    def number(self, batch: VoucherBatch) -> str:
        return f"{batch.pk:06d}"

    @display(description="Each gives")
    def worth(self, batch: VoucherBatch) -> str:
        return worth(batch)

    @display(description="Vouchers", ordering="count")
    def vouchers(self, batch: VoucherBatch) -> str:
        return grouped(batch.count)

    @display(description="Valid from")
    def starts(self, batch: VoucherBatch) -> str:
        return instant(batch.valid_from)

    @display(description="Expires", ordering="expires_at")
    def expires(self, batch: VoucherBatch) -> str:
        return instant(batch.expires_at)

    @display(description="Generated", ordering="created_at")
    def created(self, batch: VoucherBatch) -> str:
        return instant(batch.created_at)


def batch_facts(request: HttpRequest, batch: VoucherBatch) -> list[Fact]:
    """How many vouchers are where, as at this moment."""
    now: datetime = utc_now()
    open_ones = batch.vouchers.filter(status__in=("generated", "active", "blocked"))
    counts = dict(batch.vouchers.values_list("status").annotate(number=Count("pk")))
    expired = dict(open_ones.filter(expires_at__lte=now).values_list("status").annotate(number=Count("pk")))
    facts = []
    for status in VoucherStatus:
        number = counts.get(status.value, 0) - expired.get(status.value, 0)
        if status is VoucherStatus.EXPIRED:
            number = sum(expired.values())
        if number or status is VoucherStatus.REDEEMED:
            url = list_url("vouchers.voucher", batch__id__exact=batch.pk, status=status.value)
            facts.append(Fact(status.value.title(), grouped(number), f"of {grouped(batch.count)}", url))
    return facts


add_facts("vouchers.voucherbatch", batch_facts)
