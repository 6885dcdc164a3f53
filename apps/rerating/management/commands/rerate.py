"""``rerate simulate|show|apply|reverse|list``: price records again by another tariff version."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, TypeVar

from django.core.management.base import CommandError, CommandParser
from django.db.models import Model, QuerySet

from apps.charging.models import Account
from apps.kernel.clock import utc_now
from apps.kernel.currencies import format_money
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.kernel.periods import local_midnight
from apps.kernel.words import counted
from apps.mediation.models import RatedDestination, Source
from apps.rating.models import PricePlan, TariffVersion, Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.rating.selectors import rater_as_of
from apps.rating.selectors.tariffs import read_as_of
from apps.rerating.models import RerateJob
from apps.rerating.selectors import states_of, totals_of
from apps.rerating.services import jobs
from apps.rerating.services.exporting import EXPORTS
from apps.runtime.commands import RoomCommand, system_user

M = TypeVar("M", bound=Model)


class Command(RoomCommand):
    help = (
        "Price records again by another tariff version: see the difference, then correct records, free units, balances "
        "and bills, or take all of it back. Done here, together with workers if there are any."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        simulate = doing.add_parser("simulate", help="Choose records and see the difference; nothing moves.")
        simulate.add_argument(
            "--tenant", default=DEFAULT_TENANT, help="Whose records (default: %(default)s)."
        )
        for name, text in (("--from", "First day of the period"), ("--until", "First day after the period")):
            simulate.add_argument(
                name,
                dest=name[2:] + "_day",
                metavar="DAY",
                type=date.fromisoformat,
                required=True,
                help=f"{text}, as 2026-03-01, of the tenant's calendar.",
            )
        simulate.add_argument("--account", help="Only this account's records.")
        simulate.add_argument("--plan", help="Only records charged on this price plan.")
        simulate.add_argument("--destination", help="Only records rated to this destination.")
        simulate.add_argument("--source", help="Only records of this source.")
        simulate.add_argument(
            "--as-of",
            metavar="VERSION|TIME",
            help="The tariff version, or a time at which it was in force; the newest unless given.",
        )
        simulate.add_argument("--note", default="", help="Why; kept with it.")
        show = doing.add_parser("show", help="How far it is, and the difference.")
        show.add_argument(
            "--csv", choices=EXPORTS, help="The difference by account or by destination as CSV."
        )
        for doer in (
            show,
            doing.add_parser("apply", help="Correct everything as simulated."),
            doing.add_parser("reverse", help="Take everything back."),
        ):
            doer.add_argument("job", metavar="NUMBER", type=int, help="Its number, as list shows it.")
        for name in ("apply", "reverse", "simulate"):
            doing.choices[name].add_argument(
                "--queue", action="store_true", help="Leave it to the workers, and do not wait."
            )
        doing.add_parser("list", help="The newest first.")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        now, by = utc_now(), system_user()
        try:
            if doing == "list":
                newest = RerateJob.objects.select_related("tenant")[:50]
                for job in newest:
                    self.stdout.write(_headline(job))
                if not newest:
                    self.stdout.write("There is no re-rating yet; “rerate simulate” makes one.")
                return
            if doing == "simulate":
                job_id = _simulated(options, now, by).pk
            else:
                job_id = options["job"]
            if doing == "apply":
                jobs.apply_job(job_id, now=now, by=by)
            elif doing == "reverse":
                jobs.reverse_job(job_id, now=now, by=by)
            if doing != "show" and not options["queue"]:
                jobs.work(job_id, utc_now)
            self._show(job_id, options.get("csv"))
        except BssError as error:
            raise CommandError(str(error)) from error

    def _show(self, job_id: int, as_csv: str | None) -> None:
        job = RerateJob.objects.select_related("tenant").filter(pk=job_id).first()
        if job is None:
            raise NotFound(f"there is no re-rating {job_id}")
        if as_csv:
            for line in EXPORTS[as_csv](job_id):
                self.stdout.write(line, ending="")
            return
        self.stdout.write(_headline(job))
        for total in totals_of(job_id):
            added = total.cost_after_micros - total.cost_before_micros
            self.stdout.write(
                f"{total.changed:,} of {counted(total.records, 'record')} and {total.accounts_changed:,} of "
                f"{counted(total.accounts, 'account')} change, {total.refused:,} cannot be priced: "
                f"{format_money(total.cost_before_micros, total.currency)} → "
                f"{format_money(total.cost_after_micros, total.currency)} "
                f"({'+' if added > 0 else ''}{format_money(added, total.currency)})"
            )
        for state, count in states_of(job_id).items():
            self.stdout.write(f"  {state}: {counted(count, 'account')}")


def _headline(job: RerateJob) -> str:
    zone = job.tenant.zone
    return (
        f"{job}: {job.start.astimezone(zone):%Y-%m-%d} until {job.end.astimezone(zone):%Y-%m-%d} of "
        f"{job.tenant.code}, by tariff version {job.tariff_version_id}, {counted(job.accounts, 'account')}, "
        f"{job.get_state_display().lower()}" + (f" ({job.note})" if job.note else "")
    )


def _simulated(options: dict[str, Any], now: datetime, by: str) -> RerateJob:
    tenant = _one(Tenant.objects.all(), "tenant", code=options["tenant"])
    as_of = options["as_of"]
    version = None
    if as_of is not None:
        version = TariffVersion.objects.get(pk=rater_as_of(read_as_of(as_of)).version_id)
    account, plan, destination, source = (
        options[name] for name in ("account", "plan", "destination", "source")
    )
    return jobs.make_job(
        tenant,
        local_midnight(options["from_day"], tenant.zone),
        local_midnight(options["until_day"], tenant.zone),
        now=now,
        by=by,
        account=_one(Account.objects.filter(tenant=tenant), "account", number=account) if account else None,
        price_plan=_one(PricePlan.objects.filter(tenant=tenant), "price plan", code=plan) if plan else None,
        destination=_one(RatedDestination.objects.all(), "rated destination", tag=destination)
        if destination
        else None,
        source=_one(Source.objects.all(), "source", code=source) if source else None,
        version=version,
        note=options["note"],
    )


def _one(rows: QuerySet[M], what: str, **key: str) -> M:
    (value,) = key.values()
    found = rows.filter(**key).first()
    if found is None:
        raise InvalidInput(f"there is no {what} “{value}”")
    return found
