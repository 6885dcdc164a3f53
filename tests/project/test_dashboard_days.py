"""The days of the admin's first page are those of the operator's clocks, not UTC's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache

from apps.billing.models import BillCycle, BillRun
from apps.insight.models import UsageDay
from apps.mediation.models import CdrFile, Source
from bss_project.dashboard_figures import read_figures
from tests.factories import make_plan, make_services, make_tenant

pytestmark = pytest.mark.django_db
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")
# 1 March there, 28 February in UTC.
NOW = datetime(2026, 2, 28, 12, tzinfo=UTC)


def test_files_count_on_the_day_that_the_operators_clock_shows() -> None:
    source = Source.objects.create(code="MSC")
    # Two minutes around the operator's midnight: 10:00 UTC.
    for minute, rated in ((59, 3), (61, 5)):
        CdrFile.objects.create(
            source=source,
            name=f"{minute}.cdr",
            content_hash=f"{minute:064d}",
            taken_at=datetime(2026, 2, 28, 9 + minute // 60, minute % 60, tzinfo=UTC),
            state=CdrFile.State.LOADED,
            rated=rated,
        )
    found = read_figures(NOW, KIRITIMATI)
    assert found.days[-1] == date(2026, 3, 1)
    assert [(load.day, load.rated) for load in found.loads[-2:]] == [
        (date(2026, 2, 28), 3),
        (date(2026, 3, 1), 5),
    ]
    assert read_figures(NOW, ZoneInfo("UTC")).loads[-1].rated == 8


def test_a_bill_run_shows_the_days_of_its_cycles_calendar(admin_client) -> None:
    cycle = BillCycle.objects.create(
        tenant=make_tenant(), number=1, day=1, time_zone="Pacific/Kiritimati", currency="EUR"
    )
    # 1 January to 31 January there.
    period = (datetime(2025, 12, 31, 10, tzinfo=UTC), datetime(2026, 1, 31, 10, tzinfo=UTC))
    BillRun.objects.create(
        cycle=cycle, period_start=period[0], period_end=period[1], usage_sequence=0, started_at=NOW
    )
    cache.clear()
    assert "2026-01-01 to 2026-01-31" in admin_client.get("/admin/").content.decode()


def test_revenue_counts_on_the_day_of_its_tenant() -> None:
    plan = make_plan()
    voice = make_services()["voice"]
    for day, revenue in ((date(2026, 2, 28), 2_000_000), (date(2026, 3, 1), 5_000_000)):
        UsageDay.objects.create(
            tenant=plan.tenant, day=day, service=voice, price_plan=plan, revenue_micros=revenue
        )
    found = read_figures(NOW, KIRITIMATI)
    assert found.usage_days[-1] == date(2026, 3, 1)
    assert found.revenue == {"EUR": {"Voice": {date(2026, 2, 28): 2_000_000, date(2026, 3, 1): 5_000_000}}}
