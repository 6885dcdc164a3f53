"""Python processes that have imported the product already: ``python -m tests.fork_server SOCKET``.

Most of what a short test process costs is imports. This one has made them all, and each connection to its socket orders
a copy of it (fork): a JSON object with ``arguments`` (as they would follow ``python``: ``-m MODULE …`` or
``manage.py …``), ``env`` and ``folder``, and the descriptor of the file that takes what it says. The copy reads the
settings anew from its environment and then does what Python would do. The answer is its process id, in the end its
status.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import random
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

from apps.runtime import children

# What commands and workers import late; and every module of the rooms.
ALSO = (
    *("celery.apps.worker", "celery.bin.celery", "celery.concurrency.solo", "celery.fixups.django"),
    *("celery.worker.consumer", "kombu.transport.redis", "uvloop", "django.core.management.commands.migrate"),
)
STATUS_OCTETS = 200


def import_everything() -> None:
    import django

    django.setup()
    import apps

    found = pkgutil.walk_packages(apps.__path__, "apps.")
    for name in (*ALSO, *(module.name for module in found if not _is_special(module.name))):
        importlib.import_module(name)


def _is_special(name: str) -> bool:
    return ".migrations" in name or name.startswith("apps.runtime.native")


def read_settings(env: Mapping[str, str]) -> None:
    """What the settings say under this environment, wherever Django has kept what they said before."""
    from asgiref.local import Local
    from django import conf
    from django.core.cache import caches
    from django.db import connections
    from django.utils.log import configure_logging

    os.environ.clear()
    os.environ.update(env)
    for name in [name for name in sys.modules if name.partition(".settings")[0] == "bss_project"]:
        if name.startswith("bss_project.settings"):
            del sys.modules[name]
    conf.settings._wrapped = conf.Settings(env["DJANGO_SETTINGS_MODULE"])
    for handler in (connections, caches):
        handler.__dict__.pop("settings", None)
        handler._settings = None
        handler._connections = Local(handler.thread_critical)
    configure_logging(conf.settings.LOGGING_CONFIG, conf.settings.LOGGING)


def become(arguments: list[str], env: Mapping[str, str], folder: str) -> None:
    """What ``python ARGUMENTS`` does in this folder."""
    os.chdir(folder)
    random.seed()
    read_settings(env)
    sys.argv = arguments[1:] if arguments[0] == "-m" else arguments
    if arguments[0] == "-m":
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(arguments[0], run_name="__main__")


def attend(connection: socket.socket) -> dict[str, Any] | None:
    """Make the copy that was ordered; in the copy the order, elsewhere nothing when it has ended."""
    message, (output,), _, _ = socket.recv_fds(connection, 1 << 20, 1)
    while not message.endswith(b"\n"):
        message += connection.recv(1 << 20)
    order = json.loads(message)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    attendant = os.getpid()
    child = os.fork()
    if child == 0:
        os.setsid()
        children.die_with(attendant)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.close(output)
        connection.close()
        return dict(order)
    os.close(output)
    connection.sendall(f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    # Whoever ordered it may be gone.
    with contextlib.suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return None


def main(path: str) -> None:
    import_everything()
    assert threading.active_count() == 1, f"a thread cannot be copied: {threading.enumerate()}"
    from bss_project.celery import app

    assert not app.configured, "Celery has read its settings before the copies were made"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(100)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print("ready", flush=True)
        here = os.getpid()
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                break
            connection.close()
    children.die_with(here)
    order = attend(connection)
    if order is None:
        os._exit(0)
    become(order["arguments"], order["env"], order["folder"])


if __name__ == "__main__":
    main(sys.argv[1])
