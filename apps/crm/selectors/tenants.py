"""The tenant that a call is for, remembered for a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models.signals import post_delete, post_save

from apps.kernel.errors import NotFound
from apps.rating.models import Tenant


class TenantInfo(NamedTuple):
    """What every call needs of its tenant."""

    id: int
    code: str
    name: str
    zone: ZoneInfo
    currency: str
    locale: str


class _Remembered:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.read_at = 0.0
        self.tenants: dict[str, TenantInfo] | None = None


_remembered = _Remembered()


def tenant_of(code: str) -> TenantInfo:
    """The tenant with a code. Raises NotFound (code unknown_tenant); a new one is found at once."""
    tenants = _remembered.tenants
    if (
        tenants is None
        or code not in tenants
        or _remembered.clock() - _remembered.read_at >= settings.CRM_REFERENCE_TTL_S
    ):
        tenants = _read()
    tenant = tenants.get(code)
    if tenant is None:
        raise NotFound(f"there is no tenant “{code}”", code="unknown_tenant", where="tenant")
    return tenant


def forget_tenants(**_signal: object) -> None:
    """Have the next call read them again."""
    _remembered.tenants = None


# What this process changes it knows at once; other processes within the time to live.
for _signal in (post_save, post_delete):
    _signal.connect(forget_tenants, sender=Tenant, dispatch_uid="crmapi.forget_tenants")


def _read() -> dict[str, TenantInfo]:
    found = {
        row[1]: TenantInfo(row[0], row[1], row[2], ZoneInfo(row[3]), row[4], row[5])
        for row in Tenant.objects.values_list("pk", "code", "name", "time_zone", "currency", "locale")
    }
    with _remembered.lock:
        _remembered.tenants, _remembered.read_at = found, _remembered.clock()
    return found
