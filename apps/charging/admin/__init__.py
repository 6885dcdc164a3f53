"""Pages of the charging room; importing them registers them."""

from apps.charging.admin import (
    accounts,
    counters,
    ledger,
    online,
    panels,
    triggers,
    voucher_batches,
    vouchers,
)

__all__ = ["accounts", "counters", "ledger", "online", "panels", "triggers", "voucher_batches", "vouchers"]
