"""``chargingmode ACCOUNT [MODE]``: how an account's usage is charged, where not as usual for its kind."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.charging.domain.modes import ChargingMode
from apps.charging.models import Account
from apps.charging.services.account_modes import set_charging_mode
from apps.kernel.errors import BssError, NotFound
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand

USUAL = "usual"


class Command(RoomCommand):
    help = (
        "How an account's usage is charged: prepaid = in real time alone, records are compared with their sessions; "
        "pseudoprepaid = from the balance by records; postpaid = by the bill; rated = priced only; none = kept only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        parser.add_argument("account", help="Its number.")
        modes = [mode.removeprefix("*") for mode in ChargingMode]
        parser.add_argument("mode", nargs="?", choices=[*modes, USUAL], help="Without it the mode is shown.")

    def handle(self, *args: Any, tenant: str, account: str, mode: str | None, **options: Any) -> None:
        try:
            found = Account.objects.filter(tenant__code=tenant, number=account).first()
            if found is None:
                raise NotFound(f"tenant {tenant} has no account “{account}”")
            if mode is not None:
                found = set_charging_mode(found.pk, "" if mode == USUAL else mode)
        except BssError as error:
            raise CommandError(str(error)) from error
        shown = found.charging_mode or f"as usual for a {found.mode} account"
        self.stdout.write(f"Account {found}: {shown}")
