"""``executebilling MSISDN…``: bill single accounts now (µBSS: ExecuteBilling), or show what they would be billed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing.domain.activities import parse_month, parse_msisdn
from apps.billing.management.activity_watch import HINT, wait_for
from apps.billing.management.preview_output import bill_text
from apps.billing.models import Activity
from apps.billing.selectors.lookups import account_of_msisdn, cycle_of_account
from apps.billing.selectors.preview import preview_account
from apps.billing.services.activities import queue_activity
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.BILLING
    help = "Bill the accounts that pay for these MSISDNs for a closed period, each on its cycle's queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("msisdn", nargs="+", metavar="MSISDN")
        parser.add_argument(
            "--month", default="", help="Month in which the period begins (default: the last closed)."
        )
        parser.add_argument("--year", default="", help="Its year.")
        parser.add_argument("--wait", action="store_true", help="Wait for the workers.")
        parser.add_argument(
            "--preview",
            action="store_true",
            help="Show the next bill and write none; without --month, of the running period if the last is billed.",
        )

    def handle(
        self, *args: Any, msisdn: list[str], month: str, year: str, wait: bool, preview: bool, **options: Any
    ) -> None:
        queued: list[Activity] = []
        refused = 0
        for number in msisdn:
            try:
                if preview:
                    self._preview(number, month, year)
                    continue
                activity = queue_activity(
                    Activity.Type.SINGLE_BILLING,
                    number,
                    month,
                    year,
                    now=utc_now(),
                    queued_by="executebilling",
                )
            except BssError as error:
                self.stderr.write(f"{number}: {error}")
                refused += 1
                continue
            queued.append(activity)
            self.stdout.write(
                f"queued activity {activity.pk}: {activity}, on {activity.cycle.queue}{'' if wait else HINT}"
            )
        succeeded = wait_for(queued, self.stdout) if wait and queued else True
        if refused or not succeeded:
            raise CommandError("not everything was billed" if not preview else "not everything can be shown")

    def _preview(self, number: str, month: str, year: str) -> None:
        now = utc_now()
        account = account_of_msisdn(parse_msisdn(number), now)
        zone = cycle_of_account(account).zone
        for text in bill_text(preview_account(account.pk, now, parse_month(month, year)), zone):
            self.stdout.write(text)
