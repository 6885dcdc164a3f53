"""The CRM's gRPC door beside a bare echo over the same TLS: one subscriber, all of them, and vouchers.

Both get the same requests from the same clients, with the token, and give answers of the same size.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.protocol import Measurement, Setup

TITLE = "CRM over gRPC (TLS, JWT)"
DATABASES = ("mariadb", "sqlite")

SUBSCRIBERS = 100_000
CALLS = 30_000
VOUCHERS = 4_000
LOADERS = 2
AT_ONCE = 32
ROUNDS = 3
SERVICE = "/billing.CRMService"
ECHO = "/bench.Echo/Echo"


def main(setup: Setup) -> list[Measurement]:
    from benchmarks.crmapi_subscribers import make_subscribers, msisdn

    count, calls, vouchers = (setup.scaled(figure, 200) for figure in (SUBSCRIBERS, CALLS, VOUCHERS))
    setup.progress(f"making {count:,} subscribers")
    make_subscribers(count)
    from apps.crm.services.clients import platform_token
    from apps.crmapi.grpc.pb import crm_pb2 as crm
    from apps.subscribers.models import Subscriber

    now = datetime.now(UTC)
    os.environ["BENCH_TOKEN"] = platform_token(
        subject="bench", tenant="default", roles=["admin"], lifetime_s=3600, now=now
    )
    ids = list(Subscriber.objects.order_by("pk").values_list("pk", flat=True))
    spread = [ids[number * 7919 % count] for number in range(min(count, 20_000))]
    requests = [crm.GetSubscriberRequest(id=pk).SerializeToString() for pk in spread]
    found = []
    with _server(setup) as server:
        ca = server.trust
        certificate, key = ca.with_name("server.crt"), ca.with_name("server.key")
        reading = (server, f"{SERVICE}/GetSubscriber")
        # All answer for a moment first: connections, caches. It says how large an answer is, too.
        octets = round(_load(setup, *reading, ca, requests, calls // 10)["octets"])
        with (
            _echo(certificate, key, octets, "asyncio") as echo,
            _echo(certificate, key, octets, "uvloop") as fast,
        ):
            tried = {"echo": (echo, ECHO), "uvloop": (fast, ECHO), "read": reading}
            for server_of_it, method in (tried["echo"], tried["uvloop"]):
                _load(setup, server_of_it, method, ca, requests, calls // 10)
            setup.progress(f"{calls:,} calls of the bare echo and of GetSubscriber, in {ROUNDS} turns")
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in tried}
            # In turns, so that a busy moment of the machine meets all.
            for _ in range(ROUNDS):
                for name, (server_of_it, method) in tried.items():
                    runs[name].append(_load(setup, server_of_it, method, ca, requests, calls // ROUNDS))
        rate = {name: sum(run["rate"] for run in found_of) / ROUNDS for name, found_of in runs.items()}
        best = max(runs["read"], key=lambda run: run["rate"])
        for against, name, promised in (
            ("bare echo with TLS", "echo", 0.5),
            ("the same on uvloop", "uvloop", None),
        ):
            found.append(
                Measurement(
                    "GetSubscriber, one process",
                    rate["read"],
                    "calls/s",
                    server.peak_mb(),
                    against=against,
                    baseline=rate[name],
                    ratio_at_least=promised,
                    note=f"{LOADERS}×{AT_ONCE} at once, p50 {best['p50_ms']:.1f} ms, p99 {best['p99_ms']:.1f} ms, "
                    f"CPU {_median(runs['read']):.0f} µs a call beside {_median(runs[name]):.0f}",
                )
            )
    with _server(setup) as server:
        ca = server.trust
        before = server.peak_mb()
        setup.progress(f"streaming {count:,} subscribers")
        seconds, streamed = _stream(server.address, ca)
        if streamed != count:
            raise RuntimeError(f"{streamed} of {count} subscribers were streamed")
        found.append(
            Measurement(
                f"GetSubscribers, all {count:,}",
                count / seconds,
                "subscribers/s",
                server.peak_mb(),
                note=f"the server grew by {server.peak_mb() - before:.0f} MB",
            )
        )
        setup.progress(f"redeeming {vouchers:,} vouchers")
        redemptions = _redemptions(vouchers, [msisdn(1 + number % count) for number in range(vouchers)])
        run = _load(setup, server, f"{SERVICE}/RedeemVoucher", ca, redemptions, vouchers)
        _check_redeemed(vouchers)
        found.append(
            Measurement(
                "RedeemVoucher, one process",
                run["rate"],
                "vouchers/s",
                server.peak_mb(),
                note=f"{LOADERS}×{AT_ONCE} at once, p50 {run['p50_ms']:.1f} ms, p99 {run['p99_ms']:.1f} ms, "
                f"CPU {run['cpu_us']:.0f} µs each",
            )
        )
    return found


class Server:
    """A server process that announces its address."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = ""
        self.trust = Path()

    def peak_mb(self) -> float:
        """Peak resident memory, in 10⁶ octets."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e6  # type: ignore[index]

    def cpu_s(self) -> float:
        """Processor time used so far, seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _started(command: list[str], wait_for: str = "listening at", **environment: str) -> Iterator[Server]:
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    server = Server(process)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if place := re.search(r"listening at (\S+)", line):
                server.address = place[1]
            if trust := re.search(r"trust it by (\S+)", line):
                server.trust = Path(trust[1])
            if wait_for in line:
                break
        else:
            raise RuntimeError("the server did not start")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def _server(setup: Setup) -> contextlib.AbstractContextManager[Server]:
    limits = {"BSS_API_CALLS_A_SECOND": "1000000", "BSS_API_BURST": "1000000", "BSS_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "manage.py", "rungrpc", "--port", "0"]
    return _started(command, "trust it by", **limits)


def _echo(certificate: Path, key: Path, octets: int, loop: str) -> contextlib.AbstractContextManager[Server]:
    names = [str(certificate), str(key), str(octets), loop]
    return _started([sys.executable, "-m", "benchmarks.crmapi_echo", *names])


def _median(runs: Sequence[dict[str, float]]) -> float:
    return statistics.median(run["cpu_us"] for run in runs)


def _load(
    setup: Setup, server: Server, method: str, ca: Path, requests: Sequence[bytes], calls: int
) -> dict[str, float]:
    """What several client processes saw together, and what the server used; raises where a call failed."""
    processes = []
    before = server.cpu_s()
    for number in range(LOADERS):
        path = setup.folder / f"requests-{number}"
        own = requests[number::LOADERS]
        path.write_text("\n".join(base64.b64encode(request).decode() for request in own))
        command = [sys.executable, "-m", "benchmarks.crmapi_clients", server.address, str(ca), method]
        command += [str(path), str(calls // LOADERS), str(AT_ONCE)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    runs: list[dict[str, Any]] = []
    for process in processes:
        output = process.communicate()[0]
        if process.returncode:
            raise RuntimeError(f"calls of {method} failed")
        runs.append(json.loads(output))
    return {
        "rate": sum(run["rate"] for run in runs),
        "p50_ms": max(run["p50_ms"] for run in runs),
        "p99_ms": max(run["p99_ms"] for run in runs),
        "octets": runs[0]["octets"],
        "cpu_us": (server.cpu_s() - before) / sum(run["calls"] for run in runs) * 1e6,
    }


def _stream(address: str, ca: Path) -> tuple[float, int]:
    import grpc

    from apps.crmapi.grpc.pb import crm_pb2 as crm
    from tests.crmapi.rpc.stub import CrmStub

    metadata = (("authorization", f"Bearer {os.environ['BENCH_TOKEN']}"),)
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes())) as channel:
        stub = CrmStub(channel)
        started = time.perf_counter()
        seen = {found.id for found in stub.GetSubscribers(crm.GetSubscribersRequest(), metadata=metadata)}
        return time.perf_counter() - started, len(seen)


def _redemptions(count: int, msisdns: Sequence[str]) -> list[bytes]:
    from apps.crmapi.grpc.pb import crm_pb2 as crm
    from apps.rating.models import Tenant
    from apps.vouchers.services.batches import NewBatch, generate_batch

    now = datetime.now(UTC)
    made = generate_batch(
        Tenant.objects.get(code="default"),
        NewBatch("bench", count, 5_000_000, now + timedelta(days=365)),
        now,
        key=secrets.token_hex(8),
    )
    return [
        crm.RedeemVoucherRequest(pin=voucher.pin, msisdn=msisdn).SerializeToString()
        for voucher, msisdn in zip(made.vouchers, msisdns, strict=True)
    ]


def _check_redeemed(count: int) -> None:
    from apps.charging.models import LedgerEntry
    from apps.vouchers.models import Voucher

    redeemed = Voucher.objects.filter(status="redeemed").count()
    entries = LedgerEntry.objects.filter(note__startswith="Voucher").count()
    if redeemed != count or entries != count:
        raise RuntimeError(f"{redeemed} vouchers are redeemed by {entries} entries, not {count}")
