"""Lines of text for a fixed-width font: columns are filled up or cut to their width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

LINE_WIDTH = 112
"""Characters of a line; the templates choose a font size at which they fill the page."""
BLOCK_ROWS = 5
GAP = "  "


def blocks(lines: Sequence[str]) -> list[str]:
    """The lines, a few in each text: as many as a page does not part."""
    return ["\n".join(lines[start : start + BLOCK_ROWS]) for start in range(0, len(lines), BLOCK_ROWS)]


def widest(texts: Iterable[str]) -> int:
    return max(map(width, texts), default=0)


def width(text: str) -> int:
    """Columns that a text takes in a fixed-width font: 2 for ideographs, 0 for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, columns: int) -> str:
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def clean(text: str) -> str:
    """Without control characters: a line of text must stay one line."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def left(text: str, columns: int) -> str:
    """The text at the left of so many columns; cut, with an ellipsis, if it has more."""
    text = clean(text)
    taken = width(text)
    if taken > columns:
        text = cut(text, columns)
        taken = width(text)
    return text + " " * (columns - taken)


def right(text: str, columns: int) -> str:
    """The text at the right of so many columns; never cut, being a figure."""
    taken = width(text)
    return " " * (columns - taken) + text
