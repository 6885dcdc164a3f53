"""``maketariffplan DIR``: write the shipped tariff plan as a folder of CGRateS files, to load or to start from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from phonenumbers import SUPPORTED_REGIONS

from apps.kernel.errors import InvalidInput
from apps.kernel.periods import as_utc
from apps.rating.domain.numbering import world_destinations
from apps.rating.domain.standard_tariff import standard_tariff
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Write a tariff plan for the whole world (CGRateS CSV files): real numbering plans, fixed and mobile told "
        "apart, in price zones as seen from the home country. Load it with loadtariffplan."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument(
            "--country", default="DE", help="Home country, ISO 3166 code (default: %(default)s)."
        )
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        parser.add_argument("--activation", default="2020-01-01T00:00:00Z", help="When the prices begin.")
        parser.add_argument("--force", action="store_true", help="Write over files that are there.")

    def handle(
        self,
        *args: Any,
        folder: Path,
        country: str,
        tenant: str,
        activation: str,
        force: bool,
        **options: Any,
    ) -> None:
        if country not in SUPPORTED_REGIONS:
            raise CommandError(f"“{country}” is not an ISO 3166 country code such as DE")
        try:
            as_utc(datetime.fromisoformat(activation))
        except (ValueError, InvalidInput) as error:
            raise CommandError(f"--activation: {error}") from error
        files = standard_tariff(world_destinations(), tenant=tenant, home=country, activation=activation)
        there = [name for name in files if (folder / f"{name}.csv").exists()]
        if there and not force:
            raise CommandError(f"{folder} has {', '.join(there)} already; --force writes over them")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
            self.stdout.write(f"{name}.csv: {text.count(chr(10)) - 1} rows")
