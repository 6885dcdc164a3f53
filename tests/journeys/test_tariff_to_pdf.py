"""The main job, whole: a tariff is loaded, files arrive, a cycle is billed by real workers, PDFs lie on disk."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.billing.models import Activity, Bill, TaxRule
from apps.billing.services.activities import queue_activity
from apps.billing.services.onboarding import onboard
from apps.charging.models import Balance
from apps.mediation.formats.messages import delimited
from apps.mediation.models import Cdr, CdrFile, SuspendedRecord
from apps.mediation.pb.billing_pb2 import CDR, CDRFileHeader
from apps.runtime.tasks import current_app
from tests.factories import make_cycle, make_plan, make_tenant, new_line

NOW = datetime.now(UTC)
THIS_MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
MONTH_START = (THIS_MONTH - timedelta(days=1)).replace(day=1)
PATIENCE_S = 90.0

TARIFF = {
    "Timings": "",
    "Destinations": "DE_FIXED,49\nDE_MOBILE,4915\nGB,44\n",
    # 30/6: half a minute at least, then every six seconds.
    "Rates": "R_DE,0,0.10,60s,30s,0s\nR_DE,0,0.10,60s,6s,30s\nR_GB,0.05,0.30,60s,60s,0s\nR_SMS,0,0.09,1,1,0\n",
    "DestinationRates": (
        "DR_CALL,DE_FIXED,R_DE,*up,4,0,\nDR_CALL,DE_MOBILE,R_DE,*up,4,0,\nDR_CALL,GB,R_GB,*up,4,0,\n"
        "DR_SMS,*any,R_SMS,*up,4,0,\n"
    ),
    "RatingPlans": "RP_CALL,DR_CALL,*any,10\nRP_SMS,DR_SMS,*any,10\n",
    "RatingProfiles": (
        "*out,default,call,*any,2020-01-01T00:00:00Z,RP_CALL,,\n*out,default,sms,*any,2020-01-01T00:00:00Z,RP_SMS,,\n"
    ),
}


def load_tariff(folder: Path) -> None:
    folder.mkdir()
    for name, text in TARIFF.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    call_command("loadtariffplan", str(folder), verbosity=0)


def cdr(number: int, service: str, msisdn: str, to: str, minutes_after: int, duration_s: int = 0) -> CDR:
    start = int((MONTH_START + timedelta(days=3, hours=9, minutes=minutes_after)).timestamp())
    return CDR(
        record_id=f"R{number}",
        service=service,
        msisdn=msisdn,
        other_party=to,
        start=start,
        duration_s=duration_s,
        events=1,
    )


def drop_file(name: str, records: list[CDR]) -> None:
    settings.CDR_NEW_DIR.mkdir(parents=True, exist_ok=True)
    header = CDRFileHeader(magic="BSSCDR1", source="MSC01", sequence=1, count=len(records))
    content = b"".join(delimited(message.SerializeToString()) for message in (header, *records))
    (settings.CDR_NEW_DIR / name).write_bytes(content)


def wait_for(condition: Callable[[], bool], tick: Callable[[], None], what: str) -> None:
    """As beat would: tick every half a second until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, f"{what} did not come to be"
        tick()
        time.sleep(0.5)


def tick(task: str, queue: str) -> None:
    current_app.send_task(task, queue=queue)


def text_of(path: Path) -> str:
    return subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def operator(transactional_db, tmp_path):
    tenant = make_tenant()
    TaxRule.objects.create(
        tenant=tenant, name="VAT", rate_millionths=190_000, valid_from=datetime(2020, 1, 1, tzinfo=UTC).date()
    )
    make_plan("FLAT", fee_micros=10_000_000, voice=(None, 1, "DE_FIXED;DE_MOBILE"), sms=(None, 0))
    make_plan("EASY", voice=(None, 0), sms=(200_000, 0))
    make_cycle(1)
    load_tariff(tmp_path / "tariff")
    onboard(
        [
            new_line(1, price_plan="FLAT", customer_name="Ada <Lovelace> & Söhne"),
            new_line(2, price_plan="EASY", mode="prepaid", opening_balance_micros=5_000_000),
        ],
        NOW,
    )


def test_from_tariff_to_pdf_by_real_workers(operator, celery_worker_process):
    postpaid, prepaid = "4915550000001", "4915550000002"
    drop_file(
        "MSC01_1.cdr",
        [
            # 60 s of free units; at 60 s of the call it is charged every 6 s, so 20 s are 24: 0.04.
            cdr(1, "voice", postpaid, "493012345", 0, 80),
            # Connect fee 0.05 and two minutes begun, 0.60.
            cdr(2, "voice", postpaid, "442071234567", 10, 61),
            cdr(3, "sms", postpaid, "4915123456789", 20),
            # The plan's own price of a message.
            cdr(4, "sms", prepaid, "4915123456789", 30),
            # 30/6: 31 s are 36, 0.06.
            cdr(5, "voice", prepaid, "493012345", 40, 31),
            cdr(3, "sms", postpaid, "4915123456789", 20),
            cdr(6, "voice", "4915559999999", "493012345", 50, 10),
            cdr(7, "voice", postpaid, "9999999", 60, 10),
        ],
    )
    celery_worker_process(["mediation", "maintenance"])
    celery_worker_process(["billing.bc_1"])
    celery_worker_process(["invoicing"])

    wait_for(
        lambda: CdrFile.objects.filter(state="loaded").exists(),
        lambda: tick("apps.mediation.tasks.load_new_files", "mediation"),
        "the file",
    )
    file = CdrFile.objects.get()
    assert (file.records, file.rated, file.duplicates, file.suspended) == (8, 5, 1, 2)
    assert set(SuspendedRecord.objects.values_list("reason", flat=True)) == {
        "unknown_subscriber",
        "unauthorised_destination",
    }
    costs = dict(Cdr.objects.values_list("record_id", "cost_micros"))
    assert costs == {"R1": 40_000, "R2": 650_000, "R3": 90_000, "R4": 200_000, "R5": 60_000}
    assert Cdr.objects.get(record_id="R1").free_usage == 60
    wait_for(
        lambda: (settings.CDR_PROCESSED_DIR / "MSC01_1.cdr.done").exists(),
        lambda: tick("apps.mediation.tasks.load_new_files", "mediation"),
        "the move",
    )

    queue_activity(
        Activity.Type.FULL_BILLRUN, "1", str(MONTH_START.month), str(MONTH_START.year), now=datetime.now(UTC)
    )
    wait_for(
        lambda: Activity.objects.get().status == Activity.Status.COMPLETED,
        lambda: tick("apps.billing.tasks.dispatch_activities", "maintenance"),
        "the run",
    )
    bill, statement = Bill.objects.order_by("account__number")
    # 10.00 of fees, 0.78 of usage, 19 % on 10.78 = 2.0482, rounded to 2.05.
    assert (bill.recurring_micros, bill.usage_micros, bill.tax_micros) == (10_000_000, 780_000, 2_050_000)
    assert bill.total_micros == 12_830_000
    assert (statement.kind, statement.usage_micros) == ("prepaid", 260_000)
    assert statement.closing_balance_micros == 4_740_000
    assert Balance.objects.get(account=statement.account_id).amount_micros == 4_740_000

    wait_for(
        lambda: not Bill.objects.filter(status="new").exists(),
        lambda: tick("apps.invoicing.tasks.render_new_bills", "invoicing"),
        "the documents",
    )
    assert dict(Bill.objects.values_list("kind", "status")) == {"postpaid": "unpaid", "prepaid": "paid"}
    folder = settings.INVOICES_DIR / f"{MONTH_START:%Y/%m}" / "bc_1"
    printed = text_of(folder / f"{bill.pk}.pdf")
    for text in ("Ada <Lovelace> & Söhne", "12.83", "10.00", "VAT", "19"):
        assert text in printed
    printed = text_of(folder / f"{statement.pk}.pdf")
    for text in ("Customer 2", "5.00", "4.74"):
        assert text in printed
