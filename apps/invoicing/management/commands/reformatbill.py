"""``manage.py reformatbill``: issue documents of bills again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.billing.selectors.lookups import bill_id_of
from apps.invoicing.selectors.documents import current_document
from apps.invoicing.services.claims import Choice
from apps.invoicing.services.document_files import path_of
from apps.invoicing.services.reissues import request_reissue
from apps.invoicing.services.workers import format_bills
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand, system_user


class Command(RoomCommand):
    feature = Feature.BILL_FMT
    """The door: which bills and why. A request that is not finished here is finished by beat."""

    help = (
        "Issue the document of one or more bills again: a new revision takes the file's name, the former one is kept "
        "beside it. Also tries a bill again that was given up. Exit status: 0 all well, 1 a bill could not be "
        "rendered, 2 there is no such bill."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bills", nargs="+", metavar="ID", help="a bill's id or its printed number")
        parser.add_argument("--reason", default="", help="why; kept with the document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ids = [bill_id_of(text) for text in options["bills"]]
            request_reissue(ids, options["reason"], system_user(), utc_now())
        except BssError as error:
            raise CommandError(str(error), returncode=2) from error
        failed: dict[int, str] = {}
        written: set[int] = set()
        try:
            for outcome in format_bills(utc_now, choice=Choice(bill_ids=ids)):
                written.update(outcome.written)
                failed.update(outcome.failed)
        except BssError as error:
            raise CommandError(f"{error} (the request is kept)") from error
        for pk in dict.fromkeys(ids):
            document = current_document(pk)
            if pk in failed:
                self.stderr.write(f"bill {pk}: {failed[pk]}")
            elif pk in written and document is not None:
                self.stdout.write(f"bill {pk}: revision {document.revision}, {path_of(document.path)}")
            else:
                self.stdout.write(f"bill {pk}: another process has it in hand")
        if failed:
            raise SystemExit(1)
