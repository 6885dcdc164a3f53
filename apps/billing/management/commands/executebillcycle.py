"""``executebillcycle N``: queue a full bill run (µBSS: ExecuteBillCycle), or show what it would bill."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing.domain.activities import parse_month
from apps.billing.management.activity_watch import HINT, wait_for
from apps.billing.management.preview_output import bill_text
from apps.billing.models import Activity
from apps.billing.selectors.lookups import closed_period, cycle_by_number
from apps.billing.selectors.preview import preview_cycle
from apps.billing.services.activities import queue_activity
from apps.kernel.clock import utc_now
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError
from apps.kernel.words import counted
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.BILLING
    help = "Bill every account of a cycle for a closed period, on the cycle's own queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cycle", help="Number of the bill cycle.")
        parser.add_argument(
            "--month", default="", help="Month in which the period begins (default: the last closed)."
        )
        parser.add_argument("--year", default="", help="Its year.")
        parser.add_argument(
            "--wait", action="store_true", help="Wait for the workers and show how far they are."
        )
        parser.add_argument("--preview", action="store_true", help="Show every bill and write none.")

    def handle(
        self, *args: Any, cycle: str, month: str, year: str, wait: bool, preview: bool, **options: Any
    ) -> None:
        try:
            if preview:
                self._preview(cycle, month, year)
                return
            activity = queue_activity(
                Activity.Type.FULL_BILLRUN, cycle, month, year, now=utc_now(), queued_by="executebillcycle"
            )
        except BssError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"queued activity {activity.pk}: {activity}, period of {activity.parameters.month}, "
            f"on {activity.cycle.queue}{'' if wait else HINT}"
        )
        if wait and not wait_for([activity], self.stdout):
            raise CommandError("not everything was billed")

    def _preview(self, number: str, month: str, year: str) -> None:
        cycle = cycle_by_number(number)
        period = closed_period(cycle, parse_month(month, year), utc_now())
        bills = problems = total = 0
        for bill in preview_cycle(cycle, period):
            for text in bill_text(bill, cycle.zone):
                self.stdout.write(text)
            bills += not bill.problem
            problems += bool(bill.problem)
            total += bill.total_micros
        self.stdout.write(
            f"{counted(bills, 'bill')}, {format_money(total, cycle.currency)}; nothing was written"
            + (f"; {counted(problems, 'account')} cannot be billed" if problems else "")
        )
