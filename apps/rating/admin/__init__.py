"""Pages of the rating room; importing them registers them."""

from apps.rating.admin import destinations, enquiries, loads, plans, services, tariffs, tenants, versions

__all__ = ["destinations", "enquiries", "loads", "plans", "services", "tariffs", "tenants", "versions"]
