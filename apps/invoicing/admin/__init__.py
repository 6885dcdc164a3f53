"""Pages of the invoicing room; importing them registers them."""

from apps.invoicing.admin import bills, documents

__all__ = ["bills", "documents"]
