"""Readers of settings: the environment first, then a file that a variable names, then the TOML file, then the default.

A setting is read under its variable's name (``BSS_DIAMETER_PORT``). In the TOML file of ``BSS_CONFIG`` (``manage.py -i
FILE``) it stands in its section (``[diameter] port``); µBSS's names for the same things are known, too. A secret may
be in a file of its own, named by the variable with ``_FILE`` or the key with ``_file``. Readers fail early and say
which variable, or which key of which file, is wrong.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from bss_project.settings.toml_file import TomlFile, place_of

BASE_DIR = Path(__file__).resolve().parent.parent.parent


class Setting(NamedTuple):
    """A setting as it was read: its variable, what it may be, the default and the value as text, and whence."""

    name: str
    kind: str
    default: str
    value: str
    source: str


registry: dict[str, Setting] = {}
"""Every setting that was read, in the order of the settings' modules."""

CONFIG = os.environ.get("BSS_CONFIG", "")
toml = TomlFile.read(Path(CONFIG)) if CONFIG else TomlFile(Path(), {})


def text(name: str, default: str = "") -> str:
    return _read(name, "text", default)[0]


def integer(name: str, default: int) -> int:
    value, source = _read(name, "whole number", str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{source} must be a whole number, not “{value}”") from None


def boolean(name: str) -> bool:
    value, source = _read(name, "1 or 0", "0")
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{source} must be 1 or 0, not “{value}”")


def words(name: str, default: str = "") -> list[str]:
    return [
        word.strip() for word in _read(name, "words, split by commas", default)[0].split(",") if word.strip()
    ]


def folder(name: str, default: str) -> Path:
    path = Path(_read(name, "path", default)[0])
    return path if path.is_absolute() else BASE_DIR / path


def _read(name: str, kind: str, default: str) -> tuple[str, str]:
    """The value as text, and the name of its source for an error."""
    if value := os.environ.get(name, ""):
        source, said = "environment", name
    elif path := os.environ.get(f"{name}_FILE", "") if kind == "text" else "":
        source, said = path, f"{name}_FILE"
        value = _content(path, said)
    elif (found := toml.get(name)) is not None:
        value, source, said = found, str(toml.path), f"{toml.path}: {place_of(name)}"
    elif (path := (toml.get(f"{name}_FILE") or "") if kind == "text" else "") != "":
        source, said = path, f"{toml.path}: {place_of(name)}_file"
        value = _content(path, said)
    else:
        value, source, said = default, "default", name
    registry[name] = Setting(name, kind, default, value, source)
    return value, said


def _content(path: str, said: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{said} names a file that cannot be read: {error}") from None


def check_file() -> None:
    """Raises ImproperlyConfigured for keys of the TOML file that no setting reads; to be called after all settings."""
    problems = toml.problems(list(registry))
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
