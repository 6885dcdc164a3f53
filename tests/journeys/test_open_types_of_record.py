"""Messages of other types than SMS, and a service of the operator's own: priced, loaded, charged online and billed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.billing.models import Bill, BillLine
from apps.charging.domain.requests import Operation, Units
from apps.charging.models import Account, Balance
from apps.charging.services.executor import forget_directory
from apps.crm.domain.usage import PriceEnquiry
from apps.crm.selectors.prices import price_enquiry
from apps.mediation.models import Cdr
from apps.mediation.services.load_file import Outcome
from apps.rating.models import Service
from apps.rating.selectors.tariffs import look_again
from apps.subscribers.models import Subscriber
from tests.billing.scenes import month, people, run
from tests.charging.online import item
from tests.charging.stored import assert_books_are_right, charge_now, request
from tests.factories import make_cycle, make_plan, make_services
from tests.mediation.samples import cdr, load, stream
from tests.rating.folders import write_folder

pytestmark = pytest.mark.django_db
MARCH = datetime(2026, 3, 10, 8, tzinfo=UTC)
TYPES = {"mms": "mms", "fax": "fax_page"}


@pytest.fixture
def operator(tmp_path: Path, settings) -> None:
    settings.BSS_VAR_DIR = tmp_path
    for name in ("NEW", "PROCESSED", "ERROR"):
        setattr(settings, f"CDR_{name}_DIR", tmp_path / name.lower())
    look_again()
    forget_directory()
    make_services()
    Service.objects.create(
        code="fax", name="Fax", type_of_record="fax_page", category="fax", unit_label="page"
    )
    make_plan("PLAN", voice=(None, 0))
    folder = write_folder(
        tmp_path / "tariff",
        Rates="R_MMS,0,0.39,1,1,0\nR_FAX,0.1,0.05,1,1,0\n",
        DestinationRates="DR_MMS,*any,R_MMS,,,,\nDR_FAX,*any,R_FAX,,,,\n",
        RatingPlans="RP_MMS,DR_MMS,*any,10\nRP_FAX,DR_FAX,*any,10\n",
        RatingProfiles="default,mms,*any,*asap,RP_MMS,\ndefault,fax,*any,*asap,RP_FAX,\n",
    )
    call_command("loadtariffplan", str(folder), stdout=io.StringIO(), stderr=io.StringIO())


def test_records_of_open_types_are_priced_loaded_and_billed(operator, tmp_path: Path) -> None:
    cycle = make_cycle(1)
    people(1)
    queries = tmp_path / "queries.jsonl"
    queries.write_text(
        "".join(
            json.dumps(
                {
                    "subject": "*any",
                    "category": category,
                    "tor": tor,
                    "destination": "4930123",
                    "start": "2026-03-10T08:00:00Z",
                    "usage": 2,
                }
            )
            + "\n"
            for category, tor in (("mms", "mms"), ("mms", "*MMS"), ("fax", "fax_page"))
        ),
        encoding="utf-8",
    )
    out = io.StringIO()
    call_command("rate", str(queries), stdout=out)
    assert [json.loads(line)["cost_micros"] for line in out.getvalue().splitlines()] == [
        780_000,
        780_000,
        200_000,
    ]
    enquired = [
        price_enquiry(
            "default", PriceEnquiry(service=service, usage=2, destination="4930123", start=MARCH), now=MARCH
        ).cost_micros
        for service in TYPES
    ]
    assert enquired == [780_000, 200_000]

    loaded = load(
        stream(cdr(number, service=service, duration_s=0, events=2) for number, service in enumerate(TYPES))
    )
    assert loaded.outcome is Outcome.LOADED
    assert dict(Cdr.objects.values_list("service__code", "cost_micros")) == {"mms": 780_000, "fax": 200_000}

    run(cycle, month(3, cycle))
    assert Bill.objects.get().usage_micros == 980_000
    lines = BillLine.objects.filter(kind="usage").values_list("service__type_of_record", "amount_micros")
    assert dict(lines) == {"mms": 780_000, "fax_page": 200_000}


@pytest.mark.parametrize(("service", "price"), [("mms", 390_000), ("fax", 150_000)])
def test_events_of_open_types_are_charged_online_from_money(operator, service: str, price: int) -> None:
    make_cycle(1)
    people(1, mode="prepaid", opening_balance_micros=1_000_000)
    answer = charge_now(request(Operation.EVENT, item(service, 1)))
    assert (answer.cost_micros, answer.items[0].type_of_record) == (price, TYPES[service])
    # Without a request for units the policy's default is granted: one event.
    answer = charge_now(request(Operation.INITIATE, item(service)._replace(requested=Units()), session="t"))
    assert answer.items[0].granted == 1
    assert_books_are_right()


def test_generic_units_pay_for_an_open_type_by_its_factor(operator) -> None:
    make_cycle(1)
    people(1, mode="prepaid", opening_balance_micros=1_000_000)
    account = Account.objects.get(pk=Subscriber.objects.get().payer.account.pk)
    Balance.objects.create(
        account=account, tag="UNITS", kind="generic", units=10, factors="fax_page=1", weight=10
    )
    answer = charge_now(request(Operation.EVENT, item("fax", 3)))
    assert answer.cost_micros == 0
    assert charge_now(request(Operation.EVENT, item("mms", 1), session="m")).cost_micros == 390_000
