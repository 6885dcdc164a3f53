"""Activities: what was asked for, and what became of it."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import instant, link_to
from apps.billing.models import Activity

STATUS_COLOURS = {0: "", 1: "success", 2: "danger", 99: "info"}


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
    search_fields = ("=param", "queued_by")
    search_help_text = "MSISDN or cycle number, or who queued it"
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
        (
            "Parameters",
            {
                "classes": ("collapse",),
                "fields": (("param", "param2", "param3"), ("param4", "param5", "param6")),
            },
        ),
    )

    @display(description="Activity", ordering="pk")
    def number(self, activity: Activity) -> str:
        return f"#{activity.pk}"

    @display(description="For")
    def subject(self, activity: Activity) -> str:
        what = "cycle" if activity.type == Activity.Type.FULL_BILLRUN else "MSISDN"
        period = f", {activity.param3}-{activity.param2:0>2}" if activity.param2 and activity.param3 else ""
        return f"{what} {activity.param}{period}"

    @display(description="Status", label=STATUS_COLOURS, ordering="status")
    def status_label(self, activity: Activity):
        return activity.status, activity.get_status_display()

    @display(description="Queued", ordering="queued_at")
    def queued(self, activity: Activity):
        return instant(activity.queued_at)

    @display(description="Sent to its queue")
    def sent(self, activity: Activity):
        return instant(activity.sent_at, seconds=True)

    @display(description="Started")
    def started(self, activity: Activity):
        return instant(activity.started_at, seconds=True)

    @display(description="Finished", ordering="finished_at")
    def finished(self, activity: Activity):
        return instant(activity.finished_at)

    @display(description="Bill run")
    def run_link(self, activity: Activity):
        return link_to(activity.runs.select_related("cycle").first())
