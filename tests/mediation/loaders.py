"""Loaders that are processes of their own, on the test's database and folders."""

from __future__ import annotations

import os
from pathlib import Path

from tests import python_processes


def start(arguments: list[str], database_url: str, folder: Path) -> python_processes.Process:
    """Start ``python ARGUMENTS`` with its folders below ``folder``."""
    return python_processes.start(
        arguments,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "DATABASE_URL": database_url,
            "BSS_VAR_DIR": str(folder),
            "BSS_CDR_MAX_AGE_DAYS": "36500",
        },
    )


def finish(process: python_processes.Process) -> tuple[int, str]:
    """Its exit status and what it said."""
    output, _ = process.communicate(timeout=300)
    return process.returncode, output
