"""Currency-Code is numeric on the wire; the house uses letters."""

from __future__ import annotations

from apps.kernel.currencies import LETTERS_OF, NUMBER_OF

__all__ = ["LETTERS_OF", "NUMBER_OF"]
