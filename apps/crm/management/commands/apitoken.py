"""``apitoken``: opaque tokens for REST, for programs that cannot sign and for customers' own view."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from apps.crm.domain.access import ROLES, SELF_CARE
from apps.crm.models import ApiToken
from apps.crm.selectors.subscribers import get_subscriber
from apps.crm.services.api_tokens import create_api_token, revoke_api_tokens
from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    help = "Opaque API tokens for REST: make one (shown once), list them, take one back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        doings = parser.add_subparsers(dest="doing", required=True, metavar="create|list|revoke")
        create = doings.add_parser("create", help="a new token; prints it, once")
        create.add_argument("name", help="who it is for; the audit record shows it")
        create.add_argument("--tenant", default="default", metavar="CODE")
        create.add_argument("--role", action="append", choices=ROLES, help="may be given several times")
        create.add_argument(
            "--days", type=float, default=90.0, help="how long it counts (default: %(default)s)"
        )
        create.add_argument(
            "--msisdn",
            default="",
            help="a customer's own token for the subscriber with this number (self_care)",
        )
        doings.add_parser("list", help="tokens that count still")
        revoke = doings.add_parser("revoke", help="refuse a token from now on, given itself or by its id")
        revoke.add_argument("token")

    def handle(self, *args: Any, doing: str, **options: Any) -> None:
        try:
            if doing == "create":
                self._create(**options)
            elif doing == "list":
                self._list()
            else:
                self._revoke(options["token"])
        except (BssError, OverflowError) as error:
            raise CommandError(str(error)) from error

    def _create(
        self, name: str, tenant: str, role: list[str] | None, days: float, msisdn: str, **options: Any
    ) -> None:
        now = utc_now()
        subscriber_id = None
        roles = role or []
        if msisdn:
            subscriber_id = get_subscriber(tenant, now=now, msisdn=msisdn).id
            roles = roles or [SELF_CARE]
        issued = create_api_token(
            tenant,
            name,
            roles,
            now=now,
            lifetime=timedelta(days=days),
            by="apitoken",
            subscriber_id=subscriber_id,
        )
        self.stdout.write(issued.token)
        self.stderr.write(
            f"token {issued.id}, shown this once; it counts until {issued.expires_at:%Y-%m-%d %H:%M} UTC"
        )

    def _list(self) -> None:
        tokens = ApiToken.objects.filter(revoked_at=None, expires_at__gt=utc_now()).select_related("tenant")
        for token in tokens:
            self.stdout.write(
                f"{token.pk}  {token.hint}…  {token.name}  tenant {token.tenant.code}  roles {token.roles}  "
                f"until {token.expires_at:%Y-%m-%d %H:%M} UTC"
            )
        if not tokens:
            self.stdout.write("there are no tokens; apitoken create makes one")

    def _revoke(self, text: str) -> None:
        by_id = int(text) if text.isascii() and text.isdigit() else 0
        if not revoke_api_tokens(now=utc_now(), token="" if by_id else text, token_id=by_id):
            raise CommandError("there is no such token that counts still")
        self.stdout.write("the token is refused from now on")
