"""What is sold: price plans, bundles, services, bill cycles."""

from __future__ import annotations

from typing import Any

from apps.crm.selectors.reference import get_bundle, get_price_plan, reference_data
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import EVERYBODY, Call, operation
from apps.crmapi.rest.shapes.reference import (
    BundleShape,
    CycleShape,
    PlanQuery,
    PricePlanShape,
    ReferenceShape,
    ServiceShape,
)

TAG = "Reference"
NEEDED = "reference.read"


def _shown(found: Any, retired: bool) -> list[Any]:
    return [item for item in found if retired or not item.retired]


class Reference(Door):
    @operation(
        "reference_get",
        "All reference data",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        answer=ReferenceShape,
    )
    def get(self, call: Call) -> Any:
        """In one answer, at most a minute old."""
        return reference_data(call.tenant, now=call.now)


class PricePlans(Door):
    @operation(
        "price_plans_list",
        "Price plans",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        query=PlanQuery,
        answer=PricePlanShape(many=True),
    )
    def get(self, call: Call) -> Any:
        """With the prices and free units of each service."""
        return _shown(reference_data(call.tenant, now=call.now).price_plans, call.query["retired"])


class PricePlan(Door):
    @operation(
        "price_plans_get",
        "One price plan",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        path={"price_plan_id": "The plan's id."},
        answer=PricePlanShape,
    )
    def get(self, call: Call, price_plan_id: int) -> Any:
        """A retired one, too."""
        return get_price_plan(call.tenant, now=call.now, price_plan_id=price_plan_id)


class Bundles(Door):
    @operation(
        "bundles_list",
        "Bundles",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        query=PlanQuery,
        answer=BundleShape(many=True),
    )
    def get(self, call: Call) -> Any:
        """Free units that are sold on top of a plan."""
        return _shown(reference_data(call.tenant, now=call.now).bundles, call.query["retired"])


class Bundle(Door):
    @operation(
        "bundles_get",
        "One bundle",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        path={"bundle_id": "The bundle's id."},
        answer=BundleShape,
    )
    def get(self, call: Call, bundle_id: int) -> Any:
        """A retired one, too."""
        return get_bundle(call.tenant, now=call.now, bundle_id=bundle_id)


class Services(Door):
    @operation(
        "services_list",
        "Services",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        answer=ServiceShape(many=True),
    )
    def get(self, call: Call) -> Any:
        """Kinds of usage that are sold: voice, messages, data."""
        return list(reference_data(call.tenant, now=call.now).services)


class Cycles(Door):
    @operation(
        "bill_cycles_list",
        "Bill cycles",
        permission=NEEDED,
        tag=TAG,
        audience=EVERYBODY,
        answer=CycleShape(many=True),
    )
    def get(self, call: Call) -> Any:
        """Accounts that are billed together, on which day of the month."""
        return list(reference_data(call.tenant, now=call.now).cycles)
