"""The audit record as those see it who look after the doors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CallView:
    """One call: who asked for what, from where, and what came of it (``ok`` or an error's code)."""

    id: int
    at: datetime
    door: str
    operation: str
    client: str
    subject: str
    roles: str
    target: str
    outcome: str
    detail: str
    remote: str
    request_id: str
    repeated: bool
