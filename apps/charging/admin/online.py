"""Real-time charging: sessions, what they hold and what failed; quota policies and shared groups, to edit."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import HistoryAdmin, ReadOnlyAdmin
from apps.backoffice.display import badge, grouped, instant, link_to, money
from apps.backoffice.paging import InfinitePaginator
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.charging.domain.sessions import Meter
from apps.charging.domain.triggers import amount_text
from apps.charging.models import (
    AllowanceCounter,
    Balance,
    ChargingSession,
    FailedRequest,
    PeerDay,
    QuotaPolicy,
    SharedGroup,
    SharedGroupLimit,
    SharedGroupTerms,
)
from apps.charging.services.failures import settle_failures
from apps.charging.services.rows import meters_from_text
from apps.kernel.clock import utc_now
from apps.kernel.units import format_nanoseconds

STATUS_COLOURS = {"open": "info", "closed": "success", "released": "warning", "expired": "danger"}
MOST_RESERVATIONS = 200


@admin.register(ChargingSession)
class ChargingSessionAdmin(ReadOnlyAdmin):
    list_display = (
        "session_id",
        "status_label",
        "subscriber_link",
        "account_link",
        "opened",
        "updated",
        "cost",
    )
    list_display_links = ("session_id",)
    list_filter = (("status", ChoicesDropdownFilter), ("account", AutocompleteSelectFilter))
    list_select_related = ("account", "subscriber")
    search_fields = ("=session_id",)
    search_help_text = "Session-Id in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    currency_path = "account__currency"
    fields = (
        ("session_id", "sub_session"),
        ("status_label", "peer"),
        ("subscriber_link", "account_link"),
        ("opened", "updated"),
        ("expires", "last_number"),
        ("cost", "unpaid"),
        "owner",
    )

    @display(description="Status", ordering="status")
    def status_label(self, session: ChargingSession) -> SafeString:
        return badge(session.get_status_display(), STATUS_COLOURS.get(session.status, ""))

    @display(description="Subscriber")
    def subscriber_link(self, session: ChargingSession) -> SafeString | str:
        return link_to(session.subscriber)

    @display(description="Account")
    def account_link(self, session: ChargingSession) -> SafeString | str:
        return link_to(session.account)

    @display(description="Opened", ordering="opened_at")
    def opened(self, session: ChargingSession) -> SafeString | str:
        return instant(session.opened_at, seconds=True)

    @display(description="Last report", ordering="updated_at")
    def updated(self, session: ChargingSession) -> SafeString | str:
        return instant(session.updated_at, seconds=True)

    @display(description="Ends without a report at", ordering="expires_at")
    def expires(self, session: ChargingSession) -> SafeString | str:
        return instant(session.expires_at, seconds=True)


def _settle(request: HttpRequest, failed: FailedRequest, _: object) -> str:
    settle_failures([failed.pk], utc_now())
    return f"{str(failed).capitalize()} is settled."


@admin.register(FailedRequest)
class FailedRequestAdmin(ReadOnlyAdmin):
    list_display = ("failed", "operation", "session_id", "number", "party", "error", "state")
    list_display_links = ("failed",)
    list_filter = (("settled_at", EmptyFieldListFilter),)
    search_fields = ("=session_id", "=party")
    search_help_text = "Session-Id, MSISDN or IMSI in full"
    ordering = ("-at",)
    fields = (
        ("failed", "operation"),
        ("session_id", "number"),
        ("party", "peer"),
        "error",
        "state",
    )
    page_actions = (
        PageAction(
            "settle",
            "Settle",
            ("charging.change_failedrequest",),
            _settle,
            icon="task_alt",
            explain=lambda failed: (
                f"Nothing of {failed} was charged: {failed.error} Settle it once what it used is charged by hand,"
                " or need not be. The audit does not mention it any more then."
            ),
            offered=lambda failed: failed.settled_at is None,
        ),
    )

    @display(description="Failed", ordering="at")
    def failed(self, failed: FailedRequest) -> SafeString | str:
        return instant(failed.at, seconds=True)

    @display(description="Settled", ordering="settled_at")
    def state(self, failed: FailedRequest) -> SafeString | str:
        return badge("open", "danger") if failed.settled_at is None else instant(failed.settled_at)


@admin.register(PeerDay)
class PeerDayAdmin(ReadOnlyAdmin):
    list_display = ("peer", "day", "currency", "debited", "refunded", "refusals", "refused", "last_refusal")
    list_display_links = ("peer",)
    search_fields = ("=peer",)
    search_help_text = "Peer in full"
    ordering = ("-day", "peer", "currency")
    currency_path = "currency"
    fields = (
        ("peer", "day"),
        ("currency", "debited", "refunded"),
        ("refusals", "refused"),
        "last_refusal",
    )


@admin.register(QuotaPolicy)
class QuotaPolicyAdmin(HistoryAdmin):
    list_display = ("service", "plan_label", "default_units", "max_units", "validity_s", "final_action")
    list_display_links = ("service", "plan_label")
    list_filter = (("service", RelatedDropdownFilter), ("final_action", ChoicesDropdownFilter))
    list_select_related = ("service", "price_plan")
    search_fields = ("service__code", "price_plan__code")
    ordering = ("service", "price_plan")
    fields = (
        ("service", "price_plan"),
        ("default_units", "max_units"),
        ("validity_s", "quota_holding_s"),
        ("threshold_percent", "fair_use_units"),
        ("final_action",),
        ("redirect_address", "filters"),
    )

    @display(description="Price plan", ordering="price_plan")
    def plan_label(self, policy: QuotaPolicy) -> str:
        return str(policy.price_plan or "all others")


class SharedGroupTermsInline(TabularInline):
    model = SharedGroupTerms
    verbose_name = "order of use"
    verbose_name_plural = "orders of use"
    extra = 0
    fields = ("account", "strategy", "rating_subject")
    autocomplete_fields = ("account",)


class SharedGroupLimitInline(TabularInline):
    model = SharedGroupLimit
    extra = 0
    fields = ("account", "kind", "amount_micros", "units")
    autocomplete_fields = ("account",)


@admin.register(SharedGroup)
class SharedGroupAdmin(HistoryAdmin):
    list_display = ("code", "tenant", "tariff_plan")
    list_filter = (("tenant", RelatedDropdownFilter), ("tariff_plan", RelatedDropdownFilter))
    list_select_related = ("tenant", "tariff_plan")
    search_fields = ("code",)
    ordering = ("tenant", "code")
    fields = (("code", "tenant"),)
    inlines = (SharedGroupTermsInline, SharedGroupLimitInline)


def reservations(request: HttpRequest, session: ChargingSession) -> Table:
    """What the open session holds, by balance or free units."""
    rows = list(session.reservations.order_by("meter", "holder_id")[:MOST_RESERVATIONS])
    holders: dict[int, Model] = {
        balance.pk: balance
        for balance in Balance.objects.filter(
            pk__in=[row.holder_id for row in rows if row.holder_id > 0]
        ).select_related("account")
    }
    counters = AllowanceCounter.objects.filter(pk__in=[-row.holder_id for row in rows if row.holder_id < 0])
    holders |= {-counter.pk: counter for counter in counters.select_related("subscriber", "service")}
    return Table(
        ("Quota", "Held of", "Amount"),
        [
            (
                row.meter,
                link_to(holders[row.holder_id]) if row.holder_id in holders else row.holder_id,
                grouped(row.amount),
            )
            for row in rows
        ],
        "Nothing is held.",
        (0, 2),
        note="Amounts in micro-units of money, seconds, octets or events." if rows else "",
    )


add_panel(
    "charging.chargingsession",
    Panel("reservations", "Reservations", reservations, ("charging.view_reservation",)),
)


def _usage(amount: int, meter: Meter) -> str:
    return format_nanoseconds(amount) if meter.in_ns else grouped(amount)


def _quotas(request: HttpRequest, session: ChargingSession) -> Table:
    """What each quota of the session has used; usage without a price is a case for the operator."""
    currency = session.account.currency
    meters = meters_from_text(session.meters, {})
    return Table(
        ("Service", "Rating group", "Goes to", "Used", "Granted", "Free", "Cost", "Unpaid", "Not charged"),
        [
            (
                meter.service or "unknown",
                "" if meter.rating_group is None else meter.rating_group,
                meter.destination,
                _usage(meter.position, meter),
                _usage(meter.granted, meter),
                _usage(meter.free_units, meter),
                money(meter.cost_micros, currency),
                money(meter.unpaid_micros, currency),
                badge(_usage(meter.unrated_units, meter), "danger") if meter.unrated_units else "0",
            )
            for meter in meters
        ],
        "No quota was asked for.",
        (3, 4, 5, 6, 7, 8),
        note="Seconds, octets or events. Not charged: reported without a price, or impossible."
        if meters
        else "",
    )


add_panel(
    "charging.chargingsession",
    Panel("quotas", "Quotas", _quotas, ("charging.view_chargingsession",), order=40),
)


def _uses(request: HttpRequest, group: SharedGroup) -> Table:
    """What members with limits have used of the others' balances."""
    uses = group.uses.select_related("account").order_by("-period", "account__number", "kind")
    rows, previous_url, next_url = page_of(request, "uses", uses)
    return Table(
        ("Account", "Month", "What", "Used"),
        [
            (
                link_to(row.account),
                f"{(row.period - 1) // 12}-{(row.period - 1) % 12 + 1:02d}",
                row.kind,
                amount_text(row.used, row.kind, row.account.currency),
            )
            for row in rows
        ],
        "No member with a limit has used anything of the others.",
        (3,),
        previous_url=previous_url,
        next_url=next_url,
    )


add_panel("charging.sharedgroup", Panel("uses", "Used of limits", _uses, ("charging.view_sharedgroup",), 10))
