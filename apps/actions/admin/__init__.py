"""Pages of the actions room; importing them registers them."""

from apps.actions.admin import errands, groups, plans

__all__ = ["errands", "groups", "plans"]
