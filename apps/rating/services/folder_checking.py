"""A tariff folder read and checked against itself and what is loaded; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from apps.kernel.errors import Problem
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files import (
    FolderRow,
    KnownIds,
    TableRow,
    TariffFiles,
    check_references,
    merged_rows,
    read_tariff_files,
    review,
)
from apps.rating.domain.tariff_files.folder_tables import CDR_STATS, DESTINATIONS, TIMINGS
from apps.rating.domain.tariff_files.table import Fault
from apps.rating.models import RatingProfile
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.rating.selectors.tariff_source import known_ids, stored_plan, zones_of_tenants
from apps.rating.services.folder_parts import (
    NOT_ACTED_ON,
    FolderPart,
    PartChange,
    folder_files,
    parts,
    stored_rows,
    used_ids,
)


def read_folder(
    contents: Mapping[str, bytes], *, tenant: str | None = None, unknown: tuple[str, ...] = ()
) -> TariffFiles:
    """Read the files of a folder by their names without ``.csv``; ``unknown`` are the names of the others.

    With ``tenant`` the folder is the tenant's own, else it is the shared one.
    """
    return read_tariff_files(
        contents,
        plan_code=tenant or SHARED_TARIFF_PLAN,
        tenant=tenant,
        zones=zones_of_tenants(),
        unknown=unknown,
        parts=folder_files(),
    )


class Checked(NamedTuple):
    """A folder as it would be loaded: ``files.faults`` keep it from that, ``files.warnings`` tell which rows are left
    out or read in an unexpected way; and what the load does to each part of it."""

    files: TariffFiles
    known: KnownIds
    rows: list[TableRow]
    stored: Mapping[str, list[FolderRow]]
    changes: Mapping[str, PartChange]


def check_folder(files: TariffFiles, now: datetime, *, flush: bool, every: bool = False) -> Checked:
    """Check a folder against itself and what is loaded. With ``flush`` prices may refer to the folder only.

    ``every``: read the stored rows of every part, for a review.
    """
    code = files.plan.code
    known = known_ids(code)
    queues = any(profile.cdr_stat_queues for profile in files.plan.rating_profiles)
    stored = stored_rows(code, files.others, {CDR_STATS} if queues else set(), every=every or flush)
    rows = merged_rows(files.others, stored, folder_files(), flush=flush)
    changes = {
        part.name: _part_change(part, files, stored[part.name], now, flush=flush)
        for part in parts()
        if part.name in files.others.rows
    }
    found = [
        Fault(part.name, "", problem)
        for part in parts()
        if part.name in changes
        for problem in part.check(changes[part.name])
    ]
    files = check_references(
        replace(
            files,
            faults=[*files.faults, *(fault for fault in found if fault.problem.code != NOT_ACTED_ON)],
            warnings=[
                *files.warnings,
                *(fault.problem for fault in found if fault.problem.code == NOT_ACTED_ON),
            ],
        ),
        KnownIds() if flush else known,
        rows,
        {TIMINGS, DESTINATIONS, *files.others.rows} if flush else frozenset(),
    )
    if flush:
        files = replace(files, warnings=[*files.warnings, *_flushed_in_use(files, known)])
    return Checked(files, known, rows, stored, changes)


def _flushed_in_use(files: TariffFiles, known: KnownIds) -> list[Problem]:
    """Destinations that a flush removes although balances or products name them."""
    used = used_ids(files.plan.code).get(DESTINATIONS, frozenset())
    gone = (known.destinations & used) - {row.id for row in files.plan.destinations}
    return [
        Problem(
            f"{DESTINATIONS}.csv",
            f"the flush removes {name}, which balances or products outside of the folder name",
            "unknown_reference",
        )
        for name in sorted(gone)
    ]


def review_folder(checked: Checked, today: date, *, flush: bool) -> list[Problem]:
    """Likely mistakes in a folder without faults, and in what is loaded beside it."""
    code = checked.files.plan.code
    live = None if flush else stored_plan(code)
    return review(checked.files, today, live, checked.rows, used_ids(code))


def _part_change(
    part: FolderPart, files: TariffFiles, stored: Sequence[FolderRow], now: datetime, *, flush: bool
) -> PartChange:
    table = part.columns
    # A row with a fault lacks a value: the fault stops the load, and a kept row is kept as it is.
    rows = tuple(
        row for row in files.others.rows[part.name] if len(row.values) == len(table.columns) or not part.acts
    )
    gone = {row.key(table): None for row in stored} if flush else {}
    own = files.others.keys(part.name)
    return PartChange(
        files.plan.code, _tenants(files), rows, tuple(key for key in gone if key not in own), now
    )


def _tenants(files: TariffFiles) -> tuple[str, ...]:
    """The tenants that a tariff plan serves."""
    code = files.plan.code
    if code != SHARED_TARIFF_PLAN:
        return (code,)
    live = RatingProfile.objects.filter(rating_plan__tariff_plan__code=code).order_by("tenant__code")
    named = (*files.tenants(), *live.values_list("tenant__code", flat=True).distinct())
    return tuple(dict.fromkeys(named)) or (DEFAULT_TENANT,)
