"""``audit``: prove that every balance, reservation and counter is what its rows add up to."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.backoffice.progress import progress
from apps.charging.services.audit import PROOFS, differences


class Command(BaseCommand):
    help = (
        "Prove for every account: balance = sum of its ledger entries, reserved = what its open sessions hold, free "
        "units used online = sum of their entries. Prints the first difference and ends with 1 if there is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all", dest="every", action="store_true", help="Print every difference, not only the first."
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
        self.stdout.write(
            "the books are right: " + ", ".join(f"{name} ({count} ids)" for name, count in done.items())
        )
