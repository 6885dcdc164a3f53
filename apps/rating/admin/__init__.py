"""Pages of the rating room; importing them registers them."""

from apps.rating.admin import (
    destinations,
    drafts,
    enquiries,
    kept,
    loads,
    plans,
    services,
    suppliers,
    tariffs,
    tenants,
    versions,
)

__all__ = [
    "destinations",
    "drafts",
    "enquiries",
    "kept",
    "loads",
    "plans",
    "services",
    "suppliers",
    "tariffs",
    "tenants",
    "versions",
]
