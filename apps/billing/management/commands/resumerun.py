"""``resumerun RUN``: resume a stopped, failed or completed bill run for accounts that are not billed yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing.selectors.runs import run_progress
from apps.billing.services.runs import resume_run
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.BILLING
    help = "Take a bill run up again: chunks that are left or failed, and accounts that have joined since."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, help="Its number, as activities lists it.")

    def handle(self, *args: Any, run: int, **options: Any) -> None:
        try:
            resume_run(run, "resumerun", utc_now())
            progress = run_progress(run)
        except BssError as error:
            raise CommandError(str(error)) from error
        left = progress.chunks - progress.chunks_done
        self.stdout.write(
            f"run {run} goes on; {left} chunks are left" if left else f"run {run} has nothing left to bill"
        )
