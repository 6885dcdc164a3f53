"""PHP's side: classes generated from ``proto/`` once a test run, and the programs that use them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.interop.diameter.processes import ROOT
from tests.interop.grpc_server import run_client

HERE = Path(__file__).resolve().parent
CLIENT = ROOT / "clients" / "php"


def generate(folder: Path) -> Path:
    """The generated classes, by the script that CRM developers use."""
    subprocess.run([str(CLIENT / "generate"), str(folder)], check=True, capture_output=True)
    return folder


def php(scenario: str, said: dict[str, Any], generated: Path) -> Any:
    """What ``calls.php`` answers."""
    return run_client(["php", str(HERE / "calls.php"), scenario], said, CRM_GENERATED=str(generated))
