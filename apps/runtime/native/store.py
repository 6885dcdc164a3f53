"""Where compiled modules lie and which of them belong to a source: by the source's digest, so none is ever stale."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

SWITCH = "BSS_NATIVE"
"""This variable set to 0 runs everything from source."""

# Part of every digest: changing how modules are compiled invalidates all of them.
RECIPE = "1"

# The environment's own folder: who may write there may change every other library as well.
FOLDER = Path(sys.prefix) / "native"


def is_switched_off() -> bool:
    return os.environ.get(SWITCH, "1").strip().lower() in ("0", "no", "off", "false")


def compiled_file(module: str, source: bytes) -> Path:
    """Where the compiled form of this source of the module lies, if it was made."""
    digest = hashlib.sha256(RECIPE.encode() + b"\0" + source).hexdigest()[:20]
    return FOLDER / f"{module}.{digest}{EXTENSION_SUFFIXES[0]}"
