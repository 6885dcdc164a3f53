"""A bare gRPC server with TLS that gives back what it is sent: what the CRM's server is compared with.

``python -m benchmarks.crmapi_echo CERTIFICATE KEY OCTETS LOOP``: what comes back is filled up to so many octets, as
many as the answers it is compared with have. LOOP is ``asyncio`` or ``uvloop``, which the CRM's server runs on.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import grpc
import uvloop


async def _serve(certificate: str, key: str, octets: int) -> None:
    async def echo(request: bytes, context: object) -> bytes:
        return request.ljust(octets)

    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(f"echo: listening at 127.0.0.1:{port} (TLS)", flush=True)
    await stop.wait()
    await server.stop(1.0)


if __name__ == "__main__":
    certificate, key, octets, loop = sys.argv[1:]
    run = uvloop.run if loop == "uvloop" else asyncio.run
    run(_serve(certificate, key, int(octets)))
