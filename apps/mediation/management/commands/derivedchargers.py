"""``derivedchargers list|add|remove``: for whom records are charged besides their subscribers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.kernel.errors import BssError, InvalidInput
from apps.mediation.domain.derived import COLUMNS
from apps.mediation.models import DerivedCharger
from apps.mediation.services.derived_settings import remove_charger, save_charger
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Runs of records besides the subscriber's own charge, such as what a reseller pays for them: which records, a "
        "filter, and what is replaced in them before they are rated and charged again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        doing.add_parser("list", help="Every row.")
        add = doing.add_parser("add", help="A new row.")
        add.add_argument("run", help="The run's name, such as wholesale.")
        add.add_argument(
            "--tenant", default=DEFAULT_TENANT, help="Of the records, or *any (default: %(default)s)."
        )
        for name in ("category", "account", "subject"):
            add.add_argument(f"--{name}", default="*any", help="Of the records, split by “;”.")
        add.add_argument("--destinations", default="", metavar="IDS", help="Split by “;”; “!” excludes one.")
        add.add_argument("--filter", default="", help="Such as destination(^49);usage(>=1).")
        add.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="COLUMN=TEMPLATE",
            help=f"What replaces a field, such as AccountField=^R-001; columns are {', '.join(COLUMNS)}.",
        )
        doing.add_parser("remove", help="Take a row away.").add_argument(
            "id", type=int, help="Its number, as list shows it."
        )

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        try:
            if doing == "add":
                charger = DerivedCharger(
                    run=options["run"],
                    tenant=options["tenant"],
                    category=options["category"],
                    account=options["account"],
                    subject=options["subject"],
                    destination_ids=options["destinations"],
                    run_filter=options["filter"],
                    templates=dict(map(_replacement, options["set"])),
                )
                save_charger(charger)
                self._show(charger)
            elif doing == "remove":
                remove_charger(options["id"])
                self.stdout.write("Removed; what it charged stays.")
            else:
                found = list(DerivedCharger.objects.all())
                for charger in found:
                    self._show(charger)
                if not found:
                    self.stdout.write(
                        "There are no derived chargers: each record is charged to its subscriber alone."
                    )
        except BssError as error:
            raise CommandError(str(error)) from error

    def _show(self, charger: DerivedCharger) -> None:
        key = ", ".join(
            (
                charger.tenant,
                charger.category,
                charger.account,
                charger.subject,
                charger.destination_ids or "*any",
            )
        )
        replaced = "; ".join(f"{column} {template}" for column, template in charger.templates.items())
        taken = f", if {charger.run_filter}" if charger.run_filter else ""
        self.stdout.write(f"{charger.pk}: {charger.run} of {key}{taken}: {replaced or 'nothing is replaced'}")


def _replacement(text: str) -> tuple[str, str]:
    column, found, template = text.partition("=")
    if not found:
        raise InvalidInput(f"“{text}” is not COLUMN=TEMPLATE", where="--set")
    return column.strip(), template
