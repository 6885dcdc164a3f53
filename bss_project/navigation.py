"""The admin's navigation: lists grouped by task, each shown to users who may view it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from apps.backoffice.tenancy import may_see


def may_view(request: HttpRequest, permission: str) -> bool:
    """Whether the person has a permission, and what it is about is anything for staff of their tenants."""
    app, codename = permission.split(".")
    try:
        model = apps.get_model(app, codename.partition("_")[2])
    except LookupError:
        return request.user.has_perm(permission)
    return request.user.has_perm(permission) and may_see(request, model)


@dataclass(frozen=True)
class Item:
    """A link to the list of a model (``app.model``), or to another page by its URL name."""

    title: str
    icon: str
    model: str = ""
    url_name: str = ""
    url_args: tuple[str, ...] = ()
    permission: str = ""
    query: tuple[tuple[str, str], ...] = ()

    def entry(self, request: HttpRequest) -> dict[str, Any] | None:
        """The entry for unfold, or None for users who may not go there."""
        if self.model:
            app, model = self.model.split(".")
            url, needed = reverse(f"admin:{app}_{model}_changelist"), f"{app}.view_{model}"
        else:
            url, needed = reverse(self.url_name, args=self.url_args), self.permission
        if needed and not may_view(request, needed):
            return None
        link = f"{url}?{urlencode(self.query)}" if self.query else url
        return {"title": self.title, "icon": self.icon, "link": link, "active": _active(request, url)}


def _active(request: HttpRequest, url: str) -> bool:
    """Whether the page belongs to the entry; a page with an entry of its own does not belong to its list's."""
    if request.path == url:
        return True
    if url == reverse("admin:index") or not request.path.startswith(url):
        return False
    return request.path not in _own_pages()


def _own_pages() -> set[str]:
    items = (item for group in GROUPS for item in group.items)
    return {reverse(item.url_name, args=item.url_args) for item in items if item.url_name}


@dataclass(frozen=True)
class Group:
    title: str
    items: tuple[Item, ...]
    folded: bool = False


GROUPS = (
    Group(
        "",
        (
            Item("Dashboard", "monitoring", url_name="admin:index"),
            Item("Notifications", "notifications", "billing.notification"),
        ),
    ),
    Group(
        "Customers",
        (
            Item("Customers", "contacts", "subscribers.customer"),
            Item("Subscribers", "sim_card", "subscribers.subscriber"),
            Item("Accounts", "account_balance_wallet", "charging.account"),
            Item("Ledger", "menu_book", "charging.ledgerentry"),
            Item("Books", "account_balance", "charging.ledgerbook"),
            Item("Postings between books", "swap_horiz", "charging.bookposting"),
            Item("Free units used", "hourglass_bottom", "charging.allowancecounter"),
            Item("Numbers and devices", "dialpad", "subscribers.resource"),
        ),
    ),
    Group(
        "Products & tariffs",
        (
            Item("Price plans", "sell", "rating.priceplan"),
            Item("Bundles", "redeem", "rating.bundle"),
            Item("Services", "category", "rating.service"),
            Item(
                "Price enquiry",
                "calculate",
                url_name="admin:rating_tariffversion_do_list",
                url_args=("enquiry",),
                permission="rating.view_tariffversion",
            ),
            Item("Destinations", "public", "rating.destination"),
            Item("Rates", "payments", "rating.rate"),
            Item("Destination rates", "price_change", "rating.destinationrate"),
            Item("Timings", "schedule", "rating.timing"),
            Item("Rating plans", "account_tree", "rating.ratingplan"),
            Item("Rating profiles", "assignment_ind", "rating.ratingprofile"),
            Item("Tariff versions", "history", "rating.tariffversion"),
            Item("Suppliers", "local_shipping", "rating.supplier"),
            Item("Tariff drafts", "edit_document", "rating.tariffdraft"),
            Item("Tariff loads", "upload_file", "rating.tariffload"),
            Item("Kept rows", "inventory_2", "rating.keptrow"),
        ),
        folded=True,
    ),
    Group(
        "Real-time charging",
        (
            Item("Sessions", "bolt", "charging.chargingsession"),
            Item("Failed requests", "error", "charging.failedrequest"),
            Item("Money moved by peers", "price_check", "charging.peerday"),
            Item("Balances", "savings", "charging.balance"),
            Item("Quota policies", "speed", "charging.quotapolicy"),
            Item("Shared groups", "group_work", "charging.sharedgroup"),
            Item("Triggers", "notification_important", "charging.balancetrigger"),
            Item("Sets of triggers", "notifications", "charging.triggerset"),
            Item("Triggers that fired", "flag", "charging.triggerfiring"),
            Item("Barred accounts", "block", "charging.accountbar"),
        ),
        folded=True,
    ),
    Group(
        "Actions",
        (
            Item("Groups of actions", "playlist_play", "actions.actiongroup"),
            Item("Action plans", "calendar_month", "actions.actionplan"),
            Item("Accounts with a plan", "how_to_reg", "actions.accountplan"),
            Item("Due actions", "pending_actions", "actions.dueaction"),
            Item("Refused actions", "gpp_bad", "actions.refusedactions"),
            Item("Calls and mails", "outgoing_mail", "actions.errand"),
        ),
        folded=True,
    ),
    Group(
        "Vouchers",
        (
            Item("Batches", "confirmation_number", "vouchers.voucherbatch"),
            Item("Vouchers", "qr_code_2", "vouchers.voucher"),
            Item("Wrong PINs", "lock", "vouchers.redemptionguard"),
        ),
        folded=True,
    ),
    Group(
        "Diameter",
        (
            Item("Peers", "router", "diameter.peer"),
            Item("Connections", "lan", "diameter.connection"),
            Item("Server processes", "memory", "diameter.serverprocess"),
            Item("Orders to gateways", "campaign", "charging.sessionorder"),
            Item("Answers by result", "bar_chart", "diameter.answercount"),
            Item("Service rules", "rule", "diameter.servicerule"),
        ),
        folded=True,
    ),
    Group(
        "Usage",
        (
            Item("CDR files", "folder_open", "mediation.cdrfile"),
            Item("Waiting files", "hourglass_top", "mediation.waitingfile"),
            Item("CDRs", "receipt_long", "mediation.cdr"),
            Item("Suspense", "report", "mediation.suspendedrecord"),
            Item("Records of sessions", "compare_arrows", "mediation.sessionrecord"),
            Item("Re-ratings", "published_with_changes", "rerating.reratejob"),
            Item("Derived chargers", "call_split", "mediation.derivedcharger"),
            Item(
                "Margins by reseller",
                "finance_mode",
                url_name="admin:mediation_derivedcharger_do_list",
                url_args=("margins",),
                permission="mediation.view_derivedcharger",
            ),
            Item("Sources", "cell_tower", "mediation.source"),
        ),
    ),
    Group(
        "Statistics",
        (
            Item("Usage by day", "query_stats", "insight.usageday"),
            Item("Subscribers by day", "group_add", "insight.subscriberday"),
            Item("Money by day", "account_balance", "insight.moneyday"),
            Item("What-ifs", "science", "insight.whatif"),
        ),
        folded=True,
    ),
    Group(
        "Billing",
        (
            Item("Bills", "request_quote", "billing.bill"),
            Item("Activities", "task", "billing.activity"),
            Item("Bill runs", "autorenew", "billing.billrun"),
            Item("Bill cycles", "event_repeat", "billing.billcycle"),
            Item("Recurring charges", "repeat", "billing.recurringcharge"),
            Item("One-off charges", "add_card", "billing.oneoffcharge"),
            Item("Discounts", "percent", "billing.discount"),
            Item("Tax rules", "gavel", "billing.taxrule"),
            Item("Payments", "paid", "billing.payment"),
        ),
    ),
    Group(
        "System",
        (
            Item("Tenants", "domain", "rating.tenant"),
            Item("Users", "person", "auth.user"),
            Item("Groups", "groups", "auth.group"),
            Item("Events", "outbox", "events.event"),
            Item("Consumers", "conveyor_belt", "events.mark"),
            Item("Events that got stuck", "report", "events.stuckevent"),
            Item("API clients", "key", "crm.apiclient"),
            Item("API tokens", "vpn_key", "crm.apitoken"),
            Item("API calls", "policy", "crm.apicall"),
        ),
        folded=True,
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What unfold shows in the sidebar to this person."""
    shown = []
    for group in GROUPS:
        entries = [entry for item in group.items if (entry := item.entry(request))]
        if entries:
            shown.append(
                {
                    "title": group.title,
                    "separator": bool(group.title),
                    "collapsible": group.folded,
                    "items": entries,
                }
            )
    return shown
