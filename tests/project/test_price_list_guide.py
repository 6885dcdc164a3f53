"""docs/from-price-list-to-bill.md does what it says: its files and commands, in their order, lead to its bill."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.management import call_command

from apps.billing.models import Activity, Bill, BillRun
from apps.billing.services.execution import run_activity
from apps.kernel.clock import utc_now
from apps.mediation.models import Cdr
from apps.rating.models import TariffDraft
from apps.rating.services.folder_parts import folder_files
from tests.billing.scenes import work_through
from tests.project.readme_commands import ROOT
from tests.project.test_first_steps import make_plan_as_told

PAGE = ROOT / "docs" / "from-price-list-to-bill.md"
STEP = re.compile(r"^`([\w/.-]+)`:\n\n```\w+\n(.*?)```|^\./run manage (.+?)$", re.MULTILINE | re.DOTALL)
FILES = [path for path, _, _ in STEP.findall(PAGE.read_text()) if path]


def test_every_file_of_the_folder_has_an_example() -> None:
    shown = {path.split("/")[1].removesuffix(".csv") for path in FILES if path.startswith("price-list/")}
    assert set(folder_files()) - shown == {"DerivedCharges"}


@pytest.mark.django_db(transaction=True)
@time_machine.travel(datetime(2026, 11, 5, 12, tzinfo=UTC), tick=True)
def test_the_price_list_leads_to_the_bill(admin_client, tmp_path, monkeypatch, settings, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    said: dict[str, str] = {}
    for path, text, command in STEP.findall(PAGE.read_text()):
        if path:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
            continue
        words = shlex.split(command)
        if words == ["migrate"]:
            continue
        if words[0] == "importsubscribers":
            make_plan_as_told(admin_client, free_minutes=0)
        if words[0] in ("comparetariffs", "publishtariff"):
            # A database that other tests have used counts on.
            words[-1] = str(TariffDraft.objects.get().pk)
        call_command(*(word for word in words if word != "--wait"))
        if "--wait" in words:
            run_activity(Activity.objects.get().pk, utc_now())
            work_through(BillRun.objects.get(), utc_now())
        captured = capsys.readouterr()
        said[command] = captured.out + captured.err
    assert "FIRST_OF_MONTH is used by nothing" in said["loadtariffplan price-list --validate --dry-run"]
    assert "1 warning" in said["loadtariffplan price-list --validate --dry-run"]
    whole = said["loadtariffplan price-list --validate"]
    assert whole.count("the product does not act on this file yet") == whole.count("warning: ") == 5
    assert "C2 *default: 5.00 EUR" in said["balance show C2"]
    assert "C2 HOUR: 3600 Voice" in said["balance show C2"]
    assert "fall   FRANCE" in said["comparetariffs --draft 1"]
    assert "the same as tariff version" in said["loadtariffplan in-force --flush"]
    assert "4 rated, 0 in suspense" in said["loadcdrs usage.csv"]
    prices = Cdr.objects.order_by("run", "record_id").values_list("run", "record_id", "cost_micros")
    assert list(prices) == [
        ("*default", "1", 450_000),
        ("*default", "2", 193_200),
        ("*default", "3", 70_000),
        ("*default", "4", 483_400),
        ("wholesale", "1", 90_000),
        ("wholesale", "2", 20_400),
        ("wholesale", "4", 33_400),
    ]
    assert Bill.objects.get().total_micros == 13_300_000
