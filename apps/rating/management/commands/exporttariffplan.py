"""``exporttariffplan DIR``: write what is in force as a folder of CGRateS files."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.errors import BssError
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.services.tariff_export import export_folder
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Write what is in force as the CGRateS files that loadtariffplan reads, or the prices of an earlier version. "
        "Loaded again with --flush they make the same tariff. Activation times are written in UTC; the time zones of "
        "tenants and price plans are in no file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument(
            "--tenant",
            metavar="T",
            help="The folder that was loaded as tenant T's own; without it the shared one.",
        )
        parser.add_argument("--tariff-version", type=int, metavar="N", help="An earlier tariff version.")
        parser.add_argument("--force", action="store_true", help="Write over files that are there.")

    def handle(
        self,
        *args: Any,
        folder: Path,
        tenant: str | None,
        tariff_version: int | None,
        force: bool,
        **options: Any,
    ) -> None:
        try:
            files, problems = export_folder(tenant or SHARED_TARIFF_PLAN, tariff_version)
        except BssError as error:
            raise CommandError(str(error)) from error
        there = [f"{name}.csv" for name in files if (folder / f"{name}.csv").exists()]
        if there and not force:
            raise CommandError(f"{folder} has {', '.join(there)} already; --force writes over them")
        folder.mkdir(parents=True, exist_ok=True)
        for problem in problems:
            self.stderr.write(self.style.WARNING(f"warning: {problem}"))
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
            rows = text.count("\n") - 1
            self.stdout.write(f"{name + '.csv':22} {rows:>9,} row{'s' if rows != 1 else ''}")
