"""Pages of the insight room; importing them registers them."""

from apps.insight.admin import statistics, what_ifs

__all__ = ["statistics", "what_ifs"]
