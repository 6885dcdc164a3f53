"""The CRM's server as operators start it: ``manage.py rungrpc`` in a process of its own, on the tests' database."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.crm.services.clients import platform_token
from apps.crmapi.grpc.server.certificates import development_certificate
from apps.kernel.clock import utc_now
from tests import python_processes
from tests.interop.diameter.processes import START_TIMEOUT_S, RunningServer

CLIENT_TIMEOUT_S = 120


@contextlib.contextmanager
def crm_server(database_url: str, *arguments: str, **environment: str) -> Iterator[RunningServer]:
    """The server with TLS on a free port; clients trust it by :func:`authority`."""
    own = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "bss_project.settings"}
    process = python_processes.start(
        ["manage.py", "rungrpc", "--port", "0", *arguments], env={**os.environ, **own, **environment}
    )
    server = RunningServer(process)
    try:
        assert server.listening.wait(START_TIMEOUT_S), "the server did not begin to listen"
        assert server.port, "".join(server.log)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def authority() -> Path:
    """What clients of :func:`crm_server` trust."""
    return settings.VAR_DIR / "grpc" / "ca.crt"


def other_authority(folder: Path) -> Path:
    """A certificate authority that has nothing to do with the server's."""
    return development_certificate(folder, (), utc_now()).authority


def token(*roles: str) -> str:
    """A token of the default tenant with these roles, for an hour."""
    return platform_token(subject="ada", tenant="default", roles=list(roles), lifetime_s=3600, now=utc_now())


def run_client(command: Sequence[str], said: dict[str, Any], **environment: str) -> Any:
    """What a client program answers to ``said``, both as JSON."""
    done = subprocess.run(
        command,
        input=json.dumps(said),
        capture_output=True,
        text=True,
        timeout=CLIENT_TIMEOUT_S,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
