"""Activities: requests to bill, and their outcome."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin, get_or_404, require
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.tenancy import tenants_of
from apps.billing.admin.cycles import RunForm
from apps.billing.domain.activities import parse_msisdn
from apps.billing.models import Activity, BillCycle
from apps.billing.selectors.lookups import account_of_msisdn
from apps.billing.services.activities import queue_activity
from apps.kernel.clock import utc_now
from apps.kernel.errors import NotFound

STATUS_COLOURS = {0: "", 1: "success", 2: "danger", 99: "info"}


class QueueForm(RunForm):
    type = forms.TypedChoiceField(
        coerce=int,
        choices=[
            (Activity.Type.FULL_BILLRUN, "Full bill run of a cycle"),
            (Activity.Type.SINGLE_BILLING, "Bill one account, by an MSISDN that it pays for"),
            (Activity.Type.PREPAID_RATING, "Prepaid rating (for developers)"),
        ],
    )
    cycle = forms.ModelChoiceField(
        BillCycle.objects.filter(retired_at=None), required=False, help_text="For a full bill run."
    )
    msisdn = forms.CharField(
        required=False,
        max_length=20,
        label="MSISDN",
        help_text="For a single account: digits, with country code.",
    )
    field_order = ("type", "cycle", "msisdn", "month")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind = data.get("type")
        if kind == Activity.Type.FULL_BILLRUN and not data.get("cycle"):
            self.add_error("cycle", "Choose the cycle to run.")
        if kind == Activity.Type.SINGLE_BILLING and not data.get("msisdn"):
            self.add_error("msisdn", "Give the MSISDN of a subscriber whose account is to be billed.")
        if kind == Activity.Type.PREPAID_RATING and not (data.get("msisdn") or data.get("cycle")):
            self.add_error("msisdn", "Give an MSISDN, or choose a cycle.")
        return data


def queue(request: HttpRequest, obj: None, form: QueueForm) -> HttpResponse:
    data = form.cleaned_data
    month, year = data["month"]
    by_cycle = data["type"] == Activity.Type.FULL_BILLRUN or not data["msisdn"]
    if not by_cycle:
        _demand_own(request, data["msisdn"])
    activity = queue_activity(
        data["type"],
        str(data["cycle"].number) if by_cycle else data["msisdn"],
        month,
        year,
        now=utc_now(),
        queued_by=request.user.get_username(),
    )
    messages.success(request, f"Activity {activity.pk} is queued.")
    return HttpResponseRedirect(reverse("admin:billing_activity_watch", args=(activity.pk,)))


def _demand_own(request: HttpRequest, msisdn: str) -> None:
    """Staff of some tenants bill no other's account; another tenant's number looks unassigned."""
    tenants = tenants_of(request)
    number = parse_msisdn(msisdn)
    if tenants is not None and account_of_msisdn(number, utc_now()).tenant_id not in tenants:
        raise NotFound(f"no subscriber has or had the MSISDN {number}", where="msisdn")


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    list_display = ("number", "type", "subject", "status_label", "cycle", "queued_by", "queued", "finished")
    list_display_links = ("number",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("type", ChoicesDropdownFilter),
        ("cycle", RelatedDropdownFilter),
    )
    list_select_related = ("cycle",)
    search_fields = ("=payload__msisdn", "queued_by")
    search_help_text = "MSISDN, or who queued it"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("type", "status_label"),
                    "error",
                    ("subject", "cycle"),
                    ("queued_by", "queued"),
                    ("sent", "started"),
                    ("finished", "run_link"),
                )
            },
        ),
    )

    page_actions = (
        PageAction(
            "queue",
            "Queue an activity",
            ("billing.add_activity",),
            queue,
            QueueForm,
            icon="add",
            primary=True,
            on_list=True,
            submit="Queue",
            explain=lambda _: (
                "An activity is given to the queue of its bill cycle within seconds. Nothing is billed twice: what is "
                "queued or billed already is refused."
            ),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        watch = self.admin_site.admin_view(self.watch_view)
        return [path("<int:activity_id>/watch/", watch, name="billing_activity_watch"), *super().get_urls()]

    def watch_view(self, request: HttpRequest, activity_id: int) -> HttpResponse:
        """To the run that the activity has begun, or to the activity as long as there is none."""
        require(request, "billing.view_activity")
        activity = get_or_404(self.get_queryset(request), activity_id)
        run = activity.runs.order_by("-pk").first()
        if run is not None and request.user.has_perm("billing.view_billrun"):
            return HttpResponseRedirect(reverse("admin:billing_billrun_change", args=(run.pk,)))
        return HttpResponseRedirect(reverse("admin:billing_activity_change", args=(activity.pk,)))

    @display(description="Activity", ordering="pk")
    def number(self, activity: Activity) -> str:
        return f"#{activity.pk}"

    @display(description="For")
    def subject(self, activity: Activity) -> str:
        about = activity.parameters
        what = "cycle " if about.cycle else "MSISDN " if about.msisdn else ""
        return f"{what}{about.subject}, {about.until.date() if about.until else about.month}"

    @display(description="Status", ordering="status")
    def status_label(self, activity: Activity) -> SafeString | str:
        return badge(activity.get_status_display(), STATUS_COLOURS.get(activity.status, ""))

    @display(description="Queued", ordering="queued_at")
    def queued(self, activity: Activity) -> SafeString | str:
        return instant(activity.queued_at)

    @display(description="Sent to its queue")
    def sent(self, activity: Activity) -> SafeString | str:
        return instant(activity.sent_at, seconds=True)

    @display(description="Started")
    def started(self, activity: Activity) -> SafeString | str:
        return instant(activity.started_at, seconds=True)

    @display(description="Finished", ordering="finished_at")
    def finished(self, activity: Activity) -> SafeString | str:
        return instant(activity.finished_at)

    @display(description="Bill run")
    def run_link(self, activity: Activity) -> SafeString | str:
        return link_to(activity.runs.select_related("cycle").first())
