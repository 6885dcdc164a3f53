"""Errands to look at, to send again and to give up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from apps.actions.models import Errand
from apps.actions.services.errands import drop, resend
from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.filters import DaysFilter
from apps.backoffice.paging import InfinitePaginator
from apps.kernel.clock import utc_now

CHANGE = ("actions.view_errand", "actions.change_errand")
_COLOURS = {"waiting": "info", "done": "success", "failed": "danger"}


def _resend(request: HttpRequest, errand: Errand, form: Any) -> str:
    resend(errand, utc_now())
    return "It is attempted within seconds."


def _drop(request: HttpRequest, errand: Errand, form: Any) -> str:
    drop(errand, utc_now())
    return "It is not attempted any more."


@admin.register(Errand)
class ErrandAdmin(ReadOnlyAdmin):
    when_empty = "*call_url, *call_url_async and *mail_async of groups of actions make them."
    list_display = (
        "when",
        "kind",
        "account_link",
        "status_badge",
        "attempts",
        "next_attempt",
        "result",
        "parameters",
    )
    list_display_links = ("when",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("account", AutocompleteSelectFilter),
        ("at", DaysFilter),
    )
    list_select_related = ("account",)
    search_fields = ("=account__number", "=key", "=parameters")
    search_help_text = "Account's number, cause, or URL or address, in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (
        ("kind", "status_badge"),
        ("account_link", "key", "number"),
        "parameters",
        ("when", "ended"),
        ("attempts", "next_attempt"),
        "result",
    )
    page_actions = (
        PageAction(
            "resend",
            "Send again",
            CHANGE,
            _resend,
            icon="replay",
            primary=True,
            offered=lambda errand: errand.status in ("failed", "dropped"),
            explain=lambda errand: (
                "It is attempted again as if for the first time, under the same Idempotency-Key."
            ),
        ),
        PageAction(
            "drop",
            "Give up",
            CHANGE,
            _drop,
            icon="close",
            offered=lambda errand: errand.status in ("failed", "waiting"),
            explain=lambda errand: "It is not attempted any more.",
        ),
    )

    @display(description="When", ordering="at")
    def when(self, errand: Errand) -> SafeString | str:
        return instant(errand.at, seconds=True)

    @display(description="Ended", ordering="done_at")
    def ended(self, errand: Errand) -> SafeString | str:
        return instant(errand.done_at, seconds=True)

    @display(description="Next attempt", ordering="retry_at")
    def next_attempt(self, errand: Errand) -> SafeString | str:
        return instant(errand.retry_at, seconds=True)

    @display(description="Account")
    def account_link(self, errand: Errand) -> SafeString | str:
        return link_to(errand.account)

    @display(description="Status", ordering="status")
    def status_badge(self, errand: Errand) -> SafeString:
        return badge(errand.get_status_display(), _COLOURS.get(errand.status, ""))
