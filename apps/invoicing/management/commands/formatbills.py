"""``manage.py formatbills``: render the bills that are due."""

from __future__ import annotations

import math
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from apps.backoffice.progress import progress
from apps.billing.models import Bill, BillCycle
from apps.invoicing.selectors.documents import standing
from apps.invoicing.services import claims
from apps.invoicing.services.announcements import announce_finished
from apps.invoicing.services.claims import Choice
from apps.invoicing.services.formatter import Outcome
from apps.invoicing.services.workers import format_bills, format_bills_in_processes
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.licensing.domain.licence import Feature
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    feature = Feature.BILL_FMT
    """The door: how many, by how many processes, how shown. Rendering itself is ``services/formatter.py``."""

    help = (
        "Render NEW bills (and asked-for re-issues) as PDF into the invoices folder; they become PAID or UNPAID. "
        "Exit status: 0 all well, 1 a bill could not be rendered or nothing can be, 2 wrong arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, metavar="N", help="at most N documents")
        parser.add_argument(
            "--workers",
            type=int,
            metavar="N",
            help="N processes (default: one for each core, if it is worth it)",
        )
        parser.add_argument("--cycle", type=int, metavar="n", help="bills of this bill cycle only")

    def handle(self, *args: Any, **options: Any) -> None:
        limit, cycle = options["limit"], options["cycle"]
        for name in ("limit", "workers"):
            if options[name] is not None and options[name] < 1:
                raise CommandError(f"--{name} must be at least 1", returncode=2)
        if cycle is not None and not BillCycle.objects.filter(number=cycle).exists():
            raise CommandError(f"there is no bill cycle {cycle}", returncode=2)
        choice = Choice(cycle_number=cycle)
        started = time.monotonic()
        claims.release_of_dead(utc_now())
        due = claims.due_count(utc_now(), choice, at_most=limit)
        written, failed = 0, {}
        try:
            with progress("Bills", due, "documents") as report:
                for outcome in self._outcomes(options["workers"], due, limit, choice):
                    written += len(outcome.written)
                    failed.update(outcome.failed)
                    report(written + len(failed), max(due, written + len(failed)))
        except BssError as error:
            raise CommandError(str(error)) from error
        finally:
            announce_finished(utc_now())
        self._sum_up(written, failed, time.monotonic() - started)
        if failed:
            raise SystemExit(1)

    def _outcomes(
        self, workers: int | None, due: int, limit: int | None, choice: Choice
    ) -> Iterator[Outcome]:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        batches = math.ceil(due / settings.INVOICE_BATCH)
        workers = min(workers or cores, max(1, batches))
        if workers > 1:
            return format_bills_in_processes(utc_now, workers, limit=limit, choice=choice)
        return format_bills(utc_now, limit=limit, choice=choice)

    def _sum_up(self, written: int, failed: dict[int, str], seconds: float) -> None:
        pace = f" in {seconds:.1f} s ({written / seconds:.1f}/s)" if written and seconds else ""
        self.stdout.write(f"{written:,} document{'' if written == 1 else 's'} written{pace}")
        numbers = dict(Bill.objects.filter(pk__in=list(failed)[:50]).values_list("pk", "number"))
        for pk, reason in list(failed.items())[:50]:
            self.stderr.write(f"bill {numbers.get(pk, '')} (id {pk}): {reason}")
        left = standing(utc_now())
        if left.in_hand:
            self.stdout.write(f"{left.in_hand:,} more in hand of other processes")
        if left.waiting:
            self.stdout.write(f"{left.waiting:,} failed and will be tried again")
        if left.given_up:
            self.stdout.write(f"{left.given_up:,} given up; mend the cause, then: manage.py reformatbill ID")
