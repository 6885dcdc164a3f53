"""A tariff plan as the folder of files that it can be loaded from again."""

from __future__ import annotations

from apps.kernel.errors import Problem
from apps.rating.domain.tariff_files import write_table, write_tariff_files
from apps.rating.selectors.tariffs import published_plan
from apps.rating.services.folder_parts import parts


def export_folder(plan_code: str, version_id: int | None = None) -> tuple[dict[str, str], list[Problem]]:
    """The text of each file by its name without ``.csv``, and what no file can say. Raises NotFound.

    Of an earlier version the six tables of prices, as versions hold prices alone; of what is in force also the
    other tables that have rows.
    """
    files, problems = write_tariff_files(published_plan(plan_code, version_id))
    if version_id is None:
        for part in parts():
            rows = list(part.export(plan_code))
            if rows:
                files[part.name] = write_table(part.columns.columns, rows)
    return files, problems
