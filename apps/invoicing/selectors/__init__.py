"""Reads of the invoicing room."""
