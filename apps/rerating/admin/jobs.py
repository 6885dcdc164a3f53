"""Re-ratings: records chosen, the difference seen, applied, reversed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin, get_or_404, require
from apps.backoffice.display import badge, change_url, grouped, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.forms import ActionForm, SearchedChoiceField
from apps.kernel.clock import utc_now
from apps.kernel.periods import local_midnight
from apps.rating.models import PricePlan, TariffVersion, Tenant
from apps.rerating.models import RerateJob
from apps.rerating.selectors import left_to_apply
from apps.rerating.services.exporting import EXPORTS
from apps.rerating.services.jobs import apply_job, make_job, reverse_job

CHANGE = ("rerating.change_reratejob",)
COLOURS = {"simulated": "warning", "applied": "success", "reversed": ""}
State = RerateJob.State


def _field(name: str) -> Any:
    return RerateJob._meta.get_field(name)


class SimulateForm(ActionForm):
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(), initial=lambda: Tenant.objects.first(), empty_label=None
    )
    first_day = forms.DateField(label="From", help_text="The first day, of the tenant’s calendar.")
    day_after = forms.DateField(label="Until", help_text="The first day after the period.")
    price_plan = forms.ModelChoiceField(
        PricePlan.objects.select_related("tenant"), required=False, help_text="Only records charged on it."
    )
    destination = SearchedChoiceField(
        _field("destination"), required=False, help_text="Only records rated to it."
    )
    source = forms.ModelChoiceField(
        _field("source").related_model.objects.all(),
        required=False,
        help_text="Only records that came from it.",
    )
    account = SearchedChoiceField(_field("account"), required=False, help_text="Only its records.")
    version = forms.ModelChoiceField(
        TariffVersion.objects.only("pk"),
        required=False,
        label="Tariff version",
        help_text="By which they are priced; empty = the newest.",
    )
    note = forms.CharField(required=False, max_length=200, label="Why")


def simulate(request: HttpRequest, _: None, form: SimulateForm) -> HttpResponse:
    data = form.cleaned_data
    zone = data["tenant"].zone
    job = make_job(
        data["tenant"],
        local_midnight(data["first_day"], zone),
        local_midnight(data["day_after"], zone),
        now=utc_now(),
        by=request.user.get_username(),
        account=data["account"],
        price_plan=data["price_plan"],
        destination=data["destination"],
        source=data["source"],
        version=data["version"],
        note=data["note"],
    )
    messages.success(request, f"{job} is being simulated; its page shows the difference.")
    return HttpResponseRedirect(change_url(job))


def can_apply(job: RerateJob) -> bool:
    return job.state in (State.SIMULATED, State.APPLIED) and left_to_apply(job.pk).exists()


def apply(request: HttpRequest, job: RerateJob, form: ActionForm) -> str:
    apply_job(job.pk, now=utc_now(), by=request.user.get_username())
    return f"{job} is being applied; a notification tells when it is done."


def reverse(request: HttpRequest, job: RerateJob, form: ActionForm) -> str:
    reverse_job(job.pk, now=utc_now(), by=request.user.get_username())
    return f"{job} is being reversed; a notification tells when it is done."


@admin.register(RerateJob)
class RerateJobAdmin(ReadOnlyAdmin):
    when_empty = (
        "“New re-rating” prices records again, and shows the difference before anything is corrected."
    )
    list_display = (
        "number",
        "period",
        "chosen",
        "version_link",
        "state_label",
        "accounts_label",
        "created_by",
        "created",
        "note",
    )
    list_display_links = ("number",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("tenant", RelatedDropdownFilter),
        ("price_plan", RelatedDropdownFilter),
        ("created_at", DaysFilter),
    )
    list_select_related = ("tenant", "account", "price_plan", "destination", "source")
    search_fields = ("note", "created_by", "account__number__startswith")
    search_help_text = "Words of the note, who made it, or an account's number"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("state_label", "accounts_label"),
                    ("period", "tenant"),
                    ("chosen", "version_link"),
                    "note",
                    ("created_by", "created"),
                    ("applied_by", "applied"),
                    ("reversed_by", "reversed_time"),
                )
            },
        ),
    )
    page_actions = (
        PageAction(
            "simulate",
            "New re-rating",
            ("rerating.add_reratejob",),
            simulate,
            SimulateForm,
            icon="add",
            primary=True,
            on_list=True,
            submit="Simulate",
            explain=lambda _: (
                "Prices the chosen records again, in the order and on the plans in which they were charged. Nothing "
                "moves until the difference has been seen and applied."
            ),
        ),
        PageAction(
            "apply",
            "Apply",
            CHANGE,
            apply,
            icon="done_all",
            primary=True,
            offered=can_apply,
            explain=lambda _: (
                "Corrects the records, free units, prepaid balances and statistics. Open bills follow by themselves; "
                "what is on a bill already is adjusted on the next one. An account whose records changed since is "
                "simulated again and left; apply once more for it."
            ),
        ),
        PageAction(
            "reverse",
            "Reverse",
            CHANGE,
            reverse,
            icon="undo",
            danger=True,
            offered=lambda job: job.state == State.APPLIED,
            explain=lambda _: (
                "Gives every record, counter, balance and bill of this re-rating back what it had."
            ),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        export = self.admin_site.admin_view(self.csv_view)
        own = [path("<int:job_id>/<slug:what>.csv", export, name="rerating_reratejob_csv")]
        return [*own, *super().get_urls()]

    def csv_view(self, request: HttpRequest, job_id: int, what: str) -> StreamingHttpResponse:
        """The difference by account or by destination as CSV."""
        require(request, "rerating.view_reratejob")
        job = get_or_404(self.get_queryset(request), job_id)
        if what not in EXPORTS:
            raise Http404
        return StreamingHttpResponse(
            EXPORTS[what](job.pk),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="re-rating-{job.pk}-{what}.csv"'},
        )

    @display(description="Re-rating", ordering="pk")
    def number(self, job: RerateJob) -> str:
        return f"#{job.pk}"

    @display(description="Records from, until", ordering="start")
    def period(self, job: RerateJob) -> str:
        zone = job.tenant.zone
        return f"{job.start.astimezone(zone):%Y-%m-%d} – {job.end.astimezone(zone):%Y-%m-%d}"

    @display(description="Only of")
    def chosen(self, job: RerateJob) -> str:
        chosen = {
            "account": job.account,
            "plan": job.price_plan,
            "destination": job.destination,
            "source": job.source,
        }
        return ", ".join(f"{name} {value}" for name, value in chosen.items() if value) or "all"

    @display(description="By tariff version", ordering="tariff_version")
    def version_link(self, job: RerateJob) -> SafeString | str:
        return link_to(TariffVersion(pk=job.tariff_version_id))

    @display(description="State", ordering="state")
    def state_label(self, job: RerateJob) -> SafeString:
        return badge(job.get_state_display(), COLOURS.get(job.state, "info"))

    @display(description="Accounts", ordering="accounts")
    def accounts_label(self, job: RerateJob) -> str:
        return grouped(job.accounts)

    @display(description="Made", ordering="created_at")
    def created(self, job: RerateJob) -> SafeString | str:
        return instant(job.created_at)

    @display(description="Applied")
    def applied(self, job: RerateJob) -> SafeString | str:
        return instant(job.applied_at)

    @display(description="Reversed")
    def reversed_time(self, job: RerateJob) -> SafeString | str:
        return instant(job.reversed_at)
