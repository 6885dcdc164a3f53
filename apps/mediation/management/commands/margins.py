"""``margins --from DAY --to DAY``: what resellers earn, by destination and month."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.backoffice.exports import as_csv, as_workbook
from apps.charging.models import Account
from apps.kernel.errors import BssError, NotFound
from apps.mediation.selectors.margins import MarginQuery, margin_sheet, margins
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Margins by reseller: what the records of a run brought in the retail run, less what their reseller is charged "
        "for them, by month, service and destination."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="first", required=True, type=_day, metavar="DAY", help="As 2026-11-01."
        )
        parser.add_argument(
            "--to", dest="last", required=True, type=_day, metavar="DAY", help="The last day included."
        )
        parser.add_argument("--reseller", metavar="ACCOUNT", help="Only the account of this number.")
        parser.add_argument(
            "--tenant", default=DEFAULT_TENANT, help="Of that account (default: %(default)s)."
        )
        parser.add_argument("--run", default="", help="Only this run.")
        parser.add_argument("--destination", default="", help="Only this destination.")
        parser.add_argument("--retail", default=DEFAULT_RUN, help="The run that brings the revenue.")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="Write it there rather than show it.")
        parser.add_argument("--xlsx", type=Path, metavar="FILE", help="Write it there as a workbook.")

    def handle(self, *args: Any, first: date, last: date, **options: Any) -> None:
        try:
            account_id = _account(options["tenant"], options["reseller"]) if options["reseller"] else None
            query = MarginQuery(
                first, last, account_id, options["run"], options["destination"], options["retail"]
            )
            found = margins(query, ZoneInfo(settings.TIME_ZONE))
        except BssError as error:
            raise CommandError(str(error)) from error
        if options["csv"]:
            options["csv"].write_text(as_csv(margin_sheet(found)), encoding="utf-8")
        if options["xlsx"]:
            options["xlsx"].write_bytes(as_workbook({"Margins": margin_sheet(found)}))
        if not (options["csv"] or options["xlsx"]):
            self.stdout.write(as_csv(margin_sheet(found)), ending="")


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _account(tenant: str, number: str) -> int:
    found = Account.objects.filter(tenant__code=tenant, number=number).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(f"tenant {tenant} has no account “{number}”")
    return found
