"""``manage.py restore``: a backup into an empty database, proved by the audit."""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

from apps.backoffice.progress import progress
from apps.charging.services.audit import differences, loose_ends
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand
from bss_project.backup import restore_backup

MOST_LINES = 20


class Command(RoomCommand):
    help = (
        "Bring a backup into an empty database and empty folders, bring its tables up to date, and prove the books. "
        "Nothing is written over: a database with tables, or another file in a place, is refused before it begins."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("backup", type=Path)

    def handle(self, *args: Any, backup: Path, **options: Any) -> None:
        try:
            with progress("files", None, "files") as report:
                manifest = restore_backup(backup, report)
        except (BssError, OSError) as error:
            raise CommandError(f"it was not restored: {error}") from error
        self.stdout.write(f"restored what was at {manifest['made_at']}; now the tables and the books")
        call_command("migrate", verbosity=0, interactive=False)
        if wrong := list(differences()):
            raise CommandError("the books are not right\n" + "\n".join(map(str, wrong)))
        self.stdout.write("the books are right")
        # What went silent while nothing ran is no fault of the backup.
        for line in islice(loose_ends(utc_now()), MOST_LINES):
            self.stdout.write(f"to look at: {line}")
