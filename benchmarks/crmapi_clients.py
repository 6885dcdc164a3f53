"""Clients of a gRPC server in one process: so many calls at once, each begun when another ends; results as JSON.

``python -m benchmarks.crmapi_clients ADDRESS CA_FILE METHOD REQUESTS_FILE CALLS AT_ONCE``: the file has a request a
line in base64, used in turn; the token is in BENCH_TOKEN. Every call has to succeed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from itertools import cycle
from pathlib import Path

import grpc


async def run(
    address: str, ca: str, method: str, requests: str, calls: int, at_once: int
) -> dict[str, float]:
    bodies = [base64.b64decode(line) for line in Path(requests).read_text().split("\n") if line]
    token = os.environ.get("BENCH_TOKEN", "")
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    credentials = grpc.ssl_channel_credentials(Path(ca).read_bytes())
    waits: list[float] = []
    octets = 0
    async with grpc.aio.secure_channel(address, credentials) as channel:
        await channel.channel_ready()
        call = channel.unary_unary(method)
        left = iter(range(calls))
        turn = cycle(bodies)

        async def client() -> None:
            nonlocal octets
            for _ in left:
                began = time.perf_counter()
                answer = await call(next(turn), metadata=metadata, timeout=60)
                waits.append(time.perf_counter() - began)
                octets += len(answer)

        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(at_once)))
        seconds = time.perf_counter() - started
    waits.sort()
    return {
        "calls": len(waits),
        "rate": len(waits) / seconds,
        "p50_ms": waits[len(waits) // 2] * 1000,
        "p99_ms": waits[len(waits) * 99 // 100] * 1000,
        "octets": octets / len(waits),
    }


if __name__ == "__main__":
    address, ca, method, requests, calls, at_once = sys.argv[1:]
    print(json.dumps(asyncio.run(run(address, ca, method, requests, int(calls), int(at_once)))))
