"""The admin's first page: what came in, what waits, what runs, what it earns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from apps.backoffice.charts import QUIET, bars, chart, day_labels, in_lines
from apps.backoffice.display import grouped, list_url, plain_money
from apps.backoffice.panels import Fact
from apps.backoffice.tenancy import tenants_of
from apps.billing.admin.bills import days_of
from apps.billing.admin.runs import progress_values
from apps.billing.models import Bill
from apps.billing.selectors.runs import RunProgress
from apps.kernel.clock import utc_now
from apps.kernel.currencies import payable_micros
from apps.kernel.money import MICROS_PER_UNIT
from apps.licensing.services import gate
from bss_project.dashboard_figures import Figures, figures
from bss_project.navigation import may_view
from bss_project.time_zone import operator_zone

STATUS_COLOURS = {"new": "#2563eb", "unpaid": "#f59e0b", "paid": "#22c55e"}
MOST_REASONS = 8


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What ``templates/admin/index.html`` shows; each part for users who may view its lists."""
    found = figures(utc_now(), operator_zone() or ZoneInfo("UTC"), tenants_of(request))

    def can(permission: str) -> bool:
        return may_view(request, permission)

    context["facts"] = [*_licence(utc_now()), *_facts(found, can)]
    context["charts"] = [
        drawn
        for drawn, needed in (
            (_revenue_chart(found), "mediation.view_cdrfile"),
            (_bills_chart(found), "billing.view_bill"),
            (_loads_chart(found), "mediation.view_cdrfile"),
            (_suspense_chart(found), "mediation.view_suspendedrecord"),
        )
        if can(needed)
    ]
    context["runs"] = [_run(progress) for progress in found.runs] if can("billing.view_billrun") else None
    context["runs_url"] = list_url("billing.billrun")
    return context


def _licence(now: datetime) -> list[Fact]:
    """A licence that does not hold, or that ends within 30 days."""
    licence, error = gate.verdict()
    if licence is None:
        return [Fact("Licence", "not valid", str(error))]
    if not gate.warning_days(licence, now):
        return []
    days = licence.days_left(now)
    return [
        Fact(
            "Licence",
            f"{days} days left" if days else "last day",
            f"ends when {licence.ends_at:%d %b %Y} begins (UTC)",
        )
    ]


def _facts(found: Figures, can: Callable[[str], bool]) -> list[Fact]:
    last_day = found.usage_days[-1]
    facts = []
    if can("mediation.view_cdrfile"):
        loaded = found.loads[-1]
        facts.append(
            Fact(
                "CDRs rated today",
                grouped(loaded.rated),
                f"in {grouped(loaded.files)} files"
                + (f", {loaded.refused} refused" if loaded.refused else ""),
                list_url("mediation.cdrfile"),
            )
        )
        week = last_day - timedelta(days=6)
        to = "" if last_day == found.days[-1] else f" to {last_day:%d %b}"
        for currency, services in sorted(found.revenue.items())[:2]:
            sums = [
                sum(cost for per_day in services.values() for day, cost in per_day.items() if day >= since)
                for since in (last_day, week)
            ]
            facts.append(
                Fact(
                    f"Usage revenue, 7 days{to}",
                    plain_money(payable_micros(sums[1], currency), currency),
                    f"{'last day' if to else 'today'} {plain_money(payable_micros(sums[0], currency), currency)}",
                )
            )
    if can("mediation.view_suspendedrecord"):
        waiting = sum(records for _, records in found.suspense)
        facts.append(
            Fact(
                "In suspense",
                grouped(waiting),
                "waiting for a correction" if waiting else "nothing waits",
                list_url("mediation.suspendedrecord", state__exact="open"),
            )
        )
    if can("mediation.view_waitingfile") and found.waiting_files:
        facts.append(
            Fact(
                "Files that wait",
                grouped(found.waiting_files),
                "could not be loaded",
                list_url("mediation.waitingfile"),
            )
        )
    if can("billing.view_bill"):
        unpaid = [row for row in found.bills if row.status == Bill.Status.UNPAID]
        amounts = ", ".join(plain_money(row.total_micros, row.currency) for row in unpaid)
        facts.append(
            Fact(
                "Unpaid bills",
                grouped(sum(row.bills for row in unpaid)),
                amounts or "nothing is owed",
                list_url("billing.bill", status__exact=Bill.Status.UNPAID),
            )
        )
    if can("subscribers.view_subscriber"):
        facts.append(
            Fact(
                "Active subscribers",
                grouped(found.active_subscribers),
                url=list_url("subscribers.subscriber", status__exact="active"),
            )
        )
    if can("billing.view_notification") and found.unseen_notifications:
        facts.append(
            Fact(
                "Notifications",
                grouped(found.unseen_notifications),
                "not acknowledged",
                list_url("billing.notification", seen="no"),
            )
        )
    return facts


def _run(progress: RunProgress) -> dict[str, Any]:
    return {
        "id": progress.run_id,
        "cycle": progress.cycle,
        "period": days_of(progress.period_start, progress.period_end, progress.zone),
        **progress_values(progress),
    }


# --- Charts ---


def _revenue_chart(found: Figures) -> dict[str, Any]:
    sets: list[dict[str, Any]] = []
    for currency, services in sorted(found.revenue.items()):
        for service in sorted(services):
            label = f"{service}, {currency}" if len(found.revenue) > 1 else service
            values = [services[service].get(day, 0) / MICROS_PER_UNIT for day in found.usage_days]
            sets.append(bars(label, values, len(sets)))
    currency = next(iter(found.revenue), "")
    unit = f" in {currency}" if len(found.revenue) == 1 else ""
    return chart(
        "revenue",
        f"Usage revenue by day and service{unit}",
        "bar",
        day_labels(found.usage_days),
        sets,
        url=list_url("mediation.cdrfile"),
        link="CDR files",
        span=8,
        stacked=True,
    )


def _loads_chart(found: Figures) -> dict[str, Any]:
    sets = [
        bars("Rated", [row.rated for row in found.loads], 0),
        bars("In suspense", [row.suspended for row in found.loads], 2),
        bars("Duplicates", [row.duplicates for row in found.loads], 5),
    ]
    return chart(
        "loads",
        "Records loaded by day",
        "bar",
        day_labels(found.days),
        sets if any(row.files or row.refused for row in found.loads) else [],
        url=list_url("mediation.cdrfile"),
        link="CDR files",
        span=8,
        stacked=True,
    )


def _suspense_chart(found: Figures) -> dict[str, Any]:
    shown = found.suspense[:MOST_REASONS]
    rest = sum(records for _, records in found.suspense[MOST_REASONS:])
    if rest:
        shown = [*shown, ("other reasons", rest)]
    return chart(
        "suspense",
        "Open suspense by reason",
        "bar",
        # A list of words is drawn as lines.
        [in_lines(reason.replace("_", " ")) for reason, _ in shown],
        [bars("Records", [records for _, records in shown], 2)] if shown else [],
        url=list_url("mediation.suspendedrecord", state__exact="open"),
        link="Suspense",
        span=4,
        horizontal=True,
        empty="Nothing is in suspense.",
    )


def _bills_chart(found: Figures) -> dict[str, Any]:
    counts = dict.fromkeys(("paid", "unpaid", "new"), 0)
    for row in found.bills:
        counts[row.status] = counts.get(row.status, 0) + row.bills
    labels = [Bill.Status(status).label for status in counts]
    sets = [
        {
            "data": list(counts.values()),
            "backgroundColor": [STATUS_COLOURS.get(status, QUIET) for status in counts],
            "borderWidth": 0,
        }
    ]
    newest = "" if found.bills_are_all else " (newest 500 000)"
    return chart(
        "bills",
        f"Bills by status{newest}",
        "doughnut",
        [f"{label} ({grouped(count)})" for label, count in zip(labels, counts.values(), strict=True)],
        sets if any(counts.values()) else [],
        url=list_url("billing.bill"),
        link="Bills",
        span=4,
        empty="No bill yet.",
    )
