"""``manage.py rundiameter``: the Gy server."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from apps.diameter.worker.configuration import ServerConfiguration, from_settings, node_for
from apps.diameter.worker.run import run_server
from apps.kernel.errors import BssError
from apps.runtime.cores import cores_from_text
from apps.runtime.server_command import ServerCommand
from apps.runtime.start import Role

# Beyond the time for draining: peers are told, and the last rows written.
ROWS_GRACE_S = 20.0


class Command(ServerCommand[ServerConfiguration]):
    """The door: which addresses and how many processes. Serving is ``worker/``."""

    role = Role.DIAMETER
    title = "Diameter"
    repeated = ("origin_host", "origin_realm", "accept_unknown_peers")
    help = (
        "Serve Diameter Gy (online charging). SIGTERM drains: requests in flight are answered, peers are told. "
        "The settings BSS_DIAMETER_… say the same as the options, and more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_server_arguments(
            parser,
            bind=settings.DIAMETER_BIND,
            port=settings.DIAMETER_PORT,
            processes=settings.DIAMETER_PROCESSES,
        )
        parser.add_argument(
            "--tls-port",
            type=int,
            default=settings.DIAMETER_TLS_PORT or None,
            help="TLS beside it (default: none)",
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

    def configure(self, options: dict[str, Any]) -> ServerConfiguration:
        try:
            cores = cores_from_text(options["cores"])
        except BssError as error:
            raise CommandError(f"--cores or BSS_DIAMETER_CORES: {error}", returncode=2) from error
        try:
            settled = from_settings()
            node = node_for(options["origin_host"], options["origin_realm"], options["bind"])
        except ValueError as error:
            raise CommandError(f"--bind or BSS_DIAMETER_BIND: {error}", returncode=2) from error
        configuration = replace(
            settled,
            cores=cores,
            node=node,
            bind=options["bind"],
            port=options["port"],
            tls_port=options["tls_port"],
            accept_unknown_peers=options["accept_unknown_peers"],
            reuse_port=options["shares_port"],
        )
        if configuration.tls_port is not None and configuration.tls is None:
            raise CommandError(
                "--tls-port needs BSS_DIAMETER_TLS_CERTIFICATE and BSS_DIAMETER_TLS_KEY", returncode=2
            )
        return configuration

    def serve(self, configuration: ServerConfiguration) -> None:
        run_server(configuration, self.announce)

    def grace_s(self, configuration: ServerConfiguration) -> float:
        return configuration.limits.drain_timeout_s + ROWS_GRACE_S

    def ports(self, options: dict[str, Any]) -> dict[str, int]:
        tls_port = options["tls_port"]
        return super().ports(options) | ({} if tls_port is None else {"--tls-port": tls_port})

    def arguments_of(self, number: int, configuration: ServerConfiguration) -> list[str]:
        cores = configuration.cores
        return ["--cores", str(cores[number % len(cores)])] if cores else []
