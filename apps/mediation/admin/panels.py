"""What the mediation room adds to the pages of subscribers and accounts."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.backoffice.display import add_cause, instant, link_to, list_url, money, usage
from apps.backoffice.panels import Panel, Table, add_panel, page_of
from apps.charging.models import Account
from apps.kernel.clock import utc_now
from apps.kernel.periods import month_of, month_period
from apps.mediation.models import Cdr
from apps.subscribers.models import Subscriber

VIEW = ("mediation.view_cdr",)
add_cause("cdr-file", "mediation.cdrfile")


def _since(zone: ZoneInfo) -> datetime:
    """The beginning of the month before last: usage on pages goes back three calendar months."""
    month = month_of(utc_now(), zone)
    return month_period(month.previous().previous(), zone).start


def _table(request: HttpRequest, cdrs: QuerySet[Cdr], account: Account, since: datetime) -> Table:
    cdrs = cdrs.select_related("service", "destination", "subscriber").order_by("-start", "-pk")
    rows, previous_url, next_url = page_of(request, "usage", cdrs)
    return Table(
        ("Start", "Subscriber", "Service", "To", "Destination", "Usage", "Free", "Cost"),
        [
            (
                link_to(row, instant(row.start, seconds=True)),
                row.subscriber,
                row.service,
                row.other_party or "–",
                row.destination.tag,
                usage(row.usage, row.service.type_of_record),
                usage(row.free_usage, row.service.type_of_record) if row.free_usage else "–",
                money(row.cost_micros, account.currency, exact=True),
            )
            for row in rows
        ],
        "No usage in the last three months.",
        (5, 6, 7),
        note=f"Usage since {since.astimezone(account.tenant.zone):%d %B %Y}, newest first." if rows else "",
        previous_url=previous_url,
        next_url=next_url,
        more_url=list_url("mediation.cdr", account__id__exact=account.pk),
        more_text="All usage of the account",
    )


def subscriber_usage(request: HttpRequest, subscriber: Subscriber) -> Table:
    payer = getattr(subscriber, "payer", None)
    if payer is None:
        return Table((), (), "No account pays for this subscriber yet, so nothing is rated for it.")
    since = _since(subscriber.tenant.zone)
    # Through the account: that is what the table has an index on.
    cdrs = Cdr.objects.filter(account=payer.account_id, start__gte=since, subscriber=subscriber)
    return _table(request, cdrs, payer.account, since)


def account_usage(request: HttpRequest, account: Account) -> Table:
    since = _since(account.tenant.zone)
    return _table(request, Cdr.objects.filter(account=account, start__gte=since), account, since)


add_panel("subscribers.subscriber", Panel("usage", "Usage", subscriber_usage, VIEW, 30))
add_panel("charging.account", Panel("usage", "Usage", account_usage, VIEW, 20))
