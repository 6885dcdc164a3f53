"""PDFs as a reader sees them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def text_of(pdf: Path | bytes, *, layout: bool = True) -> str:
    """The text of a PDF, pages ended by form feeds; figure and no-break spaces as plain ones."""
    content = pdf if isinstance(pdf, bytes) else pdf.read_bytes()
    command = ["pdftotext", *(["-layout"] if layout else []), "-", "-"]
    done = subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True)
    return re.sub("[\u2007\u00a0\u202f]", " ", done.stdout.decode())


def pages_of(pdf: bytes) -> list[str]:
    return text_of(pdf).rstrip("\f").split("\f")


def properties_of(pdf: bytes) -> dict[str, str]:
    """What pdfinfo says of it."""
    done = subprocess.run(["pdfinfo", "-"], input=pdf, stdout=subprocess.PIPE, check=True)
    rows = (line.partition(":") for line in done.stdout.decode().splitlines())
    return {key: value.strip() for key, _, value in rows}
