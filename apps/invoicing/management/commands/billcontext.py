"""``manage.py billcontext``: the context that a template gets for a bill, for authors of templates."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.billing.selectors.lookups import bill_id_of
from apps.invoicing.domain.context_builder import build_context
from apps.invoicing.selectors.bill_data import Batch
from apps.invoicing.services.documents import bill_html, style_sheet
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    """The door: prints; changes nothing."""

    help = (
        "Print the context of a bill's template as JSON (documented in apps/invoicing/domain/context.py), or with "
        "--html the document itself with its style, for a browser. Nothing is written or changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bill", metavar="ID", help="a bill's id or its printed number")
        parser.add_argument("--html", action="store_true", help="the document instead of the context")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bill_id = bill_id_of(options["bill"])
            batch = Batch([bill_id])
            context = build_context(batch.bill_data(bill_id), batch.history(bill_id))
        except BssError as error:
            raise CommandError(str(error)) from error
        if options["html"]:
            style = f"<style>\n{style_sheet()}</style>\n</head>"
            self.stdout.write(bill_html(context).replace("</head>", style, 1))
        else:
            self.stdout.write(json.dumps(context, ensure_ascii=False, indent=2))
