"""Folders of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.rating.selectors.tariffs import look_again


@pytest.fixture(autouse=True)
def no_tariff_of_another_test() -> None:
    """A process remembers for a while which tariff is in force."""
    look_again()


@pytest.fixture(autouse=True)
def folders(settings, tmp_path: Path) -> Path:
    """New, processed and refused files in a temporary folder."""
    settings.CDR_NEW_DIR = tmp_path / "new_cdr"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    settings.CDR_ERROR_DIR = tmp_path / "error_cdr"
    settings.CDR_NEW_DIR.mkdir()
    return tmp_path
