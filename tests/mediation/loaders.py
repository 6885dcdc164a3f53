"""Loaders that are processes of their own, on the test's database and folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(arguments: list[str], database_url: str, folder: Path) -> subprocess.Popen[str]:
    """Start ``python ARGUMENTS`` with its folders below ``folder``."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bss_project.settings",
            "DATABASE_URL": database_url,
            "BSS_VAR_DIR": str(folder),
            "BSS_CDR_MAX_AGE_DAYS": "36500",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit status and what it said."""
    output, _ = process.communicate(timeout=300)
    return process.returncode, output
