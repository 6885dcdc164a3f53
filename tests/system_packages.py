"""``python tests/system_packages.py NAME…``: have these packages of the system, or say which to install.

``./run`` calls it before there is an environment: it needs Python's standard library and nothing else. What is looked
for is the thing itself, not the name of Debian's package: other systems have it under other names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib")
HEADERS = ("/usr/include", "/usr/local/include")
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")

Check = Callable[[], bool]


def command(*names: str) -> Check:
    """All of these commands; some are found by administrators only."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"))
    return lambda: all(shutil.which(name, path=path) for name in names)


def any_of(*checks: Check) -> Check:
    return lambda: any(check() for check in checks)


def all_of(*checks: Check) -> Check:
    return lambda: all(check() for check in checks)


def file(pattern: str, *folders: str) -> Check:
    """A file of this pattern below one of these folders."""
    return lambda: any(next(Path(folder).expanduser().glob(pattern), None) for folder in folders)


def library(name: str) -> Check:
    return any_of(
        lambda: name in output("ldconfig", "-p"),
        file(name, *LIBRARIES),
        file(f"*-linux-gnu/{name}", *LIBRARIES),
    )


def output(*arguments: str) -> str:
    """The output of a command; empty if there is none or it fails."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    found = shutil.which(arguments[0], path=path)
    if found is None:
        return ""
    done = subprocess.run([found, *arguments[1:]], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


CHECKS: dict[str, Check] = {
    "libpango-1.0-0": library("libpango-1.0.so.0"),
    "libpangoft2-1.0-0": library("libpangoft2-1.0.so.0"),
    "libharfbuzz-subset0": library("libharfbuzz-subset.so.0"),
    "fonts-dejavu-core": file("**/DejaVuSans.ttf", *FONTS),
    "python3-dev": lambda: Path(sysconfig.get_paths()["include"], "Python.h").exists(),
    "libmariadb-dev": any_of(
        command("mariadb_config"),
        lambda: bool(
            output("pkg-config", "--libs", "libmariadb") or output("pkg-config", "--libs", "mysqlclient")
        ),
    ),
    "mariadb-server": command("mariadbd", "mariadb-install-db"),
    "poppler-utils": command("pdftotext"),
    "systemd": command("systemd-analyze"),
    "erlang-diameter": command("diameterc", "erlc"),
    "erlang-dev": command("diameterc", "erlc"),
    "erlang-examples": file("erlang/lib/diameter-*/examples/dict/rfc4006_cc.dia", "/usr/lib", "/usr/lib64"),
    "freediameterd": command("freeDiameterd"),
    "freediameter-extensions": file("freeDiameter/dict_dcca.fdx", *LIBRARIES),
    "libfreediameter-dev": file("freeDiameter/extension.h", *HEADERS),
    "php-cli": command("php"),
    "php-curl": lambda: "curl" in output("php", "-m").split(),
    "php-google-protobuf": file("Google/Protobuf/Internal/Message.php", "/usr/share/php", "/usr/share/pear"),
    "protobuf-compiler": command("protoc"),
    "protobuf-compiler-grpc": command("grpc_php_plugin"),
    "libprotobuf-dev": file("google/protobuf/field_mask.proto", *HEADERS),
    "nodejs": command("node"),
    "age": command("age", "age-keygen"),
    "chromium": any_of(command("chromium"), command("chromium-browser"), command("google-chrome")),
}


def is_there(package: str) -> bool:
    return CHECKS.get(package, command(package))()


def install(packages: Sequence[str]) -> bool:
    """By apt-get, without questions and without starting servers: the tests bring their own on free ports."""
    made = not POLICY.exists()
    if made:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", *arguments],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                print("\n".join(done.stdout.splitlines()[-20:]), file=sys.stderr)
                return False
        return True
    finally:
        if made:
            POLICY.unlink(missing_ok=True)


def is_root() -> bool:
    return output("id", "-u").strip() == "0"


def main(packages: Sequence[str]) -> int:
    missing = [package for package in dict.fromkeys(packages) if not is_there(package)]
    names = " ".join(missing)
    if not missing:
        return 0
    if shutil.which("apt-get") is None:
        say(f"these are needed (by the names of Debian's packages) and were not found: {names}")
        return 1
    if not is_root():
        say("these packages are needed and this is not root. Install them, then run this again:")
        say(f"  sudo apt-get install --no-install-recommends {names}", prefix="")
        return 1
    say(f"installing packages: {names}")
    if not install(missing):
        say(f"apt-get could not install: {names}")
        return 1
    output("ldconfig")
    return 0


def say(line: str, prefix: str = "run: ") -> None:
    print(f"{prefix}{line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
