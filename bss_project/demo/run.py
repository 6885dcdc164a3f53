"""The demonstration from beginning to end, with real workers, and the table that it closes with."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.core.management import call_command
from rich.console import Console

from apps.backoffice.progress import progress
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.licensing.services import gate
from apps.runtime.supervisor import NotReady, Supervisor
from bss_project import serving
from bss_project.demo import prepaid_session, stages, summary
from bss_project.demo.stages import Size
from bss_project.evaluation import evaluate_if_new

# The demonstration chooses which bills are rendered and which files are loaded.
WORKER_ENVIRONMENT = {
    "BSS_RENDER_TICK_S": "0",
    "BSS_CDR_SCAN_INTERVAL_S": "0",
    "BSS_ACTIVITY_TICK_S": "1",
    "BSS_LOG_LEVEL": "INFO",
}
PATIENCE_S = 1_800.0
POLL_S = 0.2


@dataclass(slots=True)
class Stopwatch:
    """Seconds of each stage, in order."""

    stages: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str, console: Console) -> Iterator[None]:
        console.print(f"[bold]{title}[/bold]")
        begin = time.monotonic()
        yield
        self.stages.append((title, time.monotonic() - begin))


def run(size: Size, console: Console) -> None:
    """Do the whole main job; raises BssError if a stage fails. The stages are idempotent."""
    watch = Stopwatch()
    now = utc_now()
    with watch.stage("Setting up: tables, operator, price plans, the tariff of the world", console):
        for folder in (settings.VAR_DIR, settings.STATIC_ROOT):
            folder.mkdir(parents=True, exist_ok=True)
        evaluate_if_new(console.print)
        gate.require()
        call_command("migrate", verbosity=0, interactive=False)
        how_to_sign_in = serving.ensure_admin(settings.VAR_DIR)
        tenant = stages.ensure_operator()
        stages.ensure_tariff()
    diameter_port = _free_port()
    with _workers(console, how_to_sign_in, diameter_port) as ready:
        billed = stages.billed_month(tenant, now)
        with watch.stage(f"Customers: {size.subscribers:,} subscribers in four bill cycles", console):
            stages.ensure_subscribers(tenant, size, billed.period, now)
        with (
            watch.stage(f"Network: usage of {billed.month} as CDR files", console),
            progress("Making CDR files", size.records, "records") as report,
        ):
            made = stages.make_files(tenant, size, billed, now, report)
            report(made, made)
        with (
            watch.stage("Mediation: load, rate and store every record (loadcdrs)", console),
            progress("Loading", made, "records") as report,
        ):
            loaded = stages.load_new_files(utc_now, report)
            report(loaded, loaded)
        with watch.stage("Billing: one run a cycle, each on its own Celery queue", console):
            ready()
            stages.queue_cycles(billed, now)
            _wait_for_runs()
        with watch.stage(f"Invoicing: {size.pdfs:,} PDF bills by Celery workers", console):
            _render(size.pdfs)
        with watch.stage(
            "Real time: a prepaid data session over Diameter Gy, until the money is gone", console
        ):
            account = prepaid_session.ensure_customer(tenant, billed.period, now)
            steps = prepaid_session.play(
                account, "127.0.0.1", diameter_port, settings.DIAMETER_ORIGIN_REALM, utc_now()
            )
            console.print(summary.session(steps))
    summary.show(console, watch.stages, billed, how_to_sign_in)


@contextmanager
def _workers(console: Console, how_to_sign_in: str, diameter_port: int) -> Iterator[Callable[[], None]]:
    """The product's own processes, started at once so that they are ready when they are needed."""
    chosen = serving.Serving(bind=_free_address())
    cores = os.cpu_count() or 1
    rendering = serving.Serving(concurrency=max(1, cores))
    lines: list[str] = []

    def wanted() -> list[Any]:
        parts = serving.wanted_processes(chosen, ("beat", "cycles", "maintenance", "web"))
        renderers = serving.wanted_processes(rendering, ("invoicing",))
        gy = serving.diameter(chosen, "--port", str(diameter_port), "--accept-unknown-peers")
        return [
            replace(spec, env={**os.environ, **WORKER_ENVIRONMENT, **(spec.env or {})})
            for spec in (*parts, *renderers, gy)
        ]

    # The cycles come into being meanwhile, and their workers are wanted soon after.
    supervisor = Supervisor(wanted, write=lambda name, line: lines.append(f"{name} | {line}"), look_again_s=1)
    supervisor.start()
    console.print(f"Watch it at http://{chosen.bind}/admin/ ({how_to_sign_in})")
    try:
        yield lambda: supervisor.wait_ready(timeout_s=60)
    except (BssError, NotReady):
        console.print("\n".join(lines[-40:]), markup=False, highlight=False)
        raise
    finally:
        supervisor.stop()


def _free_address() -> str:
    """The usual address, or another port where something listens there already."""
    usual = serving.Serving().bind
    if not serving.address_in_use(usual):
        return usual
    return f"127.0.0.1:{_free_port()}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_runs() -> None:
    with progress("Billing", None, "accounts") as report:

        def through() -> bool:
            done, wanted, finished = stages.runs_progress()
            report(done, wanted)
            return finished

        _wait(through, "the bill runs")


def _render(pdfs: int) -> None:
    before = stages.documents()
    missing = min(max(0, pdfs - before), stages.bills_without_document())
    with progress("Rendering", before + missing, "PDFs") as report:
        if missing:
            stages.order_documents(missing)
        _wait(lambda: report(stages.documents()) or stages.documents() >= before + missing, "the PDFs")


def _wait(finished: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not finished():
        if time.monotonic() > until:
            raise BssError(f"{what} did not finish within {PATIENCE_S / 60:.0f} minutes")
        time.sleep(POLL_S)
