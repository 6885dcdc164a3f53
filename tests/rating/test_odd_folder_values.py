"""Odd values in every column of the tables that rooms act on: loaded, or refused with their place; never a crash."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from django.db import transaction

from apps.kernel.errors import InvalidInputs
from apps.rating.domain.tariff_files import FOLDER_TABLES
from apps.rating.services.folder_checking import read_folder
from apps.rating.services.folder_parts import folder_files
from apps.rating.services.tariff_loading import load_tariff_plan
from tests.rating.folders import MINIMAL
from tests.rating.test_folder_tables import ROWS

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SOUND = {name: row for name, row in ROWS.items() if name != "DerivedCharges"}
# One mechanism keeps them all.
KEPT = {"LcrRules", "CdrStats", "Aliases", "Users", "ResourceLimits"}
VALUES = (
    *(
        "",
        "*any",
        "-1",
        "1e3",
        "99999999999999999999",
        "2026-01-01T00:00:00Z",
        "a;b;!c",
        "é “x”\n#",
        "x" * 300,
    ),
    "1;" * 300,
)


def contents(files: dict[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in files.items()}


def refused(files: dict[str, bytes]) -> list[str]:
    """Load a folder; the places of what it was refused for."""
    try:
        with transaction.atomic():
            load_tariff_plan(read_folder(files), NOW)
    except InvalidInputs as error:
        return [problem.where for problem in error.problems]
    return []


@pytest.fixture(scope="module")
def sound() -> dict[str, list[str]]:
    return {name: next(csv.reader([row])) for name, row in SOUND.items()}


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name in SOUND if name not in KEPT or name == "Users"])
def test_an_odd_value_is_loaded_or_refused_with_its_place(name: str, sound: dict[str, list[str]]) -> None:
    load_tariff_plan(read_folder(contents(MINIMAL | SOUND)), NOW)
    acts = folder_files()[name].acts
    for index, column in enumerate(FOLDER_TABLES[name].columns):
        for value in VALUES:
            cells = [*sound[name], *[""] * (index + 1 - len(sound[name]))]
            cells[index] = value
            text = io.StringIO()
            csv.writer(text).writerow(cells)
            places = refused(contents({name: text.getvalue()}))
            assert acts or not places, (column, value, places)
            assert all(where.startswith(f"{name}.csv, line ") for where in places), (column, value, places)
