"""Pages of the mediation room; importing them registers them."""

from apps.mediation.admin import (
    cdrs,
    derived,
    files,
    margins,
    panels,
    session_records,
    sources,
    suspense,
    waiting,
)

__all__ = [
    "cdrs",
    "derived",
    "files",
    "margins",
    "panels",
    "session_records",
    "sources",
    "suspense",
    "waiting",
]
