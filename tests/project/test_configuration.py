"""The TOML file of a role: its place between environment and defaults, its errors, and the files that ship."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import EventDict

from bss_project.log_masks import masked
from bss_project.serving import MODULES, PARTS
from bss_project.settings import environment
from bss_project.settings.environment import BASE_DIR
from bss_project.settings.toml_file import TomlFile
from tests.factories import make_cycle
from tests.patience import eventually

FILES = sorted((BASE_DIR / "deploy" / "config").glob("*.toml"))

# The four files of bill cycles differ in their number alone.
ROLES = [path for path in FILES if path.stem not in ("billing1", "billing3", "billing4")]


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    def write(content: str) -> Path:
        path = tmp_path / "role.toml"
        path.write_text(content)
        return path

    return write


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "bss_project.settings", **environment}
    return subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def value_of(name: str, shown: str) -> str:
    found = re.search(rf"^{name} = (.*?)  \(", shown, re.MULTILINE)
    assert found, shown
    return found[1]


def test_the_environment_comes_before_the_file_and_the_file_before_defaults(
    toml: Callable[[str], Path],
) -> None:
    path = toml(
        "[diameter]\nport = 4000\nprocesses = 3\n[system]\nallowed_hosts = ['a.example', 'b.example']\n"
    )
    shown = manage("-i", str(path), "config", "show", BSS_DIAMETER_PORT="5000").stdout
    assert value_of("BSS_DIAMETER_PORT", shown) == "5000"
    assert value_of("BSS_DIAMETER_PROCESSES", shown) == "3"
    assert value_of("BSS_ALLOWED_HOSTS", shown) == "a.example,b.example"
    assert value_of("BSS_GRPC_PROCESSES", shown) == "1"
    assert value_of("BSS_DIAMETER_PORT", manage("config", "show", BSS_CONFIG=str(path)).stdout) == "4000"


def test_names_of_ubss_are_known(toml: Callable[[str], Path]) -> None:
    path = toml(
        "[app]\ninterval = 7\n[billing]\nbillcycle = 3\n"
        "[logging]\njson_format = true\n[modules]\nbilling = true\ncrm = false\n"
    )
    shown = manage("-i", str(path), "config", "show").stdout
    assert value_of("BSS_CDR_SCAN_INTERVAL_S", shown) == "7"
    assert value_of("BSS_BILLING_CYCLES", shown) == "3"
    assert value_of("BSS_LOG_JSON", shown) == "1"
    assert value_of("BSS_MODULES", shown) == "billing"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "[diameter]\nprot = 1\n",
            "[diameter] prot: there is no such setting; did you mean [diameter] port?",
        ),
        (
            "[charging]\nbind = 'x'\n",
            "[charging] bind: there is no such setting; did you mean [diameter] bind?",
        ),
        ("[modules]\ncrm = 1\n", "[modules] crm: a module is true or false"),
        ("port = 1\n", "“port” stands before any section"),
        ("[diameter\n", "line 1"),
        ("[diameter]\nport = {a = 1}\n", "[diameter] port"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(toml: Callable[[str], Path], content: str, said: str) -> None:
    path = toml(content)
    try:
        found = TomlFile.read(path).problems(environment.registry)
    except ImproperlyConfigured as error:
        found = [str(error)]
    assert len(found) == 1
    assert said in found[0]
    assert str(path) in found[0]


def test_a_wrong_key_stops_every_command_in_one_line_without_a_trace(toml: Callable[[str], Path]) -> None:
    path = toml("[diameter]\nport = 'x'\n")
    done = manage("-i", str(path), "config", "check")
    assert done.returncode == 1
    assert done.stderr == f"manage.py: {path}: [diameter] port must be a whole number, not “x”\n"
    path.write_text("[diameter]\nprot = 1\n")
    assert "did you mean [diameter] port?" in manage("-i", str(path), "config", "check").stderr


def test_a_file_that_is_not_there_is_an_error() -> None:
    done = manage("-i", "/nowhere.toml", "config", "check")
    assert (done.returncode, "/nowhere.toml" in done.stderr) == (1, True)


def test_a_secret_may_be_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("quite secret\n")
    shown = manage(
        *("config", "show", "--docs"),
        BSS_SECRET_KEY="",
        BSS_SECRET_KEY_FILE=str(secret),
        DATABASE_URL="mysql://bss:hush@127.0.0.1/bss",
    ).stdout
    assert "quite secret" not in shown
    assert "hush" not in shown
    assert f"BSS_SECRET_KEY = ***  ({secret}; text" in shown
    assert value_of("DATABASE_URL", shown) == "mysql://bss:***@127.0.0.1/bss"
    assert "# How often beat looks for new CDR files, seconds.\nBSS_CDR_SCAN_INTERVAL_S" in shown


def test_every_part_of_the_product_has_a_module_and_every_role_a_file() -> None:
    assert {part for parts in MODULES.values() for part in parts} == set(PARTS)
    modules = [
        name for path in FILES for name, on in tomllib.loads(path.read_text())["modules"].items() if on
    ]
    assert set(modules) == set(MODULES)
    cycles = [
        (BASE_DIR / "deploy" / "config" / f"billing{number}.toml").read_text() for number in (1, 2, 3, 4)
    ]
    assert len({re.sub(r"(billing|cycle = |cycle )\d", r"\1N", text) for text in cycles}) == 1


@pytest.mark.django_db(transaction=True)
def test_each_role_starts_from_its_file(tmp_path: Path, database_url: str) -> None:
    for number in (1, 2):
        make_cycle(number)
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bss_project.settings",
        "DATABASE_URL": database_url,
        "BROKER_URL": f"filesystem://{tmp_path}/broker",
        "BSS_VAR_DIR": str(tmp_path / "var"),
        "BSS_DIAMETER_PORT": "0",
        "BSS_GRPC_PORT": "0",
    }
    logs = {path.stem: tmp_path / f"{path.stem}.log" for path in ROLES}
    running = []
    try:
        for path in ROLES:
            with logs[path.stem].open("wb") as log:
                command = ["-i", str(path), "serve", "--no-migrate", "--bind", "127.0.0.1:0"]
                running.append(
                    subprocess.Popen(
                        [sys.executable, str(BASE_DIR / "manage.py"), *command],
                        env=env,
                        stdout=log,
                        stderr=log,
                    )
                )
        for name, log in logs.items():
            eventually(
                lambda log=log: "everything is ready" in log.read_text(), f"{name}:\n{log.read_text()}"
            )  # type: ignore[misc]
        assert "bc_2" in logs["billing2"].read_text()
        assert "bc_1" not in logs["billing2"].read_text()
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in running]
    assert codes == [0] * len(ROLES)


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"event": "x", "pin": "1234"}, {"event": "x", "pin": "***"}),
        ({"access_token": "abc", "pinned": 1}, {"access_token": "***", "pinned": 1}),
        ({"event": "barred 491701234567"}, {"event": "barred ***567"}),
        ({"msisdn": "+491701234567"}, {"msisdn": "***567"}),
        ({"session_id": "gw;491701234567;1"}, {"session_id": "gw;491701234567;1"}),
        ({"records": 4917012345678}, {"records": 4917012345678}),
    ],
)
def test_logs_hide_secrets_and_by_choice_numbers(event: EventDict, shown: EventDict) -> None:
    assert masked(True)(None, "info", event) == shown


def test_numbers_are_left_as_they_are_unless_they_are_to_be_hidden() -> None:
    assert masked(False)(None, "info", {"event": "barred 491701234567"}) == {"event": "barred 491701234567"}
