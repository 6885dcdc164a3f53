"""Notifications: news for operators."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.forms import ActionForm
from apps.billing.models import Notification
from apps.billing.services.notifications import acknowledge
from apps.kernel.clock import utc_now

COLOURS = {"info": "info", "warning": "warning", "error": "danger"}
CHANGE = ("billing.change_notification",)
MOST_AT_ONCE = 1_000


def seen(request: HttpRequest, notification: Notification, form: ActionForm) -> str:
    acknowledge(notification.pk, request.user.get_username(), utc_now())
    return "Acknowledged."


class SeenFilter(DropdownFilter):
    title = "state"
    parameter_name = "seen"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("no", "Not acknowledged"), ("yes", "Acknowledged")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(acknowledged_at=None)
        return queryset.exclude(acknowledged_at=None) if self.value() == "yes" else queryset


class LevelFilter(DropdownFilter):
    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Notification._meta.get_field("level").choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(level=self.value()) if self.value() else queryset


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("when", "level_label", "text", "about", "seen")
    list_display_links = ("when",)
    list_filter = (SeenFilter, LevelFilter)
    list_select_related = ("activity", "bill")
    search_fields = ("text",)
    ordering = ("-pk",)
    fields = ("when", "level_label", "text", "about", "seen")

    actions = ("acknowledge_selected",)
    page_actions = (
        PageAction(
            "acknowledge",
            "Acknowledge",
            CHANGE,
            seen,
            icon="done",
            primary=True,
            offered=lambda notification: notification.acknowledged_at is None,
            explain=lambda notification: notification.text,
        ),
    )

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(CHANGE)

    @admin.action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        now, by = utc_now(), request.user.get_username()
        open_ones = queryset.filter(acknowledged_at=None).order_by("pk")
        pks = list(open_ones.values_list("pk", flat=True)[:MOST_AT_ONCE])
        for pk in pks:
            acknowledge(pk, by, now)
        messages.success(request, f"{len(pks)} acknowledged.")

    @display(description="When", ordering="at")
    def when(self, notification: Notification) -> SafeString | str:
        return instant(notification.at)

    @display(description="Level")
    def level_label(self, notification: Notification) -> SafeString | str:
        return badge(notification.get_level_display(), COLOURS.get(notification.level, ""))

    @display(description="About")
    def about(self, notification: Notification) -> SafeString | str:
        return link_to(notification.bill or notification.activity)

    @display(description="Acknowledged")
    def seen(self, notification: Notification) -> SafeString | str:
        if notification.acknowledged_at is None:
            return badge("Not yet", "warning")
        return f"{notification.acknowledged_at:%Y-%m-%d %H:%M} {notification.acknowledged_by}"
