"""``manage.py loadcdrs``: load usage files."""

from __future__ import annotations

import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from rich.console import Console

from apps.kernel.clock import utc_now
from apps.licensing.domain.licence import Feature
from apps.mediation.management.load_report import LoadReport
from apps.mediation.services.file_folder import ready_files
from apps.mediation.services.intake import files_meant_by, load_files, load_files_in_processes
from apps.mediation.services.load_file import FileOutcome
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.CDR_LOADER
    """The door: which files, how often, how shown. Loading itself is ``services/load_file.py``."""

    help = (
        "Load usage files (CDRs): rate every record, store it, and move the file to the folder of the processed or "
        "refused ones. Exit status: 0 all well, 1 a file was refused or failed, 2 wrong arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            metavar="PATH",
            help=f"files or folders; without one the folder of new files ({settings.CDR_NEW_DIR})",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would happen; write nothing, move nothing"
        )
        parser.add_argument(
            "--follow", action="store_true", help="keep looking for new files until interrupted (Ctrl-C)"
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=settings.CDR_SCAN_INTERVAL_S,
            metavar="S",
            help="with --follow: seconds between two looks (default: %(default)s)",
        )
        parser.add_argument("--workers", type=int, default=1, metavar="N", help="load N files at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        paths: list[Path] = options["paths"]
        if options["workers"] < 1:
            raise CommandError("--workers must be at least 1", returncode=2)
        if options["dry_run"] and options["follow"]:
            raise CommandError("--dry-run and --follow do not go together", returncode=2)
        for path in paths:
            if not path.exists():
                raise CommandError(f"{path} does not exist", returncode=2)
        if not paths:
            settings.CDR_NEW_DIR.mkdir(parents=True, exist_ok=True)
            paths = [settings.CDR_NEW_DIR]
        # Django's wrapper of standard output knows neither width nor colours; its file does.
        console = Console(file=getattr(self.stdout, "_out", None), highlight=False)
        report = LoadReport(console, dry_run=options["dry_run"])
        if options["follow"]:
            self._follow(paths, options, report)
        else:
            self._load(files_meant_by(paths), options, report)
        report.summary()
        if report.problems:
            raise SystemExit(1)

    def _load(self, files: Sequence[Path], options: dict[str, Any], report: LoadReport) -> None:
        with report.progress(files) as on_step:
            for outcome in self._outcomes(files, options, on_step):
                report.add(outcome)

    def _outcomes(
        self, files: Sequence[Path], options: dict[str, Any], on_step: Any
    ) -> Iterator[FileOutcome]:
        if options["workers"] > 1 and len(files) > 1:
            return load_files_in_processes(files, utc_now, options["workers"], dry_run=options["dry_run"])
        stop = options.get("stop") or threading.Event()
        return load_files(files, utc_now, on_step=on_step, dry_run=options["dry_run"], stop=stop.is_set)

    def _follow(self, paths: list[Path], options: dict[str, Any], report: LoadReport) -> None:
        stop = options["stop"] = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        report.say(f"Looking every {options['interval']:g} s; the file in hand is finished on Ctrl-C.")
        while not stop.is_set():
            started = time.monotonic()
            files = [file for path in paths for file in (ready_files(path) if path.is_dir() else [path])]
            self._load([file for file in files if file.exists()], options, report)
            stop.wait(max(0.0, options["interval"] - (time.monotonic() - started)))
