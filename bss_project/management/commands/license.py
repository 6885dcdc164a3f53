"""``manage.py license``: make keys, issue, show and verify licences."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.management.base import CommandError

from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInput
from apps.licensing.domain.errors import LicenceError
from apps.licensing.domain.licence import Feature, features_named, read
from apps.licensing.services import gate, issuing
from apps.licensing.services.files import machine_id, public_key, valid_licence
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = "Licences: what this machine may run, and until when."

    def add_arguments(self, parser: ArgumentParser) -> None:
        doing = parser.add_subparsers(dest="doing", required=True, metavar="COMMAND")
        add = doing.add_parser(
            "keygen", help="the vendor: a private key in FILE; prints the public one"
        ).add_argument
        add("file", type=Path)
        add = doing.add_parser("issue", help="the vendor: sign a licence").add_argument
        add("--key", type=Path, required=True, metavar="FILE", help="the private key")
        add("--machine", required=True, metavar="ID", help="/etc/machine-id of the customer's machine")
        add("--until", required=True, metavar="YYYY-MM-DD", help="it ends when this day begins (UTC)")
        add("--customer", type=UUID, default=None, metavar="UUID", help="default: a new one")
        add(
            "--features", default="all", metavar="NAME,…", help=f"all, or of {', '.join(Feature.__members__)}"
        )
        add("--out", type=Path, metavar="FILE", help="default: standard output")
        doing.add_parser("evaluate", help="a checkout: all modules on this machine for 30 days")
        doing.add_parser("machine", help="this machine's id, for the vendor")
        doing.add_parser("show", help="what the licence says, and whether it holds")
        doing.add_parser("verify", help="whether it holds here and now; the exit code says why not")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        try:
            getattr(self, f"_{doing}")(**options)
        except LicenceError:
            raise
        except BssError as error:
            raise CommandError(str(error)) from error

    def _keygen(self, file: Path, **_: Any) -> None:
        self.stdout.write(issuing.make_keys(file))

    def _issue(
        self,
        key: Path,
        machine: str,
        until: str,
        customer: UUID | None,
        features: str,
        out: Path | None,
        **_: Any,
    ) -> None:
        try:
            end = datetime.strptime(until, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise InvalidInput(f"“{until}” is not a day; write it like 2027-12-31") from None
        text = issuing.issue(
            customer or uuid4(),
            end,
            int(features_named(features)),
            machine,
            issuing.private_key(key),
            utc_now(),
        )
        if out is None:
            self.stdout.write(text)
        else:
            out.write_text(text + "\n")

    def _evaluate(self, **_: Any) -> None:
        made = issuing.issue_evaluation(utc_now())
        self.stdout.write(f"made {made}" if made else f"{settings.LICENSE_FILE} exists already")

    def _machine(self, **_: Any) -> None:
        self.stdout.write(machine_id())

    def _show(self, **_: Any) -> None:
        now = utc_now()
        try:
            licence = valid_licence(now)
            verdict = f"holds, {licence.days_left(now)} days left"
        except LicenceError as error:
            verdict = f"does not hold: {error}"
            try:
                licence = read(Path(settings.LICENSE_FILE).read_bytes(), public_key())
            except (OSError, LicenceError):
                raise error from None
        for name, value in (
            ("file", settings.LICENSE_FILE),
            ("customer", licence.customer_id),
            ("machine", licence.machine_id),
            ("ends", f"when {licence.ends_at:%Y-%m-%d} begins (UTC)"),
            ("modules", ", ".join(feature.name or "" for feature in licence.features)),
            ("verdict", verdict),
        ):
            self.stdout.write(f"{name:9}{value}")

    def _verify(self, **_: Any) -> None:
        now = utc_now()
        licence = valid_licence(now)
        self.stdout.write(f"the licence holds until {licence.ends_at:%Y-%m-%d} begins (UTC)")
        if warning := gate.warning_days(licence, now):
            self.stderr.write(f"it ends within {warning} days")
