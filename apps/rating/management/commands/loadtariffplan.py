"""``loadtariffplan DIR``: load a folder of CGRateS tariff-plan files."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.clock import utc_now
from apps.kernel.errors import Conflict, InvalidInput, InvalidInputs, Problem
from apps.kernel.words import counted
from apps.rating.domain.tariff_files import (
    FILES,
    TariffFiles,
    fields,
    sorted_out,
)
from apps.rating.services.drafts import make_draft
from apps.rating.services.folder_checking import check_folder, read_folder, review_folder
from apps.rating.services.folder_parts import folder_files
from apps.rating.services.tariff_loading import Changes, changes_of, load_tariff_plan
from apps.runtime.commands import RoomCommand, system_user

_SHOWN = 200


class Command(RoomCommand):
    help = (
        "Load the CGRateS files (.csv) of a folder, and publish the tariff: Timings, Destinations, Rates, "
        "DestinationRates, RatingPlans and RatingProfiles make prices; SharedGroups, Actions and the other tables are "
        "loaded with them. Any error loads nothing; a warning says what the load makes of an odd row. Ids that were "
        "loaded before are replaced by those of the folder; the rest stays, unless --flush removes it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument(
            "--tenant",
            metavar="T",
            help="Load the folder as tenant T's own: all its profiles become T's, and its ids are apart from the "
            "shared ones. Without it, the profiles name the tenants, and all share the ids.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Read and check everything, store nothing."
        )
        parser.add_argument(
            "--validate",
            action="store_true",
            help="Also warn of likely mistakes, here and in loaded rows: unused ids, prefixes without a rate, "
            "overlaps, gaps in timings.",
        )
        parser.add_argument(
            "--flush",
            action="store_true",
            help="Remove the rows of former loads: all prices, and of the other tables those that are in DIR.",
        )
        parser.add_argument(
            "--draft",
            action="store_true",
            help="Keep the folder as a draft that changes no price; publishtariff makes it live.",
        )
        parser.add_argument("--note", default="", metavar="TEXT", help="Why, kept with a draft.")

    def handle(
        self,
        *args: Any,
        folder: Path,
        tenant: str | None,
        dry_run: bool,
        validate: bool,
        flush: bool,
        draft: bool,
        note: str,
        **options: Any,
    ) -> None:
        began = time.monotonic()
        if tenant is not None:
            try:
                fields.tenant(tenant)
            except InvalidInput as error:
                raise CommandError(f"--tenant: {error}") from error
        contents, unknown = self._read(folder, flush)
        now = utc_now()
        files = read_folder(contents, tenant=tenant, unknown=tuple(unknown))
        self._print_rows(files)
        checked = check_folder(files, now, flush=flush, every=validate)
        findings: list[Problem] = []
        if validate and not checked.files.faults:
            findings = review_folder(checked, now.date(), flush=flush)
        warnings = [*checked.files.warnings, *findings]
        self._warn(warnings, folder)
        if not checked.files.faults:
            self._print_changes(changes_of(checked, flush=flush))
        if dry_run:
            self._refuse(checked.files.problems, folder)
            self.stdout.write(f"{folder} is in order; nothing was stored ({_seconds_since(began)} s).")
            return
        if draft:
            self._refuse(checked.files.problems, folder)
            made = make_draft(
                contents,
                now,
                plan_code=checked.files.plan.code,
                flush=flush,
                by=system_user(),
                origin=str(folder),
                note=note,
                unknown=tuple(unknown),
            )
            self.stdout.write(
                self.style.SUCCESS(f"{folder} is draft {made.pk}; publishtariff {made.pk} makes it live.")
            )
            return
        try:
            loaded = load_tariff_plan(
                files,
                now,
                flush=flush,
                by=system_user(),
                origin=str(folder),
                findings=findings,
            )
        except InvalidInputs as error:
            self._refuse(error.problems, folder)
            raise
        except Conflict as error:
            raise CommandError(str(error)) from error
        for code in loaded.new_tenants:
            self.stdout.write(f"Tenant {code} is new; its time zone is UTC until it is set.")
        what = "published as" if loaded.is_new else "the same as"
        self.stdout.write(
            self.style.SUCCESS(
                f"{folder}: {what} tariff version {loaded.version_id} ({_seconds_since(began)} s)."
            )
        )

    def _print_changes(self, changes: Mapping[str, Changes]) -> None:
        for name, change in changes.items():
            if any(change):
                self.stdout.write(
                    f"{name + '.csv':22} {counted(change.new, 'id')} new, {change.replaced:,} replaced, "
                    f"{change.removed:,} removed"
                )

    def _read(self, folder: Path, flush: bool) -> tuple[dict[str, bytes], list[str]]:
        """The tables that are there, by name, and the names of other files; a folder without tables is an error."""
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder")
        names, unknown = sorted_out((entry.name for entry in folder.iterdir()), folder_files())
        files = {}
        for name in names:
            try:
                files[name] = (folder / f"{name}.csv").read_bytes()
            except OSError as error:
                raise CommandError(f"{folder / name}.csv cannot be read: {error}") from error
        if not files:
            raise CommandError(
                f"{folder} has none of the files {', '.join(f'{name}.csv' for name in FILES)}; is it the right folder?"
            )
        missing = [f"{name}.csv" for name in FILES if name not in files]
        if missing:
            former = "removed" if flush else "kept"
            self.stdout.write(f"Not in {folder}: {', '.join(missing)}; rows of former loads are {former}.")
        return files, unknown

    def _print_rows(self, files: TariffFiles) -> None:
        for name, rows in (files.rows | files.others.counts).items():
            self.stdout.write(f"{name + '.csv':22} {rows:>9,} row{'s' if rows != 1 else ''}")

    def _warn(self, warnings: list[Problem], folder: Path) -> None:
        for warning in warnings[:_SHOWN]:
            self.stderr.write(self.style.WARNING(f"warning: {folder}/{warning}"))
        if len(warnings) > _SHOWN:
            self.stderr.write(self.style.WARNING(f"… and {len(warnings) - _SHOWN} more warnings"))
        self.stdout.write(counted(len(warnings), "warning"))

    def _refuse(self, problems: list[Problem], folder: Path) -> None:
        if not problems:
            return
        for problem in problems[:_SHOWN]:
            self.stderr.write(f"{folder}/{problem}")
        if len(problems) > _SHOWN:
            self.stderr.write(f"… and {len(problems) - _SHOWN} more")
        raise CommandError(f"{folder}: {counted(len(problems), 'error')}; nothing was loaded")


def _seconds_since(began: float) -> str:
    return f"{time.monotonic() - began:.1f}"
