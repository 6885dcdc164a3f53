"""The admin tells the time as the operator's clocks do: in the time zone of the default tenant."""

from __future__ import annotations

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from apps.rating.models import Tenant
from apps.rating.models.tenants import DEFAULT_TENANT

KEPT_S = 60
ADMIN = "/admin/"
_known: tuple[float, ZoneInfo | None] | None = None


class OperatorTimeZone:
    """Middleware: within the admin, instants are shown and taken in the operator's time zone; elsewhere in UTC.

    Staff see all tenants' rows, each list in one zone; an instant's tooltip has it in UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(ADMIN):
            return self.get_response(request)
        with timezone.override(operator_zone()):
            return self.get_response(request)


def operator_zone() -> ZoneInfo | None:
    """The default tenant's zone, looked up once a minute; None (UTC) as long as there is no such tenant."""
    global _known
    if _known is None or time.monotonic() - _known[0] >= KEPT_S:
        name = Tenant.objects.filter(code=DEFAULT_TENANT).values_list("time_zone", flat=True).first()
        _known = (time.monotonic(), ZoneInfo(name) if name else None)
    return _known[1]


def forget_operator_zone(**_signal: object) -> None:
    """Have it looked up at the next request."""
    global _known
    _known = None


for _signal in (post_save, post_delete):
    _signal.connect(forget_operator_zone, sender=Tenant, dispatch_uid="bss_project.forget_operator_zone")
