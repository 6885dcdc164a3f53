"""``audit``: prove that every balance, reservation and counter is what its rows add up to, and look for loose ends."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.backoffice.progress import progress
from apps.charging.services.audit import PROOFS, differences, loose_ends
from apps.kernel.clock import utc_now
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Prove for every account: balance = sum of its ledger entries, reserved = what its open sessions hold, free "
        "units used online = sum of their entries. Then look for loose ends: sessions that should have ended, and "
        "requests that ended in an error of ours. Prints the first finding and ends with 1 if there is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all", dest="every", action="store_true", help="Print every finding, not only the first."
        )

    def handle(self, *args: Any, every: bool, **options: Any) -> None:
        done: dict[str, int] = {}
        with progress("proofs", len(PROOFS), "proofs") as report:

            def tell(name: str, ids: int, _: int) -> None:
                done[name] = ids
                report(len(done))

            found = list(islice(differences(tell), None if every else 1))
        if found:
            raise CommandError(
                "the books are not right\n" + "\n".join(str(difference) for difference in found)
            )
        open_ends = list(islice(loose_ends(utc_now()), None if every else 1))
        if open_ends:
            raise CommandError("the books are right, but there is to look at\n" + "\n".join(open_ends))
        self.stdout.write(
            "the books are right: " + ", ".join(f"{name} ({count} ids)" for name, count in done.items())
        )
