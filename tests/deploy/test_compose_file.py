"""docker-compose.yml and the image, as far as they can be checked without an engine."""

from __future__ import annotations

import re

import pytest
import yaml

from bss_project.serving import PARTS
from tests.deploy.compose_file import ROOT, problems_in

TEXT = (ROOT / "docker-compose.yml").read_text()
DOCUMENTED = (ROOT / ".env.example").read_text()


def test_the_compose_file_is_valid() -> None:
    assert problems_in(TEXT, DOCUMENTED) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("services:", "servces:", "servces"),
        ("    healthcheck:\n", "    healthchek:\n", "healthchek"),
        ("interval: 15s", "interval: [15]", "interval"),
        ("      mysql:\n        condition", "      mysq:\n        condition", "no service mysq"),
        ("  mysql: {}\n", "", "no volume mysql"),
        ("${MYSQL_PASSWORD:?set it in .env (letters and digits)}", "${MYSQL_PASSWORD:-bss}", "is a secret"),
        ("${WEB_PORT:-8000}", "${WEBPORT:-8000}", "WEBPORT is not documented"),
        ("${WEB_PORT:-8000}", "${WEB_PORT}", "neither a default"),
        ("name: bss", "name: [", "not YAML"),
    ],
)
def test_a_mistake_in_it_is_found(old: str, new: str, problem: str) -> None:
    assert old in TEXT
    assert any(problem in found for found in problems_in(TEXT.replace(old, new), DOCUMENTED))


def test_every_part_of_the_product_runs_in_one_of_its_services() -> None:
    run = [service.get("command", []) for service in yaml.safe_load(TEXT)["services"].values()]
    parts = [command[command.index("--only") + 1] for command in run if "--only" in command]
    assert sorted(parts) == sorted(PARTS)


def test_no_database_or_broker_is_reachable_from_outside() -> None:
    services = yaml.safe_load(TEXT)["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["web", "diameter", "grpc"]
    assert services["web"]["ports"] == ["127.0.0.1:${WEB_PORT:-8000}:8000"]
    assert services["grpc"]["ports"] == ["${GRPC_ADDRESS:-127.0.0.1}:${GRPC_PORT:-50051}:50051"]
    assert services["diameter"]["ports"] == ["${DIAMETER_ADDRESS:-127.0.0.1}:${DIAMETER_PORT:-3868}:3868"]


def test_the_image_holds_everything_that_it_copies_and_runs_without_rights() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    kept = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in kept or any(
                re.fullmatch(pattern[1:].replace(".", r"\.").replace("*", ".*"), source) for pattern in kept
            ), f"{source} is kept out by .dockerignore"
    stages = dockerfile.split("FROM ")
    assert "\nUSER bss\n" in stages[-1]


def test_the_image_has_the_libraries_that_rendering_needs() -> None:
    needed = re.search(r'^PDF_PACKAGES="(.+)"$', (ROOT / "run").read_text(), re.MULTILINE)
    assert needed is not None
    final_stage = (ROOT / "deploy" / "Dockerfile").read_text().split("FROM ")[-1]
    assert set(needed[1].split()) <= set(final_stage.split())
