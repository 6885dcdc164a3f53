"""``triggers list|add|on|off|reset|assign|counters|firings``: actions when balances or usage reach a threshold."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.charging.domain.balances import BalanceKind
from apps.charging.domain.triggers import TriggerAction, TriggerKind, amount_text
from apps.charging.models import (
    Account,
    BalanceTrigger,
    TriggerFiring,
    TriggerSet,
    TriggerState,
)
from apps.charging.services.trigger_settings import (
    assign_trigger_set,
    make_trigger,
    reset_trigger,
    switch_trigger,
)
from apps.kernel.errors import BssError, NotFound
from apps.kernel.money import parse_micros
from apps.kernel.units import parse_usage_units
from apps.rating.models import PricePlan, Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand

WINDOWS = {"hour": 3_600, "day": 86_400}
_KINDS = {
    TriggerKind.BELOW: "The balance falls below it.",
    TriggerKind.ABOVE: "The balance rises above it.",
    TriggerKind.SPENT: "More than it is spent in real time.",
    TriggerKind.MIN_BALANCE: "A balance is at or below it.",
    TriggerKind.MAX_BALANCE: "A balance is at or above it.",
    TriggerKind.MIN_EVENT_COUNTER: "Usage so far comes to it at most.",
    TriggerKind.MAX_EVENT_COUNTER: "Usage so far comes to it at least.",
    TriggerKind.MIN_BALANCE_COUNTER: "Usage took it off the balances at most.",
    TriggerKind.MAX_BALANCE_COUNTER: "Usage took it off the balances at least.",
}


class Command(RoomCommand):
    help = (
        "Watch the balances and the usage of accounts: tell staff, re-authorise open sessions (RAR), bar the account "
        "and end its sessions (ASR), or carry out a group of actions. For all accounts of the tenant, those on a price "
        "plan, those that have a set of triggers, or one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        doing.add_parser("list", help="Every trigger of the tenant.")
        self._add_add(doing.add_parser("add", help="A new trigger, switched on."))
        for name in ("on", "off"):
            doing.add_parser(name, help=f"Switch a trigger {name}.").add_argument("name")
        reset = doing.add_parser("reset", help="Let a trigger begin at zero and fire again.")
        reset.add_argument("name")
        reset.add_argument("--account", help="For this account only.")
        assign = doing.add_parser("assign", help="Give accounts a set of triggers instead of another.")
        assign.add_argument("set", help="The set's code; “-” takes the sets of the accounts away.")
        assign.add_argument("accounts", nargs="+", help="The accounts' numbers.")
        doing.add_parser("counters", help="What triggers counted of an account.").add_argument("account")
        firings = doing.add_parser("firings", help="What fired, the newest last.")
        firings.add_argument("--account", help="On this account only.")
        firings.add_argument("--last", type=int, default=50, help="At most so many.")

    @staticmethod
    def _add_add(add: CommandParser) -> None:
        add.add_argument("name")
        watched = add.add_mutually_exclusive_group(required=True)
        for kind, text in _KINDS.items():
            option = f"--{kind.replace('_', '-')}"
            watched.add_argument(
                option, metavar="AMOUNT", help=f"{text} Money, or units such as 90 or 1m30s."
            )
        watched.add_argument(
            "--balance-expired", action="store_const", const="0", help="A balance has expired."
        )
        add.add_argument(
            "--of", choices=[kind.value for kind in BalanceKind], default="monetary", help="What is watched."
        )
        add.add_argument("--within", choices=list(WINDOWS), help="Of --spent: the rolling window.")
        add.add_argument("--action", choices=[action.value for action in TriggerAction], default="notify")
        add.add_argument("--actions", default="", help="The id of a group of actions to carry out as well.")
        add.add_argument("--currency", default="", help="Of the accounts; the tenant's unless given.")
        add.add_argument("--balance", help="Which balance is watched; “*any” for all.")
        add.add_argument(
            "--destinations", default="", help="Only usage to, or balances for, these ids; split by “;”."
        )
        add.add_argument(
            "--categories", default="", help="Only usage of, or balances for, these; split by “;”."
        )
        add.add_argument("--monthly", action="store_true", help="Counters: begin at zero each month.")
        add.add_argument(
            "--recurrent", action="store_true", help="Fire each time, not once until it is reset."
        )
        add.add_argument(
            "--sleep", type=int, default=0, metavar="SECONDS", help="Of --recurrent: at least so long."
        )
        add.add_argument("--set", help="Only accounts that have this set of triggers; it is made if need be.")
        add.add_argument("--plan", help="Only accounts that pay for a subscriber with this price plan.")
        add.add_argument("--account", help="Only this account.")
        add.add_argument("--quiet", action="store_true", help="Leave no notification.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        try:
            owner = Tenant.objects.filter(code=tenant).first()
            if owner is None:
                raise NotFound(f"there is no tenant “{tenant}”")
            getattr(self, f"_{doing}")(owner, options)
        except BssError as error:
            raise CommandError(str(error)) from error

    def _list(self, owner: Tenant, options: dict[str, Any]) -> None:
        found = BalanceTrigger.objects.filter(tenant=owner)
        for trigger in found.select_related("account", "price_plan", "trigger_set"):
            self._show(trigger)
        if not found:
            self.stdout.write("There are no triggers; “triggers add --help” says how to make one.")

    def _add(self, owner: Tenant, options: dict[str, Any]) -> None:
        kind = next(kind for kind in TriggerKind if options[kind.value] is not None)
        money = options["of"] == BalanceKind.MONETARY
        text = options[kind.value]
        plan = account = chosen = None
        if options["plan"]:
            plan = PricePlan.objects.filter(tenant=owner, code=options["plan"]).first()
            if plan is None:
                raise NotFound(f"tenant {owner.code} has no price plan “{options['plan']}”")
        if options["account"]:
            account = _account(owner, options["account"])
        if options["set"]:
            chosen, _ = TriggerSet.objects.get_or_create(tenant=owner, code=options["set"])
        self._show(
            make_trigger(
                owner,
                options["name"],
                kind.value,
                threshold_micros=parse_micros(text) if money else 0,
                threshold_units=0 if money else parse_usage_units(text),
                balance_kind=options["of"],
                balance_tag="" if options["balance"] == "*any" else options["balance"],
                destinations=options["destinations"],
                categories=options["categories"],
                action=options["action"],
                actions=options["actions"],
                currency=options["currency"],
                window_s=WINDOWS[options["within"]] if options["within"] else None,
                monthly=options["monthly"],
                recurrent=options["recurrent"],
                min_sleep_s=options["sleep"],
                price_plan=plan,
                account=account,
                trigger_set=chosen,
                notify=not options["quiet"],
            )
        )

    def _on(self, owner: Tenant, options: dict[str, Any]) -> None:
        self._show(switch_trigger(owner, options["name"], enabled=True))

    def _off(self, owner: Tenant, options: dict[str, Any]) -> None:
        self._show(switch_trigger(owner, options["name"], enabled=False))

    def _reset(self, owner: Tenant, options: dict[str, Any]) -> None:
        trigger = BalanceTrigger.objects.filter(tenant=owner, name=options["name"]).first()
        if trigger is None:
            raise NotFound(
                f"tenant {owner.code} has no trigger “{options['name']}”; triggers list names them"
            )
        account = _account(owner, options["account"]) if options["account"] else None
        count = reset_trigger(owner, trigger.pk, account=account)
        self.stdout.write(f"{trigger} begins at zero for {count} account{'' if count == 1 else 's'}")

    def _assign(self, owner: Tenant, options: dict[str, Any]) -> None:
        code = None if options["set"] == "-" else options["set"]
        assign_trigger_set(owner, options["accounts"], code)
        self.stdout.write(f"{', '.join(options['accounts'])}: {code or 'no set of triggers'}")

    def _counters(self, owner: Tenant, options: dict[str, Any]) -> None:
        account = _account(owner, options["account"])
        states = (
            TriggerState.objects.filter(account=account).select_related("trigger").order_by("trigger__name")
        )
        if not states:
            self.stdout.write(f"No trigger has counted anything of account {account} yet.")
        for state in states:
            trigger = state.trigger
            counted = amount_text(state.counted, trigger.balance_kind, account.currency)
            limit = amount_text(trigger.threshold, trigger.balance_kind, account.currency)
            fired = f", fired {state.last_fired_at:%Y-%m-%d %H:%M:%S} UTC" if state.last_fired_at else ""
            self.stdout.write(f"{trigger} ({trigger.kind}): {counted} of {limit}{fired}")

    def _show(self, trigger: BalanceTrigger) -> None:
        amount = amount_text(trigger.threshold, trigger.balance_kind, trigger.currency)
        if trigger.kind == TriggerKind.SPENT:
            watched = f"spent more than {amount} within {trigger.get_window_s_display().lower()}"
        elif trigger.kind == TriggerKind.BALANCE_EXPIRED:
            watched = f"{trigger.balance_tag or 'a balance'} expired"
        else:
            watched = (
                f"{trigger.balance_tag or trigger.balance_kind} {trigger.kind.replace('_', ' ')} {amount}"
            )
        whom = "all accounts"
        if trigger.account is not None:
            whom = f"account {trigger.account}"
        elif trigger.price_plan is not None:
            whom = f"accounts on {trigger.price_plan.code}"
        elif trigger.trigger_set is not None:
            whom = f"accounts with {trigger.trigger_set}"
        then = " and ".join(part for part in (trigger.action, trigger.actions) if part)
        told = "" if trigger.notify else ", quietly"
        state = "on" if trigger.enabled else "off"
        self.stdout.write(f"{trigger.name} ({state}): {whom}, {watched} → {then}{told}")

    def _firings(self, owner: Tenant, options: dict[str, Any]) -> None:
        rows = TriggerFiring.objects.filter(account__tenant=owner).select_related("trigger", "account")
        if options["account"]:
            rows = rows.filter(account=_account(owner, options["account"]))
        if not rows.exists():
            self.stdout.write("No trigger has fired.")
        for firing in reversed(rows.order_by("-pk")[: max(options["last"], 0)]):
            then = " and ".join(part for part in (firing.action, firing.actions) if part)
            self.stdout.write(
                f"{firing.at:%Y-%m-%d %H:%M:%S} UTC {firing.account}: {firing.sentence} → {then}"
                f" ({firing.trigger}, {firing.cause})"
            )


def _account(owner: Tenant, number: str) -> Account:
    found = Account.objects.filter(tenant=owner, number=number).first()
    if found is None:
        raise NotFound(f"tenant {owner.code} has no account “{number}”")
    return found
