"""Transactions of the Diameter room."""
