"""Count new rows now, rather than at the timer's next tick."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.insight.services.collecting import collect_statistics
from apps.kernel.clock import utc_now
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.STATS
    help = "Adds up usage, top-ups and subscribers by day, as beat does every half minute. Doing it again adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--at-once",
            action="store_true",
            help="Also movements that have not settled yet; only while nothing is being charged.",
        )

    def handle(self, *args: Any, at_once: bool, **options: Any) -> None:
        done = collect_statistics(utc_now(), at_once=at_once)
        self.stdout.write(
            f"{done.files} files, {done.entries} entries of the ledger, {done.days} days of subscribers"
        )
