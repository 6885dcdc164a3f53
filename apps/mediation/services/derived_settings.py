"""Change the derived chargers: single rows, and the table of a tariff folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from apps.kernel.errors import InvalidInput, NotFound, Problem
from apps.kernel.fields import DEFAULT
from apps.mediation.domain.derived import COLUMNS, ChargerRow, read_run, without_effect
from apps.mediation.models import DerivedCharger
from apps.rating.domain.tariff_files import FolderRow
from apps.rating.domain.tariff_files.fields import keyword
from apps.rating.domain.tariff_files.folder_rows import Key
from apps.rating.domain.tariff_files.folder_tables import FOLDER_TABLES
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.folder_parts import NOT_ACTED_ON, FolderPart, PartChange, add_part, too_long

FILE = "DerivedChargers"
_TABLE = FOLDER_TABLES[FILE]
_PLAIN = tuple(column for column in _TABLE.columns if column not in COLUMNS)


def charger_row(charger: DerivedCharger) -> ChargerRow:
    """A row of the table as the domain knows it."""
    return ChargerRow(
        charger.direction,
        charger.tenant,
        charger.category,
        charger.account,
        charger.subject,
        charger.destination_ids,
        charger.run,
        charger.run_filter,
        charger.templates,
    )


def save_charger(charger: DerivedCharger) -> None:
    """Check a row and store it. Raises InvalidInput that names the column."""
    if not isinstance(charger.templates, dict) or not all(
        isinstance(value, str) for value in charger.templates.values()
    ):
        raise InvalidInput('write {"column": "template", …}', where="templates")
    if not charger.tenant:
        raise InvalidInput("name the tenant of the records, or *any", where="Tenant")
    read_run(charger_row(charger))
    charger.save()
    look_again()


def remove_charger(charger_id: int) -> None:
    """Raises NotFound. What its run has charged stays."""
    if not DerivedCharger.objects.filter(pk=charger_id).delete()[0]:
        raise NotFound(f"there is no derived charger {charger_id}")
    look_again()


def _row_of(row: FolderRow) -> ChargerRow:
    cells = {column: row.cells.get(column, "").strip() for column in _TABLE.columns}
    templates = {column: cells[column] for column in COLUMNS if cells[column] not in ("", DEFAULT)}
    return ChargerRow._make((*(cells[column] for column in _PLAIN), templates))


def _check(change: PartChange) -> Iterable[Problem]:
    for row in change.rows:
        yield from too_long(row, DerivedCharger, dict(zip(_PLAIN, ChargerRow._fields, strict=False)))
        charger = _row_of(row)
        try:
            read_run(charger)
        except InvalidInput as error:
            yield row.problem(error.where, error.message)
        for column in without_effect(charger):
            yield row.problem(
                column, "it is kept, but a rated record has no such field that it could replace", NOT_ACTED_ON
            )


def _load(change: PartChange) -> None:
    _delete(change.plan_code, change.by_key(_TABLE).keys())
    # Saved singly, so that each has its history; there are a few rows, not thousands.
    for row in change.rows:
        charger = _row_of(row)._asdict()
        templates = charger.pop("fields")
        DerivedCharger.objects.create(tariff_plan=change.plan_code, templates=templates, **charger)
    transaction.on_commit(look_again)


def _remove(change: PartChange) -> None:
    _delete(change.plan_code, change.removed)
    transaction.on_commit(look_again)


def _delete(plan_code: str, keys: Iterable[Key]) -> None:
    gone = set(keys)
    for charger in DerivedCharger.objects.filter(tariff_plan=plan_code):
        cells = _cells(charger)
        if tuple(keyword(cells[column]) for column in _TABLE.key) in gone:
            charger.delete()


def _export(plan_code: str) -> Iterable[Sequence[object]]:
    for charger in DerivedCharger.objects.filter(tariff_plan=plan_code).order_by("pk"):
        yield list(_cells(charger).values())


def _cells(charger: DerivedCharger) -> Mapping[str, str]:
    """The row as the file has it."""
    row = charger_row(charger)
    plain = dict(zip(_PLAIN, row[:8], strict=True))
    return plain | {column: row.fields.get(column, DEFAULT) for column in COLUMNS}


def register() -> None:
    """Have DerivedChargers.csv loaded and exported with the tariff folder."""
    add_part(FolderPart(FILE, _load, _remove, _export, check=_check, also=("DerivedCharges",)))
