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
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench_charging import ACCOUNTS, _msisdn, _subscribers
from benchmarks.protocol import Measurement, Setup

TITLE = "Diameter Gy server"
DATABASES = ("mariadb",)

REQUESTS = 60_000
SINGLE_REQUESTS = 8_000
RATE = 2_000
RATE_S = 10
LASTING_REQUESTS = 500_000
LOADERS = 2
# Sessions with a request in flight in the closed loop, over all gateways; one gateway of an operator has more.
SESSIONS = 384
CORES_FOR_SCALING = 6


def main(setup: Setup) -> list[Measurement]:
    accounts = setup.scaled(ACCOUNTS, 200)
    _subscribers(accounts)
    requests = setup.scaled(REQUESTS, 2_000)
    found: list[Measurement] = []
    with Server() as server:
        load(server, accounts, requests // 10)
        setup.progress("closed loop, one process")
        batched = load(server, accounts, requests)
        setup.progress(f"{RATE} requests a second")
        paced = load(server, accounts, seconds=max(3.0, RATE_S * min(setup.scale, 1.0)), rate=RATE)
        before_kb = server.resident_kb()
        lasting = setup.scaled(LASTING_REQUESTS, 4_000)
        setup.progress(f"memory over {lasting:,} requests")
        load(server, accounts, lasting)
        after_kb = server.resident_kb()
    with Server(BSS_CHARGING_BATCH_SIZE="1") as server:
        setup.progress("a transaction a request")
        single = load(server, accounts, setup.scaled(SINGLE_REQUESTS, 1_000))
    with Server("--processes", "2") as server:
        load(server, accounts, requests // 10)
        setup.progress("closed loop, two processes")
        double = load(server, accounts, requests)
    _check_the_books()
    peak_mb = after_kb * 1024 / 1e6
    enough_cores = (os.cpu_count() or 1) >= CORES_FOR_SCALING
    found += [
        Measurement(
            "closed loop, one process",
            batched["requests_per_second"],
            "CCR/s",
            peak_mb,
            against="a transaction a request",
            baseline=single["requests_per_second"],
            at_least=6_000,
            ratio_at_least=5.0,
        ),
        Measurement(f"p99 at {RATE:,}/s", paced["latency_ms"]["p99"], "ms", peak_mb, at_most=15.0),
        Measurement(f"p50 at {RATE:,}/s", paced["latency_ms"]["p50"], "ms", peak_mb),
        Measurement(
            "closed loop, two processes",
            double["requests_per_second"],
            "CCR/s",
            peak_mb,
            against="one process",
            baseline=batched["requests_per_second"],
            ratio_at_least=1.6 if enough_cores else None,
            note=""
            if enough_cores
            else f"{os.cpu_count()} cores, with gateways and database: no room to scale",
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
    return found


class Server:
    """``manage.py rundiameter`` on a free port."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        command = [
            sys.executable,
            "manage.py",
            "rundiameter",
            "--port",
            "0",
            "--accept-unknown-peers",
            *arguments,
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
        wanted = 2 if "--processes" in self.process.args else 1  # type: ignore[operator]
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
        "2",
    ]
    command += [
        "--destination-realm",
        "operator.bench",
        "--msisdn",
        _msisdn(0),
        "--subscribers",
        str(accounts),
    ]
    command += ["--mix", "data=3,sms=1", "--rating-groups", "10", "--sessions", str(SESSIONS // 2)]
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
    }


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
