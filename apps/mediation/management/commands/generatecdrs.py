"""``manage.py generatecdrs``: files of made-up usage."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import CommandError

from apps.backoffice.progress import progress
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.kernel.periods import local_midnight
from apps.mediation.services.generate_files import (
    FORMATS,
    Wanted,
    generate_files,
    range_lines,
    subscriber_lines,
    zone_of,
)
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    """The command; files are made by ``services/generate_files.py`` from ``domain/traffic.py``."""

    help = (
        "Make files of usage records (CDRs): voice, messages and data of the subscribers there are, with real numbers, "
        "times of day, durations and volumes. The same seed and arguments make the same files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--records", type=int, default=100_000, metavar="N", help="in all files (default: %(default)s)")
        add("--files", type=int, default=None, metavar="N", help="default: one for each 10,000 records")
        add("--bad", type=int, default=0, metavar="N", help="of the records, how many are wrong in some way")
        add("--from", dest="first", type=_day, metavar="DAY", help="first day (default: of last month)")
        add("--to", dest="last", type=_day, metavar="DAY", help="last day, included (default: of last month)")
        add("--seed", type=int, default=1, help="default: %(default)s")
        add("--format", choices=sorted(FORMATS), default="protobuf", help="default: %(default)s")
        add("--source", default="MSC01", help="who the files are from (default: %(default)s)")
        add("--tenant", default=DEFAULT_TENANT, help="whose subscribers (default: %(default)s)")
        add("--msisdns", metavar="FIRST-LAST", help="a range of numbers instead of the tenant's subscribers")
        add("--home", default="DE", metavar="CC", help="the home country (default: %(default)s)")
        add("--output", type=Path, default=settings.CDR_NEW_DIR, metavar="DIR", help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        now = utc_now()
        zone_name = zone_of(options["tenant"])
        zone = ZoneInfo(zone_name)
        today = now.astimezone(zone).date()
        end_of_last_month = today.replace(day=1) - timedelta(days=1)
        last_day = options["last"] or end_of_last_month
        first_day = options["first"] or (last_day.replace(day=1))
        first, last = local_midnight(first_day, zone), local_midnight(last_day + timedelta(days=1), zone)
        try:
            if options["msisdns"]:
                lines = range_lines(*options["msisdns"].partition("-")[::2])
            else:
                lines = subscriber_lines(options["tenant"], first, last)
            wanted = Wanted(
                folder=options["output"],
                records=options["records"],
                files=options["files"] or max(1, options["records"] // 10_000),
                first=first,
                last=last,
                now=now,
                seed=options["seed"],
                bad=options["bad"],
                format=options["format"],
                source=options["source"],
                home=options["home"].upper(),
                zone=zone_name,
            )
            with progress("Making CDRs", options["records"], "records") as report:
                paths = generate_files(wanted, lines, report)
        except BssError as error:
            raise CommandError(str(error)) from error
        size = sum(path.stat().st_size for path in paths)
        self.stdout.write(
            f"{options['records']:,} records of {len(lines):,} subscribers from {first_day} to {last_day} "
            f"in {len(paths):,} files ({size / 1e6:,.1f} MB) in {options['output']}"
        )


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
