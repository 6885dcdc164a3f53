"""What ``./run bench`` says about a figure."""

from __future__ import annotations

import pytest

from benchmarks.protocol import Measurement
from benchmarks.run import row


def loading(value: float, **promise: float) -> Measurement:
    return Measurement("one loader", value, "rows/s", 120, against="LOAD DATA", baseline=100_000, **promise)


def test_a_figure_stands_beside_what_it_is_compared_with() -> None:
    assert row("Loading", "mariadb", loading(65_000, ratio_at_least=0.6)) == (
        "Loading: one loader",
        "mariadb",
        "65,000 rows/s",
        "LOAD DATA 100,000",
        "0.65",
        "ratio ≥ 0.6 ✓",
        "120 MB",
    )


@pytest.mark.parametrize(
    ("value", "promise"),
    [
        (59_000, {"ratio_at_least": 0.6}),
        (401_000, {"ratio_at_most": 4}),
        (199_999, {"at_least": 200_000}),
        (500, {"at_most": 499}),
    ],
)
def test_a_promise_that_does_not_hold_is_called_missed(value: float, promise: dict[str, float]) -> None:
    measurement = loading(value, **promise)
    assert not measurement.kept
    assert "MISSED" in row("Loading", "sqlite", measurement)[5]


def test_a_ratio_was_promised_but_there_is_nothing_to_compare_with() -> None:
    assert not Measurement("alone", 1, "s", 1, ratio_at_most=4).kept
