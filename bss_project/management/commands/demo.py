"""``./run demo``: the main job from tariff to PDF bills, on this machine and without any server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from apps.kernel.errors import BssError
from apps.runtime.supervisor import NotReady
from bss_project.demo.run import run
from bss_project.demo.stages import Size


class Command(BaseCommand):
    help = (
        "Invent an operator with customers and a month of usage, load and rate it, run the bill cycles, render bills. "
        "Started again, it adds missing parts and repeats nothing."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--subscribers", type=int, default=1_000, metavar="N", help="default: %(default)s")
        add("--records", type=int, default=100_000, metavar="N", help="of usage (default: %(default)s)")
        add("--pdfs", type=int, default=100, metavar="N", help="bills to render (default: %(default)s)")

    def handle(self, *args: Any, subscribers: int, records: int, pdfs: int, **options: Any) -> None:
        if subscribers < 1 or records < 1 or pdfs < 0:
            raise CommandError("--subscribers and --records must be at least 1, --pdfs at least 0")
        console = Console(highlight=False, soft_wrap=False)
        if not console.is_terminal:
            # In a file or a log nothing should be folded at 80 columns.
            console.width = 120
        try:
            run(Size(subscribers, records, pdfs), console)
        except (BssError, NotReady) as error:
            raise CommandError(str(error)) from error
