"""Notifications: news that somebody should see."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to
from apps.billing.models import Notification

COLOURS = {"info": "info", "warning": "warning", "error": "danger"}


class SeenFilter(DropdownFilter):
    title = "state"
    parameter_name = "seen"

    def lookups(self, request, model_admin):
        return [("no", "Not acknowledged"), ("yes", "Acknowledged")]

    def queryset(self, request, queryset):
        if self.value() == "no":
            return queryset.filter(acknowledged_at=None)
        return queryset.exclude(acknowledged_at=None) if self.value() == "yes" else queryset


class LevelFilter(DropdownFilter):
    title = "level"
    parameter_name = "level"

    def lookups(self, request, model_admin):
        return Notification._meta.get_field("level").choices

    def queryset(self, request, queryset):
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

    @display(description="When", ordering="at")
    def when(self, notification: Notification):
        return instant(notification.at)

    @display(description="Level", label=COLOURS)
    def level_label(self, notification: Notification):
        return notification.level, notification.get_level_display()

    @display(description="About")
    def about(self, notification: Notification):
        return link_to(notification.bill or notification.activity)

    @display(description="Acknowledged")
    def seen(self, notification: Notification):
        if notification.acknowledged_at is None:
            return badge("Not yet", "warning")
        return f"{notification.acknowledged_at:%Y-%m-%d %H:%M} {notification.acknowledged_by}"
