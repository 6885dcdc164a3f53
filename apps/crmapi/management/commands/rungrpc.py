"""``manage.py rungrpc``: the CRM's gRPC server."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.conf import settings

from apps.crmapi.grpc.server.configuration import ServerConfiguration, from_settings
from apps.crmapi.grpc.server.run import run_server
from apps.kernel.clock import utc_now
from apps.runtime.server_command import ServerCommand
from apps.runtime.start import Role

GRACE_BEYOND_DRAINING_S = 15.0


class Command(ServerCommand[ServerConfiguration]):
    """The door: which address, how many processes. Serving is ``grpc/server/``, the RPCs are ``grpc/servicers/``."""

    role = Role.GRPC
    title = "gRPC"
    repeated = ("insecure_plaintext",)
    help = (
        "Serve the CRM over gRPC (proto/crm.proto), with TLS. SIGTERM drains: calls in flight are answered. "
        "The settings BSS_GRPC_… and BSS_API_… say the same as the options, and more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_server_arguments(
            parser, bind=settings.GRPC_BIND, port=settings.GRPC_PORT, processes=settings.GRPC_PROCESSES
        )
        parser.add_argument(
            "--insecure-plaintext",
            action="store_true",
            default=settings.GRPC_INSECURE_PLAINTEXT,
            help="no TLS: only where something in front of the server does it",
        )

    def configure(self, options: dict[str, Any]) -> ServerConfiguration:
        configuration = from_settings(
            bind=options["bind"],
            port=options["port"],
            insecure_plaintext=options["insecure_plaintext"],
            now=utc_now(),
        )
        return replace(configuration, reuse_port=options["shares_port"])

    def introduce(self, configuration: ServerConfiguration) -> None:
        if configuration.trust is not None:
            self.announce(f"gRPC: clients trust it by {configuration.trust} (a certificate for development)")

    def serve(self, configuration: ServerConfiguration) -> None:
        run_server(configuration, self.announce)

    def grace_s(self, configuration: ServerConfiguration) -> float:
        return configuration.drain_s + GRACE_BEYOND_DRAINING_S
