"""Pages of the vouchers room; importing them registers them."""

from apps.vouchers.admin import batches, vouchers

__all__ = ["batches", "vouchers"]
