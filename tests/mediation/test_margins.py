"""Margins by reseller: the revenue of one run less the cost of another, by month, service and destination."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse

from apps.mediation.models import Cdr
from apps.rating.services.publishing import publish
from tests.factories import make_plan, make_subscriber
from tests.mediation.samples import NOW, cdr, load, stream
from tests.mediation.test_derived_charging import derive, make_chain

pytestmark = pytest.mark.django_db


def records() -> bytes:
    """Two calls in March and one in February, of a minute each, and one that is priced only."""
    february = int(datetime(2026, 2, 3, 9, tzinfo=UTC).timestamp())
    return stream([cdr(1), cdr(2), cdr(3, start=february), cdr(4, request_type="rated")])


def said(capsys, *arguments: str) -> list[list[str]]:
    call_command("margins", "--from", "2026-01-01", "--to", "2026-03-31", *arguments)
    return [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]


def test_revenue_less_cost_by_month(capsys):
    make_chain()
    load(records())
    assert said(capsys) == [
        ["2026-02", "wholesale", "default", "C7", "voice", "*any", "1", "60", "0.09", "0.05", "0.04", "EUR"],
        ["2026-03", "wholesale", "default", "C7", "voice", "*any", "3", "180", "0.18", "0.15", "0.03", "EUR"],
    ]


def test_in_a_chain_the_run_of_the_next_reseller_brings_the_revenue(capsys):
    make_chain()
    make_plan("TRANSIT", voice=(20_000, 0))
    make_subscriber(8, plan=make_plan("NONE", voice=(None, 0)))
    publish(NOW)
    derive(
        "transit",
        tenant="brand",
        TenantField="^default",
        AccountField="^C8",
        SubjectField="^*plan:TRANSIT",
    )
    load(stream([cdr(1)]))
    (transit,) = said(capsys, "--run", "transit", "--retail", "wholesale")
    assert transit[1:4] + transit[8:11] == ["transit", "default", "C8", "0.05", "0.02", "0.03"]
    (wholesale,) = said(capsys, "--reseller", "C7")
    assert wholesale[8:11] == ["0.09", "0.05", "0.04"]


def test_two_currencies_have_no_margin(capsys):
    make_chain()
    load(stream([cdr(1)]))
    customer = Cdr.objects.get(run="*default").account
    customer.currency = "USD"
    customer.save()
    ((*_, revenue, cost, margin, first, second),) = said(capsys)
    assert (revenue, cost, margin) == ("0.09", "0.05", "")
    assert (first, second) == ('"USD', ' EUR"')


def test_filters_and_wrong_questions(capsys, tmp_path):
    make_chain()
    load(records())
    assert said(capsys, "--run", "other") == []
    assert len(said(capsys, "--destination", "*any")) == 2
    for arguments, told in (
        (["--destination", "MARS"], "nothing was rated to a destination “MARS”"),
        (["--reseller", "X"], "no account “X”"),
        (["--to", "2025-01-01"], "ends before it begins"),
    ):
        with pytest.raises(CommandError, match=told):
            said(capsys, *arguments)
    said(capsys, "--csv", str(tmp_path / "a.csv"), "--xlsx", str(tmp_path / "a.xlsx"))
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    from openpyxl import load_workbook

    assert load_workbook(tmp_path / "a.xlsx")["Margins"]["I3"].value == "0.18"


def test_staff_see_and_download_them(admin_client):
    make_chain()
    load(records())
    url = reverse("admin:mediation_derivedcharger_do_list", args=("margins",))
    assert "Margins by reseller" in admin_client.get(url).content.decode()
    asked = {"first": "2026-02-01", "last": "2026-03-31", "retail": "*default", "show": "page"}
    page = admin_client.post(url, asked).content.decode()
    assert "wholesale" in page
    assert "0.04" in page
    assert admin_client.post(url, asked | {"show": "csv"}).content.decode().count("\n") == 3
    assert admin_client.post(url, asked | {"show": "xlsx"}).content.startswith(b"PK")
