"""Pages of the CRM's doors; importing them registers them."""

from apps.crm.admin import calls, clients, tokens

__all__ = ["calls", "clients", "tokens"]
