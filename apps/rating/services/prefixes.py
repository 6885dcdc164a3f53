"""Prefixes of destinations, added and removed many at a time (a destination may have thousands)."""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.kernel.errors import InvalidInputs, NotFound, Problem
from apps.rating.models import Destination, DestinationPrefix
from apps.rating.models.tariff import validate_prefix

ROWS_A_STATEMENT = 1_000


@transaction.atomic
def add_prefixes(destination_id: int, prefixes: Collection[str]) -> int:
    """Add to a destination those that it lacks; returns how many. Raises InvalidInputs with each malformed one."""
    destination = _locked(destination_id)
    wanted = list(dict.fromkeys(prefixes))
    problems = []
    for prefix in wanted:
        try:
            validate_prefix(prefix)
        except ValidationError as error:
            problems.append(Problem(prefix, " ".join(error.messages)))
    if problems:
        raise InvalidInputs(problems)
    known = _stored(destination, wanted)
    new = [
        DestinationPrefix(destination=destination, prefix=prefix) for prefix in wanted if prefix not in known
    ]
    DestinationPrefix.objects.bulk_create(new, batch_size=ROWS_A_STATEMENT)
    return len(new)


@transaction.atomic
def remove_prefixes(destination_id: int, prefixes: Collection[str]) -> int:
    """Remove these from a destination; how many there were. Raises InvalidInputs naming those that it does not have."""
    destination = _locked(destination_id)
    wanted = list(dict.fromkeys(prefixes))
    missing = set(wanted) - _stored(destination, wanted)
    if missing:
        raise InvalidInputs([Problem(prefix, f"is no prefix of {destination}") for prefix in sorted(missing)])
    removed = 0
    for start in range(0, len(wanted), ROWS_A_STATEMENT):
        rows = destination.prefixes.filter(prefix__in=wanted[start : start + ROWS_A_STATEMENT])
        removed += rows.delete()[0]
    return removed


def _stored(destination: Destination, prefixes: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(prefixes), ROWS_A_STATEMENT):
        portion = prefixes[start : start + ROWS_A_STATEMENT]
        found.update(destination.prefixes.filter(prefix__in=portion).values_list("prefix", flat=True))
    return found


def _locked(destination_id: int) -> Destination:
    destination = Destination.objects.select_for_update().filter(pk=destination_id).first()
    if destination is None:
        raise NotFound(f"there is no destination {destination_id}")
    return destination
