"""Refusals are logged once a second for a peer and result code, and counted between."""

from __future__ import annotations

from structlog.testing import capture_logs

from apps.diameter.worker import refusals
from apps.diameter.worker.refusals import RefusalLog


def test_the_first_refusal_is_logged_at_once_and_others_are_counted():
    told = RefusalLog()
    with capture_logs() as logs:
        for number in range(1_000):
            told.note("pgw.test", "s", number, 5031, ["no service rule fits context x"], number / 500)
        told.note("pgw2.test", "s", 7, 5031, ["no service rule fits context y"], 1.9)
        told.note("pgw.test", "s", 8, 5002, ["not_its_session"], 1.9)

    assert [(line["peer"], line["result_code"], line["number"], line["not_logged"]) for line in logs] == [
        ("pgw.test", 5031, 0, 0),
        ("pgw.test", 5031, 500, 499),
        ("pgw2.test", 5031, 7, 0),
        ("pgw.test", 5002, 8, 0),
    ]


def test_the_refusal_log_is_bounded(monkeypatch):
    monkeypatch.setattr(refusals, "MAX_KEYS", 10)
    told = RefusalLog()
    for number in range(50):
        told.note(f"pgw{number}.test", "s", 0, 5031, ["x"], 0.0)

    assert len(told._last) <= 10
