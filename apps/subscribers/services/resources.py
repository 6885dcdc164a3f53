"""The pools of numbers and devices: fill them, and free what has rested long enough."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from apps.kernel.errors import Conflict, InvalidInputs, NotFound, Problem
from apps.rating.models import Tenant
from apps.subscribers.domain.numbers import problem_with_resource
from apps.subscribers.models import Resource
from apps.subscribers.selectors import in_portions


@transaction.atomic
def add_resources(tenant_code: str, kind: str, values: Collection[str]) -> int:
    """Add free numbers or devices to a tenant's pool; returns how many were new.

    Raises InvalidInputs with every value that is malformed or belongs to another tenant; nothing is added then.
    """
    tenant = Tenant.objects.filter(code=tenant_code).first()
    if tenant is None:
        raise NotFound(f"there is no tenant “{tenant_code}”")
    wanted = set(values)
    problems = [
        Problem(value, problem) for value in sorted(wanted) if (problem := problem_with_resource(kind, value))
    ]
    known: set[str] = set()
    for portion in in_portions(wanted):
        for value, owner_id in Resource.objects.filter(kind=kind, value__in=portion).values_list(
            "value", "tenant_id"
        ):
            known.add(value)
            if owner_id != tenant.pk:
                problems.append(Problem(value, "belongs to another tenant"))
    if problems:
        raise InvalidInputs(problems)
    new = [Resource(tenant=tenant, kind=kind, value=value) for value in sorted(wanted - known)]
    Resource.objects.bulk_create(new, batch_size=2_000)
    return len(new)


@transaction.atomic
def free_resource(resource_id: int) -> Resource:
    """Put a number or device that was in quarantine back into the pool."""
    resource = Resource.objects.select_for_update().filter(pk=resource_id).first()
    if resource is None:
        raise NotFound(f"there is no resource {resource_id}")
    if resource.status != Resource.Status.QUARANTINED:
        raise Conflict(f"{resource} is not in quarantine", code="wrong_status")
    resource.status = Resource.Status.FREE
    resource.save(update_fields=["status"])
    return resource
