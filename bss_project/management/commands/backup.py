"""``manage.py backup``: the database, documents and keys of an installation, while it runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.backoffice.progress import progress
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand
from bss_project.backup import make_backup, read_manifest


class Command(RoomCommand):
    help = (
        "Back up the database, the documents of bills and the keys into a new folder, while everything runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="where the backup's own folder is made")
        parser.add_argument(
            "--check", action="store_true", help="FOLDER is a backup: look whether it is whole"
        )

    def handle(self, *args: Any, folder: Path, check: bool, **options: Any) -> None:
        try:
            if check:
                manifest = read_manifest(folder)
                self.stdout.write(f"whole: {len(manifest['files'])} files, made at {manifest['made_at']}")
                return
            with progress("documents", None, "documents") as report:
                made = make_backup(folder, utc_now(), report)
        except (BssError, OSError) as error:
            raise CommandError(f"no backup was made: {error}" if not check else str(error)) from error
        self.stdout.write(f"backed up into {made}; keep it as safe as the keys in it")
