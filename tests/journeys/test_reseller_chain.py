"""A chain of resellers, whole: a tariff folder says who pays whom, real workers charge and bill each of them once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.billing.models import Activity, Bill, BillLine
from apps.billing.services.activities import queue_activity
from apps.billing.services.onboarding import onboard
from apps.charging.models import LedgerEntry
from apps.mediation.models import Cdr, CdrFile
from tests.factories import make_cycle, make_plan, make_tenant, new_line
from tests.journeys.test_tariff_to_pdf import (
    MONTH_START,
    NOW,
    cdr,
    drop_file,
    text_of,
    tick,
    wait_for,
)

CUSTOMER, OTHER = "4915550000001", "4915550000002"
_KEEP = "*default"


def charger(run: str, filter_: str = "", **templates: str) -> str:
    columns = (
        *("ReqTypeField", "DirectionField", "TenantField", "CategoryField", "AccountField"),
        *("SubjectField", "DestinationField", "SetupTimeField", "PddField", "AnswerTimeField"),
        *("UsageField", "SupplierField", "DisconnectCause", "CostField", "RatedField"),
    )
    values = [templates.get(column, _KEEP) for column in columns]
    return ",".join(["*out,brand,*any,*any,*any,", run, filter_, *values]) + "\n"


TARIFF = {
    "Timings": "",
    "Destinations": "DE,49\nGB,44\n",
    "Rates": (
        "RETAIL_DE,0,0.10,60s,60s,0s\nRETAIL_GB,0,0.30,60s,60s,0s\n"
        "WHOLE_DE,0,0.04,60s,1s,0s\nWHOLE_GB,0,0.12,60s,1s,0s\nCARRIER_GB,0,0.06,60s,1s,0s\n"
    ),
    "DestinationRates": (
        "RETAIL,DE,RETAIL_DE,*up,4,0,\nRETAIL,GB,RETAIL_GB,*up,4,0,\n"
        "WHOLE,DE,WHOLE_DE,*up,4,0,\nWHOLE,GB,WHOLE_GB,*up,4,0,\nCARRIER,GB,CARRIER_GB,*up,4,0,\n"
    ),
    "RatingPlans": "RP_RETAIL,RETAIL,*any,10\nRP_WHOLE,WHOLE,*any,10\nRP_CARRIER,CARRIER,*any,10\n",
    "RatingProfiles": (
        "*out,brand,call,*any,2020-01-01T00:00:00Z,RP_RETAIL,,\n"
        "*out,default,wholesale,*any,2020-01-01T00:00:00Z,RP_WHOLE,,\n"
        "*out,default,call,carrier,2020-01-01T00:00:00Z,RP_CARRIER,,\n"
    ),
    # The brand pays the operator wholesale; what a carrier would charge for calls abroad is priced, and not paid.
    "DerivedChargers": (
        charger(
            "wholesale",
            TenantField="^default",
            CategoryField="^wholesale",
            AccountField="^MVNO",
            SubjectField="^brand",
        )
        + charger(
            "carrier",
            "destination(!^49)",
            ReqTypeField="^*rated",
            TenantField="^default",
            AccountField="^CARRIER",
            SubjectField="~destination:s/^44(\\d+)$/carrier/",
            DestinationField="~destination:s/^00(\\d+)$/$1/",
        )
    ),
}


@pytest.fixture
def chain(transactional_db, tmp_path: Path) -> None:
    for number, code in ((1, "default"), (2, "brand")):
        tenant = make_tenant(code)
        make_plan("PLAN", tenant=tenant, voice=(None, 0))
        make_cycle(number, tenant=tenant)
    folder = tmp_path / "tariff"
    folder.mkdir()
    for name, text in TARIFF.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    call_command("loadtariffplan", str(folder), verbosity=0)
    onboard(
        [
            new_line(1, tenant="brand", cycle=2),
            new_line(2, tenant="brand", cycle=2, mode="prepaid", opening_balance_micros=5_000_000),
            # Their own lines make no calls.
            new_line(8, customer_number="MVNO", customer_name="Brand GmbH"),
            new_line(9, customer_number="CARRIER", customer_name="Carrier Ltd"),
        ],
        NOW,
    )


def test_a_reseller_chain_from_the_folder_to_the_bills_of_both(chain, celery_worker_process, capsys):
    drop_file(
        "MSC01_1.cdr",
        [
            # Retail by the minute, wholesale by the second.
            cdr(1, "voice", CUSTOMER, "493012345", 0, 90),
            cdr(2, "voice", CUSTOMER, "442071234567", 10, 30),
            cdr(3, "voice", OTHER, "493012345", 20, 60),
            cdr(3, "voice", OTHER, "493012345", 20, 60),
        ],
    )
    celery_worker_process(["mediation", "maintenance"])
    celery_worker_process(["billing.bc_1", "billing.bc_2"])
    celery_worker_process(["invoicing"])
    wait_for(
        lambda: CdrFile.objects.filter(state="loaded").exists(),
        lambda: tick("apps.mediation.tasks.load_new_files", "mediation"),
        "the file",
    )
    assert (CdrFile.objects.get().rated, CdrFile.objects.get().duplicates) == (3, 1)
    assert sorted(Cdr.objects.values_list("record_id", "run", "account__number", "mode", "cost_micros")) == [
        ("R1", "*default", "C1", "", 200_000),
        ("R1", "wholesale", "MVNO", "", 60_000),
        ("R2", "*default", "C1", "", 300_000),
        ("R2", "carrier", "CARRIER", "*rated", 30_000),
        ("R2", "wholesale", "MVNO", "", 60_000),
        ("R3", "*default", "C2", "", 100_000),
        ("R3", "wholesale", "MVNO", "", 40_000),
    ]
    usage = LedgerEntry.objects.filter(kind="usage").values_list("balance__account__number", "amount_micros")
    assert list(usage) == [("C2", -100_000)], "only the prepaid customer pays from a balance"

    for cycle in ("1", "2"):
        queue_activity(
            Activity.Type.FULL_BILLRUN,
            cycle,
            str(MONTH_START.month),
            str(MONTH_START.year),
            now=datetime.now(UTC),
        )
    wait_for(
        lambda: set(Activity.objects.values_list("status", flat=True)) == {Activity.Status.COMPLETED},
        lambda: tick("apps.billing.tasks.dispatch_activities", "maintenance"),
        "the runs",
    )
    bills = {bill.account.number: bill for bill in Bill.objects.select_related("account")}
    assert {number: bill.usage_micros for number, bill in bills.items()} == {
        "C1": 500_000,
        "C2": 100_000,
        "MVNO": 160_000,
        "CARRIER": 0,
    }
    lines = BillLine.objects.filter(bill=bills["MVNO"]).order_by("destination__tag")
    assert list(
        lines.values_list("destination__tag", "subscriber", "records", "quantity", "amount_micros")
    ) == [("DE", None, 2, 150, 100_000), ("GB", None, 1, 30, 60_000)]

    wait_for(
        lambda: not Bill.objects.filter(status="new").exists(),
        lambda: tick("apps.invoicing.tasks.render_new_bills", "invoicing"),
        "the documents",
    )
    for number, cycle, texts in (("C1", 2, ("brand Telecom", "0.50")), ("MVNO", 1, ("Brand GmbH", "0.16"))):
        path = settings.INVOICES_DIR / f"{MONTH_START:%Y/%m}" / f"bc_{cycle}" / f"{bills[number].pk}.pdf"
        printed = text_of(path)
        assert all(text in printed for text in texts), printed

    days = ["--from", f"{MONTH_START:%Y-%m-%d}", "--to", f"{NOW:%Y-%m-%d}"]
    call_command("margins", *days, "--run", "wholesale")
    margins = [line.split(",")[5:11] for line in capsys.readouterr().out.splitlines()[-2:]]
    assert margins == [
        ["DE", "2", "150", "0.30", "0.10", "0.20"],
        ["GB", "1", "30", "0.30", "0.06", "0.24"],
    ]
    call_command("margins", *days, "--run", "carrier", "--retail", "wholesale")
    assert capsys.readouterr().out.splitlines()[-1].split(",")[8:11] == ["0.06", "0.03", "0.03"]
