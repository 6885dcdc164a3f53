"""One edge to the database: no room asks which one it is, or keeps a list of its error codes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "apps/storage"
SOURCES = [
    path
    for path in sorted((ROOT / "apps").rglob("*.py"))
    if "migrations" not in path.parts and STORAGE not in path.parents
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_leave_dialects_and_retries_to_storage(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            compared = ast.unparse(node)
            assert ".vendor" not in compared, f"line {node.lineno} asks which database it is: {compared}"
            assert "is locked" not in compared, f"line {node.lineno} reads an error's text: {compared}"
        if isinstance(node, ast.keyword) and node.arg == "of" and isinstance(node.value, ast.Tuple):
            assert not node.value.elts, f"line {node.value.lineno}: MariaDB knows no FOR UPDATE OF"
        if isinstance(node, ast.Attribute):
            assert node.attr != "quote_name", f"line {node.lineno} quotes names by itself"
