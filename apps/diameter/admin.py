"""Diameter: peers and rules to edit; connections, processes and answers to look at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.admins import HistoryAdmin, ReadOnlyAdmin
from apps.backoffice.display import badge, grouped, instant
from apps.backoffice.paging import InfinitePaginator
from apps.diameter.models import AnswerCount, Connection, Peer, ServerProcess, ServiceRule


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
    list_display = ("context_label", "rating_group", "service_identifier", "service", "charging_mode")
    list_display_links = ("context_label", "rating_group")
    list_filter = (("service", RelatedDropdownFilter), ("charging_mode", ChoicesDropdownFilter))
    list_select_related = ("service",)
    search_fields = ("context", "=rating_group")
    fields = (("context", "service"), ("rating_group", "service_identifier"), "charging_mode")

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
