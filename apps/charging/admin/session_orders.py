"""Orders to the clients of sessions: those there are, and two to give on a session's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Panel, Table, add_panel
from apps.charging.models import ChargingSession, SessionOrder
from apps.charging.services.session_orders import order_abort, order_reauthorisation
from apps.kernel.clock import utc_now

ORDER_COLOURS = {"pending": "warning", "sent": "info", "done": "success", "failed": "danger"}
MOST_ORDERS = 50


@admin.register(SessionOrder)
class SessionOrderAdmin(ReadOnlyAdmin):
    list_display = ("session_id", "kind", "status_label", "result_code", "created", "cause", "detail")
    list_display_links = ("session_id",)
    list_filter = (("kind", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter))
    search_fields = ("=session_id", "=cause")
    search_help_text = "Session-Id or cause in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (
        ("session_id", "kind"),
        ("status_label", "result_code"),
        ("route", "rating_group"),
        ("created", "sent"),
        ("finished", "cause"),
        "detail",
    )

    @display(description="Status", ordering="status")
    def status_label(self, order: SessionOrder) -> str:
        return badge(order.get_status_display(), ORDER_COLOURS[order.status])

    @display(description="Ordered", ordering="created_at")
    def created(self, order: SessionOrder) -> str:
        return instant(order.created_at, seconds=True)

    @display(description="Sent")
    def sent(self, order: SessionOrder) -> str:
        return instant(order.sent_at, seconds=True) if order.sent_at else "–"

    @display(description="Answered")
    def finished(self, order: SessionOrder) -> str:
        return instant(order.finished_at, seconds=True) if order.finished_at else "–"


def _told(order: SessionOrder | None, what: str) -> str:
    return f"{what}; see the orders below for the gateway's answer." if order else "That was ordered before."


def _reauthorise(request: HttpRequest, session: ChargingSession, form: Any) -> str:
    now = utc_now()
    cause = f"{request.user.get_username()}:{session.id}:{now:%Y-%m-%dT%H:%M:%S}:rar"
    return _told(order_reauthorisation(session, cause, now), "The gateway is told to ask again")


def _abort(request: HttpRequest, session: ChargingSession, form: Any) -> str:
    now = utc_now()
    cause = f"{request.user.get_username()}:{session.id}:{now:%Y-%m-%dT%H:%M:%S}:asr"
    return _told(order_abort(session, cause, now), "The gateway is told to end the session")


def _can_be_told(session: ChargingSession) -> bool:
    return session.status == ChargingSession.Status.OPEN and bool(session.peer)


def _orders(request: HttpRequest, session: ChargingSession) -> Table:
    """What the session's gateway was told."""
    rows = SessionOrder.objects.filter(session_id=session.session_id).order_by("-id")[:MOST_ORDERS]
    return Table(
        ("Order", "Status", "Result code", "Ordered", "Cause", "Detail"),
        [
            (
                row.get_kind_display(),
                badge(row.get_status_display(), ORDER_COLOURS[row.status]),
                row.result_code or "",
                instant(row.created_at, seconds=True),
                row.cause,
                row.detail,
            )
            for row in rows
        ],
        "The gateway was told nothing.",
    )


SESSIONS = "charging.chargingsession"
add_action(
    SESSIONS,
    PageAction(
        name="reauthorise",
        title="Re-authorise (RAR)",
        permissions=("charging.view_chargingsession", "charging.add_sessionorder"),
        run=_reauthorise,
        icon="autorenew",
        explain=lambda session: (
            "The gateway reports usage so far and asks for quotas again, as after a top-up or a change of plan."
        ),
        offered=_can_be_told,
        submit="Re-authorise",
    ),
)
add_action(
    SESSIONS,
    PageAction(
        name="abort",
        title="End session (ASR)",
        permissions=("charging.view_chargingsession", "charging.add_sessionorder"),
        run=_abort,
        icon="cancel",
        explain=lambda session: "The gateway ends the service, reports usage, and closes the session.",
        offered=_can_be_told,
        submit="End the session",
        danger=True,
    ),
)
add_panel(
    SESSIONS, Panel("orders", "Orders to the gateway", _orders, ("charging.view_sessionorder",), order=60)
)
