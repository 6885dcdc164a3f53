"""What the charging room adds to the pages of subscribers, customers and accounts."""

from __future__ import annotations

from django.http import HttpRequest

from apps.backoffice.display import badge, cause_link, change_url, instant, link_to, list_url, money, usage
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.charging.admin.counters import grants_of
from apps.charging.models import DEFAULT_BALANCE, Account, AllowanceCounter, Balance, LedgerEntry
from apps.kernel.clock import utc_now
from apps.kernel.periods import month_of
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import BundleService, PricePlanService
from apps.subscribers.models import Customer, Subscriber

UNLIMITED = -1


def _account_of(subscriber: Subscriber) -> Account | None:
    payer = getattr(subscriber, "payer", None)
    return payer.account if payer else None


def _balance(account: Account) -> Balance | None:
    return Balance.objects.filter(account=account, tag=DEFAULT_BALANCE).first()


def subscriber_facts(request: HttpRequest, subscriber: Subscriber) -> list[Fact]:
    account = _account_of(subscriber)
    if account is None or not request.user.has_perm("charging.view_account"):
        return []
    balance = _balance(account)
    facts = [Fact("Paid by", account.number, account.get_mode_display(), change_url(account))]
    if account.mode == Account.Mode.PREPAID:
        facts.append(Fact("Balance", money(balance.amount_micros if balance else 0, account.currency)))
    return facts


def account_facts(request: HttpRequest, account: Account) -> list[Fact]:
    balance = _balance(account)
    facts = [Fact("Customer", account.customer.name, account.customer.number, change_url(account.customer))]
    if account.mode == Account.Mode.PREPAID or balance is not None:
        facts.append(Fact("Balance", money(balance.amount_micros if balance else 0, account.currency)))
    return facts


def free_units(request: HttpRequest, subscriber: Subscriber) -> Table:
    """Used and granted free units of the last three months; grants are those of the products today."""
    month = month_of(utc_now(), subscriber.tenant.zone)
    months = [month, month.previous(), month.previous().previous()]
    counters = [
        counter
        for counter in AllowanceCounter.objects.filter(
            subscriber=subscriber, run=DEFAULT_RUN, year__gte=months[-1].year
        ).select_related("service")
        if (counter.year, counter.month) in months
    ]
    grants = grants_of({counter.origin for counter in counters})
    granted = {
        (f"plan:{row.price_plan_id}", row.service_id): row.free_units
        for row in PricePlanService.objects.filter(
            price_plan__in=[int(origin[5:]) for origin in grants if origin.startswith("plan:")]
        )
    } | {
        (f"bundle:{row.bundle_id}", row.service_id): row.free_units
        for row in BundleService.objects.filter(
            bundle__in=[int(origin[7:]) for origin in grants if origin.startswith("bundle:")]
        )
    }
    rows = []
    for counter in sorted(counters, key=lambda row: (-row.year, -row.month, row.service_id, row.origin)):
        service, units = counter.service, granted.get((counter.origin, counter.service_id))
        if units is None:
            of = "–"
        elif units == UNLIMITED:
            of = "unlimited"
        else:
            of = usage(units * service.unit_size, service.type_of_record)
        rows.append(
            (
                f"{counter.year}-{counter.month:02d}",
                service.name,
                link_to(grants[counter.origin]) if counter.origin in grants else counter.origin,
                usage(counter.used, service.type_of_record),
                of,
            )
        )
    return Table(
        ("Month", "Service", "Granted by", "Used", "Of"),
        rows,
        "No free units used in the last three months.",
        (3, 4),
    )


def ledger(request: HttpRequest, account: Account) -> Table:
    entries = (
        LedgerEntry.objects.filter(balance__account=account)
        .select_related("balance", "book")
        .order_by("-at", "-pk")
    )
    rows, previous_url, next_url = page_of(request, "ledger", entries)
    return Table(
        ("Effective", "Kind", "Against", "Amount", "Reason", "Cause"),
        [
            (
                link_to(row, instant(row.at)),
                badge(
                    row.get_kind_display(), {"top_up": "success", "adjustment": "warning"}.get(row.kind, "")
                ),
                row.book.get_code_display(),
                money(row.amount_micros, account.currency),
                row.note or "–",
                cause_link(row.cause),
            )
            for row in rows
        ],
        "No money has moved yet.",
        (3,),
        previous_url=previous_url,
        next_url=next_url,
        more_url=list_url("charging.ledgerentry", balance__account__id__exact=account.pk),
        more_text="Open in the ledger",
    )


def subscriber_ledger(request: HttpRequest, subscriber: Subscriber) -> Table:
    account = _account_of(subscriber)
    return ledger(request, account) if account else Table((), (), "No account pays for this subscriber.")


def paid_for(request: HttpRequest, account: Account) -> Table:
    payers = account.payers.select_related("subscriber").order_by("subscriber")
    rows, previous_url, next_url = page_of(request, "subscribers", payers)
    return Table(
        ("Subscriber", "Status", "Active since"),
        [
            (
                link_to(row.subscriber),
                badge(
                    row.subscriber.get_status_display(),
                    {"active": "success", "suspended": "warning"}.get(row.subscriber.status, ""),
                ),
                instant(row.subscriber.activated_at),
            )
            for row in rows
        ],
        "This account pays for no subscriber.",
        previous_url=previous_url,
        next_url=next_url,
    )


def customers_accounts(request: HttpRequest, customer: Customer) -> Table:
    accounts, previous_url, next_url = page_of(request, "accounts", customer.accounts.order_by("pk"))
    balances = dict(
        Balance.objects.filter(
            account__in=[account.pk for account in accounts], tag=DEFAULT_BALANCE
        ).values_list("account_id", "amount_micros")
    )
    return Table(
        ("Account", "Mode", "Balance", "Opened", "Closed"),
        [
            (
                link_to(account),
                account.get_mode_display(),
                money(balances.get(account.pk), account.currency),
                instant(account.opened_at),
                instant(account.closed_at),
            )
            for account in accounts
        ],
        "No account yet.",
        (2,),
        previous_url=previous_url,
        next_url=next_url,
    )


add_facts("subscribers.subscriber", subscriber_facts)
add_facts("charging.account", account_facts)
add_panel(
    "subscribers.subscriber",
    Panel("free-units", "Free units", free_units, ("charging.view_allowancecounter",), 40),
)
add_panel(
    "subscribers.subscriber",
    Panel("ledger", "Balance", subscriber_ledger, ("charging.view_ledgerentry",), 60),
)
add_panel(
    "charging.account", Panel("subscribers", "Subscribers", paid_for, ("subscribers.view_subscriber",), 10)
)
add_panel("charging.account", Panel("ledger", "Ledger", ledger, ("charging.view_ledgerentry",), 30))
add_panel(
    "subscribers.customer", Panel("accounts", "Accounts", customers_accounts, ("charging.view_account",), 20)
)
