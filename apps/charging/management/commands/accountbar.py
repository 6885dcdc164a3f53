"""``accountbar list|bar|lift``: accounts that are barred, by a trigger or by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.charging.models import Account, AccountBar
from apps.charging.services.barring import bar_account, lift_bar
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, NotFound
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand, system_user


class Command(RoomCommand):
    help = (
        "Bar an account: nothing is granted any more, open sessions are ended by their gateways, top-ups still arrive. "
        "Or let it in again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        doing.add_parser("list", help="Accounts that are barred now.")
        bar = doing.add_parser("bar", help="Bar an account.")
        bar.add_argument("account")
        bar.add_argument("--reason", choices=AccountBar.Reason.values, default=AccountBar.Reason.FRAUD)
        bar.add_argument("--note", default="", help="Stands beside the reason.")
        lift = doing.add_parser("lift", help="Let an account in again.")
        lift.add_argument("account")
        lift.add_argument("--note", default="", help="Why; stays in the history.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        if doing == "list":
            bars = AccountBar.objects.filter(account__tenant__code=tenant).select_related("account")
            for bar in bars.order_by("barred_at"):
                note = f", {bar.note}" if bar.note else ""
                self.stdout.write(
                    f"{bar.account} since {bar.barred_at:%Y-%m-%d %H:%M} UTC by {bar.barred_by}: {bar.reason}{note}"
                )
            return
        by = f"command:{system_user()}"
        try:
            account = Account.objects.filter(tenant__code=tenant, number=options["account"]).first()
            if account is None:
                raise NotFound(f"tenant {tenant} has no account “{options['account']}”")
            if doing == "bar":
                bar_account(account, options["reason"], utc_now(), by=by, note=options["note"])
                self.stdout.write(f"{account} is barred.")
            else:
                lift_bar(account, by=by, reason=options["note"])
                self.stdout.write(f"{account} may use services again.")
        except BssError as error:
            raise CommandError(str(error)) from error
