"""``manage.py recyclecdrs``: rate records in suspense again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.backoffice.progress import progress
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.kernel.money import format_micros
from apps.licensing.domain.licence import Feature
from apps.mediation.models import CdrFile
from apps.mediation.selectors import open_suspense
from apps.mediation.services.suspense import recycle
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.CDR_LOADER
    """The door; recycling itself is ``services/suspense.py``."""

    help = (
        "Rate again the records in suspense, with their corrections, after what they were suspended for is mended. "
        "Without arguments all that are open; each argument narrows them down."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--reason", action="append", metavar="R", help="only of this reason, such as unknown_subscriber")
        add("--file", metavar="NAME", help="only of the file of this name or id")
        add("--id", action="append", type=int, dest="ids", metavar="N", help="only this record of suspense")
        add("--by", default="recyclecdrs", help="who settles them, for the records (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        file = self._file(options["file"]) if options["file"] else None
        ids = list(
            open_suspense(options["reason"], file, options["ids"]).order_by("pk").values_list("pk", flat=True)
        )
        if not ids:
            self.stdout.write("Nothing in suspense matches.")
            return
        try:
            with progress("Recycling", len(ids), "records") as report:
                result = recycle(ids, now=utc_now(), by=options["by"], on_progress=report)
        except BssError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{len(ids):,} records: {result.rated:,} rated ({format_micros(result.cost_micros, 2)}), "
            f"{result.duplicates:,} duplicates, {result.refused:,} still in suspense"
        )
        for reason, count in sorted(result.reasons.items(), key=lambda item: -item[1]):
            self.stdout.write(f"  {reason}: {count:,}")

    def _file(self, name: str) -> CdrFile:
        found = CdrFile.objects.filter(name=name).order_by("-pk").first()
        if found is None and name.isdigit():
            found = CdrFile.objects.filter(pk=int(name)).first()
        if found is None:
            raise CommandError(f"there is no file “{name}”")
        return found
