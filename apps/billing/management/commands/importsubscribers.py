"""``importsubscribers FILE.csv``: customers, subscribers, accounts and their numbers from a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from apps.billing.domain.onboarding import COLUMNS, REQUIRED, NewLine, read_lines
from apps.billing.services.onboarding import onboard
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInputs, Problem
from apps.kernel.words import counted
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Create customers with subscribers, accounts, numbers, plans and bill cycle from a CSV file; all or none. "
        f"Columns: {', '.join(COLUMNS)}; required: {', '.join(REQUIRED)}. Several bundles are split by “;”."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--tenant", default=DEFAULT_TENANT, help="For rows that name none (default: %(default)s)."
        )
        parser.add_argument("--dry-run", action="store_true", help="Check everything, write nothing.")

    def handle(self, *args: Any, file: Path, tenant: str, dry_run: bool, **options: Any) -> None:
        lines: list[NewLine] = []
        problems: list[Problem] = []
        try:
            with file.open(newline="", encoding="utf-8-sig") as text:
                for found in read_lines(text, file.name, tenant):
                    if isinstance(found, Problem):
                        problems.append(found)
                    else:
                        lines.append(found)
            if problems:
                raise InvalidInputs(problems)
            with transaction.atomic():
                done = onboard(lines, utc_now(), lambda index: f"{file.name}, line {index + 2}")
                if dry_run:
                    transaction.set_rollback(True)
        except (OSError, UnicodeDecodeError, BssError) as error:
            raise CommandError(f"nothing was imported:\n{error}") from error
        self.stdout.write(
            f"{'would create' if dry_run else 'created'} {counted(done.customers, 'customer')}, "
            f"{counted(done.accounts, 'account')}, {counted(done.subscribers, 'subscriber')}"
        )
