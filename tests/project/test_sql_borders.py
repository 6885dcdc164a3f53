"""SQL texts name tables and columns that exist, and tables of another room only through what that room offers."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for path in sorted([*(ROOT / "apps").rglob("*.py"), *(ROOT / "bss_project").rglob("*.py")])
    if "migrations" not in path.parts and not path.name.endswith("_pb2.py")
]
LABELS = [path.name for path in sorted((ROOT / "apps").iterdir()) if (path / "migrations").is_dir()]
TABLE = re.compile(
    rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+`?((?:{'|'.join(LABELS)})_[a-z]+)`?(?:\s+(?:AS\s+)?([a-z]+))?\b"
)
COLUMN = re.compile(r"\b([a-z]+)\.`?([a-z_0-9]+)`?")


def texts_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of a module, with its line; parts of an f-string that are computed become a blank."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else " {} " for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def problems_of(text_of_module: str, room: str) -> Iterator[str]:
    tables = {model._meta.db_table: model for model in apps.get_models()}
    for line, text in texts_of(ast.parse(text_of_module)):
        # Parts of a UNION may use an alias for different tables.
        aliases: dict[str, list[Any]] = defaultdict(list)
        for table, alias in TABLE.findall(text):
            if table not in tables:
                yield f"line {line}: there is no table {table}"
                continue
            if tables[table]._meta.app_label != room:
                yield f"line {line}: {table} is of another room; its selectors offer what others may read"
            aliases[alias or table].append(tables[table])
        for alias, column in COLUMN.findall(text):
            models = aliases.get(alias, [])
            if models and column not in {
                field.column for model in models for field in model._meta.concrete_fields
            }:
                yield f"line {line}: {models[0]._meta.db_table} has no column {column}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_stays_within_its_room_and_names_what_exists(path: Path):
    top, room, *_ = path.relative_to(ROOT).parts
    assert list(problems_of(path.read_text(), room if top == "apps" else top)) == []


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT e.id FROM charging_ledgerentry e", "of another room"),
        ("SELECT u.nothing FROM insight_usageday u", "has no column nothing"),
        ("UPDATE insight_never SET a = 1", "there is no table insight_never"),
        ("SELECT u.day FROM insight_usageday u WHERE u.records > 1", ""),
    ],
)
def test_what_crosses_a_border_or_does_not_exist_is_found(sql: str, problem: str):
    found = list(problems_of(f"sql = {sql!r}", "insight"))
    assert [problem in text for text in found] == [True] * bool(problem)
