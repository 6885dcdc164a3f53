"""Why a file waits where it is although nothing is wrong with its content, and what to do about it."""

from __future__ import annotations

SOURCE_OPTIONS = "source_options"
NO_TARIFF = "no_tariff"
FILE_SYSTEM = "file_system"
DATABASE = "database"
LOADER_DIED = "loader_died"
INTERNAL_ERROR = "internal_error"

_THEN = "The next run then loads it."
FILE_ADVICE = {
    SOURCE_OPTIONS: f"Correct the format or the options of its source as the message says. {_THEN}",
    NO_TARIFF: f"Load a tariff with loadtariffplan, or save a price plan. {_THEN}",
    FILE_SYSTEM: "The loader must be able to read the file and to move it: look at the permissions of the file and its "
    f"folders, and at the space on the disk. {_THEN}",
    DATABASE: "Look whether the database works and has space; the next run tries again.",
    LOADER_DIED: "The process that loaded it ended: look into the system's log, perhaps memory ran out. The next run "
    "tries again.",
    INTERNAL_ERROR: "This is a fault of the program; the log has its traceback (cdr_file_failed). Report it.",
}


def file_advice(reason: str) -> str:
    """What to do about a file that waits for this reason."""
    return FILE_ADVICE.get(reason, f"Do what the message says. {_THEN}")
