"""``actions list|run|plans|assign|remove|due|refused|errands``: groups of actions, plans, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management.base import CommandError, CommandParser

from apps.actions.models import AccountPlan, Action, ActionPlanEntry, DueAction, Errand, RefusedActions
from apps.actions.services import errands
from apps.actions.services.groups import find_group
from apps.actions.services.plans import (
    accounts_by_number,
    assign_plan,
    due_now,
    find_plan,
    remove_plan,
    run_due_plans,
)
from apps.actions.services.running import drop, run_again, run_group
from apps.backoffice.progress import progress
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.kernel.words import counted
from apps.rating.models import Tenant
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Groups of actions and action plans (Actions.csv, ActionPlans.csv): list them, carry a group out on accounts, "
        "give plans to accounts, carry out what is due, look at what was refused and at calls and mails that failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tenant", default=DEFAULT_TENANT, help="Of the accounts (default: %(default)s)."
        )
        doing = parser.add_subparsers(dest="doing", required=True, parser_class=CommandParser)
        doing.add_parser("list", help="Every group with its actions.")
        run = doing.add_parser("run", help="Carry a group out on accounts now.")
        run.add_argument("group", help="Its id, as list shows it.")
        run.add_argument("--key", help="Names this run: repeated under it, each account gets it once.")
        doing.add_parser("plans", help="Every plan with its groups and times.")
        assign = doing.add_parser("assign", help="Give a plan to accounts, from now on.")
        remove = doing.add_parser("remove", help="Take a plan from accounts.")
        for part in (assign, remove):
            part.add_argument("plan", help="Its id, as plans shows it.")
        for part in (run, assign, remove):
            part.add_argument("accounts", nargs="*", help="Account numbers.")
            part.add_argument("--file", help="A file with an account number a line.")
        due = doing.add_parser("due", help="What is due next.")
        due.add_argument("--run", action="store_true", help="Carry out what is due now.")
        for name, does, what_again in (
            ("refused", "Groups that could not be carried out on an account.", "Carry it out again."),
            ("errands", "Calls and mails that failed for good.", "Send it again."),
        ):
            part = doing.add_parser(name, help=does)
            again = part.add_mutually_exclusive_group()
            again.add_argument("--again", type=int, metavar="ID", help=what_again)
            again.add_argument("--drop", type=int, metavar="ID", help="Give it up.")

    def handle(self, *args: Any, doing: str, tenant: str, **options: Any) -> None:
        try:
            owner = Tenant.objects.filter(code=tenant).first()
            if owner is None:
                raise NotFound(f"there is no tenant “{tenant}”")
            getattr(self, f"_{doing}")(owner, options)
        except BssError as error:
            raise CommandError(str(error)) from error

    def _list(self, tenant: Tenant, options: dict[str, Any]) -> None:
        for row in Action.objects.select_related("group__tariff_plan").order_by(
            "group__code", "-weight", "pk"
        ):
            onto = row.balance_id or row.balance_type
            self.stdout.write(f"{row.group.tariff_plan} {row.group}: {row}{f' {onto}' if onto else ''}")

    def _run(self, tenant: Tenant, options: dict[str, Any]) -> None:
        group, ids = find_group(tenant, options["group"]), self._accounts(tenant, options)
        with progress("accounts", len(ids), "accounts") as report:
            ran = run_group(group, ids, utc_now(), key=options["key"] or uuid4().hex, report=report)
        self.stdout.write(
            f"{group}: carried out on {counted(ran.done, 'account')}, {ran.refused} refused, "
            f"{ran.repeated} had it before"
        )
        if ran.refused:
            raise CommandError("some were refused; “actions refused” lists them and says why")

    def _plans(self, tenant: Tenant, options: dict[str, Any]) -> None:
        for row in ActionPlanEntry.objects.select_related("plan__tariff_plan", "group").order_by(
            "plan__code", "pk"
        ):
            count = AccountPlan.objects.filter(plan=row.plan).count()
            self.stdout.write(
                f"{row.plan.tariff_plan} {row.plan}: {row.group} at {row.timing}, {counted(count, 'account')}"
            )

    def _assign(self, tenant: Tenant, options: dict[str, Any]) -> None:
        plan, ids = find_plan(tenant, options["plan"]), self._accounts(tenant, options)
        new = assign_plan(plan, ids, utc_now())
        self.stdout.write(f"{counted(new, 'account')} {'has' if new == 1 else 'have'} {plan} from now on")

    def _remove(self, tenant: Tenant, options: dict[str, Any]) -> None:
        plan, ids = find_plan(tenant, options["plan"]), self._accounts(tenant, options)
        self.stdout.write(f"{plan} was taken from {counted(remove_plan(plan, ids), 'account')}")

    def _due(self, tenant: Tenant, options: dict[str, Any]) -> None:
        now = utc_now()
        if options["run"]:
            with progress("due actions", due_now(now), "actions") as report:
                done = run_due_plans(now, report)
            self.stdout.write(f"{done} carried out")
            return
        rows = DueAction.objects.filter(due_at__isnull=False, assignment__account__tenant=tenant)
        if not rows.exists():
            self.stdout.write("Nothing will be due: no account has a plan with a time to come.")
        for row in rows.select_related("assignment__account", "entry__plan", "entry__group").order_by(
            "due_at", "rank"
        )[:100]:
            self.stdout.write(
                f"{row.due_at:%Y-%m-%d %H:%M:%S} UTC {row.assignment.account} {row.entry.plan}: {row.entry.group}"
            )

    def _refused(self, tenant: Tenant, options: dict[str, Any]) -> None:
        rows = RefusedActions.objects.filter(account__tenant=tenant, settled_at=None)
        if chosen := options["again"] or options["drop"]:
            row = rows.filter(pk=chosen).first()
            if row is None:
                raise NotFound(f"there is nothing refused that has the id {chosen} and is open")
            (run_again if options["again"] else drop)(row, utc_now())
            self.stdout.write(f"{row} is settled")
            return
        if not rows.exists():
            self.stdout.write("Nothing is refused.")
        for row in rows.select_related("account", "group").order_by("pk"):
            self.stdout.write(
                f"{row.pk} {row.at:%Y-%m-%d %H:%M} UTC {row.account} {row.group}: {row.message}"
            )

    def _errands(self, tenant: Tenant, options: dict[str, Any]) -> None:
        rows = Errand.objects.filter(account__tenant=tenant, status=Errand.Status.FAILED)
        if chosen := options["again"] or options["drop"]:
            errand = rows.filter(pk=chosen).first()
            if errand is None:
                raise NotFound(f"there is no failed errand {chosen}")
            (errands.resend if options["again"] else errands.drop)(errand, utc_now())
            self.stdout.write(f"{errand} is {'sent again' if options['again'] else 'given up'}")
            return
        if not rows.exists():
            self.stdout.write("No call or mail has failed.")
        for errand in rows.select_related("account").order_by("pk"):
            self.stdout.write(
                f"{errand.pk} {errand.at:%Y-%m-%d %H:%M} UTC {errand.account} {errand.kind} {errand.parameters}:"
                f" {errand.result}"
            )

    @staticmethod
    def _accounts(tenant: Tenant, options: dict[str, Any]) -> list[int]:
        numbers = list(options["accounts"])
        if options["file"]:
            try:
                numbers += Path(options["file"]).read_text().split()
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidInput(f"{options['file']} cannot be read: {error}") from error
        if not numbers:
            raise InvalidInput("name accounts, or a file of them with --file")
        return accounts_by_number(tenant, numbers)
