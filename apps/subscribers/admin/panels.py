"""What the subscribers room shows on its own pages below the fields."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.backoffice.display import badge, change_url, instant, link_to
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.kernel.clock import utc_now
from apps.subscribers.models import Customer, EffectiveDated, Subscriber

VIEW = ("subscribers.view_subscriber",)


def _validity(row: EffectiveDated) -> str:
    now = utc_now()
    if row.end is not None and row.end <= row.start:
        return badge("Cancelled")
    if row.start > now:
        return badge("Planned", "info")
    return badge("Valid", "success") if row.end is None or row.end > now else badge("Ended")


def subscriber_facts(request: HttpRequest, subscriber: Any) -> list[Fact]:
    return [
        Fact("MSISDN", f"+{subscriber.current_msisdn}" if subscriber.current_msisdn else "–"),
        Fact("Price plan", subscriber.current_plan or "none"),
        Fact(
            "Customer", subscriber.customer.name, subscriber.customer.number, change_url(subscriber.customer)
        ),
    ]


def plans(request: HttpRequest, subscriber: Subscriber) -> Table:
    rows = [
        (link_to(row.price_plan), "Price plan", instant(row.start), instant(row.end), _validity(row))
        for row in subscriber.plans.select_related("price_plan").order_by("-start")[:100]
    ] + [
        (link_to(row.bundle), "Bundle", instant(row.start), instant(row.end), _validity(row))
        for row in subscriber.bundles.select_related("bundle").order_by("-start")[:100]
    ]
    return Table(("Product", "Kind", "From", "Until", ""), rows, "No price plan and no bundle yet.")


def numbers(request: HttpRequest, subscriber: Subscriber) -> Table:
    rows = subscriber.resources.select_related("resource").order_by("-start")[:100]
    return Table(
        ("Number or device", "Kind", "From", "Until", ""),
        [
            (
                link_to(row.resource, row.resource.value),
                row.resource.get_kind_display(),
                instant(row.start),
                instant(row.end),
                _validity(row),
            )
            for row in rows
        ],
        "No number and no device yet.",
    )


def customers_subscribers(request: HttpRequest, customer: Customer) -> Table:
    rows, previous_url, next_url = page_of(request, "subscribers", customer.subscribers.order_by("pk"))
    return Table(
        ("Subscriber", "Used by", "Status", "Active since"),
        [
            (
                link_to(row),
                row.name or "–",
                badge(
                    row.get_status_display(),
                    {"active": "success", "suspended": "warning"}.get(row.status, ""),
                ),
                instant(row.activated_at),
            )
            for row in rows
        ],
        "No subscriber yet.",
        previous_url=previous_url,
        next_url=next_url,
    )


add_facts("subscribers.subscriber", subscriber_facts)
add_panel("subscribers.subscriber", Panel("plans", "Plans and bundles", plans, VIEW, 10))
add_panel("subscribers.subscriber", Panel("numbers", "Numbers and devices", numbers, VIEW, 20))
add_panel("subscribers.customer", Panel("subscribers", "Subscribers", customers_subscribers, VIEW, 10))
