"""Who calls: ``Authorization: Bearer …`` with a JWT of a client or the platform, or with an opaque token."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.crm.domain.errors import Unauthenticated
from apps.crm.services.api_tokens import caller_of_api_token, is_api_token
from apps.crm.services.authentication import bearer_token, shared_authenticator
from apps.crmapi.rest.throttling import count_refused_token
from apps.kernel.clock import utc_now

REALM = 'Bearer realm="api"'


class BearerAuthentication(BaseAuthentication):
    """``request.auth`` is the Caller; ``request.user`` the text that names who it is."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        now = utc_now()
        try:
            token = bearer_token(header)
            if is_api_token(token):
                caller = caller_of_api_token(token, now)
            else:
                caller = shared_authenticator().caller(token, now)
        except Unauthenticated:
            count_refused_token(request)
            raise
        return caller.actor, caller

    def authenticate_header(self, request: Request) -> str:
        return REALM


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document says so."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A JWT (`manage.py issuetoken`, or signed by a client with its own key), or an opaque "
            "token (`manage.py apitoken create`).",
        }
