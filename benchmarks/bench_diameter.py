"""CCRs a second through real sockets: the server process as it runs in production, gateways in others beside it.

The mix is data sessions (initial, two updates, termination) and SMS events over all accounts; every answer is checked
by the load client, and the books afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench_charging import ACCOUNTS, _msisdn, _subscribers
from benchmarks.protocol import Measurement, Setup

TITLE = "Diameter Gy server"
DATABASES = ("mariadb",)

REQUESTS = 60_000
SINGLE_REQUESTS = 6_000
ROUNDS = 3
RATE = 2_000
RATE_S = 10
SETTLING_S = 3.0
LASTING_REQUESTS = 500_000
LOADERS = 2
# Connections of each: the kernel deals them out to the processes of a server, and few may all go to one.
PEERS = 4
# Sessions with a request in flight in the closed loop, over all gateways; one gateway of an operator has more.
SESSIONS = 768
# Each server process keeps to one of these, the last first, as docs/operations.md says.
CORES = sorted(os.sched_getaffinity(0), reverse=True)
CORES_FOR_SCALING = 6


def main(setup: Setup) -> list[Measurement]:
    accounts = setup.scaled(ACCOUNTS, 200)
    _subscribers(accounts)
    requests = setup.scaled(REQUESTS, 2_000)
    paced_s = max(3.0, RATE_S * min(setup.scale, 1.0))
    alone: list[float] = []
    singly: list[float] = []
    measured: list[float] = []
    paired: list[float] = []
    paced: list[dict[str, float]] = []
    sent_late: list[float] = []
    for number in range(1, ROUNDS + 1):
        with Server() as server:
            load(server, accounts, requests // 5)
            setup.progress(f"{RATE} requests a second, round {number} of {ROUNDS}")
            # The first seconds show what the closed loop left behind: the database still writes and purges.
            load(server, accounts, seconds=SETTLING_S, rate=RATE)
            at_rate = load(server, accounts, seconds=paced_s, rate=RATE)
            paced.append(at_rate["latency_ms"])
            sent_late.append(at_rate["sent_late_ms"]["p99"])
            setup.progress(f"closed loop, one process, round {number} of {ROUNDS}")
            alone.append(load(server, accounts, requests)["requests_per_second"])
            setup.progress(f"a transaction a request, round {number} of {ROUNDS}")
            # Right after it, while the other server has nothing to do: some minutes later the machine is another one.
            with Server(BSS_CHARGING_BATCH_SIZE="1") as one_by_one:
                few = setup.scaled(SINGLE_REQUESTS, 1_000)
                singly.append(load(one_by_one, accounts, few)["requests_per_second"])
            setup.progress(f"with metrics and a scrape a second, round {number} of {ROUNDS}")
            port = _free_port()
            with Server(BSS_METRICS_PORT=str(port)) as watched, _scraped(port):
                load(watched, accounts, requests // 5)
                measured.append(load(watched, accounts, requests)["requests_per_second"])
            if number == ROUNDS:
                before_kb = server.resident_kb()
                lasting = setup.scaled(LASTING_REQUESTS, 4_000)
                setup.progress(f"memory over {lasting:,} requests")
                load(server, accounts, lasting)
                after_kb = server.resident_kb()
        with Server(processes=2) as server:
            load(server, accounts, requests // 5)
            setup.progress(f"closed loop, two processes, round {number} of {ROUNDS}")
            paired.append(load(server, accounts, requests)["requests_per_second"])
    _check_the_books()
    peak_mb = after_kb * 1024 / 1e6
    enough_cores = len(CORES) >= CORES_FOR_SCALING
    p99s, p50s = [round_["p99"] for round_ in paced], [round_["p50"] for round_ in paced]
    return [
        Measurement(
            "closed loop, one process",
            median(alone),
            "CCR/s",
            peak_mb,
            against="a transaction a request",
            baseline=median(singly),
            at_least=6_000,
            ratio_at_least=5.0,
            note=f"{_rounds(alone, ',.0f')}; the other of {', '.join(format(figure, ',.0f') for figure in singly)}",
        ),
        Measurement(
            "closed loop, with metrics and a scrape a second",
            median(measured),
            "CCR/s",
            peak_mb,
            against="without",
            baseline=median(alone),
            ratio_at_least=0.98,
            note=_rounds(measured, ",.0f"),
        ),
        Measurement(
            f"p99 at {RATE:,}/s",
            median(p99s),
            "ms",
            peak_mb,
            at_most=15.0,
            note=f"{_rounds(p99s, '.1f')}; gateways late themselves by {median(sent_late):.1f}",
        ),
        Measurement(f"p50 at {RATE:,}/s", median(p50s), "ms", peak_mb, note=_rounds(p50s, ".1f")),
        Measurement(
            "closed loop, two processes",
            median(paired),
            "CCR/s",
            peak_mb,
            against="one process",
            baseline=median(alone),
            ratio_at_least=1.6 if enough_cores else None,
            note=_rounds(paired, ",.0f")
            + ("" if enough_cores else f"; {len(CORES)} cores, with gateways and database: no room to scale"),
        ),
        Measurement(
            f"memory after {lasting:,} requests more",
            after_kb / 1024,
            "MiB",
            peak_mb,
            against="before them",
            baseline=before_kb / 1024,
            ratio_at_most=1.1,
        ),
    ]


def _rounds(figures: list[float], form: str) -> str:
    return f"median of {', '.join(format(figure, form) for figure in figures)}"


class Server:
    """``manage.py rundiameter`` on a free port, each process on a core of its own."""

    def __init__(self, processes: int = 1, **environment: str) -> None:
        self.wanted = processes
        command = [
            sys.executable,
            "manage.py",
            "rundiameter",
            "--port",
            "0",
            "--accept-unknown-peers",
            "--processes",
            str(processes),
            "--cores",
            ",".join(map(str, CORES[:processes])),
        ]
        command += ["--origin-host", "ocs.bench", "--origin-realm", "operator.bench"]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "BSS_LOG_LEVEL": "ERROR", **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = 0

    def __enter__(self) -> Server:
        assert self.process.stdout is not None
        wanted = self.wanted
        for line in self.process.stdout:
            if found := re.search(r"listening at \S+:(\d+)", line):
                self.port = int(found[1])
                wanted -= 1
                if not wanted:
                    return self
        raise RuntimeError("the server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def resident_kb(self) -> int:
        """Resident memory now, in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]


def load(
    server: Server, accounts: int, requests: int = 0, *, seconds: float = 0.0, rate: float = 0.0
) -> dict[str, Any]:
    """What the gateways of several load processes saw together; raises if an answer was wrong."""
    command = [
        sys.executable,
        "manage.py",
        "diameterload",
        "--port",
        str(server.port),
        "--json",
        "--peers",
        str(PEERS),
    ]
    command += [
        "--destination-realm",
        "operator.bench",
        "--msisdn",
        _msisdn(0),
        "--subscribers",
        str(accounts),
    ]
    command += [
        "--mix",
        "data=3,sms=1",
        "--rating-groups",
        "10",
        "--sessions",
        str(SESSIONS // LOADERS // PEERS),
    ]
    command += [
        "--requests",
        str(requests // LOADERS),
        "--seconds",
        str(seconds),
        "--rate",
        str(rate / LOADERS),
    ]
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(_started([*command, "--origin-host", f"loader{number}-"]))
            for number in range(LOADERS)
        ]
        outcomes = [json.loads(process.communicate()[0]) for process in running]
    for outcome in outcomes:
        if (
            outcome["problems"]
            or outcome["unanswered"]
            or any(not key.endswith(" 2001") for key in outcome["answers"])
        ):
            raise RuntimeError(f"answers were wrong: {outcome['problems']} {outcome['answers']}")
    slowest = max(outcomes, key=lambda outcome: outcome["latency_ms"]["p99"])
    return {
        "requests_per_second": sum(outcome["requests_per_second"] for outcome in outcomes),
        "latency_ms": slowest["latency_ms"],
        "sent_late_ms": slowest["sent_late_ms"],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _scraped(port: int) -> Iterator[None]:
    """Read the metrics of the server at this port each second."""
    ended = threading.Event()

    def scrape() -> None:
        while not ended.wait(1.0):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                answer.read()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _check_the_books() -> None:
    """Every balance is the sum of its entries, and nothing is left held."""
    from django.db.models import Sum

    from apps.charging.models import Balance, LedgerEntry, Reservation

    booked = LedgerEntry.objects.aggregate(total=Sum("amount_micros"))["total"]
    held = Balance.objects.aggregate(total=Sum("amount_micros"))["total"]
    if booked != held or Reservation.objects.exists():
        raise RuntimeError(f"the books are wrong: {booked} booked, {held} held")
