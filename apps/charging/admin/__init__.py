"""Pages of the charging room; importing them registers them."""

from apps.charging.admin import (
    accounts,
    counters,
    ledger,
    online,
    panels,
    triggers,
)

__all__ = ["accounts", "counters", "ledger", "online", "panels", "triggers"]
