"""Figures of the installation as a whole for Prometheus, asked of the database at each scrape of the machine with beat.

Each figure is one bounded read. One that cannot be read is left out, and ``bss_figures_failed`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import structlog
from django.db import connection
from django.db.models import Count, Min

from apps.billing.models import Activity, Bill, BillRun
from apps.billing.selectors.runs import runs_progress
from apps.charging.models import ChargingSession, FailedRequest
from apps.events.models import Event, Mark, StuckEvent
from apps.events.services.relay import RELAY, newest_number
from apps.invoicing.selectors.documents import standing
from apps.kernel.clock import utc_now
from apps.licensing.services import gate
from apps.mediation.models import SuspendedRecord, WaitingFile

log = structlog.get_logger(__name__)

# Runs that have ended are history; a few that go on are watched.
MOST_RUNS = 50
Samples = Iterator[tuple[tuple[str, ...], float]]


def _licence(now: datetime) -> Samples:
    licence = gate.verdict().licence
    yield (), licence.days_left(now) if licence else -1


def _suspense(_: datetime) -> Samples:
    open_ones = SuspendedRecord.objects.filter(state=SuspendedRecord.State.OPEN)
    for reason, records in open_ones.values_list("reason").annotate(Count("pk")).order_by("reason"):
        yield (reason,), records


def _waiting_files(_: datetime) -> Samples:
    yield (), WaitingFile.objects.count()


def _activities(_: datetime) -> Samples:
    yield (), Activity.objects.filter(status=Activity.Status.PENDING).count()


def _oldest_activity(now: datetime) -> Samples:
    pending = Activity.objects.filter(status=Activity.Status.PENDING)
    oldest = pending.aggregate(oldest=Min("queued_at"))["oldest"]
    yield (), (now - oldest).total_seconds() if oldest else 0


def _runs(_: datetime) -> Samples:
    going_on = (
        BillRun.objects.filter(finished_at=None).order_by("-pk").values_list("pk", flat=True)[:MOST_RUNS]
    )
    for progress in runs_progress(list(going_on)):
        yield (str(progress.run_id), str(progress.cycle)), progress.percent / 100


def _documents(now: datetime) -> Samples:
    found = standing(now)
    yield ("due",), Bill.objects.filter(status=Bill.Status.NEW).count()
    yield ("in hand",), found.in_hand
    yield ("waiting",), found.waiting
    yield ("given up",), found.given_up


def _events_behind(_: datetime) -> Samples:
    newest = newest_number()
    for name, number in Mark.objects.exclude(name=RELAY).values_list("name", "number"):
        yield (name,), newest - number


def _events_stuck(_: datetime) -> Samples:
    yield (), StuckEvent.objects.count()


def _events_unnumbered(_: datetime) -> Samples:
    yield (), Event.objects.filter(number=None).count()


def _sessions(_: datetime) -> Samples:
    yield (), ChargingSession.objects.filter(status=ChargingSession.Status.OPEN).count()


def _failed_requests(_: datetime) -> Samples:
    yield (), FailedRequest.objects.filter(settled_at=None).count()


Figure = tuple[str, str, tuple[str, ...], Callable[[datetime], Samples]]
FIGURES: tuple[Figure, ...] = (
    ("licence_days_left", "Whole days until the licence ends; -1: it does not hold.", (), _licence),
    ("suspended_records", "Usage records that wait for a correction.", ("reason",), _suspense),
    (
        "waiting_files",
        "CDR files that could not be loaded for another reason than their content.",
        (),
        _waiting_files,
    ),
    ("activities_pending", "Activities that wait for their turn.", (), _activities),
    ("activities_oldest_seconds", "How long the oldest of them waits.", (), _oldest_activity),
    ("bill_run_progress_ratio", "Accounts done of all, of runs that go on.", ("run", "cycle"), _runs),
    ("documents", "Documents of bills that are not written yet.", ("state",), _documents),
    ("events_behind", "Events that a consumer has not handled.", ("consumer",), _events_behind),
    ("events_stuck", "Events that a consumer could not handle.", (), _events_stuck),
    ("events_unnumbered", "Events that the relay has not numbered.", (), _events_unnumbered),
    ("sessions_open", "Open charging sessions.", (), _sessions),
    ("failed_requests", "Requests that ended in our own error and are not settled.", (), _failed_requests),
)


class InstallationCollector:
    """A collector for prometheus-client."""

    def describe(self) -> list[Any]:
        """Nothing: registering it reads no database."""
        return []

    def collect(self) -> Iterator[Any]:
        """The figures as gauges."""
        from prometheus_client.core import GaugeMetricFamily

        now, failed = utc_now(), 0
        try:
            for name, meaning, labels, read in FIGURES:
                family = GaugeMetricFamily(f"bss_{name}", meaning, labels=labels)
                try:
                    for values, figure in read(now):
                        family.add_metric(values, figure)
                except Exception:
                    # One figure that cannot be read does not hide the others.
                    log.exception("metrics.figure_failed", figure=name)
                    failed += 1
                    continue
                yield family
        finally:
            connection.close()
        yield GaugeMetricFamily(
            "bss_figures_failed", "Figures that could not be read at this scrape.", failed
        )
