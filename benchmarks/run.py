"""``./run bench [NAME…] [--scale F] [--database mariadb|sqlite] [--json FILE]``: the hot paths, as ratios.

Writing a benchmark: a file ``benchmarks/bench_NAME.py`` with

    TITLE = "Loading CDR files"                # heads its rows in the table
    DATABASES = ("mariadb", "sqlite")          # which it runs on; ("",) if it touches no database

    def main(setup: Setup) -> list[Measurement]:
        rows = setup.scaled(1_000_000)         # amounts follow --scale
        with setup.measure() as raw:
            …                                  # the bare thing that the product is compared with
        with setup.measure() as timing:
            …                                  # the product's own way, through its services
        return [Measurement("one loader", timing.rate(rows), "rows/s", timing.peak_mb,
                            against="LOAD DATA", baseline=raw.rate(rows), ratio_at_least=0.6)]

(``from benchmarks.protocol import Measurement, Setup``.) ``main`` runs in a process of its own for each database:
Django is set up, DATABASE_URL names an empty database with all tables, BSS_VAR_DIR a temporary folder, BROKER_URL the
filesystem transport in it. A benchmark makes its own data, checks that the work was done (a count, a sum), and raises
if it was not. TITLE and DATABASES are read without importing the file, so they are plain literals.

The servers are this command's own: MariaDB with a commit on disk each time (innodb_flush_log_at_trx_commit=1).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.protocol import Measurement, Setup
from tests import servers

HERE = Path(__file__).resolve().parent
# A quarter of the machine's memory, as on a machine that also runs the workers; 2 GB is enough for any of them.
_BUFFER_POOL_MB = min(2048, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // 2**20)
MARIADB_OPTIONS: dict[str, str | int] = {
    "innodb-buffer-pool-size": f"{_BUFFER_POOL_MB}M",
    "innodb-log-file-size": "1G",
    # Grouping millions of rows spills to disk at the default of 16 MB; docs/operations.md asks for the same.
    "tmp-memory-table-size": "1G",
    "max-heap-table-size": "1G",
    # MySQL 8's default: bulk inserts of several connections into one table go side by side.
    "innodb-autoinc-lock-mode": 2,
}


def known_benchmarks() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def module_of(name: str) -> str:
    return f"benchmarks.bench_{name}"


def heading_of(name: str) -> tuple[str, list[str]]:
    """The benchmark's TITLE and DATABASES."""
    found: dict[str, Any] = {"TITLE": name, "DATABASES": ("",)}
    for statement in ast.parse((HERE / f"bench_{name}.py").read_text()).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            key = statement.targets[0].id
            if key in found:
                found[key] = ast.literal_eval(statement.value)
    return found["TITLE"], list(found["DATABASES"])


def run_one(name: str, setup: Setup, result: Path) -> None:
    """In the process of its own: set up Django and the tables, run, and leave the measurements in a file."""
    import django

    from bss_project.evaluation import evaluate_if_new

    django.setup()
    evaluate_if_new(lambda line: None)
    if setup.database:
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
    measurements = importlib.import_module(module_of(name)).main(setup)
    result.write_text(json.dumps([asdict(measurement) for measurement in measurements]))


def run_in_process(name: str, database: str, url: str, scale: float) -> list[Measurement] | None:
    """The measurements of one benchmark on one database, or None if it failed."""
    with tempfile.TemporaryDirectory(prefix="bss-bench-") as folder:
        result = Path(folder) / "result.json"
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "DATABASE_URL": url or f"sqlite:///{folder}/bench.sqlite3",
            "BROKER_URL": f"filesystem://{folder}/broker",
            "BSS_VAR_DIR": f"{folder}/var",
            "BSS_LOG_LEVEL": os.environ.get("BSS_LOG_LEVEL", "WARNING"),
        }
        one = [
            "--one",
            name,
            "--database",
            database or "none",
            "--scale",
            str(scale),
            "--result",
            str(result),
        ]
        command = [sys.executable, "-m", "benchmarks.run", *one]
        with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL) as process:
            try:
                failed = process.wait() != 0
            except BaseException:
                # It stops its servers, and puts back what it changed in the system.
                process.terminate()
                raise
        if failed or not result.exists():
            return None
        return [Measurement(**fields) for fields in json.loads(result.read_text())]


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


HEADS = ("benchmark", "database", "measured", "against", "ratio", "promised", "peak")


def row(title: str, database: str, measurement: Measurement) -> tuple[str, ...]:
    ratio = measurement.ratio
    baseline = (
        f"{measurement.against} {figure(measurement.baseline)}"
        if measurement.baseline
        else measurement.against
    )
    promise = measurement.promise and f"{measurement.promise} {'✓' if measurement.kept else '✗ MISSED'}"
    return (
        f"{title}: {measurement.name}" + (f" ({measurement.note})" if measurement.note else ""),
        database or "–",
        f"{figure(measurement.value)} {measurement.unit}",
        baseline,
        "" if ratio is None else f"{ratio:.2f}",
        promise,
        f"{measurement.peak_mb:,.0f} MB",
    )


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in [HEADS, *rows]) for column in range(len(HEADS))]
    for line in [HEADS, tuple("-" * width for width in widths), *rows]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(),
            flush=True,
        )


def machine() -> str:
    """What it was measured on."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
        )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{model}, {os.cpu_count()} cores, {memory_gb:.0f} GB; Python {platform.python_version()}"


def processor_ticks() -> tuple[int, int]:
    """Ticks of all processors since the start, and those that the host of this virtual machine gave to others."""
    with contextlib.suppress(OSError):
        ticks = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(ticks), ticks[7]
    return 0, 0


def say_what_was_taken(before: tuple[int, int], after: tuple[int, int]) -> None:
    """Tell what the figures above have to be read with: time that was asked for and not given."""
    passed, taken = after[0] - before[0], after[1] - before[1]
    if passed:
        share = taken / passed
        print(
            f"  the host took {share:.1%} of the processors' time away meanwhile", file=sys.stderr, flush=True
        )


def revision() -> str:
    git = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError):
        return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return ""


@contextlib.contextmanager
def server_for(databases: set[str]) -> Iterator[servers.MariaDb | None]:
    if "mariadb" not in databases:
        yield None
        return
    with servers.mariadb(MARIADB_OPTIONS) as mariadb:
        yield mariadb


def run_all(names: list[str], only: str | None, scale: float, json_path: Path | None) -> int:
    import sqlite3

    titles = {name: heading_of(name)[0] for name in names}
    plan = {name: [db for db in heading_of(name)[1] if only is None or db == only] for name in names}
    failed, results = [], []
    with server_for({database for found in plan.values() for database in found}) as mariadb:
        mariadb_version = f"MariaDB {mariadb.version()}, " if mariadb else ""
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}")
        command = shlex.join(["./run", "bench", *sys.argv[1:]])
        print(
            f"{mariadb_version}SQLite {sqlite3.sqlite_version}; revision {revision() or 'unknown'}; {command}\n"
        )
        for name, databases in plan.items():
            title = titles[name]
            for database in databases:
                print(f"{title}{f' on {database}' if database else ''} …", file=sys.stderr, flush=True)
                url = mariadb.create_database(f"bench_{name}") if database == "mariadb" and mariadb else ""
                before = processor_ticks()
                measurements = run_in_process(name, database, url, scale)
                say_what_was_taken(before, processor_ticks())
                if url and mariadb:
                    mariadb.execute(f"DROP DATABASE `bench_{name}`")
                if measurements is None:
                    failed.append(f"{name} on {database}" if database else name)
                    continue
                results += [(name, title, database, measurement) for measurement in measurements]
    print_table([row(title, db, m) for _, title, db, m in results])
    if json_path is not None:
        document = [
            {"benchmark": name, "database": db, **asdict(m), "ratio": m.ratio} for name, _, db, m in results
        ]
        json_path.write_text(json.dumps(document, indent=2) + "\n")
    missed = sum(not measurement.kept for *_, measurement in results)
    print(f"\n{len(results)} measured, {missed} promises missed, {len(failed)} benchmarks failed")
    for name in failed:
        print(f"failed: {name}; its error stands above")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench", description="Measures the hot paths against the bare thing."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(known_benchmarks())}; default: all"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the amounts (default: 1)")
    parser.add_argument("--database", choices=["mariadb", "sqlite", "none"], help="only there")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.scale <= 0:
        parser.error("--scale must be more than 0")
    database = "" if options.database == "none" else options.database
    if options.one:
        run_one(options.one, Setup(database or "", options.scale, options.result.parent), options.result)
        return 0
    unknown = set(options.names) - set(known_benchmarks())
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known_benchmarks())}")
    try:
        return run_all(options.names or known_benchmarks(), database, options.scale, options.json)
    except servers.ServerFailed as failure:
        print(f"run: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
