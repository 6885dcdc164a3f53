"""Diameter: peers and rules to edit; connections, orders, answers to look at; sessions to be told something."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction, add_action
from apps.backoffice.admins import HistoryAdmin, ReadOnlyAdmin
from apps.backoffice.display import badge, grouped, instant
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Panel, Table, add_panel
from apps.charging.models import ChargingSession
from apps.diameter.models import AnswerCount, Connection, Peer, ServerProcess, ServiceRule, SessionOrder
from apps.diameter.services.orders import order_abort, order_reauthorisation
from apps.kernel.clock import utc_now

ORDER_COLOURS = {"pending": "warning", "sent": "info", "done": "success", "failed": "danger"}
MOST_ORDERS = 50


@admin.register(Peer)
class PeerAdmin(HistoryAdmin):
    list_display = ("host", "realm", "enabled", "connection_label", "description")
    list_filter = ("enabled",)
    search_fields = ("host", "realm", "description")
    ordering = ("host",)
    fields = (
        ("host", "realm"),
        ("description", "enabled"),
        ("ignore_unknown_mandatory", "tariff_time_change", "grants_in_octets"),
        ("served_realms", "served_hosts"),
        ("failure_handling", "max_requests_in_flight"),
        ("free_services", "redirect_as_refusal"),
        ("sessions_belong_to", "money_a_day_micros"),
        "requires_tls",
    )

    @display(description="Connection")
    def connection_label(self, peer: Peer) -> str:
        connection = self._connections().get(peer.host)
        return badge("Connected", "success") if connection else badge("Not connected", "")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Peer]:
        self._found = None
        return super().get_queryset(request)

    def _connections(self) -> dict[str, Connection]:
        if self._found is None:
            self._found = {connection.peer_host: connection for connection in Connection.objects.all()}
        return self._found

    _found: dict[str, Connection] | None = None


@admin.register(ServiceRule)
class ServiceRuleAdmin(HistoryAdmin):
    list_display = ("context_label", "rating_group", "service_identifier", "service")
    list_display_links = ("context_label", "rating_group")
    list_filter = (("service", RelatedDropdownFilter),)
    list_select_related = ("service",)
    search_fields = ("context", "=rating_group")
    fields = (("context", "service"), ("rating_group", "service_identifier"))

    @display(description="Context", ordering="context")
    def context_label(self, rule: ServiceRule) -> str:
        return rule.context or "any"


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    list_display = ("peer_host", "peer_realm", "remote", "secured", "product_name", "opened", "process")
    list_select_related = ("process",)
    search_fields = ("peer_host",)
    fields = (("peer_host", "peer_realm"), ("remote", "secured"), ("product_name", "opened"), "process")

    @display(description="Since", ordering="opened_at")
    def opened(self, connection: Connection) -> str:
        return instant(connection.opened_at, seconds=True)


@admin.register(ServerProcess)
class ServerProcessAdmin(ReadOnlyAdmin):
    list_display = ("origin_host", "address", "pid", "started", "heartbeat")
    ordering = ("origin_host", "address", "pid")
    fields = (("origin_host", "address"), ("pid", "started"), "heartbeat")

    @display(description="Started", ordering="started_at")
    def started(self, process: ServerProcess) -> str:
        return instant(process.started_at, seconds=True)

    @display(description="Last heartbeat", ordering="heartbeat_at")
    def heartbeat(self, process: ServerProcess) -> str:
        return instant(process.heartbeat_at, seconds=True)


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


@admin.register(AnswerCount)
class AnswerCountAdmin(ReadOnlyAdmin):
    list_display = ("hour_label", "peer_host", "request", "code_label", "answers_label")
    list_display_links = ("hour_label",)
    search_fields = ("=peer_host", "=result_code")
    search_help_text = "Peer in full, or a result code"
    ordering = ("-hour", "peer_host", "request", "result_code")
    paginator = InfinitePaginator
    fields = (("hour_label", "peer_host"), ("request", "code_label"), "answers_label")

    @display(description="Hour", ordering="hour")
    def hour_label(self, count: AnswerCount) -> str:
        return instant(count.hour)

    @display(description="Result code", ordering="result_code")
    def code_label(self, count: AnswerCount) -> str:
        colour = (
            "success"
            if 2000 <= count.result_code < 3000
            else "warning"
            if count.result_code < 5000
            else "danger"
        )
        return badge(str(count.result_code), colour)

    @display(description="Answers", ordering="answers")
    def answers_label(self, count: AnswerCount) -> str:
        return grouped(count.answers)


def _told(order: SessionOrder | None, what: str) -> str:
    return f"{what}; see the orders below for the gateway's answer." if order else "That was ordered before."


def _reauthorise(request: HttpRequest, session: ChargingSession, form: Any) -> str:
    now = utc_now()
    cause = f"{request.user.get_username()}:{session.id}:{now:%Y-%m-%dT%H:%M:%S}:rar"
    return _told(order_reauthorisation(session, cause, now), "The gateway is told to ask anew")


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
        permissions=("charging.view_chargingsession", "diameter.add_sessionorder"),
        run=_reauthorise,
        icon="autorenew",
        explain=lambda session: (
            "The gateway reports what was used so far and asks for quotas anew, as after a top-up or a change of plan."
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
        permissions=("charging.view_chargingsession", "diameter.add_sessionorder"),
        run=_abort,
        icon="cancel",
        explain=lambda session: (
            "The gateway ends the service, reports what was used, and closes the session."
        ),
        offered=_can_be_told,
        submit="End the session",
        danger=True,
    ),
)
add_panel(
    SESSIONS, Panel("orders", "Orders to the gateway", _orders, ("diameter.view_sessionorder",), order=60)
)
