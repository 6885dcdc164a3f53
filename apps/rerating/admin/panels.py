"""What the page of a re-rating shows below it, and what those of accounts and records show of re-ratings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.display import add_cause, badge, grouped, instant, link_to, money, usage
from apps.backoffice.panels import Fact, Panel, Table, add_facts, add_panel, page_of
from apps.charging.models import Account
from apps.rerating.models import RerateAccount, RerateJob
from apps.rerating.selectors import accounts_changed, by_destination, states_of, totals_of

VIEW = ("rerating.view_reratejob",)
COLOURS = {
    "simulated": "info",
    "applied": "success",
    "changed": "warning",
    "failed": "danger",
    "stuck": "danger",
}


def signed(micros: int, currency: str) -> SafeString:
    """An amount with its sign, also if it is more."""
    return format_html("{}{}", "+" if micros > 0 else "", money(micros, currency))


def _facts(request: HttpRequest, job: RerateJob) -> list[Fact]:
    found = []
    for total in totals_of(job.pk):
        added = total.cost_after_micros - total.cost_before_micros
        before, after = (
            money(amount, total.currency) for amount in (total.cost_before_micros, total.cost_after_micros)
        )
        found.append(Fact("Difference", signed(added, total.currency), format_html("{} → {}", before, after)))
        refused = f", {grouped(total.refused)} cannot be priced" if total.refused else ""
        found.append(
            Fact("Records that change", grouped(total.changed), f"of {grouped(total.records)}{refused}")
        )
        if total.adjusted_micros:
            adjusted = signed(total.adjusted_micros, total.currency)
            found.append(Fact("Adjusted on next bills", adjusted, "without taxes"))
    states = ", ".join(
        f"{grouped(count)} {RerateAccount.State(state).label.lower()}"
        for state, count in states_of(job.pk).items()
    )
    found.append(Fact("Accounts", grouped(job.accounts), states))
    return found


def _accounts(request: HttpRequest, job: RerateJob) -> Table:
    """Accounts that change, the greatest difference first."""
    rows, previous_url, next_url = page_of(request, "accounts", accounts_changed(job.pk))
    return Table(
        ("Account", "State", "Records", "Change", "Before", "After", "Difference", "On the next bill", "Why"),
        [
            (
                link_to(row.account),
                badge(row.get_state_display(), COLOURS.get(row.state, "")),
                grouped(row.records),
                grouped(row.changed),
                money(row.cost_before_micros, row.account.currency),
                money(row.cost_after_micros, row.account.currency),
                signed(row.added_micros, row.account.currency),
                signed(row.adjusted_micros, row.account.currency) if row.adjusted_micros else "–",
                row.reason,
            )
            for row in rows
        ],
        "No account changes.",
        (2, 3, 4, 5, 6, 7),
        more_url=_csv(job, "accounts"),
        more_text="Download as CSV",
        previous_url=previous_url,
        next_url=next_url,
    )


def _destinations(request: HttpRequest, job: RerateJob) -> Table:
    """The difference by service, price plan and destination, the greatest first."""
    rows, previous_url, next_url = page_of(request, "destinations", by_destination(job.pk))
    return Table(
        ("Service", "Price plan", "Destination", "Records", "Free", "Before", "After", "Difference"),
        [
            (
                row["service_name"],
                row["plan_name"],
                row["destination"],
                grouped(row["records"]),
                _moved(row),
                money(row["before_micros"], row["currency"]),
                money(row["after_micros"], row["currency"]),
                signed(row["added_micros"], row["currency"]),
            )
            for row in rows
        ],
        "No price changes.",
        (3, 4, 5, 6, 7),
        note="A record whose destination changes counts with its old price there and with its new one here.",
        more_url=_csv(job, "destinations"),
        more_text="Download as CSV",
        previous_url=previous_url,
        next_url=next_url,
    )


def _moved(row: dict[str, Any]) -> str:
    before, after = (usage(row[name], row["type_of_record"]) for name in ("free_before", "free_after"))
    return before if before == after else f"{before} → {after}"


def _csv(job: RerateJob, what: str) -> str:
    return reverse("admin:rerating_reratejob_csv", args=(job.pk, what))


def _of_account(request: HttpRequest, account: Account) -> Table:
    """Re-ratings that change the account's records, the newest first."""
    found = RerateAccount.objects.filter(account=account, changed__gt=0).select_related("job").order_by("-pk")
    rows, previous_url, next_url = page_of(request, "reratings", found)
    return Table(
        ("Re-rating", "State", "Records", "Difference", "On the next bill", "When"),
        [
            (
                link_to(row.job),
                badge(row.get_state_display(), COLOURS.get(row.state, "")),
                grouped(row.changed),
                signed(row.added_micros, account.currency),
                signed(row.adjusted_micros, account.currency),
                instant(row.finished_at),
            )
            for row in rows
        ],
        "No re-rating changes its records.",
        (2, 3, 4),
        previous_url=previous_url,
        next_url=next_url,
    )


add_cause("rerate", "rerating.reratejob")
add_facts("rerating.reratejob", _facts)
add_panel("rerating.reratejob", Panel("accounts", "By account", _accounts, VIEW, 10))
add_panel("rerating.reratejob", Panel("destinations", "By destination", _destinations, VIEW, 20))
add_panel("charging.account", Panel("reratings", "Re-ratings", _of_account, VIEW, 80))
