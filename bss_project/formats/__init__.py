"""Formats of days and times in the admin, by language."""
