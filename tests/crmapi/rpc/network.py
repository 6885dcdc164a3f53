"""Clients of a real server over a real network."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import grpc

from apps.crm.services.clients import platform_token
from apps.kernel.clock import utc_now
from apps.mediation.pb import billing_pb2 as billing
from tests import python_processes
from tests.crmapi.rpc.stub import CrmStub
from tests.interop.diameter.processes import RunningServer
from tests.interop.grpc_server import authority


def start(database_url: str, *arguments: str, **environment: str) -> RunningServer:
    """``manage.py rungrpc``; the caller that starts it ends it. ``--port 0`` unless told otherwise."""
    own = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "bss_project.settings"}
    port = () if "--port" in arguments else ("--port", "0")
    process = python_processes.start(
        ["manage.py", "rungrpc", *port, *arguments], env={**os.environ, **own, **environment}
    )
    server = RunningServer(process)
    assert server.listening.wait(60), "the server did not begin to listen"
    assert server.port, "".join(server.log)
    return server


def metadata(key: str = "", roles: tuple[str, ...] = ("admin",)) -> list[tuple[str, str]]:
    token = platform_token(subject="ada", tenant="default", roles=list(roles), lifetime_s=600, now=utc_now())
    return [("authorization", f"Bearer {token}"), *([("idempotency-key", key)] if key else [])]


@contextlib.contextmanager
def channel(port: int, trust: Path | None = None, **certificate: bytes) -> Iterator[grpc.Channel]:
    """A TLS channel that trusts the server's authority, or the one given."""
    credentials = grpc.ssl_channel_credentials((trust or authority()).read_bytes(), **certificate)
    with grpc.secure_channel(f"localhost:{port}", credentials) as opened:
        yield opened


@contextlib.contextmanager
def crm(port: int, **options: object) -> Iterator[CrmStub]:
    with channel(port, **options) as opened:  # type: ignore[arg-type]
        yield CrmStub(opened)


def new_person(plan_id: int, number: int) -> billing.Subscriber:
    return billing.Subscriber(
        mode=billing.PAYMENT_MODE_PREPAID,
        customer=billing.Customer(name=f"Person {number}"),
        resource=billing.Resource(msisdn=f"49156{number:08d}", imsi=f"26201{number:010d}"),
        balance=billing.Balance(amount_micros=1_000_000),
        price_plan_id=plan_id,
    )
