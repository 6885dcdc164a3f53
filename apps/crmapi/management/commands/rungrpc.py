"""``manage.py rungrpc``: the CRM's gRPC server."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.crmapi.grpc.server.configuration import from_settings
from apps.crmapi.grpc.server.run import as_child, run_processes, run_server
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError


class Command(BaseCommand):
    """The door: which address, how many processes. Serving is ``server/``, what the RPCs do ``servicers/``."""

    help = (
        "Serve the CRM over gRPC (proto/crm.proto), with TLS. SIGTERM drains: calls in flight are answered. "
        "The settings BSS_GRPC_… and BSS_API_… say the same as the options, and more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default=settings.GRPC_BIND, metavar="ADDRESS")
        parser.add_argument(
            "--port", type=int, default=settings.GRPC_PORT, help="0 = a free one (default: %(default)s)"
        )
        parser.add_argument(
            "--processes", type=int, default=settings.GRPC_PROCESSES, metavar="N", help="behind the same port"
        )
        parser.add_argument(
            "--insecure-plaintext",
            action="store_true",
            default=settings.GRPC_INSECURE_PLAINTEXT,
            help="no TLS: only where something in front of the server does it",
        )
        parser.add_argument(
            "--child-of", type=int, default=None, metavar="PID", help="used by the server itself"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["processes"] < 1:
            raise CommandError("--processes must be at least 1", returncode=2)
        try:
            configuration = from_settings(
                bind=options["bind"],
                port=options["port"],
                insecure_plaintext=options["insecure_plaintext"],
                now=utc_now(),
            )
            if options["child_of"] is not None:
                run_server(as_child(configuration), self._announce, options["child_of"])
            elif options["processes"] > 1:
                run_processes(configuration, options["processes"], self._same_again(options), self._announce)
            else:
                run_server(configuration, self._announce)
        except BssError as error:
            raise CommandError(str(error)) from error
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"cannot listen at {options['bind']}:{options['port']}: {error}. Choose another with --port"
            ) from error

    def _announce(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    @staticmethod
    def _same_again(options: dict[str, Any]) -> list[str]:
        arguments = [sys.argv[0], "rungrpc", "--bind", options["bind"]]
        if options["insecure_plaintext"]:
            arguments.append("--insecure-plaintext")
        if options["settings"]:
            arguments += ["--settings", options["settings"]]
        return arguments
