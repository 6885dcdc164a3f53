"""Finds the compiled form of a hot module; the source is used if none matches exactly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from apps.runtime.native.modules import HOT_MODULES
from apps.runtime.native.store import compiled_file, is_switched_off


class NativeFinder(MetaPathFinder):
    """Goes before the finder of source files, for the hot modules only."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = frozenset(modules)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._modules or path is None:
            return None
        source = Path(path[0], fullname.rpartition(".")[2] + ".py")
        try:
            compiled = compiled_file(fullname, source.read_bytes())
        except OSError:
            return None
        if not compiled.is_file():
            return None
        return spec_from_file_location(
            fullname, compiled, loader=ExtensionFileLoader(fullname, str(compiled))
        )


def install() -> None:
    """From now on hot modules are taken compiled, unless BSS_NATIVE=0. Doing it twice changes nothing."""
    if is_switched_off() or any(isinstance(finder, NativeFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, NativeFinder(HOT_MODULES))


def loaded_compiled() -> tuple[int, int]:
    """How many hot modules this process has loaded in compiled form, and how many in all."""
    loaded = [sys.modules[name] for name in HOT_MODULES if name in sys.modules]
    compiled = sum(
        isinstance(module.__spec__.loader, ExtensionFileLoader) for module in loaded if module.__spec__
    )
    return compiled, len(loaded)
