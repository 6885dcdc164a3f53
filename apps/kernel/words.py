"""Words for people: numbers with what they count."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number with its noun, which takes an s unless there is one: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
