"""``cancelbill BILL --reason TEXT [--again]``: take a bill back by a credit note, and issue it again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.billing.selectors.lookups import bill_id_of
from apps.billing.services.cancelling import cancel_bill
from apps.kernel.clock import utc_now
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand, system_user


class Command(RoomCommand):
    feature = Feature.BILLING
    help = (
        "Cancel a bill by a credit note with a number and a document of its own. Its usage and charges are billable "
        "again; payments are taken off the next bill."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bill", help="The bill's id or its printed number.")
        parser.add_argument("--reason", required=True, help="Why; kept with the credit note.")
        parser.add_argument("--again", action="store_true", help="Issue the bill again at once.")

    def handle(self, *args: Any, bill: str, reason: str, again: bool, **options: Any) -> None:
        try:
            done = cancel_bill(bill_id_of(bill), reason, utc_now(), by=system_user(), again=again)
        except BssError as error:
            raise CommandError(str(error)) from error
        for made in (done.credit_note, done.successor):
            if made is not None:
                self.stdout.write(f"{made}: {format_money(made.total_micros, made.currency)}")
