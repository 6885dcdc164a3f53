"""Settle records in suspense: correct, rate again, discard; those of one tenant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.crmapi.domain.bills import SuspendedView


@dataclass(frozen=True, slots=True)
class RecycledRecords:
    """What came of rating suspended records again; ``refused`` ones stay in suspense."""

    rated: int
    duplicates: int
    refused: int
    reasons: Mapping[str, int]


def correct_suspended(
    tenant: str, record_id: int, corrections: Mapping[str, object], *, now: datetime
) -> SuspendedView:
    """Put values in place of what was read (used when it is recycled). Raises NotFound, InvalidInputs, Conflict (settled)."""
    raise NotImplementedError


def recycle_suspended(
    tenant: str, record_ids: Collection[int], *, now: datetime, by: str = ""
) -> RecycledRecords:
    """Rate up to 1,000 open records again. Raises NotFound (naming those that are not the tenant's), InvalidInput."""
    raise NotImplementedError


def discard_suspended(tenant: str, record_ids: Collection[int], *, now: datetime, by: str = "") -> int:
    """Give up on up to 1,000 open records; how many. Raises NotFound, InvalidInput."""
    raise NotImplementedError
