"""``reconcile now|list|adjust|ignore``: records of usage that was charged in real time, compared with its sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.backoffice.exports import as_csv
from apps.backoffice.progress import progress
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.kernel.words import counted
from apps.mediation.models import SessionRecord
from apps.mediation.selectors import session_record_sheet
from apps.mediation.services.reconciling import ADJUST, IGNORE, SHOW, reconcile, settle
from apps.runtime.commands import RoomCommand, system_user


class Command(RoomCommand):
    help = (
        "Records in charging mode prepaid are not charged: their sessions were. Compare the two, show what they differ "
        "by, and adjust the accounts or leave them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        now = doing.add_parser("now", help="Compare what can be compared; beat does it every minute.")
        now.add_argument("--policy", choices=[SHOW, ADJUST, IGNORE], help="What is done about differences.")
        listing = doing.add_parser("list", help="Records as CSV.")
        listing.add_argument(
            "--state", choices=SessionRecord.State.values, default="differs", help="Default: differs."
        )
        listing.add_argument("--account", help="Only of the account of this number.")
        listing.add_argument("--csv", type=Path, metavar="FILE", help="Write it there.")
        for name, told in ((ADJUST, "Adjust the accounts by"), (IGNORE, "Ignore")):
            settling = doing.add_parser(name, help=f"{told} the differences of records.")
            settling.add_argument("records", nargs="*", metavar="RECORD_ID", help="Ids, as list shows them.")
            settling.add_argument("--all", action="store_true", help="Of every record that differs.")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        by = f"command:{system_user()}"
        try:
            if doing == "now":
                self._now(options["policy"] or "", by)
            elif doing == "list":
                self._list(options)
            else:
                if bool(options["records"]) == options["all"]:
                    raise CommandError("name the records by their ids, or say --all")
                records = SessionRecord.objects.filter(state=SessionRecord.State.DIFFERS)
                if options["records"]:
                    records = records.filter(record_id__in=options["records"])
                count = settle(list(records.values_list("pk", flat=True)), doing, utc_now(), by=by)
                self.stdout.write(
                    f"{counted(count, 'record')}: {'adjusted' if doing == ADJUST else 'ignored'}"
                )
        except BssError as error:
            raise CommandError(str(error)) from error

    def _now(self, policy: str, by: str) -> None:
        waiting = SessionRecord.objects.filter(state=SessionRecord.State.WAITING).count()
        with progress("Comparing", waiting, "records") as report:
            result = reconcile(utc_now(), by=by, policy=policy, on_progress=report)
        counts = ", ".join(f"{count} {state}" for state, count in sorted(result.states.items()))
        self.stdout.write(
            f"{counted(sum(result.states.values()), 'record')}: {counts or 'nothing to compare yet'}"
        )
        for problem in result.problems:
            self.stderr.write(problem)

    def _list(self, options: dict[str, Any]) -> None:
        records = SessionRecord.objects.filter(state=options["state"])
        if options["account"]:
            records = records.filter(account__number=options["account"])
        text = as_csv(session_record_sheet(records))
        if options["csv"]:
            options["csv"].write_text(text)
            self.stdout.write(f"{counted(text.count(chr(10)) - 1, 'record')} in {options['csv']}")
        else:
            self.stdout.write(text, ending="")
