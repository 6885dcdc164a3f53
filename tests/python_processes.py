"""``start(["manage.py", "loadcdrs"], env=…)``: Python processes that start at once.

Most of what a short test process costs is imports. The standard library's fork server makes them once
(``tests/preloaded.py``); a copy of it re-reads the settings from its environment and does what Python would do. What
is special about a real start is shown by the tests of ``./run serve`` and of its supervisor, and by all processes that
start others: those start theirs by the command line, as in production.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import random
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any

from apps.runtime import children

ROOT = Path(__file__).resolve().parent.parent
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preloaded"])
_running: set[Process] = set()


class Process:
    """A started process, with the methods of ``subprocess.Popen`` that tests use."""

    def __init__(self, arguments: list[str], env: dict[str, str], folder: str, output: int | None) -> None:
        self.stdout: IO[Any] | None = None
        if output is None:
            ours, output = os.pipe()
            self.stdout = os.fdopen(ours, encoding="utf-8", errors="replace")
        else:
            output = os.dup(output)
        self._process = _context.Process(target=_become, args=(arguments, env, folder, _Descriptor(output)))
        self._process.start()
        os.close(output)
        self.pid = self._process.pid or 0
        _running.add(self)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        _running.discard(self)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[Any, None]:
        """What it has said until its end."""
        said: Any = None
        if self.stdout is not None:
            said = self.stdout.read()
            self.stdout.close()
        self.wait(timeout)
        return said, None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def start(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: IO[Any] | None = None,
    cwd: Path = ROOT,
) -> Process:
    """``python ARGUMENTS`` under this environment, in a session of its own.

    What it says goes to ``output``, or else to the process's ``stdout`` as text.
    """
    descriptor = None if output is None else output.fileno()
    return Process([os.fspath(part) for part in arguments], dict(env), str(cwd), descriptor)


@atexit.register
def _kill_all() -> None:
    # multiprocessing would wait for what a failed test has left behind.
    for process in _running:
        process.kill()


class _Descriptor:
    """A file descriptor that goes to the process as it is started."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _received, (reduction.DupFd(self.number),)


def _received(duplicate: Any) -> int:
    number: int = duplicate.detach()
    return number


def _become(arguments: list[str], env: Mapping[str, str], folder: str, output: int) -> None:
    """What ``python ARGUMENTS`` does in this folder."""
    os.setsid()
    children.die_with(os.getppid())
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(folder)
    random.seed()
    _read_settings(env)
    sys.argv = arguments[1:] if arguments[0] == "-m" else arguments
    if arguments[0] == "-m":
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(arguments[0], run_name="__main__")


def _read_settings(env: Mapping[str, str]) -> None:
    """What the settings say under this environment, in every place where Django has cached them."""
    from asgiref.local import Local
    from django import conf
    from django.core.cache import caches
    from django.db import connections
    from django.utils.log import configure_logging

    os.environ.clear()
    os.environ.update(env)
    for name in [name for name in sys.modules if name.startswith("bss_project.settings")]:
        del sys.modules[name]
    conf.settings._wrapped = conf.Settings(env["DJANGO_SETTINGS_MODULE"])
    for handler in (connections, caches):
        handler.__dict__.pop("settings", None)
        handler._settings = None
        handler._connections = Local(handler.thread_critical)
    configure_logging(conf.settings.LOGGING_CONFIG, conf.settings.LOGGING)
