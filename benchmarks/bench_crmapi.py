"""The CRM's gRPC door beside a bare echo over the same TLS: one subscriber, all of them, and vouchers."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import signal
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
VOUCHERS = 2_000
LOADERS = 2
AT_ONCE = 32
SERVICE = "/billing.CRMService"


def main(setup: Setup) -> list[Measurement]:
    from benchmarks.crmapi_subscribers import make_subscribers, msisdn

    count, calls, vouchers = (setup.scaled(figure, 200) for figure in (SUBSCRIBERS, CALLS, VOUCHERS))
    setup.progress(f"making {count:,} subscribers")
    make_subscribers(count)
    from apps.crmapi.pb import crm_pb2 as crm
    from apps.crmapi.services.clients import platform_token
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
        with _started([sys.executable, "-m", "benchmarks.crmapi_echo", str(certificate), str(key)]) as echo:
            # Both answer for a moment first: connections, caches, prepared statements.
            for address, method in (
                (echo.address, "/bench.Echo/Echo"),
                (server.address, f"{SERVICE}/GetSubscriber"),
            ):
                _load(setup, address, ca, method, requests, calls // 10)
            setup.progress(f"{calls:,} calls of the bare echo, then of GetSubscriber, twice each")
            echoes, reads = [], []
            # In turns, so that a busy moment of the machine meets both.
            for _ in range(2):
                echoes.append(_load(setup, echo.address, ca, "/bench.Echo/Echo", requests, calls // 2))
                reads.append(
                    _load(setup, server.address, ca, f"{SERVICE}/GetSubscriber", requests, calls // 2)
                )
        best = max(reads, key=lambda run: run["rate"])
        found.append(
            Measurement(
                "GetSubscriber, one process",
                sum(run["rate"] for run in reads) / 2,
                "calls/s",
                server.peak_mb(),
                against="bare echo with TLS",
                baseline=sum(run["rate"] for run in echoes) / 2,
                ratio_at_least=0.5,
                note=f"{LOADERS}×{AT_ONCE} at once, p50 {best['p50_ms']:.1f} ms, p99 {best['p99_ms']:.1f} ms",
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
        run = _load(setup, server.address, ca, f"{SERVICE}/RedeemVoucher", redemptions, vouchers)
        _check_redeemed(vouchers)
        found.append(
            Measurement(
                "RedeemVoucher, one process",
                run["rate"],
                "vouchers/s",
                server.peak_mb(),
                note=f"{LOADERS}×{AT_ONCE} at once, p50 {run['p50_ms']:.1f} ms, p99 {run['p99_ms']:.1f} ms",
            )
        )
    return found


class Server:
    """A server process that says where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = ""
        self.trust = Path()

    def peak_mb(self) -> float:
        """Peak resident memory, in 10⁶ octets."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e6  # type: ignore[index]


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


def _load(
    setup: Setup, address: str, ca: Path, method: str, requests: Sequence[bytes], calls: int
) -> dict[str, float]:
    """What several client processes saw together; raises where a call failed."""
    processes = []
    for number in range(LOADERS):
        path = setup.folder / f"requests-{number}"
        own = requests[number::LOADERS]
        path.write_text("\n".join(base64.b64encode(request).decode() for request in own))
        command = [sys.executable, "-m", "benchmarks.crmapi_clients", address, str(ca), method]
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
    }


def _stream(address: str, ca: Path) -> tuple[float, int]:
    import grpc

    from apps.crmapi.pb import crm_pb2 as crm
    from apps.crmapi.pb import crm_pb2_grpc

    metadata = (("authorization", f"Bearer {os.environ['BENCH_TOKEN']}"),)
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes())) as channel:
        stub = crm_pb2_grpc.CRMServiceStub(channel)
        started = time.perf_counter()
        seen = {found.id for found in stub.GetSubscribers(crm.GetSubscribersRequest(), metadata=metadata)}
        return time.perf_counter() - started, len(seen)


def _redemptions(count: int, msisdns: Sequence[str]) -> list[bytes]:
    from apps.charging.services.vouchers import NewBatch, generate_batch
    from apps.crmapi.pb import crm_pb2 as crm
    from apps.rating.models import Tenant

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
    from apps.charging.models import LedgerEntry, Voucher

    redeemed = Voucher.objects.filter(status="redeemed").count()
    entries = LedgerEntry.objects.filter(note__startswith="Voucher").count()
    if redeemed != count or entries != count:
        raise RuntimeError(f"{redeemed} vouchers are redeemed by {entries} entries, not {count}")
