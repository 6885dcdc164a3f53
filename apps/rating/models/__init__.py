"""Rows of the rating room."""

from apps.rating.models.plans import Bundle, BundleService, PricePlan, PricePlanService, Service
from apps.rating.models.tenants import Tenant
from apps.rating.models.versions import TariffVersion

__all__ = ["Bundle", "BundleService", "PricePlan", "PricePlanService", "Service", "TariffVersion", "Tenant"]
