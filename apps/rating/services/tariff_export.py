"""A tariff plan as the folder of files that it can be loaded from again."""

from __future__ import annotations

from apps.kernel.errors import Problem
from apps.rating.domain.history_files import plan_path
from apps.rating.domain.tariff_files import write_table, write_tariff_files
from apps.rating.selectors.tariffs import published_plan, version_terms
from apps.rating.services.folder_parts import parts


def export_folder(plan_code: str, version_id: int | None = None) -> tuple[dict[str, str], list[Problem]]:
    """The text of each file by its name without ``.csv``, and what no file can say. Raises NotFound.

    Besides the six tables of prices the others that have rows; of an earlier version not those of customers, which no
    version holds.
    """
    files, problems = write_tariff_files(published_plan(plan_code, version_id))
    kept = version_terms(version_id) if version_id is not None else {}
    for part in parts():
        columns = part.columns.columns
        rows = (
            list(part.export(plan_code))
            if version_id is None
            else [
                [row.get(column, "") for column in columns]
                for row in kept.get(plan_path(plan_code, part.name), ())
            ]
        )
        if rows:
            files[part.name] = write_table(columns, rows)
    return files, problems
