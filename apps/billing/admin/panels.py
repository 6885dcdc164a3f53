"""What the billing room shows on its own pages and adds to those of subscribers and accounts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.backoffice import display
from apps.backoffice.display import badge, instant, link_to, list_url, money
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.billing.admin.bills import period_of, status_badge
from apps.billing.domain.periods import last_closed_period
from apps.billing.models import Bill, BillCycle
from apps.billing.selectors.charged_online import owed_in_cycle
from apps.billing.selectors.credits import credits_used, open_credits
from apps.charging.models import Account
from apps.kernel.clock import utc_now
from apps.subscribers.models import Subscriber

VIEW = ("billing.view_bill",)
MOST_OWING = 100


def account_facts(request: HttpRequest, account: Account) -> list[Fact]:
    billing = getattr(account, "billing", None)
    if billing is None:
        return [Fact("Bill cycle", "none", "This account is not billed.")]
    until = billing.billed_until
    facts = [
        Fact("Bill cycle", billing.cycle, f"next: {billing.next_cycle}" if billing.next_cycle_id else ""),
        Fact("Billed until", f"{until.astimezone(billing.cycle.zone):%Y-%m-%d}" if until else "never"),
    ]
    credit = sum(one.open_micros for one in open_credits([account.pk]).get(account.pk, ()))
    if credit:
        facts.append(Fact("Open credit", money(credit, account.currency), "pays the next bills"))
    return facts


def bills(request: HttpRequest, account: Account) -> Table:
    rows, previous_url, next_url = page_of(
        request, "bills", Bill.objects.filter(account=account).select_related("cycle").order_by("-period_end")
    )
    return Table(
        ("Bill", "Kind", "Period", "Status", "Issued", "Due", "Total"),
        [
            (
                link_to(row, row.number),
                row.get_kind_display(),
                period_of(row),
                status_badge(row),
                row.issued_on,
                row.due_on or "–",
                money(row.total_micros, row.currency),
            )
            for row in rows
        ],
        "No bill yet.",
        (6,),
        previous_url=previous_url,
        next_url=next_url,
        more_url=list_url("billing.bill", account__id__exact=account.pk) if rows else "",
        more_text="Open in the list of bills",
    )


def subscriber_bills(request: HttpRequest, subscriber: Subscriber) -> Table:
    payer = getattr(subscriber, "payer", None)
    return bills(request, payer.account) if payer else Table((), (), "No account pays for this subscriber.")


def charges(request: HttpRequest, account: Account) -> Table:
    """Recurring charges, discounts and the latest one-off charges of an account."""
    rows: list[tuple[Any, ...]] = [
        (
            "Recurring",
            link_to(row),
            money(row.monthly_amount_micros, account.currency),
            instant(row.start),
            instant(row.end),
        )
        for row in account.recurring_charges.order_by("-start")[:100]
    ]
    rows += [
        ("Discount", link_to(row), display.percent(row.rate_millionths), instant(row.start), instant(row.end))
        for row in account.discounts.order_by("-start")[:100]
    ]
    rows += [
        (
            "One-off",
            link_to(row),
            money(row.amount_micros, account.currency),
            instant(row.at),
            link_to(row.bill) if row.bill_id else badge("Not billed yet", "info"),
        )
        for row in account.one_off_charges.select_related("bill").order_by("-at")[:100]
    ]
    return Table(
        ("Kind", "Description", "Amount", "From", "Until"), rows, "No charges beside plans and usage.", (2,)
    )


def bill_facts(request: HttpRequest, bill: Bill) -> list[Fact]:
    currency = bill.currency
    facts = [Fact("Total", money(bill.total_micros, currency), bill.get_status_display())]
    used = credits_used([bill.pk]).get(bill.pk, 0)
    if used:
        facts.append(
            Fact("Amount due", money(bill.total_micros - used, currency), "after credits of former bills")
        )
    parts = (
        ("Fees", bill.recurring_micros),
        ("Usage", bill.usage_micros),
        ("One-off charges", bill.one_off_micros),
        ("Discounts", bill.discount_micros),
        ("Taxes", bill.tax_micros),
    )
    facts += [Fact(label, money(micros, currency)) for label, micros in parts if micros]
    if bill.kind == Bill.Kind.PREPAID and bill.closing_balance_micros is not None:
        facts.append(
            Fact(
                "Balance",
                money(bill.closing_balance_micros, currency),
                f"was {display.plain_money(bill.opening_balance_micros, currency)}",
            )
        )
    return facts


def lines(request: HttpRequest, bill: Bill) -> Table:
    rows, previous_url, next_url = page_of(
        request,
        "lines",
        bill.lines.select_related("service", "destination", "subscriber").order_by("number"),
        200,
    )
    return Table(
        (
            "#",
            "Kind",
            "Subscriber",
            "Description",
            "Records",
            "Usage",
            "Free",
            "Rate",
            "On",
            "Exactly",
            "Amount",
        ),
        [
            (
                row.number,
                row.get_kind_display(),
                link_to(row.subscriber),
                origin_link(row.origin, row.description + CONTAINED.get((row.kind, row.origin), "")),
                display.grouped(row.records) if row.records else "",
                display.usage(row.quantity, row.service.type_of_record)
                if row.records and row.service
                else "",
                display.usage(row.free_quantity, row.service.type_of_record)
                if row.free_quantity and row.service
                else "",
                display.percent(row.rate_millionths) if row.rate_millionths is not None else "",
                money(row.base_micros, bill.currency) if row.base_micros is not None else "",
                display.plain_money(row.exact_micros) if row.exact_micros != row.amount_micros else "",
                money(row.amount_micros, bill.currency),
            )
            for row in rows
        ],
        "This bill has no lines.",
        (0, 4, 5, 6, 7, 8, 9, 10),
        previous_url=previous_url,
        next_url=next_url,
        note="Each line is rounded once to the currency's decimals; “exactly” is the sum that it was rounded from.",
        total=("", "Total", *[""] * 8, money(bill.total_micros, bill.currency)),
    )


CONTAINED = {("tax", "online"): ", contained"}
ORIGINS = {
    "plan": "rating_priceplan",
    "bundle": "rating_bundle",
    "charge": "billing_recurringcharge",
    "one_off": "billing_oneoffcharge",
    "discount": "billing_discount",
}


def origin_link(origin: str, text: str) -> SafeString:
    """The description of a line as a link to what it comes from, such as ``plan:7``."""
    kind, _, pk = origin.partition(":")
    url = reverse(f"admin:{ORIGINS[kind]}_change", args=(pk,)) if kind in ORIGINS else ""
    return display.link(url, text)


def owed(request: HttpRequest, cycle: BillCycle) -> Table:
    """What the next bills of a cycle take over of balances."""
    until = last_closed_period(utc_now(), cycle.day, cycle.zone).end
    rows = owed_in_cycle(cycle, until)
    return Table(
        ("Account", "Last taken over", "Owed"),
        [
            (
                link_to(row.account),
                instant(row.last) if row.last else badge("Never", "info"),
                money(row.owed_micros, cycle.currency),
            )
            for row in rows[:MOST_OWING]
        ],
        "No postpaid balance owes anything.",
        (2,),
        note="What gateways debited and no bill has taken over yet. The next bill does; adjust what was collected "
        "otherwise before.",
        total=(f"{len(rows)} accounts", "", money(sum(row.owed_micros for row in rows), cycle.currency)),
    )


def payments(request: HttpRequest, bill: Bill) -> Table:
    rows = list(bill.payments.select_related("other_bill").order_by("at")[:200])
    return Table(
        ("Received", "Amount", "Method", "Reference", "Credit of or for", "Recorded by"),
        [
            (
                instant(row.at),
                money(row.amount_micros, bill.currency),
                row.method,
                row.reference,
                link_to(row.other_bill),
                row.recorded_by,
            )
            for row in rows
        ],
        "No payment yet.",
        (1,),
    )


display.add_cause("bill", "billing.bill")
add_facts("charging.account", account_facts)
add_facts("billing.bill", bill_facts)
add_panel("billing.bill", Panel("lines", "Lines", lines, VIEW, 20))
add_panel("billing.billcycle", Panel("owed", "Owed online", owed, VIEW, 20))
add_panel("billing.bill", Panel("payments", "Payments", payments, ("billing.view_payment",), 30))
add_panel("charging.account", Panel("bills", "Bills", bills, VIEW, 40))
add_panel("charging.account", Panel("charges", "Charges", charges, ("billing.view_recurringcharge",), 50))
add_panel("subscribers.subscriber", Panel("bills", "Bills", subscriber_bills, VIEW, 50))
