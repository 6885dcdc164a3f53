"""Kinds of events: each has a name, a version, a subject and named fields, and is described in docs/events.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

Value = str | int | None

KINDS: dict[str, EventKind] = {}
"""Every kind by its name, as the rooms declare them."""


class NewEvent(NamedTuple):
    """Something that happened, to be published in the transaction that makes it so."""

    kind: EventKind
    tenant: str
    """The tenant's code; empty = the operator as a whole."""
    subject: str
    """What it happened to, ``account:17``: events of one subject keep their order."""
    body: Mapping[str, Value]
    at: datetime


@dataclass(frozen=True, eq=False, slots=True)
class EventKind:
    """A kind of event, ``room.what_happened``. A change of its fields' meaning is a new ``version``."""

    name: str
    version: int
    subject: str
    meaning: str
    fields: Mapping[str, str]
    """What each field of the body means."""

    def __post_init__(self) -> None:
        if self.name in KINDS:
            raise ValueError(f"the kind {self.name} is declared twice")
        KINDS[self.name] = self

    def event(self, subject_id: int, at: datetime, *, tenant: str = "", **body: Value) -> NewEvent:
        """An event of this kind that takes effect at ``at``. Raises TypeError unless it has all its fields."""
        if body.keys() != self.fields.keys():
            raise TypeError(f"{self.name} has the fields {sorted(self.fields)}, not {sorted(body)}")
        return NewEvent(self, tenant, f"{self.subject}:{subject_id}", body, at)
