"""Pages of the rating room; importing them registers them."""

from apps.rating.admin import destinations, enquiries, plans, services, tariffs, tenants, versions

__all__ = ["destinations", "enquiries", "plans", "services", "tariffs", "tenants", "versions"]
