"""Reference data with a cache that reloads itself, and what the timer has counted."""

from __future__ import annotations

from datetime import date, datetime

from apps.crmapi.domain.reference import BundleView, PricePlanView, ReferenceData, Statistics


def reference_data(tenant: str, *, now: datetime) -> ReferenceData:
    """Services, price plans, bundles, cycles, currencies and cities of a tenant; at most CRM_REFERENCE_TTL_S (60) s old.

    Raises NotFound (code unknown_tenant).
    """
    raise NotImplementedError


def forget_reference_data() -> None:
    """Have the next call of this process read everything again."""
    raise NotImplementedError


def get_price_plan(tenant: str, *, now: datetime, price_plan_id: int = 0, code: str = "") -> PricePlanView:
    """A price plan from the cached reference data, retired ones too. Raises NotFound."""
    raise NotImplementedError


def get_bundle(tenant: str, *, now: datetime, bundle_id: int = 0, code: str = "") -> BundleView:
    """A bundle, likewise. Raises NotFound."""
    raise NotImplementedError


def get_statistics(
    tenant: str,
    *,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    service: str = "",
    price_plan: str = "",
) -> Statistics:
    """What the timer has collected for the days from ``first`` to ``last``, both included; the last 31 days when None.

    Raises InvalidInput (last before first, more than 400 days, unknown service or price plan).
    """
    raise NotImplementedError
