"""What a tariff plan holds once a folder is loaded over it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from apps.rating.domain import source as src
from apps.rating.domain.tariff_files.folder_rows import FolderFile, FolderRow, FolderRows
from apps.rating.domain.tariff_files.folder_tables import FolderTable
from apps.rating.domain.tariff_files.reading import (
    DESTINATION_RATES,
    DESTINATIONS,
    RATES,
    RATING_PLANS,
    RATING_PROFILES,
    TIMINGS,
    TariffFiles,
)
from apps.rating.domain.tariff_files.table import LIVE


def merged(live: src.TariffPlan, files: TariffFiles) -> TariffFiles:
    """The files with the live values that they leave in place; those have the line ``LIVE``.

    Each id of the folder takes the place of all live rows of that id; a profile that of the same activation.
    """
    lines: dict[str, list[int]] = {}
    plan = files.plan

    def over(file: str, old: tuple[Any, ...], new: tuple[Any, ...], key: Callable[[Any], Hashable]) -> Any:
        replaced = {key(value) for value in new}
        kept = [value for value in old if key(value) not in replaced]
        lines[file] = [*files.lines.get(file, ()), *([LIVE] * len(kept))]
        return (*new, *kept)

    def by_id(value: tuple[Hashable, ...]) -> Hashable:
        return value[0]

    return replace(
        files,
        plan=src.TariffPlan(
            plan.code,
            over(TIMINGS, live.timings, plan.timings, by_id),
            over(DESTINATIONS, live.destinations, plan.destinations, by_id),
            over(RATES, live.rates, plan.rates, by_id),
            over(DESTINATION_RATES, live.destination_rates, plan.destination_rates, by_id),
            over(RATING_PLANS, live.rating_plans, plan.rating_plans, by_id),
            over(
                RATING_PROFILES,
                live.rating_profiles,
                plan.rating_profiles,
                lambda profile: tuple(profile[:4]),
            ),
        ),
        lines=lines,
    )


class TableRow(NamedTuple):
    """A row of a table beside those of prices; ``acts``: the product acts on the table."""

    name: str
    table: FolderTable
    acts: bool
    row: FolderRow


def merged_rows(
    others: FolderRows,
    live: Mapping[str, Sequence[FolderRow]],
    parts: Mapping[str, FolderFile],
    *,
    flush: bool,
) -> list[TableRow]:
    """The rows of the other tables once the folder is loaded over the ``live`` ones (by table).

    All rows of a key are replaced together. A flush empties the tables that the folder has, and no other.
    """
    result = []
    for part in {part.name: part for part in parts.values()}.values():
        own = others.rows.get(part.name, [])
        kept: Sequence[FolderRow] = ()
        if not (flush and part.name in others.rows):
            replaced = others.keys(part.name)
            kept = [row for row in live.get(part.name, ()) if row.key(part.table) not in replaced]
        result += [TableRow(part.name, part.table, part.acts, row) for row in (*own, *kept)]
    return result
