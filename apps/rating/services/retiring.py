"""Take products out of sale. Products in use are not retired; upper rooms say what uses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.kernel.errors import Conflict, NotFound
from apps.rating.models import Bundle, PricePlan, Service

Product = Service | PricePlan | Bundle
# Model label → functions that name what uses a row, such as “3 subscribers (S1, S2, S3)”; upper rooms add theirs.
_users: dict[str, list[Callable[[Any, datetime], str]]] = defaultdict(list)


def add_user(model_label: str, users: Callable[[Any, datetime], str]) -> None:
    """Have ``users(row, now)`` asked before a row is retired; it returns an empty text if nothing uses it."""
    if users not in _users[model_label]:
        _users[model_label].append(users)


@transaction.atomic
def retire(product: Product, now: datetime) -> None:
    """Take a service, price plan or bundle out of sale.

    Raises Conflict (code in_use) with what uses it, or if it is retired already (code retired).
    """
    row = _locked(product)
    if row.retired_at is not None:
        raise Conflict(f"{row} is retired already", code="retired")
    used_by = [text for users in _users[row._meta.label_lower] if (text := users(row, now))]
    if used_by:
        raise Conflict(f"{row} is in use by {'; '.join(used_by)}", code="in_use")
    row.retired_at = now
    row.save(update_fields=["retired_at"])


@transaction.atomic
def bring_back(product: Product) -> None:
    """Put a retired one back into sale. Raises Conflict if it is not retired."""
    row = _locked(product)
    if row.retired_at is None:
        raise Conflict(f"{row} is not retired", code="not_retired")
    row.retired_at = None
    row.save(update_fields=["retired_at"])


def shown(names: list[str], count: int, what: str) -> str:
    """``3 subscribers (S1, S2, …)``: how many, and the first of them by name; empty if there are none."""
    if not count:
        return ""
    first = ", ".join(names) + (", …" if count > len(names) else "")
    return f"{count} {what}{'s' if count != 1 else ''} ({first})"


def _locked(product: Product) -> Product:
    model = type(product)
    row = model._default_manager.select_for_update().filter(pk=product.pk).first()
    if row is None:
        raise NotFound(f"there is no {model._meta.verbose_name} {product.pk}")
    return row


def _products_of_service(service: Product, now: datetime) -> str:
    parts = []
    for model, what in ((PricePlan, "price plan"), (Bundle, "bundle")):
        owners = model.objects.filter(retired_at=None, services__service=service.pk).distinct()
        parts.append(shown([str(row) for row in owners[:5]], owners.count(), what))
    return ", ".join(part for part in parts if part)


add_user("rating.service", _products_of_service)
