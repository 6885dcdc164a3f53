"""The house checks itself: every room is under the import rules, and the rules find what they forbid."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_every_room_has_its_place_among_the_layers() -> None:
    layers = next(rule for rule in RULES if rule["id"] == "rooms")["layers"]
    placed = {name.strip(" ()").removeprefix("apps.") for layer in layers for name in layer.split("|")}
    rooms = {path.parent.name for path in (ROOT / "apps").glob("*/__init__.py")}
    assert rooms <= placed


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """An empty house with the same rooms and rules."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    rooms = [path.parent.name for path in (ROOT / "apps").glob("*/__init__.py")]
    for folder in ["apps", "bss_project", *(f"apps/{room}" for room in rooms)]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    # Rules that name furniture by a pattern want some of it.
    for furniture in ("models", "tasks", "worker"):
        (tmp_path / "apps" / "rating" / f"{furniture}.py").touch()
    return tmp_path


def broken_rules(house: Path) -> str:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(lint), "--no-cache"],
        cwd=house,
        env={"PYTHONPATH": str(house)},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_an_empty_house_breaks_no_rule(house: Path) -> None:
    assert broken_rules(house) == ""


@pytest.mark.parametrize(
    ("module", "line", "rule"),
    [
        ("apps/rating/selectors.py", "import apps.billing", "A lower room never imports an upper one"),
        ("apps/charging/services.py", "import bss_project", "A lower room never imports an upper one"),
        ("apps/kernel/clock.py", "import apps.storage", "A lower room never imports an upper one"),
        ("apps/rating/models.py", "import apps.rating.services", "Inside a room"),
        ("apps/rating/domain/rater.py", "import apps.rating.models", "Inside a room"),
        ("apps/rating/services/load.py", "import apps.rating.tasks", "Inside a room"),
        (
            "apps/rating/domain/rater.py",
            "from django.db import models",
            "no framework, clock, log or network",
        ),
        ("apps/kernel/money.py", "import time", "no framework, clock, log or network"),
        ("apps/charging/domain/account.py", "import logging", "no framework, clock, log or network"),
        ("apps/mediation/tasks.py", "import grpc", "Only crmapi speaks gRPC"),
        ("apps/crmapi/rest.py", "import apps.rating.models", "Doors know no models"),
        ("apps/crmapi/grpc.py", "import apps.rating.models", "Doors know no models"),
        ("apps/mediation/tasks.py", "import apps.rating.models", "Doors know no models"),
        ("apps/billing/services.py", "from google.protobuf import message", "Protobuf messages stay"),
    ],
)
def test_an_import_that_the_design_forbids_is_found(house: Path, module: str, line: str, rule: str) -> None:
    path = house / module
    for folder in path.parents:
        if folder == house:
            break
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    (house / "apps" / "rating" / "services.py").touch()
    path.write_text(line + "\n")
    found = broken_rules(house)
    assert "BROKEN" in found
    assert rule in found[found.index("Broken contracts") :]
