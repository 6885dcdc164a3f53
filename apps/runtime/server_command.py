"""Base of the commands that serve: one process, or several kept running behind one port."""

from __future__ import annotations

import contextlib
import signal
import sys
from abc import abstractmethod
from argparse import SUPPRESS, ArgumentParser
from typing import Any, ClassVar, Generic, TypeVar

from django.core.management.base import CommandError

from apps.kernel.errors import BssError
from apps.licensing.domain.errors import LicenceError
from apps.licensing.services import gate
from apps.runtime.commands import RoomCommand
from apps.runtime.ports import held_port
from apps.runtime.start import Role, start
from apps.runtime.supervisor import ProcessSpec, Supervisor

Configuration = TypeVar("Configuration")


class ServerCommand(RoomCommand, Generic[Configuration]):
    """A command names its role and options, makes a configuration of them, and serves by it until SIGTERM.

    With ``--processes N`` it starts itself N times with ``--shares-port``, one process of N each time.
    """

    role: ClassVar[Role]
    title: ClassVar[str]
    """The prefix of announcements."""
    repeated: ClassVar[tuple[str, ...]] = ()
    """Names of options that each of several processes is given too."""

    def add_server_arguments(self, parser: ArgumentParser, *, bind: str, port: int, processes: int) -> None:
        """The options of all servers, with their defaults."""
        parser.add_argument("--bind", default=bind, metavar="ADDRESS")
        parser.add_argument("--port", type=int, default=port, help="0 = a free one (default: %(default)s)")
        parser.add_argument(
            "--processes", type=int, default=processes, metavar="N", help="behind the same port"
        )
        parser.add_argument("--shares-port", action="store_true", help=SUPPRESS)

    @abstractmethod
    def configure(self, options: dict[str, Any]) -> Configuration:
        """Raises BssError or CommandError for options that do not go together."""

    @abstractmethod
    def serve(self, configuration: Configuration) -> None:
        """Serve in this process until SIGTERM or SIGINT, and drain. Raises OSError if a port is taken."""

    @abstractmethod
    def grace_s(self, configuration: Configuration) -> float:
        """How long a process may take to end."""

    def introduce(self, configuration: Configuration) -> None:
        """Say once what holds for all processes."""
        return

    def ports(self, options: dict[str, Any]) -> dict[str, int]:
        """The ports to listen at, by the option that names each."""
        return {"--port": options["port"]}

    def arguments_of(self, number: int, configuration: Configuration) -> list[str]:
        """What the process of this number is told beside the rest."""
        return []

    def announce(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def handle(self, *args: Any, **options: Any) -> None:
        if options["processes"] < 1:
            raise CommandError("--processes must be at least 1", returncode=2)
        several = options["processes"] > 1 and not options["shares_port"]
        try:
            configuration = self.configure(options)
            start(Role.SUPERVISOR if several else self.role)
            if not options["shares_port"]:
                self.introduce(configuration)
            if several:
                self._keep(configuration, options)
            else:
                self.serve(configuration)
            if (ended := gate.ended_by()) is not None:
                raise ended
        except LicenceError:
            raise
        except BssError as error:
            raise CommandError(str(error)) from error
        except (OSError, OverflowError) as error:
            where = f"{options['bind']}:{options['port']}"
            raise CommandError(f"cannot listen at {where}: {error}. Choose another with --port") from error

    def _keep(self, configuration: Configuration, options: dict[str, Any]) -> None:
        with contextlib.ExitStack() as held:
            command = self._same_again(options)
            for option, port in self.ports(options).items():
                command += [option, str(held.enter_context(held_port(options["bind"], port)))]
            specs = [
                ProcessSpec(
                    f"{self.title} {number + 1}",
                    (*command, *self.arguments_of(number, configuration)),
                    grace_s=self.grace_s(configuration),
                    captured=False,
                    # A process whose keeper is killed drains.
                    death_signal=signal.SIGTERM,
                )
                for number in range(options["processes"])
            ]
            Supervisor(lambda: specs, write=lambda name, line: self.announce(f"{name}: {line}")).run()

    def _same_again(self, options: dict[str, Any]) -> list[str]:
        command = [sys.executable, sys.argv[0], type(self).__module__.rpartition(".")[2], "--shares-port"]
        for name in ("settings", "bind", *self.repeated):
            value, option = options[name], f"--{name.replace('_', '-')}"
            if value is True:
                command.append(option)
            elif value:
                command += [option, str(value)]
        return command
