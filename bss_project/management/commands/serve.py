"""``./run serve``: the whole product under one supervisor."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from apps.licensing.domain.errors import LicenceError
from apps.licensing.domain.licence import Feature
from apps.licensing.services import gate
from apps.runtime import probes
from apps.runtime.start import Role, start
from apps.runtime.supervisor import PrefixedLines, Supervisor
from bss_project import serving
from bss_project.evaluation import evaluate_if_new
from bss_project.installation_metrics import InstallationCollector


class Command(BaseCommand):
    help = "Runs web, beat and the Celery workers (one for each bill cycle) until Ctrl-C or SIGTERM."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = ", ".join(serving.PARTS)
        defaults = serving.Serving()
        parser.add_argument(
            "--bind", default=defaults.bind, help="where the web listens (default: %(default)s)"
        )
        parser.add_argument("--only", metavar="PART,…", default="", help=f"only these of: {parts}")
        parser.add_argument("--without", metavar="PART,…", default="", help="all but these")
        parser.add_argument(
            *("--concurrency", "-c"),
            type=int,
            default=defaults.concurrency,
            help="tasks that each Celery worker runs at once (default: %(default)s)",
        )
        parser.add_argument(
            "--web-workers",
            type=int,
            default=defaults.web_workers,
            help="processes of the web (default: %(default)s)",
        )
        parser.add_argument(
            "--web-threads",
            type=int,
            default=defaults.web_threads,
            help="threads of each (default: %(default)s)",
        )
        parser.add_argument(
            "--look-again",
            type=float,
            default=10.0,
            metavar="SECONDS",
            help="how often to look for new bill cycles (default: %(default)s)",
        )
        parser.add_argument(
            "--ready-file", type=Path, help="this file exists while everything is ready (for health checks)"
        )
        parser.add_argument(
            "--no-migrate", action="store_true", help="leave the database's tables as they are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        evaluate_if_new(self.stdout.write)
        try:
            start(Role.SUPERVISOR)
        except LicenceError as error:
            raise CommandError(str(error), returncode=error.exit_code) from error
        parts = self._licensed(self._parts(options["only"], options["without"]))
        for name in ("concurrency", "web_workers", "web_threads"):
            if options[name] < 1:
                raise CommandError(f"--{name.replace('_', '-')} must be 1 or more, not {options[name]}")
        chosen = serving.Serving(
            bind=options["bind"],
            web_workers=options["web_workers"],
            web_threads=options["web_threads"],
            concurrency=options["concurrency"],
        )
        if "web" in parts and (problem := serving.address_in_use(chosen.bind)):
            raise CommandError(problem)
        ready_file: Path | None = options["ready_file"]
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        for folder in (settings.VAR_DIR, settings.STATIC_ROOT):
            Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            if not options["no_migrate"]:
                self.stdout.write("Bringing the database up to date …")
                call_command("migrate", verbosity=0, interactive=False)
            how_to_sign_in = serving.ensure_admin(Path(settings.VAR_DIR)) if "web" in parts else ""
            names = [spec.name for spec in serving.wanted_processes(chosen, parts)]
        except DatabaseError as error:
            raise CommandError(f"the database that DATABASE_URL names cannot be used: {error}") from error
        lines = PrefixedLines(sys.stdout, width=max([len("supervisor"), *map(len, names)]))

        def tell(ready: bool) -> None:
            if ready_file is not None:
                ready_file.touch() if ready else ready_file.unlink(missing_ok=True)
            if ready and how_to_sign_in:
                lines("supervisor", f"http://{chosen.bind}/admin/ ({how_to_sign_in})")
            if ready:
                lines("supervisor", "everything is ready; Ctrl-C stops it")

        if "beat" in parts:
            # Once in an installation.
            probes.add_collector(InstallationCollector())
        supervisor = Supervisor(
            lambda: serving.wanted_processes(chosen, parts), write=lines, look_again_s=options["look_again"]
        )
        probes.add_probe("processes", lambda: "" if supervisor.is_ready() else "not all of them are ready")
        code = supervisor.run(tell)
        if (ended := gate.ended_by()) is not None:
            raise CommandError(str(ended), returncode=ended.exit_code)
        sys.exit(code)

    def _licensed(self, parts: list[str]) -> list[str]:
        """The parts whose modules the licence includes; says which are left out."""
        kept = []
        for part in parts:
            try:
                gate.require(serving.FEATURES.get(part, Feature(0)))
                kept.append(part)
            except LicenceError as error:
                self.stdout.write(f"Without {part}: {error.message}")
        return kept

    @staticmethod
    def _parts(only: str, without: str) -> list[str]:
        chosen, left_out = ([word for word in text.split(",") if word] for text in (only, without))
        unknown = [part for part in chosen + left_out if part not in serving.PARTS]
        if unknown:
            raise CommandError(f"unknown part “{unknown[0]}”; there are {', '.join(serving.PARTS)}")
        strange = [name for name in settings.MODULES if name not in serving.MODULES]
        if strange:
            raise CommandError(f"unknown module “{strange[0]}”; there are {', '.join(serving.MODULES)}")
        configured = {part for name in settings.MODULES for part in serving.MODULES[name]}
        return [
            part
            for part in (chosen or configured or serving.PARTS)
            if part in serving.PARTS and part not in left_out
        ]
