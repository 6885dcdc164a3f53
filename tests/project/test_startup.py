"""Commands start at once: what takes long to import is imported by who needs it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.rating.folders import write_folder

# Each takes longer to import than all that a hot command needs.
HEAVY = {
    "celery",
    "kombu",
    "rest_framework.views",
    "drf_spectacular.openapi",
    "unfold.admin",
    "django.contrib.auth.admin",
    "weasyprint",
    "plutoprint",
    "requests",
    "pydantic",
    "redis",
}
ONLY_FOR_RUNGRPC = {"grpc", "cryptography"}
HOT = ("rate", "loadcdrs", "executebillcycle", "audit", "rundiameter", "formatbills")

IMPORT_COMMANDS = """
import json, sys
import django
django.setup()
from django.core.management import get_commands, load_command_class
for name in sys.argv[1:]:
    load_command_class(get_commands()[name], name).create_parser("manage.py", name)
print(json.dumps(sorted(sys.modules)))
"""
RUN_RATE = """
import io, json, sys
import django
django.setup()
from django.core.management import call_command
query = {"subject": "al", "tor": "voice", "destination": "49", "start": "2026-01-05T12:00:00Z", "usage": 61}
sys.stdin = io.StringIO(json.dumps(query))
out = io.StringIO()
call_command("rate", stdout=out)
assert json.loads(out.getvalue())["cost"] == "0.71"
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(program: str, *arguments: str, **environment: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "bss_project.settings", **environment},
    )
    return set(json.loads(done.stdout))


def test_hot_commands_import_no_door_page_broker_or_pdf_engine() -> None:
    assert modules_after(IMPORT_COMMANDS, *HOT) & (HEAVY | ONLY_FOR_RUNGRPC) == set()


def test_the_grpc_server_imports_nothing_of_the_other_doors() -> None:
    assert modules_after(IMPORT_COMMANDS, "rungrpc") & HEAVY == set()


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_a_price_enquiry_needs_no_more_while_it_runs(database_url: str, tmp_path: Path) -> None:
    call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=io.StringIO())
    assert modules_after(RUN_RATE, DATABASE_URL=database_url) & (HEAVY | ONLY_FOR_RUNGRPC) == set()
