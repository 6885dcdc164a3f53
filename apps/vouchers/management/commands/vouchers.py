"""``vouchers generate|list|activate|block|unblock|extend|void|locks|unlock|keys|new-key|open``."""

from __future__ import annotations

import getpass
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management.base import CommandError, CommandParser

from apps.backoffice.progress import progress
from apps.charging.domain.balances import BalanceKind
from apps.charging.models import LedgerBook
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.kernel.money import parse_micros
from apps.kernel.periods import as_utc
from apps.rating.models import Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand
from apps.vouchers.domain.vouchers import VoucherAction, VoucherStatus
from apps.vouchers.models import RedemptionGuard, Voucher
from apps.vouchers.selectors import VoucherFilter, select_vouchers
from apps.vouchers.services.batches import NewBatch
from apps.vouchers.services.changes import change_vouchers
from apps.vouchers.services.export import generate_sealed
from apps.vouchers.services.guards import lift_lock
from apps.vouchers.services.keys import add_key, key_ring
from apps.vouchers.services.sealing import open_with_passphrase

BY = "manage.py"
ROWS_A_READ = 1_000


class Command(RoomCommand):
    help = (
        "Generate vouchers into a sealed file, look at them, block or extend them, and lift locks after wrong PINs. "
        "PINs are kept nowhere: the sealed file (age-encryption.org) is the only place that has them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        make = doing.add_parser("generate", help="A batch, its PINs into FILE; active once the file stands.")
        make.add_argument("name", help="Of the batch, such as the printer's order.")
        make.add_argument("count", type=int)
        make.add_argument("value", help="Of each: money such as 10.00, or units with --kind.")
        make.add_argument(
            "file", type=Path, metavar="FILE", help="Must not exist yet, such as cards.csv.age."
        )
        make.add_argument("--expires", required=True, help="An instant such as 2028-01-01T00:00:00Z.")
        make.add_argument("--valid-from", help="An instant; unset: now.")
        make.add_argument("--kind", choices=[kind.value for kind in BalanceKind], default="monetary")
        make.add_argument("--currency", default="", help="Unset: the tenant's.")
        make.add_argument("--tag", default="", help="The balance that is credited.")
        make.add_argument("--balance-days", type=int, help="How long the credit lasts; unset: without end.")
        make.add_argument("--bundle", default="", help="The code of a bundle that is given as well.")
        make.add_argument("--bundle-days", type=int)
        make.add_argument("--gift", action="store_true", help="Booked against promotions, not cash received.")
        make.add_argument("--inactive", action="store_true", help="To be activated later.")
        sealing = make.add_mutually_exclusive_group()
        sealing.add_argument("--recipient", default="", help="age1…, made by the recipient with age-keygen.")
        sealing.add_argument("--passphrase-file", type=Path, help="Its first line; unset: asked for.")
        shown = doing.add_parser("list", help="Vouchers, without their PINs, which cannot be looked up.")
        shown.add_argument("--batch", type=int)
        shown.add_argument("--status", default="", choices=["", *VoucherStatus])
        shown.add_argument("--serial", default="", help="The beginning of a serial number.")
        shown.add_argument("--limit", type=int, default=100)
        for action in VoucherAction:
            change = doing.add_parser(action.value, help=_HELP[action])
            change.add_argument("serials", nargs="*", metavar="SERIAL")
            change.add_argument("--batch", type=int, help="All of this batch that it applies to.")
            change.add_argument("--reason", default="")
            if action is VoucherAction.EXTEND:
                change.add_argument("--expires", required=True, help="The new end, an instant.")
        doing.add_parser("locks", help="Who is locked or slowed for wrong PINs.")
        unlock = doing.add_parser("unlock", help="Let a party redeem again at once.")
        unlock.add_argument("subject", help="As “vouchers locks” shows it, such as account:12.")
        unlock.add_argument("--reason", default="")
        doing.add_parser("keys", help="The keys of PIN hashes, and how many open vouchers need each.")
        doing.add_parser("new-key", help="A new key for the vouchers of from now on.")
        opened = doing.add_parser(
            "open", help="The content of a file sealed with a passphrase, on the terminal."
        )
        opened.add_argument("file", type=Path, metavar="FILE")
        opened.add_argument("--passphrase-file", type=Path, help="Its first line; unset: asked for.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        try:
            owner = Tenant.objects.filter(code=tenant).first()
            if owner is None:
                raise NotFound(f"there is no tenant {tenant}")
            if doing in set(VoucherAction):
                self._change(owner, VoucherAction(doing), options)
            else:
                getattr(self, f"_{doing.replace('-', '_')}")(owner, options)
        except BssError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def _generate(self, owner: Tenant, options: dict[str, Any]) -> None:
        now, path, kind = utc_now(), options["file"], options["kind"]
        if path.exists():
            raise InvalidInput("the file exists already; name another one", where=str(path))
        book = LedgerBook.Code.PROMOTION if options["gift"] else LedgerBook.Code.CASH
        new = NewBatch(
            options["name"],
            options["count"],
            parse_micros(options["value"]) if kind == BalanceKind.MONETARY else _whole(options["value"]),
            _instant(options["expires"]),
            _instant(options["valid_from"]) if options["valid_from"] else None,
            kind,
            options["currency"],
            options["tag"],
            options["balance_days"],
            options["bundle"],
            options["bundle_days"],
            book.value,
            active=False,
        )
        passphrase = "" if options["recipient"] else _passphrase(options["passphrase_file"])
        # The place is tried before there is anything to lose.
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                with progress("Generating", options["count"], "vouchers") as report:
                    sealed = generate_sealed(
                        owner,
                        new,
                        now,
                        key=uuid4().hex,
                        by=BY,
                        passphrase=passphrase,
                        recipient=options["recipient"],
                        report=report,
                    )
                file.write(sealed.content)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                partial.unlink()
                raise
        os.link(partial, path)
        partial.unlink()
        state = "not active yet: vouchers activate --batch " + str(sealed.batch.pk)
        if not options["inactive"]:
            # Only now that the file has the PINs; a crash before leaves a batch that cannot be redeemed.
            change_vouchers(owner, VoucherAction.ACTIVATE, now, batch_id=sealed.batch.pk, by=BY)
            state = "active"
        self.stdout.write(f"batch {sealed.batch.pk}: {options['count']} vouchers in {path}, {state}")

    def _list(self, owner: Tenant, options: dict[str, Any]) -> None:
        now, after, left = utc_now(), 0, options["limit"]
        wanted = VoucherFilter(options["batch"], options["status"], options["serial"])
        while left > 0:
            rows = select_vouchers(owner, wanted, now, after_id=after, limit=min(left, ROWS_A_READ))
            for row in rows:
                by = f" by {row.account} at {row.redeemed_at:%Y-%m-%d %H:%M} UTC" if row.account else ""
                self.stdout.write(
                    f"{row.serial} {row.status_at(now)}{by}, until {row.expires_at:%Y-%m-%d %H:%M} UTC"
                )
            if len(rows) < min(left, ROWS_A_READ):
                return
            after, left = rows[-1].pk, left - len(rows)

    def _change(self, owner: Tenant, action: VoucherAction, options: dict[str, Any]) -> None:
        changed = change_vouchers(
            owner,
            action,
            utc_now(),
            serials=options["serials"],
            batch_id=options["batch"],
            expires_at=_instant(options["expires"]) if action is VoucherAction.EXTEND else None,
            reason=options["reason"],
            by=BY,
        )
        self.stdout.write(f"{changed} vouchers changed")

    def _locks(self, owner: Tenant, options: dict[str, Any]) -> None:
        for guard in RedemptionGuard.objects.filter(tenant=owner, failures__gt=0).order_by("subject"):
            state = f"locked since {guard.locked_at:%Y-%m-%d %H:%M} UTC" if guard.locked_at else "slowed"
            self.stdout.write(f"{guard.subject}: {guard.failures} wrong PINs, {state}")

    def _unlock(self, owner: Tenant, options: dict[str, Any]) -> None:
        lift_lock(owner, options["subject"], utc_now(), by=BY, reason=options["reason"])
        self.stdout.write(f"{options['subject']} may redeem again")

    def _keys(self, owner: Tenant, options: dict[str, Any]) -> None:
        ring = key_ring()
        used = Voucher.objects.filter(status__in=("generated", "active", "blocked"))
        known = list(ring.keys)
        lost = sorted(set(used.values_list("pin_key", flat=True).distinct()) - set(known))
        for key_id in [*known, *lost]:
            state = "missing: these cannot be redeemed" if key_id in lost else "for new vouchers"
            state = "" if key_id in known and key_id != ring.current else f", {state}"
            self.stdout.write(f"{key_id}: {used.filter(pin_key=key_id).count()} open vouchers{state}")

    def _new_key(self, owner: Tenant, options: dict[str, Any]) -> None:
        self.stdout.write(f"new vouchers are made under key {add_key()}; keep the file with your backups")

    def _open(self, owner: Tenant, options: dict[str, Any]) -> None:
        given = options["passphrase_file"]
        passphrase = _passphrase(given) if given else getpass.getpass("Passphrase: ")
        content = open_with_passphrase(options["file"].read_bytes(), passphrase)
        self.stdout.write(content.decode(), ending="")


_HELP = {
    VoucherAction.ACTIVATE: "Let generated vouchers be redeemed.",
    VoucherAction.BLOCK: "Hold vouchers back until unblocked.",
    VoucherAction.UNBLOCK: "Let blocked vouchers be redeemed again.",
    VoucherAction.EXTEND: "Give vouchers another end, expired ones too.",
    VoucherAction.VOID: "Take vouchers out for good.",
}


def _passphrase(path: Path | None) -> str:
    if path is not None:
        return path.read_text().split("\n", 1)[0]
    first = getpass.getpass("Passphrase for the file: ")
    if first != getpass.getpass("The same again: "):
        raise InvalidInput("the two passphrases differ")
    return first


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise InvalidInput(f"“{text}” is not a whole number of units", where="value")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidInput(f"“{text}” is not an instant; write it like 2028-01-01T00:00:00Z") from None
