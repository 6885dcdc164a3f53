"""``owedonline [CYCLE…]``: what the next bills take over of postpaid balances, before they do."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing.domain.periods import last_closed_period
from apps.billing.models import BillCycle
from apps.billing.selectors.charged_online import owed_in_cycle
from apps.billing.selectors.lookups import cycle_by_number
from apps.kernel.clock import utc_now
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "List what postpaid accounts owe on their balances at the end of the last closed period, which the next bill "
        "takes over. Adjust debts that were collected otherwise before that, above all before the first run after an "
        "upgrade. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cycle", nargs="*", help="Numbers of bill cycles (default: all).")

    def handle(self, *args: Any, cycle: list[str], **options: Any) -> None:
        try:
            cycles = [cycle_by_number(number) for number in cycle]
        except BssError as error:
            raise CommandError(str(error)) from error
        for one in cycles or BillCycle.objects.filter(retired_at=None):
            self._list(one)

    def _list(self, cycle: BillCycle) -> None:
        until = last_closed_period(utc_now(), cycle.day, cycle.zone).end
        rows = owed_in_cycle(cycle, until)
        for row in rows:
            before = f"last taken over {row.last:%Y-%m-%d}" if row.last else "never taken over before"
            self.stdout.write(
                f"  {row.account.number:<24} {format_money(row.owed_micros, cycle.currency):>20}  {before}"
            )
        total = format_money(sum(row.owed_micros for row in rows), cycle.currency)
        ends = until.astimezone(cycle.zone)
        self.stdout.write(f"{cycle}: {len(rows)} accounts owe {total} at {ends:%Y-%m-%d}")
