"""Pages of the mediation room; importing them registers them."""

from apps.mediation.admin import cdrs, files, panels, sources, suspense, waiting

__all__ = ["cdrs", "files", "panels", "sources", "suspense", "waiting"]
