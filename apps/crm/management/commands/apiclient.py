"""``apiclient``: programs that sign their own tokens, their keys, and tokens taken back."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.crm.domain.access import ROLES
from apps.crm.models import ApiClient
from apps.crm.services.clients import create_client, create_key, retire_key, revoke_token
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = "API clients (a CRM, a portal): add them, give them signing keys, retire keys, take tokens back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        doings = parser.add_subparsers(dest="doing", required=True, metavar="list|add|key|retire|revoke")
        doings.add_parser("list", help="clients and their keys")
        add = doings.add_parser("add", help="a new client with a first key; prints the key, once")
        add.add_argument("name")
        add.add_argument("--tenant", default="default", metavar="CODE")
        add.add_argument("--role", action="append", required=True, choices=ROLES)
        add.add_argument("--description", default="")
        key = doings.add_parser("key", help="another key for a client; older ones count until retired")
        key.add_argument("name")
        retire = doings.add_parser("retire", help="refuse tokens signed with this key from now on")
        retire.add_argument("kid")
        revoke = doings.add_parser("revoke", help="refuse one token, given itself, as jti:… or as sha256:…")
        revoke.add_argument("token")
        revoke.add_argument("--reason", default="")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        now = utc_now()
        try:
            if doing == "list":
                self._list()
            elif doing == "add":
                create_client(
                    options["name"], options["tenant"], options["role"], now, options["description"]
                )
                self._new_key(options["name"], now)
            elif doing == "key":
                self._new_key(options["name"], now)
            elif doing == "retire":
                key = retire_key(options["kid"], now)
                self.stdout.write(
                    f"tokens signed with {key.kid} are refused since {key.retired_at:%Y-%m-%d %H:%M} UTC"
                )
            else:
                revoked = revoke_token(options["token"], now, options["reason"])
                self.stdout.write(f"the token {revoked.token_id} is refused")
        except BssError as error:
            raise CommandError(str(error)) from error

    def _new_key(self, name: str, now: Any) -> None:
        kid, secret = create_key(name, now)
        self.stdout.write(f"kid:    {kid}\nsecret: {secret}")
        self.stderr.write(
            "The secret is shown this once. Sign with HS256 and put the kid into the token's header."
        )

    def _list(self) -> None:
        clients = ApiClient.objects.select_related("tenant").prefetch_related("keys")
        for client in clients:
            state = "" if client.enabled else "  (not enabled)"
            self.stdout.write(f"{client.name}  tenant {client.tenant.code}  roles {client.roles}{state}")
            for key in client.keys.all():
                end = f", retired {key.retired_at:%Y-%m-%d %H:%M}" if key.retired_at else ""
                self.stdout.write(f"    {key.kid}  since {key.created_at:%Y-%m-%d %H:%M}{end}")
        if not clients:
            self.stdout.write("there are no API clients; the platform's own tokens are made by issuetoken")
