"""Pages of the charging room; importing them registers them."""

from apps.charging.admin import accounts, counters, ledger, panels

__all__ = ["accounts", "counters", "ledger", "panels"]
