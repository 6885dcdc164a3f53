"""Pages of the billing room; importing them registers them."""

from apps.billing.admin import accounts, activities, bills, charges, cycles, notifications, panels, runs

__all__ = ["accounts", "activities", "bills", "charges", "cycles", "notifications", "panels", "runs"]
