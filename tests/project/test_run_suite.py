"""What ``./run test`` says at its end."""

from __future__ import annotations

from tests.run_suite import summary


def test_passed_and_failed_are_always_told() -> None:
    assert summary({"passed": 994, "errors": 0, "skipped": 0}) == "994 passed, 0 failed"


def test_other_outcomes_are_reported_if_there_are_any() -> None:
    assert (
        summary({"passed": 1, "failed": 2, "skipped": 3, "errors": 4})
        == "1 passed, 2 failed, 4 errors, 3 skipped"
    )
