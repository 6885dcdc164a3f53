"""``./run check``: everything that is known about the code without running its tests, side by side.

``./run check NAME…`` runs only these. The exit status is the number of checks that found something.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent
MOST_LINES = 60


@dataclass(frozen=True)
class Check:
    """A command line, what it shows, and when there is nothing to look at, none."""

    name: str
    shows: str
    command: tuple[str, ...]


def last_release() -> str:
    """The newest folder of tests/project/released_proto, by its numbers."""
    versions = [
        folder.name for folder in (ROOT / "tests" / "project" / "released_proto").iterdir() if folder.is_dir()
    ]
    return max(versions, key=lambda version: [int(part) for part in version.split(".")])


def checks() -> list[Check]:
    python, tool = sys.executable, lambda name: str(TOOLS / name)
    found = [
        Check("ruff", "style and likely mistakes", (tool("ruff"), "check", "--output-format=concise", ".")),
        Check(
            "format",
            "layout; ruff format mends it",
            (tool("ruff"), "format", "--check", "--output-format=concise", "."),
        ),
        Check("mypy", "types, strict", (tool("mypy"),)),
        Check("imports", "who may import whom", (tool("lint-imports"), "--no-cache")),
        Check(
            "migrations",
            "models and migrations agree",
            (python, "manage.py", "makemigrations", "--check", "--dry-run"),
        ),
        Check("system", "Django's own checks", (python, "manage.py", "check", "--fail-level", "WARNING")),
        Check("compose", "docker-compose.yml is valid", (python, "-m", "tests.deploy.compose_file")),
        Check(
            "openapi",
            "the REST door's OpenAPI document",
            (python, "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull),
        ),
        Check("readme", "every command in README.md exists", (python, "-m", "tests.project.readme_commands")),
    ]
    if any((ROOT / "proto").glob("*.proto")):
        found.append(Check("proto", "protocol files: style, a comment on everything", (tool("buf"), "lint")))
        found.append(
            Check(
                "breaking",
                "protocol files still serve what clients of the last release were compiled against",
                (tool("buf"), "breaking", "--against", f"tests/project/released_proto/{last_release()}"),
            )
        )
    return found


def run(check: Check, folder: str) -> tuple[Check, int, str, float]:
    started = time.monotonic()
    env = {
        **os.environ,
        "BSS_VAR_DIR": folder,
        "DATABASE_URL": f"sqlite:///{folder}/check.sqlite3",
        "BROKER_URL": "",
    }
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return check, done.returncode, done.stdout + done.stderr, time.monotonic() - started


def main(names: list[str]) -> int:
    known = checks()
    unknown = set(names) - {check.name for check in known}
    if unknown:
        print(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in known)}")
        return 2
    chosen = [check for check in known if not names or check.name in names]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for check, status, output, seconds in pool.map(lambda check: run(check, folder), chosen):
            print(
                f"{'ok  ' if status == 0 else 'FAIL'} {check.name:<11}{seconds:5.1f} s  {check.shows}",
                flush=True,
            )
            if status != 0:
                failed += 1
                print(f"     $ {shlex.join(check.command).replace(str(ROOT) + '/', '')}")
                lines = output.strip().splitlines()
                print("\n".join(f"     {line}" for line in lines[:MOST_LINES]), flush=True)
                if len(lines) > MOST_LINES:
                    print(
                        f"     … and {len(lines) - MOST_LINES} more lines; run the command above to see them"
                    )
    print(f"{len(chosen) - failed} checks passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
