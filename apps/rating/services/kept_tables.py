"""One way to keep every table that the product does not act on yet: rows stored, replaced and exported as written."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.rating.domain.tariff_files.folder_rows import Key, live_rows
from apps.rating.domain.tariff_files.folder_tables import FolderTable
from apps.rating.models import KeptRow, TariffPlan
from apps.rating.services.folder_parts import FolderPart, PartChange


def kept_table(name: str, table: FolderTable) -> FolderPart:
    """The part that keeps a table's rows; by key, as they are replaced and removed."""

    def load(change: PartChange) -> None:
        plan = TariffPlan.objects.get(code=change.plan_code)
        _forget(name, table, change, {row.key(table) for row in change.rows})
        KeptRow.objects.bulk_create(
            (
                KeptRow(
                    tariff_plan=plan, file=name, cells=[row.cells.get(column, "") for column in table.columns]
                )
                for row in change.rows
            ),
            batch_size=2_000,
        )

    def remove(change: PartChange) -> None:
        _forget(name, table, change, set(change.removed))

    def export(plan_code: str) -> Iterable[list[str]]:
        return _rows(name, plan_code).values_list("cells", flat=True)

    return FolderPart(name, load, remove, export, table=table, acts=False)


def _rows(name: str, plan_code: str) -> QuerySet[KeptRow]:
    return KeptRow.objects.filter(tariff_plan__code=plan_code, file=name).order_by("pk")


def _forget(name: str, table: FolderTable, change: PartChange, keys: set[Key]) -> None:
    rows = list(_rows(name, change.plan_code).values_list("pk", "cells"))
    stored = live_rows(name, table, [cells for _, cells in rows])
    gone = [pk for (pk, _), row in zip(rows, stored, strict=True) if row.key(table) in keys]
    for start in range(0, len(gone), 500):
        KeptRow.objects.filter(pk__in=gone[start : start + 500]).delete()
