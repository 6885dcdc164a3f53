"""Pages of the rating room; importing them registers them."""

from apps.rating.admin import plans, services, tenants, versions

__all__ = ["plans", "services", "tenants", "versions"]
