"""Settle records in suspense: correct, rate again, discard; those of one tenant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.crm.domain.bills import SuspendedView
from apps.crm.selectors.news import get_suspended, own_suspense
from apps.crm.services.transactions import one_transaction
from apps.kernel.errors import InvalidInput, NotFound
from apps.mediation.services.suspense import correct, discard, recycle

MOST_RECORDS = 1_000


@dataclass(frozen=True, slots=True)
class RecycledRecords:
    """What came of rating suspended records again; ``refused`` ones stay in suspense."""

    rated: int
    duplicates: int
    refused: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Discarded:
    """How many open records were given up."""

    discarded: int


@one_transaction
def correct_suspended(
    tenant: str, record_id: int, corrections: Mapping[str, object], *, now: datetime
) -> SuspendedView:
    """Correct the values that were read; they are used when the record is recycled.

    Raises NotFound, InvalidInputs, Conflict (settled already).
    """
    get_suspended(tenant, record_id)
    correct(record_id, corrections)
    return get_suspended(tenant, record_id)


@one_transaction
def recycle_suspended(
    tenant: str, record_ids: Collection[int], *, now: datetime, by: str = ""
) -> RecycledRecords:
    """Rate up to 1,000 open records again. Raises NotFound (naming those that are not the tenant's), InvalidInput."""
    done = recycle(_own(tenant, record_ids), now=now, by=by[:150])
    return RecycledRecords(done.rated, done.duplicates, done.refused, dict(done.reasons))


@one_transaction
def discard_suspended(tenant: str, record_ids: Collection[int], *, now: datetime, by: str = "") -> int:
    """Give up on up to 1,000 open records; how many were open. Raises NotFound, InvalidInput."""
    return discard(_own(tenant, record_ids), now=now, by=by[:150])


def _own(tenant: str, record_ids: Collection[int]) -> list[int]:
    wanted = set(record_ids)
    if not 1 <= len(wanted) <= MOST_RECORDS:
        raise InvalidInput(f"name 1 to {MOST_RECORDS} records", where="ids")
    found = set(own_suspense(tenant).filter(pk__in=wanted).values_list("pk", flat=True))
    missing = sorted(wanted - found)
    if missing:
        raise NotFound("there is no suspended record " + ", ".join(map(str, missing[:20])), where="ids")
    return sorted(found)
