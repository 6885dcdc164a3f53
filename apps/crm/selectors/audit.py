"""The audit record, as those may see it who look after the doors."""

from __future__ import annotations

from dataclasses import fields

from apps.crm.domain.audit import CallView
from apps.crm.models import ApiCall

_COLUMNS = tuple(field.name for field in fields(CallView))


def list_calls(
    tenant_id: int,
    *,
    subject: str = "",
    target: str = "",
    outcome: str = "",
    before_id: int = 0,
    limit: int = 100,
) -> list[CallView]:
    """Calls of a tenant, newest first, those with ids below ``before_id``; each text narrows the list, in full."""
    wanted = {"subject": subject, "target": target, "outcome": outcome}
    found = ApiCall.objects.filter(
        tenant_id=tenant_id, **{name: text for name, text in wanted.items() if text}
    )
    if before_id:
        found = found.filter(pk__lt=before_id)
    return [CallView(*row) for row in found.order_by("-pk").values_list(*_COLUMNS)[:limit]]
