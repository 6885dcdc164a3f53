"""Bills, their lines and payments: to look at; what changes a bill is an action."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to, plain_money
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm
from apps.backoffice.money import MicrosField
from apps.backoffice.paging import InfinitePaginator
from apps.billing.models import Bill, Payment
from apps.billing.services.cancelling import cancel_bill
from apps.billing.services.payments import record_payment
from apps.charging.models import Account
from apps.kernel.clock import utc_now
from apps.kernel.currencies import decimals_of
from apps.kernel.periods import Period, as_utc

STATUS_COLOURS = {"new": "info", "unpaid": "warning", "paid": "success", "cancelled": "danger"}


class PaymentForm(ActionForm):
    amount_micros = MicrosField(label="Amount")
    reference = forms.CharField(
        max_length=100,
        help_text="The bank's or desk's own. The same reference again on this bill changes nothing.",
    )
    method = forms.CharField(max_length=40, required=False, help_text="Such as transfer, card or cash.")
    day = forms.DateField(required=False, label="Received on", help_text="Empty: now.")

    def prepare(self) -> None:
        paid = self.obj.payments.aggregate(paid=Sum("amount_micros"))["paid"] or 0
        amount: Any = self.fields["amount_micros"]
        amount.decimals = decimals_of(self.obj.currency)
        amount.help_text = f"In {self.obj.currency}; with a minus it was given back."
        if self.obj.total_micros > paid:
            amount.initial = self.obj.total_micros - paid


def pay(request: HttpRequest, bill: Bill, form: PaymentForm) -> str:
    data = form.cleaned_data
    at = datetime.combine(data["day"], time(12), tzinfo=UTC) if data["day"] else utc_now()
    payment = record_payment(
        bill.pk,
        data["amount_micros"],
        data["reference"],
        at,
        method=data["method"],
        recorded_by=request.user.get_username(),
    )
    payment.bill.refresh_from_db()
    paid = plain_money(payment.amount_micros, bill.currency)
    return f"{paid} recorded; {payment.bill} is {payment.bill.get_status_display().lower()}."


class CancelForm(ActionForm):
    reason = forms.CharField(max_length=200, help_text="Kept with the credit note, such as: wrong price.")
    again = forms.BooleanField(
        required=False,
        label="Issue it again at once",
        help_text="For the same period, with today's data. Otherwise the next run bills it.",
    )


def cancel(request: HttpRequest, bill: Bill, form: CancelForm) -> str:
    data = form.cleaned_data
    by = request.user.get_username()
    done = cancel_bill(bill.pk, data["reason"], utc_now(), by=by, again=data["again"])
    instead = f", and {done.successor} was issued instead" if done.successor else ""
    return f"{done.credit_note} cancels {bill}{instead}."


def days_of(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """``2026-01-01 to 2026-01-31``: first and last day of a period, as the zone's calendar has them."""
    first, after_last = Period(as_utc(start), as_utc(end)).local_dates(zone)
    return f"{first:%Y-%m-%d} to {after_last - timedelta(days=1):%Y-%m-%d}"


def status_badge(bill: Bill) -> SafeString:
    """The bill's status; one below zero is a credit, which is used up or paid out, not paid."""
    if bill.status == Bill.Status.PAID and bill.total_micros < 0:
        return badge("Credit", "info")
    return badge(bill.get_status_display(), STATUS_COLOURS.get(bill.status, ""))


def period_of(bill: Bill) -> str:
    """The days that a bill is for."""
    return days_of(bill.period_start, bill.period_end, bill.cycle.zone)


@admin.register(Bill)
class BillAdmin(ReadOnlyAdmin):
    list_display = (
        "number",
        "account_link",
        "customer",
        "kind",
        "period",
        "total",
        "status_label",
        "issued_on",
        "due_on",
    )
    list_display_links = ("number",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("cycle", RelatedDropdownFilter),
        ("tenant", RelatedDropdownFilter),
        ("account", AutocompleteSelectFilter),
        ("run", AutocompleteSelectFilter),
        ("issued_on", DaysFilter),
    )
    list_select_related = ("account__customer", "cycle")
    search_fields = ("=number",)
    search_help_text = "Bill's, account's or customer's number, in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    currency_path = "currency"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("account_link", "customer"),
                    ("kind", "status_label"),
                    ("period", "cycle"),
                    ("issued_on", "due_on"),
                    ("run_link", "created"),
                    ("correction", "reason"),
                )
            },
        ),
    )

    page_actions = (
        PageAction(
            "pay",
            "Record payment",
            ("billing.add_payment",),
            pay,
            PaymentForm,
            icon="paid",
            offered=lambda bill: bill.kind != Bill.Kind.PREPAID and bill.status != Bill.Status.CANCELLED,
            explain=lambda bill: (
                f"Money received for {bill}. It is paid once its total of "
                f"{plain_money(bill.total_micros, bill.currency)} is covered. Payments are never changed: a wrong one "
                "is put right by another."
            ),
            submit="Record",
        ),
        PageAction(
            "cancel",
            "Cancel",
            ("billing.change_bill",),
            cancel,
            CancelForm,
            icon="cancel",
            danger=True,
            offered=lambda bill: bill.kind == Bill.Kind.POSTPAID and bill.status != Bill.Status.CANCELLED,
            explain=lambda bill: (
                f"Takes {bill} back by a credit note of {plain_money(-bill.total_micros, bill.currency)}, with a "
                "number and a document of its own. Usage and charges are billable again, and what was paid is taken "
                "off the next bill."
            ),
            submit="Cancel the bill",
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Bill | None = None) -> Any:
        """What cancels, or is cancelled, only where something is."""
        if obj is None or obj.kind == Bill.Kind.CREDIT or obj.status == Bill.Status.CANCELLED:
            return self.fieldsets
        rows: Any = self.fieldsets[0][1]["fields"]
        return ((None, {"fields": tuple(row for row in rows if "correction" not in row)}),)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Whole numbers only: each is looked up in its index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        accounts = Account.objects.filter(Q(number=term) | Q(customer__number=term))
        return queryset.filter(Q(number=term) | Q(account__in=accounts)), False

    @display(description="Account")
    def account_link(self, bill: Bill) -> SafeString | str:
        return link_to(bill.account)

    @display(description="Customer")
    def customer(self, bill: Bill) -> SafeString | str:
        return link_to(bill.account.customer, bill.account.customer.name)

    @display(description="Period", ordering="period_end")
    def period(self, bill: Bill) -> str:
        return period_of(bill)

    @display(description="Status", ordering="status")
    def status_label(self, bill: Bill) -> SafeString | str:
        return status_badge(bill)

    @display(description="Cancels, or cancelled by")
    def correction(self, bill: Bill) -> SafeString | str:
        return link_to(bill.corrects or Bill.objects.filter(corrects=bill).first())

    @display(description="Bill run")
    def run_link(self, bill: Bill) -> SafeString | str:
        return link_to(bill.run)

    @display(description="Made")
    def created(self, bill: Bill) -> SafeString | str:
        return instant(bill.created_at)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("received", "bill_link", "account_link", "amount", "method", "reference", "recorded_by")
    list_display_links = ("received",)
    list_filter = (("at", DaysFilter),)
    list_select_related = ("bill__account", "other_bill")
    search_fields = ("=reference",)
    search_help_text = "The bank's or desk's reference, in full"
    ordering = ("-at", "-pk")
    currency_path = "bill__currency"
    fields = ("received", "bill_link", "amount", "method", "reference", "other_link", "recorded_by")

    @display(description="Received", ordering="at")
    def received(self, payment: Payment) -> SafeString | str:
        return instant(payment.at)

    @display(description="Bill")
    def bill_link(self, payment: Payment) -> SafeString | str:
        return link_to(payment.bill)

    @display(description="Account")
    def account_link(self, payment: Payment) -> SafeString | str:
        return link_to(payment.bill.account)

    @display(description="Credit of or for")
    def other_link(self, payment: Payment) -> SafeString | str:
        return link_to(payment.other_bill)
