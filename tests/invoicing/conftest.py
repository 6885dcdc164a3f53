"""What tests of documents share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def invoices(tmp_path: Path, settings) -> Path:
    """An invoices folder of this test's own, and the fast engine."""
    settings.INVOICES_DIR = tmp_path / "invoices"
    settings.PDF_ENGINE = "plutoprint"
    return settings.INVOICES_DIR
