"""``loadratedeck SUPPLIER FILE``: make a draft of a supplier's rate deck."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInputs, Problem
from apps.rating.services.rate_decks import load_rate_deck, preview_deck, supplier_of
from apps.runtime.commands import RoomCommand, system_user

_SHOWN = 200


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a day; write it like 2026-12-01") from None


class Command(RoomCommand):
    help = (
        "Read a rate deck (CSV or XLSX) in the supplier's columns and make a draft of it, which comparetariffs shows "
        "and publishtariff makes live. Any error makes no draft. Increases without notice are reported."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("supplier", metavar="SUPPLIER", help="Its code, as in the admin.")
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--valid-from",
            type=_day,
            metavar="DAY",
            help="The day of rows that state none; without it, today.",
        )
        parser.add_argument(
            "--received",
            type=_day,
            metavar="DAY",
            help="When the deck came: from then notice counts; else today.",
        )
        parser.add_argument(
            "--whole",
            action="store_true",
            help="Destinations that the deck lacks have no price from --valid-from on.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Print the first ten rows as they are read."
        )

    def handle(
        self,
        *args: Any,
        supplier: str,
        file: Path,
        valid_from: date | None,
        received: date | None,
        whole: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        try:
            found = supplier_of(supplier)
            if dry_run:
                self._preview(preview_deck(found, data, file.name))
                return
            draft = load_rate_deck(
                found,
                data,
                utc_now(),
                name=file.name,
                valid_from=valid_from,
                received=received,
                whole=whole,
                by=system_user(),
            )
        except InvalidInputs as error:
            raise self._refused(error.problems) from error
        except BssError as error:
            raise CommandError(str(error)) from error
        for where, message, _ in draft.problems[:_SHOWN]:
            self.stderr.write(self.style.WARNING(f"{where}: {message}"))
        self.stdout.write(f"{draft.note}; {draft.error_count} errors, {draft.warning_count} warnings")
        self.stdout.write(
            self.style.SUCCESS(f"{file} is draft {draft.pk}; publishtariff {draft.pk} makes it live.")
        )

    def _preview(self, preview: Any) -> None:
        for row in preview.rows:
            since = row.effective or "the day of the load"
            self.stdout.write(
                f"row {row.number}: {row.destination} [{', '.join(row.prefixes)}] {row.price} by "
                f"{row.first}/{row.following} from {since} {row.status or ''}"
            )
        self.stdout.write(f"{preview.read:,} rows are read; nothing was stored.")
        if preview.problems:
            raise self._refused(preview.problems)

    def _refused(self, problems: list[Problem]) -> CommandError:
        for problem in problems[:_SHOWN]:
            self.stderr.write(str(problem))
        if len(problems) > _SHOWN:
            self.stderr.write(f"… and {len(problems) - _SHOWN} more")
        return CommandError(f"{len(problems)} error{'s' if len(problems) != 1 else ''}; no draft was made")
