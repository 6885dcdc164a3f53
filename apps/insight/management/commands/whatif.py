"""``whatif run|show|cancel|list``: what past traffic would have cost by a draft or by another tariff version."""

from __future__ import annotations

import os
from datetime import date
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.backoffice.progress import progress
from apps.insight.models import WhatIf
from apps.insight.selectors import (
    WHAT_IF_PARTS,
    what_if_lines,
    what_if_progress,
    what_if_totals,
    winners_and_losers,
)
from apps.insight.services import what_if as service
from apps.kernel.clock import utc_now
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.kernel.periods import local_midnight
from apps.kernel.words import counted
from apps.licensing.domain.licence import Feature
from apps.rating.models import Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.rating.selectors.tariffs import read_as_of, version_as_of
from apps.runtime.commands import RoomCommand, system_user
from apps.runtime.pool import process_pool, results_of
from apps.runtime.start import Role


class Command(RoomCommand):
    feature = Feature.STATS
    help = "What past traffic would have cost by a draft or by another tariff version. Nothing moves."

    def add_arguments(self, parser: CommandParser) -> None:
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        run = doing.add_parser("run", help="Price the traffic of a period, on every core.")
        run.add_argument("--tenant", default=DEFAULT_TENANT, help="Whose traffic (default: %(default)s).")
        for name, text in (("--from", "First day of the period"), ("--until", "First day after the period")):
            run.add_argument(
                name,
                dest=name[2:] + "_day",
                metavar="DAY",
                type=date.fromisoformat,
                required=True,
                help=f"{text}, as 2026-03-01, of the tenant's calendar.",
            )
        tariff = run.add_mutually_exclusive_group(required=True)
        tariff.add_argument(
            "--as-of", metavar="VERSION|TIME|COMMIT", help="An earlier tariff version, as tarifflog lists."
        )
        tariff.add_argument(
            "--draft",
            type=int,
            metavar="NUMBER",
            help="A tariff draft, over what is live.",
        )
        run.add_argument(
            "--sample",
            type=int,
            default=100,
            metavar="PERCENT",
            help="So many of a hundred accounts, with all of their records (default: all).",
        )
        run.add_argument("--seed", default="1", help="Which accounts: the same seed takes the same ones.")
        run.add_argument(
            "--cost-run",
            default="",
            metavar="RUN",
            help="The derived run that says what records cost.",
        )
        run.add_argument("--note", default="", help="Why; kept with it.")
        run.add_argument(
            "--workers",
            type=int,
            default=len(os.sched_getaffinity(0)),
            metavar="N",
            help="Processes (default: one a core).",
        )
        run.add_argument(
            "--queue", action="store_true", help="Leave it to Celery's workers, and do not wait."
        )
        show = doing.add_parser("show", help="How far it is, and what it comes to.")
        show.add_argument("--csv", choices=WHAT_IF_PARTS, help="The sums by one of these as CSV.")
        for parser_of_one in (show, doing.add_parser("cancel", help="End one that is running.")):
            parser_of_one.add_argument("what_if", type=int, metavar="NUMBER")
        doing.add_parser("list", help="The newest first.")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        try:
            if doing == "list":
                newest = WhatIf.objects.select_related("tenant")[:50]
                for what_if in newest:
                    self.stdout.write(_headline(what_if))
                if not newest:
                    self.stdout.write("There is no what-if yet; “whatif run” makes one.")
            elif doing == "cancel":
                self.stdout.write(_headline(service.cancel_what_if(options["what_if"], utc_now())))
            elif doing == "show":
                self._show(options["what_if"], options["csv"])
            else:
                self._run(options)
        except BssError as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any]) -> None:
        tenant = Tenant.objects.filter(code=options["tenant"]).first()
        if tenant is None:
            raise NotFound(f"there is no tenant {options['tenant']}")
        if options["workers"] < 1:
            raise InvalidInput("at least one worker is needed", where="--workers")
        as_of = options["as_of"]
        what_if = service.begin_what_if(
            tenant,
            local_midnight(options["from_day"], tenant.zone),
            local_midnight(options["until_day"], tenant.zone),
            now=utc_now(),
            by=system_user(),
            version_id=version_as_of(read_as_of(as_of)) if as_of is not None else None,
            draft_id=options["draft"],
            sample_percent=options["sample"],
            seed=options["seed"],
            cost_run=options["cost_run"],
            note=options["note"],
        )
        if not options["queue"]:
            self._work(what_if.pk, options["workers"])
        self._show(what_if.pk, None)

    def _work(self, what_if_id: int, workers: int) -> None:
        _, count = what_if_progress(what_if_id)
        if workers > 1 and count > 1:
            with progress(f"What-if {what_if_id}", count, "portions") as report:
                pool = partial(process_pool, Role.PRICER)
                results = results_of(_work_on_one, [what_if_id] * count, workers, pool)
                for done, _ in enumerate(results, start=1):
                    report(done)
        # The end of it, for a single process all of it.
        service.work(what_if_id, utc_now)

    def _show(self, what_if_id: int, part: str | None) -> None:
        what_if = WhatIf.objects.select_related("tenant").filter(pk=what_if_id).first()
        if what_if is None:
            raise NotFound(f"there is no what-if {what_if_id}")
        if part is not None:
            for line in what_if_lines(what_if_id, part):
                self.stdout.write(line, ending="")
            return
        self.stdout.write(_headline(what_if))
        for total in what_if_totals(what_if_id):
            margin = (
                f", margin {format_money(total.after_micros - total.cost_micros, total.currency)}"
                if what_if.cost_run
                else ""
            )
            self.stdout.write(
                f"{counted(total.records, 'record')}: {format_money(total.before_micros, total.currency)} → "
                f"{format_money(total.after_micros, total.currency)} "
                f"({'+' if total.added_micros > 0 else ''}{format_money(total.added_micros, total.currency)})"
                f"{margin}; {total.refused} cannot be priced and count as before"
            )
        winners, losers = winners_and_losers(what_if_id)
        self.stdout.write(f"{counted(winners, 'account')} would pay less, {losers:,} more.")


def _work_on_one(what_if_id: int) -> bool:
    return service.work(what_if_id, utc_now, 0)


def _headline(what_if: WhatIf) -> str:
    zone, (done, count) = what_if.tenant.zone, what_if_progress(what_if.pk)
    tariff = (
        f"draft {what_if.draft_id}" if what_if.draft_id else f"tariff version {what_if.tariff_version_id}"
    )
    sample = ""
    if what_if.sample_percent < 100:
        sample = f", {what_if.sample_percent} % of the accounts (seed {what_if.seed})"
    return (
        f"{what_if}: {what_if.start.astimezone(zone):%Y-%m-%d} until {what_if.end.astimezone(zone):%Y-%m-%d} "
        f"of {what_if.tenant.code} by {tariff}{sample}, {what_if.get_state_display().lower()}, "
        f"{done} of {counted(count, 'portion')}"
        + (f" ({what_if.message})" if what_if.message else "")
        + (f" ({what_if.note})" if what_if.note else "")
    )
