"""Staff who work for some tenants alone: they see, find and choose nothing of another.

An upper room tells which tenants a person works for (:func:`ask`). A model belongs to a tenant by the shortest chain of
foreign keys to one. Staff of some tenants see models without such a chain only where their page says ``shared``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

TENANT = "rating.tenant"
Tenants = frozenset[int]
M = TypeVar("M", bound=Model)


def _everybody(user: Any) -> Tenants | None:
    return None


_read: Callable[[Any], Tenants | None] = _everybody
_KEPT = "_backoffice_tenants"


def ask(read: Callable[[Any], Tenants | None]) -> None:
    """Have ``read(user)`` say which tenants a user works for; None: for all of them."""
    global _read
    _read = read


def tenants_of(request: HttpRequest) -> Tenants | None:
    """The tenants that the person works for; None: all of them. Read once a request."""
    if not hasattr(request, _KEPT):
        setattr(request, _KEPT, _read(request.user))
    found: Tenants | None = getattr(request, _KEPT)
    return found


@cache
def way_to_tenant(model: type[Model]) -> str | None:
    """The look-up from a model to its tenant, such as ``account__tenant``; None if there is none."""
    if model._meta.label_lower == TENANT:
        return "pk"
    seen, ways = {model}, deque([(model, "")])
    while ways:
        found, way = ways.popleft()
        # Foreign keys that are always there first.
        for field in sorted(found._meta.concrete_fields, key=lambda field: field.null):
            related = field.related_model
            if related is None or isinstance(related, str) or related._meta.app_label == "auth":
                continue
            if related._meta.label_lower == TENANT:
                return f"{way}{field.name}"
            if related not in seen:
                seen.add(related)
                ways.append((related, f"{way}{field.name}__"))
    return None


def is_shared(model: type[Model]) -> bool:
    """Whether a model that is no tenant's is there for the staff of all of them."""
    return bool(getattr(admin.site._registry.get(model), "shared", False))


def own(request: HttpRequest, rows: QuerySet[M]) -> QuerySet[M]:
    """The rows that the person may see."""
    tenants = tenants_of(request)
    if tenants is None:
        return rows
    way = way_to_tenant(rows.model)
    if way is not None:
        return rows.filter(**{f"{way}__in": tenants})
    return rows if is_shared(rows.model) else rows.none()


def own_history(request: HttpRequest, model: type[Model], versions: QuerySet[M]) -> QuerySet[M]:
    """The former states of a model's rows that the person may see."""
    return versions if is_shared(model) else own(request, versions)


def may_see(request: HttpRequest, model: type[Model]) -> bool:
    """Whether rows of this model are anything for the person."""
    return tenants_of(request) is None or way_to_tenant(model) is not None or is_shared(model)


def may_change(request: HttpRequest, model: type[Model]) -> bool:
    """The same of changing: what all tenants share is the operator's to change, and so are tenants themselves."""
    return tenants_of(request) is None or way_to_tenant(model) not in (None, "pk")


def narrow(request: HttpRequest, fields: Any) -> None:
    """Leave to the person's choice only what they may see."""
    if tenants_of(request) is None:
        return
    for field in fields:
        if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
            field.queryset = own(request, field.queryset)


class _OwnChoices:
    """A filter by related rows that offers those the person may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        found = own(request, field.related_model._default_manager.all())
        ordering = self.field_admin_ordering(field, request, model_admin)  # type: ignore[attr-defined]
        return [(row.pk, str(row)) for row in (found.order_by(*ordering) if ordering else found)]

    def choices(self, changelist: Any) -> Any:
        # One that is filled from the server shows the row that the address names.
        for choice in super().choices(changelist):  # type: ignore[misc]
            if "form" in choice:
                narrow(self.request, choice["form"].fields.values())  # type: ignore[attr-defined]
            yield choice


@cache
def own_choices(filter_class: type) -> type:
    """The filter's class, narrowed."""
    return type(filter_class.__name__, (_OwnChoices, filter_class), {})
