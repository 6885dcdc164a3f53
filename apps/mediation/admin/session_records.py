"""Records of usage that was charged in real time, compared with what charged it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, cause_link, instant, link_to, usage
from apps.backoffice.filters import DaysFilter
from apps.backoffice.paging import InfinitePaginator
from apps.kernel.clock import utc_now
from apps.mediation.admin.margins import CSV, XLSX, table_file
from apps.mediation.models import SessionRecord
from apps.mediation.selectors import session_record_sheet
from apps.mediation.services.reconciling import ADJUST, IGNORE, settle

CHANGE = ("mediation.change_sessionrecord",)
_COLOURS = {"waiting": "info", "agrees": "success", "differs": "danger", "adjusted": "primary"}


def _differs(record: SessionRecord) -> bool:
    return record.state == SessionRecord.State.DIFFERS


def _settling(decision: str, told: str) -> Any:
    def run(request: HttpRequest, record: SessionRecord, form: Any) -> str:
        settle([record.pk], decision, utc_now(), by=request.user.get_username())
        return told

    return run


@admin.register(SessionRecord)
class SessionRecordAdmin(ReadOnlyAdmin):
    when_empty = (
        "Records of accounts in charging mode “prepaid” come here, to be compared with their sessions."
    )
    list_display = (
        *("started", "account_link", "service", "usage_label", "charged_label", "difference", "state_label"),
        *("session_link", "record_id"),
    )
    list_display_links = ("started",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("account", AutocompleteSelectFilter),
        ("service", RelatedDropdownFilter),
        ("start", DaysFilter),
    )
    list_select_related = ("account", "service", "session")
    search_fields = ("=record_id", "=account__number")
    search_help_text = "Record id or account's number in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    currency_path = "account__currency"
    exact_money = True
    fields = (
        ("started", "service"),
        ("account_link", "subscriber_link"),
        ("usage_label", "charged_label"),
        ("difference", "state_label"),
        ("session_link", "session_ref"),
        "event_label",
        ("record_id", "taken"),
        ("settled", "settled_by"),
    )
    actions = ("adjust_selected", "ignore_selected", "download_csv", "download_xlsx")
    page_actions = (
        PageAction(
            "adjust",
            "Adjust balance",
            CHANGE,
            _settling(ADJUST, "The account was adjusted by the difference."),
            icon="tune",
            offered=_differs,
            explain=lambda record: (
                f"Puts the difference on account {record.account}, or takes it off, as one entry of the ledger."
            ),
        ),
        PageAction(
            "ignore",
            "Ignore difference",
            CHANGE,
            _settling(IGNORE, "The difference is ignored."),
            icon="block",
            offered=_differs,
            explain=lambda _: "What was charged in real time stays; no money moves.",
        ),
    )

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(CHANGE)

    @action(description="Adjust balances by the difference", permissions=["settle"])
    def adjust_selected(self, request: HttpRequest, records: Any) -> None:
        self._settle(request, records, ADJUST)

    @action(description="Ignore the difference", permissions=["settle"])
    def ignore_selected(self, request: HttpRequest, records: Any) -> None:
        self._settle(request, records, IGNORE)

    def _settle(self, request: HttpRequest, records: Any, decision: str) -> None:
        ids = list(records.values_list("pk", flat=True))
        count = settle(ids, decision, utc_now(), by=request.user.get_username())
        self.message_user(request, f"{count} of {len(ids)} records settled; the others did not differ.")

    @action(description="Download as CSV")
    def download_csv(self, request: HttpRequest, records: Any) -> HttpResponse:
        return table_file(session_record_sheet(records), CSV, "records-of-sessions")

    @action(description="Download as XLSX")
    def download_xlsx(self, request: HttpRequest, records: Any) -> HttpResponse:
        return table_file(session_record_sheet(records), XLSX, "records-of-sessions")

    @display(description="Start", ordering="start")
    def started(self, record: SessionRecord) -> SafeString | str:
        return instant(record.start, seconds=True)

    @display(description="Came")
    def taken(self, record: SessionRecord) -> SafeString | str:
        return instant(record.taken_at, seconds=True)

    @display(description="Settled")
    def settled(self, record: SessionRecord) -> SafeString | str:
        return instant(record.settled_at, seconds=True)

    @display(description="Account")
    def account_link(self, record: SessionRecord) -> SafeString | str:
        return link_to(record.account)

    @display(description="Subscriber")
    def subscriber_link(self, record: SessionRecord) -> SafeString | str:
        return link_to(record.subscriber)

    @display(description="Charged by")
    def session_link(self, record: SessionRecord) -> SafeString | str:
        return link_to(record.session) if record.session else record.event_cause or "–"

    @display(description="Event")
    def event_label(self, record: SessionRecord) -> SafeString | str:
        return cause_link(record.event_cause) if record.event_cause else "–"

    @display(description="Record's usage")
    def usage_label(self, record: SessionRecord) -> str:
        return usage(record.usage, record.service.type_of_record)

    @display(description="Charged usage")
    def charged_label(self, record: SessionRecord) -> str:
        if record.charged_usage is None:
            return "–"
        return usage(record.charged_usage, record.service.type_of_record)

    @display(description="State", ordering="state")
    def state_label(self, record: SessionRecord) -> SafeString:
        return badge(record.get_state_display(), _COLOURS.get(record.state, ""))
