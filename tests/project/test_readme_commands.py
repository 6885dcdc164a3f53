"""A reader can type what the documents show."""

from __future__ import annotations

import re

from tests.project.readme_commands import ROOT, problems_in, run_commands

RUN = run_commands((ROOT / "run").read_text())


def test_the_commands_of_run_are_those_that_it_offers() -> None:
    usage = (ROOT / "run").read_text().split("<<'TEXT'")[1].split("TEXT")[0]
    offered = {line.split()[0] for line in usage.splitlines() if line.startswith("  ") and line[2] != " "}
    assert offered == RUN - {"help"}


def test_a_command_that_does_not_exist_is_found_with_its_line() -> None:
    text = "Type\n\n    ./run demmo\n    ./run manage loadcdr x\n    .venv/bin/python manage.py migrat\n"
    assert problems_in(text, RUN, {"loadcdrs", "migrate"}) == [
        "line 3: ./run has no command demmo",
        "line 4: manage.py has no command loadcdr",
        "line 5: manage.py has no command migrat",
    ]


def test_commands_that_exist_pass() -> None:
    assert problems_in("./run demo --records 5, ./run manage loadcdrs, ./run test", RUN, {"loadcdrs"}) == []


def test_every_setting_that_is_read_from_the_environment_is_documented() -> None:
    settings = "".join(path.read_text() for path in (ROOT / "bss_project" / "settings").glob("*.py"))
    names = set(re.findall(r'"(BSS_[A-Z0-9_]+)"', settings))
    documented = "".join((ROOT / "docs" / name).read_text() for name in ("operations.md", "rest.md"))
    assert len(names) > 80
    assert sorted(names - set(re.findall(r"BSS_[A-Z0-9_]+", documented))) == []
