"""``manage.py rundiameter``: the Gy server."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.diameter.worker.configuration import from_settings, node_for
from apps.diameter.worker.run import as_child, run_processes, run_server
from apps.kernel.errors import BssError
from apps.serving.cores import cores_from_text


class Command(BaseCommand):
    """The door: which addresses and how many processes. Serving is ``worker/``."""

    help = (
        "Serve Diameter Gy (online charging). SIGTERM drains: requests in flight are answered, peers are told. "
        "The settings BSS_DIAMETER_… say the same as the options, and more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default=settings.DIAMETER_BIND, metavar="ADDRESS")
        parser.add_argument(
            "--port", type=int, default=settings.DIAMETER_PORT, help="0 = a free one (default: %(default)s)"
        )
        parser.add_argument(
            "--tls-port",
            type=int,
            default=settings.DIAMETER_TLS_PORT or None,
            help="TLS beside it (default: none)",
        )
        parser.add_argument(
            "--processes",
            type=int,
            default=settings.DIAMETER_PROCESSES,
            metavar="N",
            help="behind the same port",
        )
        parser.add_argument(
            "--cores",
            default=settings.DIAMETER_CORES,
            metavar="N[,N…]",
            help="the core that each process keeps to (default: the system decides)",
        )
        parser.add_argument("--origin-host", default=settings.DIAMETER_ORIGIN_HOST, metavar="NAME")
        parser.add_argument("--origin-realm", default=settings.DIAMETER_ORIGIN_REALM, metavar="NAME")
        parser.add_argument(
            "--accept-unknown-peers",
            action="store_true",
            default=settings.DIAMETER_ACCEPT_UNKNOWN_PEERS,
            help="let peers in that are not configured (for trials)",
        )
        parser.add_argument(
            "--child-of", type=int, default=None, metavar="PID", help="used by the server itself"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["processes"] < 1:
            raise CommandError("--processes must be at least 1", returncode=2)
        try:
            cores = cores_from_text(options["cores"])
        except BssError as error:
            raise CommandError(f"--cores or BSS_DIAMETER_CORES: {error}", returncode=2) from error
        configuration = replace(
            from_settings(),
            cores=cores,
            node=node_for(options["origin_host"], options["origin_realm"], options["bind"]),
            bind=options["bind"],
            port=options["port"],
            tls_port=options["tls_port"],
            accept_unknown_peers=options["accept_unknown_peers"],
        )
        if configuration.tls_port is not None and configuration.tls is None:
            raise CommandError(
                "--tls-port needs BSS_DIAMETER_TLS_CERTIFICATE and BSS_DIAMETER_TLS_KEY", returncode=2
            )
        try:
            if options["child_of"] is not None:
                run_server(as_child(configuration), self._announce, options["child_of"])
            elif options["processes"] > 1:
                run_processes(configuration, options["processes"], self._same_again(options), self._announce)
            else:
                run_server(configuration, self._announce)
        except OSError as error:
            raise CommandError(
                f"cannot listen at {options['bind']}:{options['port']}: {error.strerror or error}"
            ) from error

    def _announce(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    @staticmethod
    def _same_again(options: dict[str, Any]) -> list[str]:
        arguments = [sys.argv[0], "rundiameter", "--bind", options["bind"]]
        arguments += ["--origin-host", options["origin_host"], "--origin-realm", options["origin_realm"]]
        if options["accept_unknown_peers"]:
            arguments.append("--accept-unknown-peers")
        if options["settings"]:
            arguments += ["--settings", options["settings"]]
        return arguments
