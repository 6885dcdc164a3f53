"""A bare gRPC server that gives back what it is sent, with TLS: what the CRM's server is compared with."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import grpc


async def _echo(request: bytes, context: object) -> bytes:
    return request


async def _serve(certificate: str, key: str) -> None:
    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(_echo)}
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
    asyncio.run(_serve(*sys.argv[1:3]))
