"""The TOML file of a role: which key is which setting, and what is wrong with a key that is none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

SECTIONS = (
    "api",
    "billing",
    "cdr",
    "charging",
    "crm",
    "diameter",
    "events",
    "grpc",
    "invoice",
    "license",
    "log",
    "metrics",
    "rating",
    "rest",
    "voucher",
)
"""First words of variables that are sections; all other settings are in [system]."""

# µBSS's keys, by section.
UBSS_KEYS = {
    "logging.json_format": "BSS_LOG_JSON",
    "logging.level": "BSS_LOG_LEVEL",
    "logging.log_path": "BSS_LOG_PATH",
    "logging.to_file": "BSS_LOG_TO_FILE",
    "system.thread_pool_size": "BSS_GRPC_THREADS",
    "app.interval": "BSS_CDR_SCAN_INTERVAL_S",
    "billing.billcycle": "BSS_BILLING_CYCLES",
    "bill_formatter.template_dir": "BSS_INVOICE_TEMPLATES_DIR",
    "bill_formatter.output_dir": "BSS_INVOICES_DIR",
}
MODULES = "BSS_MODULES"
"""The variable that the section [modules] stands for: the names of those that are true."""


def place_of(name: str) -> str:
    """Where a variable's setting stands in a file: ``[diameter] port`` for ``BSS_DIAMETER_PORT``."""
    section, _, key = _key_of(name).partition(".")
    return f"[{section}] {key}"


def _key_of(name: str) -> str:
    words = name.removeprefix("BSS_").lower()
    first, _, rest = words.partition("_")
    return f"{first}.{rest}" if rest and first in SECTIONS else f"system.{words}"


class TomlFile(NamedTuple):
    """The values of a file by ``section.key``."""

    path: Path
    values: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Raises ImproperlyConfigured if the file cannot be read; tomllib names line and column."""
        # Commands without a file need not wait for its reader.
        import tomllib

        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ImproperlyConfigured(f"the configuration {path} cannot be read: {error}") from None
        values: dict[str, Any] = {}
        for section, content in document.items():
            if not isinstance(content, dict):
                raise ImproperlyConfigured(
                    f"{path}: “{section}” stands before any section; sections are like [system]"
                )
            values.update((f"{section}.{key}", value) for key, value in content.items())
        return cls(path, values)

    def get(self, name: str) -> str | None:
        """The text of a variable's setting; None if the file has none."""
        if name == MODULES:
            modules = [key for key in self.values if key.startswith("modules.")]
            wanted = [key.partition(".")[2] for key in modules if self.values[key] is True]
            return ",".join(wanted) if modules else None
        for key in (_key_of(name), *(key for key, variable in UBSS_KEYS.items() if variable == name)):
            if key in self.values:
                return _text(self.values[key])
        return None

    def problems(self, names: Iterable[str]) -> list[str]:
        """Keys that no setting of these names reads, each with what was probably meant, and values of a wrong type."""
        from difflib import get_close_matches

        known = {_key_of(name) for name in names}
        known |= {f"{key}_file" for key in known} | set(UBSS_KEYS)
        problems = []
        for key, value in self.values.items():
            section, _, word = key.partition(".")
            where = f"{self.path}: [{section}] {word}"
            items = value if isinstance(value, list) else [value]
            if any(isinstance(item, (dict, list)) for item in items):
                problems.append(f"{where}: a value is a text, a number, true or false, or a list of such")
            elif section == "modules":
                if not isinstance(value, bool):
                    problems.append(f"{where}: a module is true or false")
            elif key not in known:
                # The right key in a wrong section comes before a key of nearly the same letters.
                likely = [one for one in sorted(known) if one.partition(".")[2] == word]
                likely = likely or get_close_matches(key, sorted(known), n=1, cutoff=0.6)
                meant = "; did you mean [{}] {}?".format(*likely[0].split(".", 1)) if likely else ""
                problems.append(f"{where}: there is no such setting{meant}")
        return problems


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)
