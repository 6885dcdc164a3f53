"""Pages of the charging room; importing them registers them."""

from apps.charging.admin import (
    accounts,
    books,
    counters,
    ledger,
    online,
    panels,
    session_orders,
    spending_caps,
    trigger_sets,
    triggers,
)

__all__ = [
    "accounts",
    "books",
    "counters",
    "ledger",
    "online",
    "panels",
    "session_orders",
    "spending_caps",
    "trigger_sets",
    "triggers",
]
