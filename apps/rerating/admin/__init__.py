"""Pages of the re-rating room; importing them registers them."""

from apps.rerating.admin import jobs, panels

__all__ = ["jobs", "panels"]
