"""Every decision in docs/decisions has a number of its own, a date and a status."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

DECISIONS = sorted((Path(__file__).resolve().parents[2] / "docs" / "decisions").glob("[0-9]*.md"))
HEAD = re.compile(
    r"# (?P<number>\d+)\. .+\n\nDate: (?P<date>\d{4}-\d\d-\d\d) · Status: (accepted|superseded)\b"
)


def test_no_two_decisions_have_one_number() -> None:
    repeated = [number for number, count in Counter(path.name[:4] for path in DECISIONS).items() if count > 1]
    assert DECISIONS
    assert not repeated


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_begins_with_its_number_date_and_status(path: Path) -> None:
    head = HEAD.match(path.read_text())
    assert head, (
        f"{path.name} begins with “# N. Title” and “Date: YYYY-MM-DD · Status: accepted” (or superseded)"
    )
    assert int(head["number"]) == int(path.name[:4])
    date.fromisoformat(head["date"])
