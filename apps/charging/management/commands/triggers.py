"""``triggers list|add|on|off|firings``: actions when an account's money falls, rises or is spent too fast."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.charging.domain.triggers import TriggerAction, TriggerKind, sentence
from apps.charging.models import DEFAULT_BALANCE, Account, BalanceTrigger, TriggerFiring
from apps.charging.services.trigger_settings import make_trigger, switch_trigger
from apps.kernel.errors import BssError, NotFound
from apps.kernel.money import format_micros, parse_micros
from apps.rating.models import PricePlan, Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand

WINDOWS = {"hour": 3_600, "day": 86_400}


class Command(RoomCommand):
    help = (
        "Watch the money of accounts: tell staff, re-authorise open sessions (RAR), or bar the account and end its "
        "sessions (ASR). For all accounts of the tenant, those on a price plan, or one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        doing.add_parser("list", help="Every trigger of the tenant.")
        add = doing.add_parser("add", help="A new trigger, switched on.")
        add.add_argument("name")
        watched = add.add_mutually_exclusive_group(required=True)
        watched.add_argument("--below", metavar="AMOUNT", help="The balance falls below it.")
        watched.add_argument("--above", metavar="AMOUNT", help="The balance rises above it.")
        watched.add_argument("--spent", metavar="AMOUNT", help="More than it is spent in real time.")
        add.add_argument("--within", choices=list(WINDOWS), help="Of --spent: the rolling window.")
        add.add_argument("--action", choices=[action.value for action in TriggerAction], default="notify")
        add.add_argument("--currency", default="", help="Of the accounts; the tenant's unless given.")
        add.add_argument("--balance", default=DEFAULT_BALANCE, help="Which balance is watched.")
        add.add_argument("--plan", help="Only accounts that pay for a subscriber with this price plan.")
        add.add_argument("--account", help="Only this account.")
        add.add_argument("--quiet", action="store_true", help="Leave no notification.")
        for name in ("on", "off"):
            doing.add_parser(name, help=f"Switch a trigger {name}.").add_argument("name")
        firings = doing.add_parser("firings", help="What fired, the newest last.")
        firings.add_argument("--account", help="On this account only.")
        firings.add_argument("--last", type=int, default=50, help="At most so many.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        try:
            owner = Tenant.objects.filter(code=tenant).first()
            if owner is None:
                raise NotFound(f"there is no tenant “{tenant}”")
            if doing == "add":
                self._show(self._add(owner, options))
            elif doing in ("on", "off"):
                self._show(switch_trigger(owner, options["name"], enabled=doing == "on"))
            elif doing == "firings":
                self._firings(owner, options["account"], options["last"])
            else:
                found = BalanceTrigger.objects.filter(tenant=owner).select_related("account", "price_plan")
                for trigger in found:
                    self._show(trigger)
                if not found:
                    self.stdout.write("There are no triggers; “triggers add --help” says how to make one.")
        except BssError as error:
            raise CommandError(str(error)) from error

    @staticmethod
    def _add(owner: Tenant, options: dict[str, Any]) -> BalanceTrigger:
        kind = next(kind for kind in TriggerKind if options[kind.value] is not None)
        plan = account = None
        if options["plan"]:
            plan = PricePlan.objects.filter(tenant=owner, code=options["plan"]).first()
            if plan is None:
                raise NotFound(f"tenant {owner.code} has no price plan “{options['plan']}”")
        if options["account"]:
            account = _account(owner, options["account"])
        return make_trigger(
            owner,
            options["name"],
            kind.value,
            parse_micros(options[kind.value]),
            action=options["action"],
            currency=options["currency"],
            balance_tag=options["balance"],
            window_s=WINDOWS[options["within"]] if options["within"] else None,
            price_plan=plan,
            account=account,
            notify=not options["quiet"],
        )

    def _show(self, trigger: BalanceTrigger) -> None:
        amount = f"{format_micros(trigger.threshold_micros, 2)} {trigger.currency}"
        if trigger.kind == TriggerKind.SPENT:
            watched = f"spent more than {amount} within {trigger.get_window_s_display().lower()}"
        else:
            watched = f"{trigger.balance_tag} {trigger.kind} {amount}"
        whom = "all accounts"
        if trigger.account is not None:
            whom = f"account {trigger.account}"
        elif trigger.price_plan is not None:
            whom = f"accounts on {trigger.price_plan.code}"
        told = "" if trigger.notify else ", quietly"
        state = "on" if trigger.enabled else "off"
        self.stdout.write(f"{trigger.name} ({state}): {whom}, {watched} → {trigger.action}{told}")

    def _firings(self, owner: Tenant, number: str | None, last: int) -> None:
        rows = TriggerFiring.objects.filter(account__tenant=owner).select_related("trigger", "account")
        if number:
            rows = rows.filter(account=_account(owner, number))
        for firing in reversed(rows.order_by("-pk")[: max(last, 0)]):
            happened = sentence(
                firing.kind,
                firing.threshold_micros,
                firing.value_micros,
                firing.account.currency,
                firing.trigger.balance_tag,
                firing.trigger.window_s,
            )
            self.stdout.write(
                f"{firing.at:%Y-%m-%d %H:%M:%S} UTC {firing.account}: {happened} → {firing.action}"
                f" ({firing.trigger}, {firing.cause})"
            )


def _account(owner: Tenant, number: str) -> Account:
    found = Account.objects.filter(tenant=owner, number=number).first()
    if found is None:
        raise NotFound(f"tenant {owner.code} has no account “{number}”")
    return found
