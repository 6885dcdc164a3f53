"""Rows of the rating room."""

from apps.rating.models.drafts import TariffDraft
from apps.rating.models.kept import KeptRow
from apps.rating.models.plans import Bundle, BundleService, PricePlan, PricePlanService, Service
from apps.rating.models.suppliers import Supplier
from apps.rating.models.tariff import (
    Destination,
    DestinationPrefix,
    DestinationRate,
    DestinationRateEntry,
    Rate,
    RateSlot,
    RatingPlan,
    RatingPlanEntry,
    RatingProfile,
    TariffPlan,
    Timing,
)
from apps.rating.models.tenants import Tenant
from apps.rating.models.versions import TariffLoad, TariffVersion

__all__ = [
    "Bundle",
    "BundleService",
    "Destination",
    "DestinationPrefix",
    "DestinationRate",
    "DestinationRateEntry",
    "KeptRow",
    "PricePlan",
    "PricePlanService",
    "Rate",
    "RateSlot",
    "RatingPlan",
    "RatingPlanEntry",
    "RatingProfile",
    "Service",
    "Supplier",
    "TariffDraft",
    "TariffLoad",
    "TariffPlan",
    "TariffVersion",
    "Tenant",
    "Timing",
]
