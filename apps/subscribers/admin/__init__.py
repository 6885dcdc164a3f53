"""Pages of the subscribers room; importing them registers them."""

from apps.subscribers.admin import customers, panels, resources, subscribers

__all__ = ["customers", "panels", "resources", "subscribers"]
