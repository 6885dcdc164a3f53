"""What billing adds to the pages of accounts and customers: onboarding, cycles, billing now."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.display import change_url
from apps.backoffice.forms import ActionForm
from apps.backoffice.money import MicrosField
from apps.billing.admin.cycles import RunForm
from apps.billing.admin.previews import PreviewedBillPage, preview_page
from apps.billing.domain.onboarding import NewLine
from apps.billing.models import Activity, BillCycle
from apps.billing.selectors.preview import preview_account
from apps.billing.services.activities import queue_activity
from apps.billing.services.cycles import join_cycle, move_account
from apps.billing.services.onboarding import onboard
from apps.charging.models import Account
from apps.kernel.clock import utc_now
from apps.kernel.periods import Month, local_midnight
from apps.rating.models import Bundle, PricePlan, Tenant
from apps.subscribers.models import Customer, Resource, ResourceAssignment, Subscriber


class LineForm(ActionForm):
    """A new subscriber with number, plan and account."""

    subscriber_number = forms.CharField(max_length=40, label="Subscriber's number")
    msisdn = forms.RegexField(
        r"^\+?\d{5,15}$",
        label="MSISDN",
        help_text="Digits with country code. A new number goes into the pool; one that is there must be free.",
    )
    imsi = forms.RegexField(r"^\d{14,15}$", required=False, label="IMSI")
    handset = forms.RegexField(r"^\d{14,16}$", required=False, label="Handset (IMEI)")
    price_plan = forms.ModelChoiceField(PricePlan.objects.filter(retired_at=None).select_related("tenant"))
    bundles = forms.ModelMultipleChoiceField(
        Bundle.objects.filter(retired_at=None).select_related("tenant"), required=False
    )
    mode = forms.ChoiceField(choices=Account.Mode.choices)
    cycle = forms.ModelChoiceField(BillCycle.objects.filter(retired_at=None), label="Bill cycle")
    start_day = forms.DateField(
        required=False, label="From", help_text="First day, in the tenant's time zone. Empty: now."
    )
    opening_balance_micros = MicrosField(
        required=False, min_micros=0, label="Opening balance", help_text="Of a new prepaid account."
    )
    account_number = forms.CharField(
        max_length=40,
        required=False,
        help_text="Empty: the customer's own account, one with the customer's number.",
    )

    def clean_msisdn(self) -> str:
        return str(self.cleaned_data["msisdn"]).removeprefix("+")


class NewCustomerForm(LineForm):
    tenant = forms.ModelChoiceField(Tenant.objects.all(), initial=lambda: Tenant.objects.first())
    customer_number = forms.CharField(max_length=40)
    customer_name = forms.CharField(max_length=160)
    kind = forms.ChoiceField(choices=Customer.Kind.choices)
    street = forms.CharField(max_length=160, required=False)
    postcode = forms.CharField(max_length=16, required=False)
    city = forms.CharField(max_length=80, required=False)
    country = forms.RegexField(r"^[A-Z]{2}$", required=False, help_text="ISO 3166 code, such as DE.")
    email = forms.EmailField(required=False, label="E-mail")
    field_order = (
        "tenant",
        "customer_number",
        "customer_name",
        "kind",
        "street",
        "postcode",
        "city",
        "country",
        "email",
    )


def _line(form: LineForm, tenant: Tenant, **customer: Any) -> NewLine:
    data = form.cleaned_data
    day = data["start_day"]
    return NewLine(
        tenant=tenant.code,
        subscriber_number=data["subscriber_number"],
        msisdn=data["msisdn"],
        imsi=data["imsi"],
        handset=data["handset"],
        price_plan=data["price_plan"].code,
        bundles=tuple(bundle.code for bundle in data["bundles"]),
        mode=data["mode"],
        cycle=data["cycle"].number,
        start=local_midnight(day, tenant.zone) if day else utc_now(),
        opening_balance_micros=data["opening_balance_micros"] or 0,
        account_number=data["account_number"],
        **customer,
    )


def _onboard(request: HttpRequest, line: NewLine) -> HttpResponse:
    onboard([line], utc_now(), where=lambda _: "This form")
    subscriber = Subscriber.objects.get(tenant__code=line.tenant, number=line.subscriber_number)
    messages.success(request, f"Subscriber {subscriber} is active with +{line.msisdn}.")
    return HttpResponseRedirect(change_url(subscriber))


def new_customer(request: HttpRequest, obj: None, form: NewCustomerForm) -> HttpResponse:
    data = form.cleaned_data
    columns = ("customer_number", "customer_name", "kind", "street", "postcode", "city", "country", "email")
    return _onboard(request, _line(form, data["tenant"], **{column: data[column] for column in columns}))


def new_subscriber(request: HttpRequest, customer: Customer, form: LineForm) -> HttpResponse:
    line = _line(form, customer.tenant, customer_number=customer.number, customer_name=customer.name)
    return _onboard(request, line)


class CycleForm(ActionForm):
    cycle = forms.ModelChoiceField(BillCycle.objects.none(), label="Bill cycle")

    def prepare(self) -> None:
        cycle: Any = self.fields["cycle"]
        cycle.queryset = BillCycle.objects.filter(
            tenant=self.obj.tenant_id, currency=self.obj.currency, retired_at=None
        )


def change_cycle(request: HttpRequest, account: Account, form: CycleForm) -> str:
    cycle = form.cleaned_data["cycle"]
    if getattr(account, "billing", None) is None:
        join_cycle(account.pk, cycle.pk)
        return f"{account} is billed by {cycle} from its next run on."
    row = move_account(account.pk, cycle.pk)
    if row.next_cycle is None:
        return f"{account} stays in {cycle}."
    return f"{account} moves to {cycle} once the running period is billed."


def bill_now(request: HttpRequest, account: Account, form: RunForm) -> HttpResponse:
    month, year = form.cleaned_data["month"]
    activity = queue_activity(
        Activity.Type.SINGLE_BILLING,
        _an_msisdn_of(account),
        month,
        year,
        now=utc_now(),
        queued_by=request.user.get_username(),
    )
    messages.success(request, f"Activity {activity.pk} is queued; the bill is made within seconds.")
    return HttpResponseRedirect(reverse("admin:billing_activity_change", args=(activity.pk,)))


def preview_bill(request: HttpRequest, account: Account, form: RunForm) -> PreviewedBillPage:
    month, year = form.cleaned_data["month"]
    bill = preview_account(account.pk, utc_now(), Month(int(year), int(month)) if month else None)
    return preview_page(bill, account.billing.cycle.zone)


def _an_msisdn_of(account: Account) -> str:
    """The number by which a single billing names the account: one in use, or the last that was."""
    held = (
        ResourceAssignment.objects.filter(
            subscriber__payer__account=account, resource__kind=Resource.Kind.MSISDN, start__lte=utc_now()
        )
        .select_related("resource")
        .order_by("-start")
    )
    row = held.filter(end=None).first() or held.first()
    return row.resource.value if row else ""


def _has_number(account: Account) -> bool:
    return bool(_an_msisdn_of(account))


add_action(
    "subscribers.customer",
    PageAction(
        "new",
        "New customer",
        ("subscribers.add_customer", "subscribers.add_subscriber"),
        new_customer,
        NewCustomerForm,
        icon="person_add",
        primary=True,
        on_list=True,
        submit="Create",
        explain=lambda _: (
            "A customer with the first subscriber, number, price plan and account, all or nothing."
        ),
    ),
)
add_action(
    "subscribers.customer",
    PageAction(
        "subscriber",
        "New subscriber",
        ("subscribers.add_subscriber",),
        new_subscriber,
        LineForm,
        icon="add",
        primary=True,
        submit="Create",
        explain=lambda customer: f"A further line for {customer}, with number, price plan and account.",
    ),
)
add_action(
    "charging.account",
    PageAction(
        "cycle",
        "Change bill cycle",
        ("billing.change_billingaccount",),
        change_cycle,
        CycleForm,
        icon="event_repeat",
        menu="More",
        offered=lambda account: account.closed_at is None,
        explain=lambda account: (
            f"The present cycle bills {account}'s running period; then the other takes over, so that no day is left "
            "out or billed twice."
        ),
    ),
)
add_action(
    "charging.account",
    PageAction(
        "bill",
        "Bill now",
        ("billing.add_activity",),
        bill_now,
        RunForm,
        icon="request_quote",
        menu="More",
        offered=_has_number,
        explain=lambda account: (
            f"Bills {account} alone for a period that has ended, without waiting for its cycle's run."
        ),
    ),
)
add_action(
    "charging.account",
    PageAction(
        "preview",
        "Preview next bill",
        ("billing.view_bill",),
        preview_bill,
        RunForm,
        icon="preview",
        menu="More",
        submit="Preview",
        result_template="admin/billing/preview.html",
        offered=lambda account: getattr(account, "billing", None) is not None,
        explain=lambda account: (
            f"Makes the next bill of {account} without writing it: of the last period that has ended, or of the "
            "running one if that is billed already. Nothing is charged."
        ),
    ),
)
