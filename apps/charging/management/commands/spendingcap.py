"""``spendingcap set|clear|show``: what an account may use in a month, in money."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.charging.domain.triggers import amount_text
from apps.charging.models import Account
from apps.charging.services.spending_caps import SpendingCap, cap_of, clear_cap, set_cap
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, NotFound
from apps.kernel.money import parse_micros
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "The spending cap of an account: the customer is told at 80 and at 100 per cent of it; then nothing more is "
        "granted until the calendar month is over, or the cap is raised or cleared."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        giving = doing.add_parser("set", help="Give an account a cap, or change it.")
        clearing = doing.add_parser("clear", help="Take the cap of an account, and the bar that it set.")
        showing = doing.add_parser("show", help="The cap of an account, and what was used of it this month.")
        for part in (giving, clearing, showing):
            part.add_argument("account")
        giving.add_argument("limit", help="Money, such as 50 or 49.90.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        try:
            account = (
                Account.objects.filter(tenant__code=tenant, number=options["account"])
                .select_related("tenant")
                .first()
            )
            if account is None:
                raise NotFound(f"tenant {tenant} has no account “{options['account']}”")
            now = utc_now()
            if doing == "set":
                said = _said(account, set_cap(account, parse_micros(options["limit"]), now))
            elif doing == "clear":
                clear_cap(account, now)
                said = "no spending cap any more"
            else:
                cap = cap_of(account, now)
                said = "no spending cap" if cap is None else _said(account, cap)
        except BssError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{account}: {said}")


def _said(account: Account, cap: SpendingCap) -> str:
    spent, limit = (
        amount_text(amount, "monetary", account.currency) for amount in (cap.spent_micros, cap.limit_micros)
    )
    return f"{spent} of {limit} a month{', barred' if cap.is_barred else ''}"
