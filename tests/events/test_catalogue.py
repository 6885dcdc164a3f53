"""docs/events.md lists every kind of event with its version and fields, as the code declares them, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apps.events.domain.kinds import KINDS, EventKind
from apps.events.services.consuming import CONSUMERS

DOCUMENT = (Path(__file__).parents[2] / "docs/events.md").read_text()


def section_of(kind: EventKind) -> str:
    consumers = [one.name for one in CONSUMERS.values() if kind in one.kinds]
    rows = [f"| `{name}` | {meaning} |" for name, meaning in kind.fields.items()]
    return "\n".join(
        [
            f"### {kind.name}, version {kind.version}",
            "",
            kind.meaning,
            "",
            f"Subject `{kind.subject}:<id>`. Consumers: {', '.join(consumers)}.",
            "",
            "| field | meaning |",
            "|---|---|",
            *rows,
        ]
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_each_kind_is_documented_as_it_is_declared(kind: EventKind):
    assert section_of(kind) + "\n" in DOCUMENT, f"docs/events.md lacks this:\n\n{section_of(kind)}"


def test_no_kind_is_documented_that_is_not_declared():
    assert set(re.findall(r"^### (\S+), version", DOCUMENT, re.M)) == set(KINDS)


def test_every_kind_of_event_has_a_consumer():
    assert {kind.name for consumer in CONSUMERS.values() for kind in consumer.kinds} == set(KINDS)
