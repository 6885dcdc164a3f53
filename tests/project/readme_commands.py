"""Finds commands in README.md that do not exist: ``python -m tests.project.readme_commands``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Both as they are typed: ./run loads this checkout's environment, manage.py is inside it.
RUN = re.compile(r"\./run ([a-z]+)(?: +([a-z_]+))?")
MANAGE = re.compile(r"manage\.py ([a-z_]+)")


def run_commands(script: str) -> set[str]:
    """The commands that ./run knows: the names of its last case."""
    cases = script[script.rindex("case $command in") :]
    return {
        name for line in re.findall(r"^  ([a-z |]+)\)$", cases, re.MULTILINE) for name in line.split(" | ")
    }


def problems_in(text: str, run: set[str], manage: set[str]) -> list[str]:
    """Each command in a text that does not exist, with its line."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for command, argument in RUN.findall(line):
            if command not in run:
                found.append(f"line {number}: ./run has no command {command}")
            elif command == "manage" and argument and argument not in manage:
                found.append(f"line {number}: manage.py has no command {argument}")
        found += [
            f"line {number}: manage.py has no command {command}"
            for command in MANAGE.findall(line)
            if command not in manage
        ]
    return found


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bss_project.settings")
    import django
    from django.core.management import get_commands

    django.setup()
    documents = [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "apps").glob("*/README.md")),
    ]
    run = run_commands((ROOT / "run").read_text())
    found = [
        f"{document.relative_to(ROOT)}: {problem}"
        for document in documents
        for problem in (
            problems_in(document.read_text(), run, set(get_commands())) if document.exists() else ["missing"]
        )
    ]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
