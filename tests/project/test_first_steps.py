"""docs/first-steps.md does what it says: its commands run on its files, and the plan is made on the admin's page."""

from __future__ import annotations

import getpass
import re
import shlex
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from apps.billing.models import Activity, Bill, BillRun
from apps.billing.services.execution import run_activity
from apps.charging.models import BalanceTrigger
from apps.kernel.clock import utc_now
from apps.mediation.models import SuspendedRecord
from apps.rating.models import Service, Tenant
from apps.vouchers.models import Voucher
from tests.billing.scenes import work_through
from tests.project.readme_commands import ROOT

PAGE = ROOT / "docs" / "first-steps.md"


def steps() -> list[list[str]]:
    """The arguments of each ./run manage, in the order of the page."""
    return [shlex.split(line) for line in re.findall(r"^\./run manage (.+)$", PAGE.read_text(), re.MULTILINE)]


def make_plan_as_told(client: Client, free_minutes: int = 60) -> None:
    services = {service.code: service.pk for service in Service.objects.all()}
    rows = {}
    for row, (code, free) in enumerate((("voice", free_minutes), ("sms", 0), ("data", 1024))):
        rows |= {f"services-{row}-service": services[code], f"services-{row}-free_units": free}
    answer = client.post(
        reverse("admin:rating_priceplan_add"),
        {
            "code": "BASIC",
            "name": "Basic",
            "tenant": Tenant.objects.get().pk,
            "currency": "EUR",
            "monthly_fee_micros": "9.99",
            "rating_subject": "*any",
            "services-TOTAL_FORMS": 3,
            "services-INITIAL_FORMS": 0,
            **rows,
        },
    )
    assert answer.status_code == 302, answer.context["errors"]


@pytest.mark.django_db(transaction=True)
@time_machine.travel(datetime(2026, 11, 5, 12, tzinfo=UTC), tick=True)
def test_the_first_steps_lead_to_a_bill_that_is_cancelled_and_issued_again(
    admin_client, tmp_path, monkeypatch, settings, capsys
):
    monkeypatch.chdir(tmp_path)
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"
    settings.CDR_PROCESSED_DIR = tmp_path / "processed_cdr"
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "correct horse battery")
    for name, text in re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(text)
    said: dict[str, str] = {}
    for words in steps():
        if words == ["migrate"]:
            continue
        if words[0] == "importsubscribers" and "--dry-run" in words:
            make_plan_as_told(admin_client)
        waits = "--wait" in words
        call_command(*(word for word in words if word != "--wait"))
        if waits:
            run_activity(Activity.objects.get().pk, utc_now())
            work_through(BillRun.objects.get(), utc_now())
        said[" ".join(words[:2])] = capsys.readouterr().out
    assert "would" not in said["importsubscribers customers.csv"]
    assert "3 rated, 1 in suspense" in said["loadcdrs usage.csv"]
    assert SuspendedRecord.objects.count() == 1
    assert [(bill.number, bill.total_micros) for bill in Bill.objects.order_by("pk")] == [
        ("2026-00000001", 12_660_000),
        ("C2026-00000001", -12_660_000),
        ("2026-00000002", 12_660_000),
    ]
    assert "10.00 EUR" in said["balance show"]
    assert BalanceTrigger.objects.get().name == "low"
    assert Voucher.objects.count() == said["vouchers open"].count("\n") - 1 == 3
    assert "the books are right" in said["audit"] if "audit" in said else True
