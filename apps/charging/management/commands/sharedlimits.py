"""``sharedlimits set|clear|show``: what members of a shared group may use of the others' balances in a month."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.charging.domain.balances import BalanceKind
from apps.charging.domain.triggers import amount_text
from apps.charging.services.member_limit_settings import clear_member_limit, member_limits, set_member_limit
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, NotFound
from apps.kernel.money import parse_micros
from apps.kernel.units import parse_usage_units
from apps.rating.domain.source import ANY
from apps.rating.models import Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "How much a member of a shared group may use of the other members' balances in a calendar month, by kind of "
        "balance. What its sessions hold counts as used; its own balances do not count."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        giving = doing.add_parser("set", help="Set a limit, or change it.")
        clearing = doing.add_parser("clear", help="Take a limit away.")
        showing = doing.add_parser(
            "show", help="The limits of a group, and what was used of them this month."
        )
        for part in (giving, clearing, showing):
            part.add_argument("group")
        for part in (giving, clearing):
            part.add_argument(
                "account", help=f"The member's number; {ANY} for each that has no limit of its own."
            )
            part.add_argument("kind", choices=[kind.value for kind in BalanceKind])
        giving.add_argument("limit", help="Money such as 5.50, or units such as 3600 or 2h; 0 = nothing.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        try:
            owner = Tenant.objects.filter(code=tenant).first()
            if owner is None:
                raise NotFound(f"there is no tenant “{tenant}”")
            if doing == "show":
                self._show(owner, options["group"])
                return
            number = None if options["account"] == ANY else options["account"]
            kind, where = options["kind"], f"{options['group']}, {options['account']}"
            if doing == "clear":
                clear_member_limit(owner, options["group"], number, kind)
                self.stdout.write(f"{where}: no limit of {kind} any more")
                return
            parse = parse_micros if kind == BalanceKind.MONETARY else parse_usage_units
            limit = set_member_limit(owner, options["group"], number, kind, parse(options["limit"])).limit
            self.stdout.write(f"{where}: {amount_text(limit, kind, owner.currency)} a month")
        except BssError as error:
            raise CommandError(str(error)) from error

    def _show(self, owner: Tenant, group: str) -> None:
        for found in member_limits(owner, group, utc_now()):
            limit = amount_text(found.limit, found.kind, owner.currency)
            if found.used is None:
                self.stdout.write(f"{found.group}, {ANY}: {limit} for each")
            else:
                used = amount_text(found.used, found.kind, owner.currency)
                self.stdout.write(f"{found.group}, {found.account}: {used} of {limit}")
