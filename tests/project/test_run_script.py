"""./run where something is missing: it says what, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = (
    "sh",
    "dirname",
    "cat",
    "cksum",
    "tr",
    "grep",
    "sed",
    "find",
    "tail",
    "mktemp",
    "rm",
    "chmod",
    "apt-get",
    "python3",
)


class Machine:
    """A checkout and a PATH that holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        shutil.copy(ROOT / "run", self.checkout)
        (self.checkout / "tests").mkdir()
        shutil.copy(ROOT / "tests" / "system_packages.py", self.checkout / "tests")
        for name in ("requirements.lock", "requirements-production.lock", "requirements-dev.lock"):
            shutil.copy(ROOT / name, self.checkout)
        for name in TOOLS:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        self.program("id", "echo 1000")

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a path in this machine's copy of a script."""
        script = self.checkout / name
        assert old in script.read_text()
        script.write_text(script.read_text().replace(old, new))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "sh"), str(self.checkout / "run"), *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.checkout)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_user_without_rights_is_told_which_packages_to_install(machine: Machine) -> None:
    done = machine.run("test")
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.strip().startswith("sudo apt-get install")
    assert {"redis-server", "poppler-utils", "chromium"} <= set(line.split())
    assert not (machine.checkout / ".venv").exists()


def test_what_is_there_already_is_not_asked_for(machine: Machine) -> None:
    machine.program("redis-server", "exit 0")
    assert "redis-server" not in machine.run("test").stderr


def test_without_apt_the_packages_are_named_all_the_same(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    done = machine.run("test")
    assert done.returncode == 1
    assert "by the names of Debian's packages" in done.stderr
    assert "poppler-utils" in done.stderr


def test_root_installs_missing_packages_without_questions_or_started_servers(
    machine: Machine, tmp_path: Path
) -> None:
    policy, log = tmp_path / "policy-rc.d", tmp_path / "apt.log"
    machine.edit("tests/system_packages.py", "/usr/sbin/policy-rc.d", str(policy))
    machine.program("id", "echo 0")
    told = f'echo "$DEBIAN_FRONTEND $*" >> {log}; {policy} || echo "policy $?" >> {log}'
    machine.program("apt-get", f'{told}; [ "$1" = update ] || exit 100')
    done = machine.run("test")
    assert done.returncode == 1
    assert "apt-get could not install" in done.stderr
    update, _, install, forbidden = log.read_text().splitlines()
    assert update.split()[-2:] == ["update", "-qq"]
    assert install.startswith("noninteractive install -y")
    assert "redis-server" in install.split()
    assert forbidden == "policy 101"
    assert not policy.exists()


def test_an_old_python_is_refused_with_its_version(machine: Machine) -> None:
    (machine.bin / "python3").unlink()
    machine.program("python3", 'case "$1" in --version) echo "Python 3.9.2" ;; *) exit 0 ;; esac')
    machine.edit("run", "/usr/bin/python3", "/nonexistent/python3")
    done = machine.run("setup", "base")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed and was not found (python3 is: Python 3.9.2)" in done.stderr


def test_an_unknown_command_shows_the_known_ones(machine: Machine) -> None:
    done = machine.run("tset")
    assert done.returncode == 1
    assert "there is no command 'tset'" in done.stderr
    assert "./run COMMAND" in done.stderr


def test_the_locks_hold_hashes_and_no_address() -> None:
    for name in ("requirements.lock", "requirements-production.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        for block in text.replace("\\\n", "").splitlines():
            if "==" in block:
                assert "--hash=sha256:" in block, block


def test_each_lock_holds_the_one_below_it_at_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        return {line.split(" ")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line}

    base, production, dev = (pins(f"requirements{level}.lock") for level in ("", "-production", "-dev"))
    assert base < production < dev
    assert not any(pin.startswith(("mysqlclient", "plutoprint")) for pin in base)


def test_the_continuous_integration_runs_what_a_developer_runs() -> None:
    assert "exec ./run test\n" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / "run", os.X_OK)
