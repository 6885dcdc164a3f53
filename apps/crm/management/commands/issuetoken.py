"""``issuetoken``: a bearer token for gRPC and REST, signed with the platform's own key."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.crm.domain.access import ROLES
from apps.crm.services.clients import platform_token
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = (
        "Print a bearer token (JWT) for the CRM's doors, signed with the platform's own key (BSS_API_KEYS). Programs "
        "that sign tokens themselves get a key of their own: see apiclient."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "subject", help="who it is for, such as a person's name; the audit record shows it"
        )
        parser.add_argument(
            "--role", action="append", required=True, choices=ROLES, help="may be given several times"
        )
        parser.add_argument("--tenant", default="default", metavar="CODE")
        parser.add_argument(
            "--hours", type=float, default=12.0, help="how long it counts (default: %(default)s)"
        )
        parser.add_argument(
            "--subscriber", type=int, metavar="ID", help="whose own view it is (self_care needs it)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            token = platform_token(
                subject=options["subject"],
                tenant=options["tenant"],
                roles=options["role"],
                lifetime_s=int(options["hours"] * 3600),
                now=utc_now(),
                subscriber_id=options["subscriber"],
            )
        except (BssError, ValueError, OverflowError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
