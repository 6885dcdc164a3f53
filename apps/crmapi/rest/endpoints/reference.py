"""Products: price plans, bundles, services, bill cycles."""

from __future__ import annotations

from functools import partial
from typing import Any

from apps.crm.domain.asked import Nothing, ProductRef
from apps.crm.operations import table as does
from apps.crmapi.rest.endpoint import Endpoint, Values
from apps.crmapi.rest.shapes.reference import (
    BundleShape,
    CycleShape,
    PlanQuery,
    PricePlanShape,
    ReferenceShape,
    ServiceShape,
)

endpoint = partial(Endpoint, tag="Reference")
everything = partial(endpoint, operation=does.REFERENCE_DATA, read=lambda _: Nothing())


def _sold(items: Any, values: Values) -> list[Any]:
    return [item for item in items if values["retired"] or not item.retired]


ENDPOINTS = (
    everything(
        at="GET reference",
        id="reference_get",
        summary="All reference data",
        text="In one answer, at most a minute old.",
        answer=ReferenceShape,
    ),
    everything(
        at="GET price-plans",
        id="price_plans_list",
        summary="Price plans",
        text="With the prices and free units of each service.",
        query=PlanQuery,
        answer=PricePlanShape,
        many=True,
        show=lambda found, values: _sold(found.price_plans, values),
    ),
    endpoint(
        at="GET price-plans/<int:price_plan_id>",
        operation=does.PRICE_PLAN,
        summary="One price plan",
        text="A retired one, too.",
        answer=PricePlanShape,
        read=lambda values: ProductRef(product_id=values["price_plan_id"]),
    ),
    everything(
        at="GET bundles",
        id="bundles_list",
        summary="Bundles",
        text="Free units that are sold on top of a plan.",
        query=PlanQuery,
        answer=BundleShape,
        many=True,
        show=lambda found, values: _sold(found.bundles, values),
    ),
    endpoint(
        at="GET bundles/<int:bundle_id>",
        operation=does.BUNDLE,
        summary="One bundle",
        text="A retired one, too.",
        answer=BundleShape,
        read=lambda values: ProductRef(product_id=values["bundle_id"]),
    ),
    everything(
        at="GET services",
        id="services_list",
        summary="Services",
        text="Kinds of usage that are sold: voice, messages, data.",
        answer=ServiceShape,
        many=True,
        show=lambda found, _: list(found.services),
    ),
    everything(
        at="GET bill-cycles",
        id="bill_cycles_list",
        summary="Bill cycles",
        text="Accounts that are billed together, on which day of the month.",
        answer=CycleShape,
        many=True,
        show=lambda found, _: list(found.cycles),
    ),
)
