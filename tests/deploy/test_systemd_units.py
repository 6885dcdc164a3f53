"""The units of systemd, read by systemd itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from apps.licensing.domain import errors
from bss_project.settings.environment import BASE_DIR

UNITS = BASE_DIR / "deploy" / "systemd"


def test_the_units_pass_systemd_analyze(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        # Where the product is on this machine, or systemd would miss its program.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/bss", str(BASE_DIR)))
    (tmp_path / "bss@prepaid.service").write_text((tmp_path / "bss@.service").read_text())
    units = [str(tmp_path / name) for name in ("bss@prepaid.service", "bss-migrate.service", "bss.target")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_licence_that_does_not_hold_is_not_tried_again_and_again() -> None:
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and hasattr(error, "exit_code")
    }
    named = re.search(r"RestartPreventExitStatus=(.*)", (UNITS / "bss@.service").read_text())
    assert named
    assert {int(code) for code in named[1].split()} == codes


def test_the_roles_that_the_units_name_have_files() -> None:
    enabled = re.search(r"enable --now (.*)", (UNITS / "bss@.service").read_text())
    assert enabled
    for unit in enabled[1].split():
        assert (BASE_DIR / "deploy" / "config" / f"{unit.partition('@')[2]}.toml").exists()
