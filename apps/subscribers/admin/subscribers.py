"""Subscribers: their life, plans, bundles, numbers and devices; every change goes through a service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction, tell
from apps.backoffice.admins import HistoryAdmin, KeptMixin
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm, InstantField, NoInput, SearchedChoiceField
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.kernel.periods import local_midnight
from apps.rating.models import Bundle, PricePlan
from apps.subscribers.models import BundleAssignment, Resource, ResourceAssignment, Subscriber
from apps.subscribers.services import assignments, lifecycle

CHANGE = ("subscribers.change_subscriber",)
STATUS_COLOURS = {"active": "success", "suspended": "warning", "terminated": ""}


class StartForm(ActionForm):
    """From when it holds; empty is now."""

    start_day = forms.DateField(
        required=False,
        label="From",
        help_text="The first day, in the tenant's time zone. Empty: from this moment on.",
    )

    def start(self) -> datetime:
        day = self.cleaned_data.get("start_day")
        return local_midnight(day, self.obj.tenant.zone) if day else utc_now()


class PlanForm(StartForm):
    price_plan = forms.ModelChoiceField(PricePlan.objects.none(), label="Price plan")
    field_order = ("price_plan", "start_day")

    def prepare(self) -> None:
        self.offer("price_plan", PricePlan.objects.filter(tenant=self.obj.tenant_id, retired_at=None))


class BundleForm(StartForm):
    bundle = forms.ModelChoiceField(Bundle.objects.none())
    end_day = forms.DateField(
        required=False, label="Until", help_text="The first day without it. Empty: until further notice."
    )
    field_order = ("bundle", "start_day", "end_day")

    def prepare(self) -> None:
        self.offer("bundle", Bundle.objects.filter(tenant=self.obj.tenant_id, retired_at=None))

    def end(self) -> datetime | None:
        day = self.cleaned_data.get("end_day")
        return local_midnight(day, self.obj.tenant.zone) if day else None


class EndBundleForm(StartForm):
    assignment = forms.ModelChoiceField(BundleAssignment.objects.none(), label="Bundle")
    field_order = ("assignment", "start_day")

    def prepare(self) -> None:
        held = self.obj.bundles.select_related("bundle", "subscriber")
        self.offer("assignment", held.filter(Q(end__isnull=True) | Q(end__gt=utc_now())))
        self.fields["start_day"].label = "Ends on"
        self.fields["start_day"].help_text = "The first day without it. Empty: at this moment."


class ResourceForm(StartForm):
    resource = SearchedChoiceField(ResourceAssignment._meta.get_field("resource"), label="Number or device")
    field_order = ("resource", "start_day")

    def prepare(self) -> None:
        self.offer(
            "resource", Resource.objects.filter(tenant=self.obj.tenant_id, status=Resource.Status.FREE)
        )


class ReleaseForm(StartForm):
    assignment = forms.ModelChoiceField(ResourceAssignment.objects.none(), label="Number or device")
    to = forms.ChoiceField(
        label="Then",
        choices=[
            (Resource.Status.QUARANTINED, "let it rest (quarantine)"),
            (Resource.Status.FREE, "free for others at once"),
        ],
    )
    field_order = ("assignment", "start_day", "to")

    def prepare(self) -> None:
        held = self.obj.resources.select_related("resource", "subscriber")
        self.offer("assignment", held.filter(end__isnull=True))
        self.fields["start_day"].label = "Ends on"
        self.fields["start_day"].help_text = "The first day without it. Empty: at this moment."


class AtForm(ActionForm):
    """When it takes effect; empty is now."""

    at = InstantField(required=False, label="At", help_text="Empty: now.")

    def instant(self) -> datetime:
        return self.cleaned_data.get("at") or utc_now()


def suspend(request: HttpRequest, subscriber: Subscriber, form: NoInput) -> str:
    lifecycle.suspend_subscriber(subscriber.pk, utc_now())
    return f"Subscriber {subscriber} is suspended."


def reactivate(request: HttpRequest, subscriber: Subscriber, form: NoInput) -> str:
    lifecycle.reactivate_subscriber(subscriber.pk, utc_now())
    return f"Subscriber {subscriber} is active again."


def terminate(request: HttpRequest, subscriber: Subscriber, form: AtForm) -> str:
    lifecycle.terminate_subscriber(subscriber.pk, form.instant())
    return f"Subscriber {subscriber} is terminated. Its account’s last bill is queued, unless that pays for others."


def assign_plan(request: HttpRequest, subscriber: Subscriber, form: PlanForm) -> str:
    assignment = assignments.assign_plan(subscriber.pk, form.cleaned_data["price_plan"].pk, form.start())
    return f"{subscriber} is on {assignment.price_plan} from {_local(subscriber, assignment.start)} on."


def assign_bundle(request: HttpRequest, subscriber: Subscriber, form: BundleForm) -> str:
    assignment = assignments.assign_bundle(
        subscriber.pk, form.cleaned_data["bundle"].pk, form.start(), form.end()
    )
    return f"{subscriber} has {assignment.bundle} from {_local(subscriber, assignment.start)} on."


def end_bundle(request: HttpRequest, subscriber: Subscriber, form: EndBundleForm) -> str:
    assignment = assignments.end_bundle(form.cleaned_data["assignment"].pk, form.start())
    assert assignment.end is not None
    return f"{assignment.bundle} ends on {_local(subscriber, assignment.end)}."


def assign_resource(request: HttpRequest, subscriber: Subscriber, form: ResourceForm) -> str:
    assignment = assignments.assign_resource(subscriber.pk, form.cleaned_data["resource"].pk, form.start())
    return f"{assignment.resource} now belongs to {subscriber}."


def release_resource(request: HttpRequest, subscriber: Subscriber, form: ReleaseForm) -> str:
    assignment = assignments.release_resource(
        form.cleaned_data["assignment"].pk, form.start(), form.cleaned_data["to"]
    )
    return f"{assignment.resource} was taken back."


def _local(subscriber: Subscriber, at: datetime) -> str:
    return f"{at.astimezone(subscriber.tenant.zone):%Y-%m-%d %H:%M}"


def _alive(subscriber: Subscriber) -> bool:
    return subscriber.status != Subscriber.Status.TERMINATED


@admin.register(Subscriber)
class SubscriberAdmin(KeptMixin, HistoryAdmin):
    list_display = ("number", "msisdn", "status_label", "plan", "customer_link", "activated", "tenant")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("tenant", RelatedDropdownFilter),
        ("activated_at", DaysFilter),
    )
    list_select_related = ("tenant", "customer")
    search_fields = ("number__startswith",)
    search_help_text = "Subscriber's number, MSISDN or IMSI in full, or the customer's name"
    ordering = ("-pk",)
    readonly_fields = (
        "number",
        "status_label",
        "customer_link",
        "tenant",
        "activated",
        "suspended",
        "terminated",
    )
    actions = ("suspend_selected", "reactivate_selected")
    page_actions = (
        PageAction(
            "plan",
            "Change price plan",
            CHANGE,
            assign_plan,
            PlanForm,
            icon="sell",
            offered=_alive,
            explain=lambda _: (
                "The former plan ends where the new one begins; fees are prorated by day, and usage is "
                "priced by the plan that was valid when it started."
            ),
            submit="Change",
            menu="More",
        ),
        PageAction(
            "bundle",
            "Add bundle",
            CHANGE,
            assign_bundle,
            BundleForm,
            icon="redeem",
            offered=_alive,
            menu="More",
        ),
        PageAction(
            "end-bundle",
            "End bundle",
            CHANGE,
            end_bundle,
            EndBundleForm,
            icon="event_busy",
            menu="More",
            offered=lambda subscriber: subscriber.bundles.filter(
                Q(end__isnull=True) | Q(end__gt=utc_now())
            ).exists(),
        ),
        PageAction(
            "resource",
            "Give number or device",
            CHANGE,
            assign_resource,
            ResourceForm,
            icon="dialpad",
            offered=_alive,
            menu="More",
        ),
        PageAction(
            "release",
            "Take number or device back",
            CHANGE,
            release_resource,
            ReleaseForm,
            icon="remove_circle",
            menu="More",
            offered=lambda subscriber: subscriber.resources.filter(end__isnull=True).exists(),
        ),
        PageAction(
            "suspend",
            "Suspend",
            CHANGE,
            suspend,
            icon="pause",
            offered=lambda subscriber: subscriber.status == Subscriber.Status.ACTIVE,
            explain=lambda subscriber: (
                f"Stops the service of {subscriber} until it is reactivated. Plans, numbers and fees stay."
            ),
        ),
        PageAction(
            "reactivate",
            "Reactivate",
            CHANGE,
            reactivate,
            icon="play_arrow",
            primary=True,
            offered=lambda subscriber: subscriber.status == Subscriber.Status.SUSPENDED,
            explain=lambda subscriber: f"Ends the suspension of {subscriber}.",
        ),
        PageAction(
            "terminate",
            "Terminate",
            CHANGE,
            terminate,
            AtForm,
            icon="block",
            danger=True,
            offered=_alive,
            explain=lambda subscriber: (
                f"Ends {subscriber} for good: plans and bundles end, numbers and devices go into quarantine, "
                "and the account, unless it pays for others, closes and gets its last bill. This cannot be undone."
            ),
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Subscriber | None = None) -> Any:
        ended = []
        if obj is not None and obj.suspended_at is not None:
            ended.append("suspended")
        if obj is not None and obj.terminated_at is not None:
            ended.append("terminated")
        fields = [("number", "status_label"), ("customer_link", "tenant"), ("name", "activated")]
        return ((None, {"fields": [*fields, *([tuple(ended)] if ended else [])]}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        now = utc_now()
        valid = (Q(end__isnull=True) | Q(end__gt=now)) & Q(start__lte=now)
        msisdn = ResourceAssignment.objects.filter(
            valid, subscriber=OuterRef("pk"), resource__kind=Resource.Kind.MSISDN
        ).order_by("start")
        plan = PricePlan.objects.filter(
            Q(assignments__end__isnull=True) | Q(assignments__end__gt=now),
            assignments__subscriber=OuterRef("pk"),
            assignments__start__lte=now,
        ).exclude(assignments__end=F("assignments__start"))
        rows: QuerySet[Subscriber] = super().get_queryset(request)
        return rows.annotate(
            current_msisdn=Subquery(msisdn.values("resource__value")[:1]),
            current_plan=Subquery(plan.values("name")[:1]),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Subscriber], search_term: str
    ) -> tuple[QuerySet[Subscriber], bool]:
        """Digits are looked up among the numbers by index; anything else also in the names."""
        term = search_term.strip()
        if not term:
            return queryset, False
        holders = ResourceAssignment.objects.filter(resource__value=term.removeprefix("+"))
        found = Q(number__startswith=term) | Q(pk__in=holders.values("subscriber"))
        if not term.removeprefix("+").isdigit():
            found |= Q(name__icontains=term) | Q(customer__name__icontains=term)
        return queryset.filter(found), False

    @display(description="MSISDN")
    def msisdn(self, subscriber: Any) -> str:
        return f"+{subscriber.current_msisdn}" if subscriber.current_msisdn else "–"

    @display(description="Price plan")
    def plan(self, subscriber: Any) -> str:
        return subscriber.current_plan or "–"

    @display(description="Status", ordering="status")
    def status_label(self, subscriber: Subscriber) -> str:
        return badge(subscriber.get_status_display(), STATUS_COLOURS.get(subscriber.status, ""))

    @display(description="Customer", ordering="customer__name")
    def customer_link(self, subscriber: Subscriber) -> str:
        return link_to(subscriber.customer)

    @display(description="Active since", ordering="activated_at")
    def activated(self, subscriber: Subscriber) -> str:
        return instant(subscriber.activated_at)

    @display(description="Suspended since")
    def suspended(self, subscriber: Subscriber) -> str:
        return instant(subscriber.suspended_at)

    @display(description="Terminated")
    def terminated(self, subscriber: Subscriber) -> str:
        return instant(subscriber.terminated_at)

    @admin.action(description="Suspend", permissions=["change"])
    def suspend_selected(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        self._each(request, queryset, lifecycle.suspend_subscriber, "suspended")

    @admin.action(description="Reactivate", permissions=["change"])
    def reactivate_selected(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        self._each(request, queryset, lifecycle.reactivate_subscriber, "reactivated")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Subscriber],
        service: Callable[[int, datetime], Subscriber],
        done: str,
    ) -> None:
        now, changed = utc_now(), 0
        for pk in queryset.order_by("pk").values_list("pk", flat=True):
            try:
                service(pk, now.astimezone(UTC))
            except BssError as error:
                tell(request, error)
            else:
                changed += 1
        if changed:
            messages.success(request, f"{changed} subscriber{'s' if changed != 1 else ''} {done}.")
