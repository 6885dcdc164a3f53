"""``stoprun RUN``: begin no further chunk of a bill run."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing.selectors.runs import run_progress
from apps.billing.services.runs import stop_run
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = "Stop a bill run: chunks in progress are finished, no other begins until it is resumed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, help="Its number, as activities lists it.")

    def handle(self, *args: Any, run: int, **options: Any) -> None:
        try:
            stop_run(run, "stoprun", utc_now())
            progress = run_progress(run)
        except BssError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"run {run} is stopped at {progress.accounts_done} of {progress.accounts} accounts; "
            f"“resumerun {run}” takes it up again"
        )
