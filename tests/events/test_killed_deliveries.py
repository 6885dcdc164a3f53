"""A delivery dies at every boundary between two steps; the next makes up for it: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from django.db.models import Sum

from apps.events.models import Mark
from apps.events.services.consuming import deliver
from apps.events.services.relay import RELAY
from apps.insight.models import UsageDay
from apps.mediation.models import CdrFile
from apps.rating.selectors.tariffs import look_again
from tests import python_processes
from tests.events.kill_at import STEPS
from tests.events.samples import NOW
from tests.mediation.samples import cdr, load, make_operator, stream

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_delivery_that_is_killed_at_any_step_is_made_up_for(database_url: str, settings, tmp_path: Path):
    look_again()
    settings.CDR_NEW_DIR = tmp_path / "new_cdr"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    settings.CDR_NEW_DIR.mkdir()
    make_operator()
    for number, step in enumerate(STEPS):
        load(stream([cdr(number, duration_s=60)]), f"{step}.cdr")
        process = python_processes.start(
            ["-m", "tests.events.kill_at", step],
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            },
        )
        assert process.wait(timeout=120) == -signal.SIGKILL, step
        if number % 2:
            # Some of what one left undone is done by the next that dies.
            deliver(NOW)
    deliver(NOW)
    deliver(NOW)
    assert CdrFile.objects.count() == len(STEPS)
    assert UsageDay.objects.aggregate(sum=Sum("records"))["sum"] == len(STEPS)
    relay = Mark.objects.get(pk=RELAY)
    assert set(Mark.objects.exclude(pk=RELAY).values_list("number", flat=True)) == {relay.number}
