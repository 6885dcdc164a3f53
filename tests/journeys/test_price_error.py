"""A price error, whole: billed, found, simulated, re-rated by real workers, on the next bill, and taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.billing.models import Activity, Bill, BillLine, Notification, OneOffCharge, TaxRule
from apps.billing.services.activities import queue_activity
from apps.billing.services.onboarding import onboard
from apps.charging.models import Balance, LedgerEntry
from apps.charging.services.audit import differences
from apps.mediation.models import Cdr, CdrFile
from apps.mediation.pb.billing_pb2 import CDR
from apps.rerating.models import RerateJob
from tests.factories import make_cycle, make_plan, make_tenant, new_line
from tests.journeys.test_tariff_to_pdf import TARIFF, drop_file, text_of, tick, wait_for

THIS_MONTH = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = (THIS_MONTH - timedelta(days=1)).replace(day=1)
BEFORE = (LAST_MONTH - timedelta(days=1)).replace(day=1)
POSTPAID, PREPAID = "4915550000001", "4915550000002"


def load_tariff(folder: Path, price: str) -> None:
    """The tariff with a minute to Great Britain at ``price``."""
    folder.mkdir()
    for name, text in TARIFF.items():
        content = text.replace("R_GB,0.05,0.30", f"R_GB,0.05,{price}")
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    call_command("loadtariffplan", str(folder), verbosity=0)


def call(number: int, msisdn: str, to: str, month: datetime, minutes: int) -> CDR:
    start = int((month + timedelta(days=3, hours=9, minutes=number)).timestamp())
    return CDR(
        record_id=f"R{number}",
        service="voice",
        msisdn=msisdn,
        other_party=to,
        start=start,
        duration_s=minutes * 60,
    )


def bill(month: datetime) -> None:
    activity = queue_activity(
        Activity.Type.FULL_BILLRUN, "1", str(month.month), str(month.year), now=datetime.now(UTC)
    )
    wait_for(
        lambda: Activity.objects.get(pk=activity.pk).status == Activity.Status.COMPLETED,
        lambda: tick("apps.billing.tasks.dispatch_activities", "maintenance"),
        "the run",
    )


def rerate(*words: str) -> str:
    out = StringIO()
    call_command("rerate", *words, stdout=out)
    return out.getvalue()


def reach(state: str) -> RerateJob:
    """Beat's tick until the workers have brought the job into a state."""
    wait_for(
        lambda: RerateJob.objects.get().state == state,
        lambda: tick("apps.rerating.tasks.continue_jobs", "mediation"),
        f"the re-rating’s state {state}",
    )
    return RerateJob.objects.get()


def costs() -> dict[str, int]:
    return dict(Cdr.objects.order_by("record_id").values_list("record_id", "cost_micros"))


@pytest.fixture
def operator(transactional_db, tmp_path):
    tenant = make_tenant()
    TaxRule.objects.create(
        tenant=tenant, name="VAT", rate_millionths=190_000, valid_from=datetime(2020, 1, 1, tzinfo=UTC).date()
    )
    make_plan("FLAT", fee_micros=10_000_000, voice=(None, 1, "DE_FIXED;DE_MOBILE"))
    make_plan("EASY", voice=(None, 0))
    make_cycle(1)
    load_tariff(tmp_path / "wrong", "3.00")
    onboard(
        [
            new_line(1, price_plan="FLAT"),
            new_line(2, price_plan="EASY", mode="prepaid", opening_balance_micros=50_000_000),
        ],
        datetime.now(UTC),
    )


def test_a_price_error_is_found_simulated_re_rated_billed_and_reversed(
    operator, tmp_path, celery_worker_process
):
    drop_file(
        "MSC01_1.cdr",
        [
            call(1, POSTPAID, "442071234567", BEFORE, 2),
            call(2, POSTPAID, "493012345", BEFORE, 2),
            call(3, PREPAID, "442071234567", BEFORE, 1),
            call(4, POSTPAID, "442071234567", LAST_MONTH, 1),
        ],
    )
    celery_worker_process(["mediation", "maintenance", "billing.bc_1", "invoicing"])
    celery_worker_process(["mediation"])
    wait_for(
        lambda: CdrFile.objects.filter(state="loaded").exists(),
        lambda: tick("apps.mediation.tasks.load_new_files", "mediation"),
        "the file",
    )
    wrong = {"R1": 6_050_000, "R2": 100_000, "R3": 3_050_000, "R4": 3_050_000}
    assert costs() == wrong
    bill(BEFORE)
    first, statement = Bill.objects.order_by("account__number")
    # 10.00 of fees, 6.15 of usage, 19 %.
    assert (first.usage_micros, first.total_micros) == (6_150_000, 19_220_000)
    assert (statement.usage_micros, statement.closing_balance_micros) == (3_050_000, 46_950_000)

    load_tariff(tmp_path / "right", "0.30")
    until = f"{THIS_MONTH:%Y-%m-%d}"
    rerate("simulate", "--from", f"{BEFORE:%Y-%m-%d}", "--until", until, "--destination", "GB", "--queue")
    job = reach("simulated")
    assert "3 of 3 records and 2 of 2 accounts change" in rerate("show", str(job.pk))
    assert "12.15 EUR → 1.35 EUR (-10.80 EUR)" in rerate("show", str(job.pk))
    assert costs() == wrong

    rerate("apply", str(job.pk), "--queue")
    reach("applied")
    assert costs() == {"R1": 650_000, "R2": 100_000, "R3": 350_000, "R4": 350_000}
    assert Balance.objects.get(account=statement.account_id).amount_micros == 49_650_000
    assert OneOffCharge.objects.get().amount_micros == -5_400_000
    assert list(differences()) == []
    wait_for(
        lambda: Notification.objects.filter(text__contains="is applied: 3 of 3 records").exists(),
        lambda: tick("apps.events.tasks.deliver_events", "maintenance"),
        "the notification",
    )

    bill(LAST_MONTH)
    following = Bill.objects.get(account=first.account_id, period_start=LAST_MONTH)
    # 10.00 of fees, 0.35 of usage at the right price, 5.40 given back, 19 % on 4.95.
    assert (following.usage_micros, following.one_off_micros) == (350_000, -5_400_000)
    assert following.total_micros == 5_890_000
    assert (
        BillLine.objects.get(bill=following, kind="one_off").description
        == f"Correction of Voice, bill {first.number}"
    )
    second = Bill.objects.get(account=statement.account_id, period_start=LAST_MONTH)
    assert (second.opening_balance_micros, second.closing_balance_micros) == (46_950_000, 49_650_000)
    wait_for(
        lambda: not Bill.objects.filter(status="new").exists(),
        lambda: tick("apps.invoicing.tasks.render_new_bills", "invoicing"),
        "the documents",
    )
    printed = text_of(settings.INVOICES_DIR / f"{LAST_MONTH:%Y/%m}" / "bc_1" / f"{following.pk}.pdf")
    assert "5.40" in printed
    assert str(first.number) in printed

    rerate("reverse", str(job.pk), "--queue")
    reach("reversed")
    assert costs() == wrong
    assert Balance.objects.get(account=statement.account_id).amount_micros == 46_950_000
    # What was given back is owed again, and what was billed too cheaply since.
    waiting = OneOffCharge.objects.filter(bill=None).values_list("corrects", "amount_micros")
    assert sorted(waiting) == [(first.pk, 5_400_000), (following.pk, 2_700_000)]
    causes = LedgerEntry.objects.filter(cause__startswith=f"rerate:{job.pk}:")
    assert sorted(causes.values_list("amount_micros", flat=True)) == [-2_700_000, 2_700_000]
    assert list(differences()) == []
