"""Pages of the billing room; importing them registers them."""

from apps.billing.admin import activities, bills, charges, cycles, notifications, panels, runs

__all__ = ["activities", "bills", "charges", "cycles", "notifications", "panels", "runs"]
