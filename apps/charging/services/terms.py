"""What plans, bundles and tenants grant to every line that has them: read once for many lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from apps.charging.domain.lines import NO_END, BundlePeriod, Grant, PlanPeriod, in_order_of_use
from apps.kernel.periods import local_midnight
from apps.rating.models import Bundle, BundleService, PricePlan, PricePlanService, Service, Tenant

Grants = dict[str, tuple[Grant, ...]]
"""Free units by the code of their service."""


class Terms(NamedTuple):
    """Of a plan its subject, expiry and free units, of a bundle these, of a tenant code and zone; by their ids."""

    plans: dict[int, tuple[str, datetime, Grants]]
    bundles: dict[int, Grants]
    tenants: dict[int, tuple[str, ZoneInfo]]

    @classmethod
    def nothing(cls) -> Terms:
        return cls({}, {}, {})

    def learn_plans(self, plan_ids: Collection[int]) -> None:
        """Read those that are not known yet."""
        missing = set(plan_ids) - self.plans.keys()
        if not missing:
            return
        grants = _grants(PricePlanService.objects.filter(price_plan_id__in=missing), "price_plan_id", "plan")
        for plan in PricePlan.objects.filter(pk__in=missing).select_related("tenant"):
            expires = (
                local_midnight(plan.expiration_date, plan.tenant.zone) if plan.expiration_date else NO_END
            )
            self.plans[plan.pk] = (f"*plan:{plan.code}", expires, grants.get(plan.pk, {}))

    def learn_bundles(self, bundle_ids: Collection[int]) -> None:
        """Read those that are not known yet."""
        missing = set(bundle_ids) - self.bundles.keys()
        if not missing:
            return
        grants = _grants(BundleService.objects.filter(bundle_id__in=missing), "bundle_id", "bundle")
        for bundle_id in missing:
            self.bundles[bundle_id] = grants.get(bundle_id, {})

    def learn_tenants(self, tenant_ids: Collection[int]) -> None:
        """Read all, if one of these is not known yet."""
        if not self.tenants.keys() >= set(tenant_ids):
            for tenant_id, code, time_zone in Tenant.objects.values_list("pk", "code", "time_zone"):
                self.tenants[tenant_id] = (code, ZoneInfo(time_zone))

    def plan_period(self, plan_id: int, start: datetime, end: datetime | None) -> PlanPeriod:
        """The assignment of a known plan; it ends with the plan at the latest."""
        subject, expires, grants = self.plans[plan_id]
        ends = expires if end is None or end > expires else end
        return PlanPeriod(start, ends, plan_id, subject, grants)

    def bundle_period(self, bundle_id: int, start: datetime, end: datetime | None) -> BundlePeriod:
        """The assignment of a known bundle."""
        return BundlePeriod(start, end or NO_END, self.bundles[bundle_id])

    def read_again(self) -> Terms:
        """The same plans, bundles and tenants as they are now; this itself if they are as they were.

        Other threads may add to this meanwhile.
        """
        known = Terms(dict(self.plans), dict(self.bundles), dict(self.tenants))
        fresh = Terms.nothing()
        fresh.learn_plans(known.plans)
        fresh.learn_bundles(known.bundles)
        fresh.learn_tenants(known.tenants)
        return self if fresh == known else fresh


def terms_of_version(products: Mapping[str, list[dict[str, Any]]]) -> Terms:
    """Plans and bundles with the free units that a tariff version gave them; others are learnt as they are now.

    ``products`` are the version's own terms, by table (:func:`apps.rating.selectors.tariff_source.product_terms`).
    """
    terms = Terms.nothing()
    units = dict(Service.objects.values_list("code", "unit_size"))
    for kind, sold in (("price_plan", PricePlan.objects.all()), ("bundle", Bundle.objects.all())):
        ids = {(tenant, code): pk for pk, tenant, code in sold.values_list("pk", "tenant__code", "code")}
        granted: dict[int, dict[str, list[Grant]]] = {
            ids[row["tenant"], row["code"]]: defaultdict(list)
            for row in products.get(f"{kind}s", ())
            if (row["tenant"], row["code"]) in ids
        }
        origin = "plan" if kind == "price_plan" else kind
        for row in products.get(f"{kind}_services", ()):
            owner = ids.get((row["tenant"], row[kind]))
            if owner in granted and row["free_units"] and row["service"] in units:
                grant = _grant(
                    f"{origin}:{owner}", row["free_units"], units[row["service"]], row["free_destinations"]
                )
                granted[owner][row["service"]].append(grant)
        codes = {pk: code for (_, code), pk in ids.items()}
        for owner, services in granted.items():
            grants = {code: in_order_of_use(some) for code, some in services.items()}
            if kind == "bundle":
                terms.bundles[owner] = grants
            else:
                terms.plans[owner] = (f"*plan:{codes[owner]}", NO_END, grants)
    return terms


def _grants(
    rows: QuerySet[PricePlanService] | QuerySet[BundleService], owner_field: str, origin: str
) -> dict[int, Grants]:
    found: dict[int, dict[str, list[Grant]]] = defaultdict(lambda: defaultdict(list))
    for row in rows.exclude(free_units=0).select_related("service"):
        owner_id = getattr(row, owner_field)
        found[owner_id][row.service.code].append(
            _grant(f"{origin}:{owner_id}", row.free_units, row.service.unit_size, row.free_destinations)
        )
    return {
        owner_id: {code: in_order_of_use(grants) for code, grants in services.items()}
        for owner_id, services in found.items()
    }


def _grant(origin: str, free_units: int, unit_size: int, free_destinations: str) -> Grant:
    names = [name.strip() for name in free_destinations.split(";") if name.strip()]
    return Grant(
        origin=origin,
        units=free_units if free_units < 0 else free_units * unit_size,
        included=frozenset(name for name in names if not name.startswith("!")),
        excluded=frozenset(name[1:] for name in names if name.startswith("!")),
    )
