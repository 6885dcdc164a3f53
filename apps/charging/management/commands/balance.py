"""``balance show|topup|adjust|transfer|terms``: look at an account's balances and move them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.core.management.base import CommandError, CommandParser

from apps.charging.domain.balances import BalanceKind
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerBook
from apps.charging.services import operations
from apps.kernel.clock import utc_now
from apps.kernel.currencies import decimals_of, format_money
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.kernel.money import format_micros, parse_micros
from apps.kernel.periods import as_utc
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand

BOOKS = [book.value for book in (LedgerBook.Code.CASH, LedgerBook.Code.PROMOTION, LedgerBook.Code.CORRECTION)]


class Command(RoomCommand):
    help = (
        "Show an account's balances, top one up, correct one, transfer between accounts, or change a balance's terms. "
        "Amounts are money such as 12.50, or whole units for --kind voice (seconds), data (octets), sms, generic."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        show = doing.add_parser("show", help="Every balance of an account.")
        show.add_argument("account")
        for name, does in (
            ("topup", "Add to a balance, which is made if it has to be."),
            ("adjust", "Correct a balance, up or down."),
            ("transfer", "Move to another account."),
        ):
            order = doing.add_parser(name, help=does)
            order.add_argument("account")
            if name == "transfer":
                order.add_argument("to_account")
                order.add_argument("--to-tag", default=DEFAULT_BALANCE)
            else:
                order.add_argument("--book", choices=BOOKS, default=BOOKS[0 if name == "topup" else 2])
            order.add_argument("amount")
            order.add_argument("--tag", default=DEFAULT_BALANCE)
            order.add_argument("--kind", choices=[kind.value for kind in BalanceKind], default="monetary")
            order.add_argument("--note", default="", help="Stands in the ledger and on the statement.")
            order.add_argument("--key", help="Names this order: repeated under it, it is carried out once.")
            if name == "topup":
                order.add_argument("--expires", help="An instant such as 2027-01-31T00:00:00Z.")
                order.add_argument(
                    "--weight", type=int, default=0, help="Of a new balance; the highest goes first."
                )
            if name == "adjust":
                order.add_argument("--may-overdraw", action="store_true", help="Even below zero.")
        terms = doing.add_parser("terms", help=f"NAME=VALUE of: {', '.join(sorted(operations.TERMS))}.")
        terms.add_argument("account")
        terms.add_argument("tag")
        terms.add_argument("terms", nargs="+", metavar="NAME=VALUE")

    def handle(self, *args: Any, doing: str, tenant: str, account: str, **options: Any) -> None:
        try:
            owner = self._account(tenant, account)
            if doing == "show":
                self._show(owner)
            elif doing == "terms":
                self._set_terms(owner, options["tag"], options["terms"])
            else:
                self._order(doing, tenant, owner, options)
        except BssError as error:
            raise CommandError(str(error)) from error

    def _order(self, doing: str, tenant: str, owner: Account, options: dict[str, Any]) -> None:
        kind, tag = options["kind"], options["tag"]
        amount = _amount(options["amount"], kind)
        common = {"key": options["key"] or uuid4().hex, "tag": tag, "kind": kind, "note": options["note"]}
        now = utc_now()
        if doing == "topup":
            operations.top_up(
                owner,
                amount,
                now,
                book=options["book"],
                expires_at=_instant(options["expires"]),
                weight=options["weight"],
                **common,
            )
        elif doing == "adjust":
            operations.adjust(
                owner, amount, now, book=options["book"], may_overdraw=options["may_overdraw"], **common
            )
        else:
            other = self._account(tenant, options["to_account"])
            operations.transfer(owner, other, amount, now, to_tag=options["to_tag"], **common)
        self._show(owner)

    def _show(self, owner: Account) -> None:
        balances = list(Balance.objects.filter(account=owner).order_by("pk"))
        if not balances:
            self.stdout.write(f"{owner.number} has no balance yet ({owner.mode})")
        for balance in balances:
            if balance.kind == Balance.Kind.MONETARY:
                held = format_money(balance.amount_micros, owner.currency)
                reserved = format_micros(balance.reserved_micros, decimals_of(owner.currency))
            else:
                held, reserved = (
                    f"{balance.units_text} {balance.get_kind_display()}",
                    str(balance.reserved_units),
                )
            until = f", expires {balance.expires_at:%Y-%m-%d %H:%M} UTC" if balance.expires_at else ""
            self.stdout.write(f"{owner.number} {balance.tag}: {held}, {reserved} of it reserved{until}")

    def _set_terms(self, owner: Account, tag: str, texts: list[str]) -> None:
        balance = Balance.objects.filter(account=owner, tag=tag).first()
        if balance is None:
            raise NotFound(f"account {owner.number} has no balance “{tag}”; balance show lists what it has")
        operations.set_terms(balance.pk, **dict(_term(text) for text in texts))
        self._show(owner)

    @staticmethod
    def _account(tenant: str, number: str) -> Account:
        found = Account.objects.filter(tenant__code=tenant, number=number).first()
        if found is None:
            raise NotFound(f"tenant {tenant} has no account “{number}”")
        return found


def _amount(text: str, kind: str) -> int:
    if kind == BalanceKind.MONETARY:
        return parse_micros(text)
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"“{text}” is not a whole number of units") from None


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidInput(f"“{text}” is not an instant; write it like 2027-01-31T00:00:00Z") from None


def _term(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"“{text}” is not a term; write it like weight=10")
    if name in ("disabled", "blocker"):
        if value not in ("yes", "no"):
            raise InvalidInput(f"{name} is yes or no, not “{value}”")
        return name, value == "yes"
    if name in ("active_from", "expires_at"):
        return name, _instant(value)
    if name == "weight":
        return name, _amount(value, "units")
    return name, value
