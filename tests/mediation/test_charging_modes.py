"""How records are charged: by their own request type, else by their account's charging mode, else as usual."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse

from apps.billing.models import BillLine
from apps.charging.domain.modes import ChargingMode, is_charging_mode, mode_of_record
from apps.charging.domain.requests import Operation, Result
from apps.charging.models import Account, AllowanceCounter, Balance, ChargingSession, LedgerEntry
from apps.crm.selectors.usage import usage_data
from apps.insight.models import UsageDay
from apps.insight.services.usage import collect_usage
from apps.kernel.periods import Period
from apps.mediation.models import Cdr, CdrFileDay, SessionRecord, Source, SuspendedRecord
from apps.mediation.services.suspense import correct, recycle
from apps.subscribers.models import Subscriber
from tests.billing.scenes import run as bill_run
from tests.charging.online import item
from tests.charging.stored import charge_now, default_balance, make_prepaid, request
from tests.factories import make_cycle
from tests.mediation.samples import NOW, START, cdr, load, make_operator, stream

pytestmark = pytest.mark.django_db
EURO = 1_000_000


def stored() -> list[tuple[str, int]]:
    """Mode and cost of each record, in the order of the records."""
    return list(Cdr.objects.order_by("record_id").values_list("mode", "cost_micros"))


def moved() -> int:
    return sum(LedgerEntry.objects.values_list("amount_micros", flat=True))


@pytest.mark.parametrize(
    ("request_type", "mode", "cost", "debited"),
    [
        ("", "", 90_000, 90_000),
        ("*pseudoprepaid", "", 90_000, 90_000),
        ("postpaid", "", 90_000, 90_000),
        ("*prepaid", "*prepaid", 90_000, 0),
        ("rated", "*rated", 90_000, 0),
        ("*none", "*none", 0, 0),
    ],
)
def test_a_record_of_a_prepaid_account_says_how_it_is_charged(request_type, mode, cost, debited):
    make_operator(1, mode="prepaid")
    assert load(stream([cdr(1, request_type=request_type)])).totals.rated == 1
    assert stored() == [(mode, cost)]
    assert moved() == -debited
    assert bytes(Cdr.objects.get().raw) == cdr(1, request_type=request_type).SerializeToString()
    assert SessionRecord.objects.count() == (mode == "*prepaid")


def test_the_accounts_mode_holds_where_the_record_names_none():
    make_operator(2, mode="prepaid")
    call_command("chargingmode", "C1", "rated")
    records = [cdr(1), cdr(2, request_type="pseudoprepaid"), cdr(3, msisdn="4915550000002")]
    load(stream(records))
    assert stored() == [("*rated", 90_000), ("", 90_000), ("", 90_000)]
    assert sorted(Balance.objects.values_list("account__number", "amount_micros")) == [
        ("C1", -90_000),
        ("C2", -90_000),
    ]


def test_what_is_rated_or_kept_only_takes_no_free_units_and_is_on_no_bill():
    make_operator(1, free_minutes=3)
    types = ["", "rated", "none", "prepaid", "pseudoprepaid"]
    load(stream([cdr(number, request_type=text) for number, text in enumerate(types)]))
    assert stored() == [("", 0), ("*rated", 90_000), ("*none", 0), ("", 0), ("*pseudoprepaid", 0)]
    assert AllowanceCounter.objects.get().used == 180
    bill_run(make_cycle(1), Period(START.replace(day=1, hour=0), START.replace(month=4, day=1, hour=0)))
    assert BillLine.objects.get(kind="usage").records == 2
    assert sum(CdrFileDay.objects.values_list("cost_micros", flat=True)) == 0
    collect_usage(NOW)
    assert UsageDay.objects.get().records == 3, "statistics count what is owed for"
    subscriber = Subscriber.objects.get()
    (voice,) = usage_data("default", subscriber.pk, now=NOW).services
    assert voice.records == 3


def test_pseudoprepaid_usage_of_a_postpaid_account_is_debited_and_reaches_the_bill_from_there():
    make_operator(1)
    load(stream([cdr(1), cdr(2, request_type="pseudoprepaid")]))
    assert stored() == [("", 90_000), ("*pseudoprepaid", 90_000)]
    assert Balance.objects.get().amount_micros == -90_000
    bill_run(make_cycle(1), Period(START.replace(day=1, hour=0), START.replace(month=4, day=1, hour=0)))
    lines = BillLine.objects.exclude(kind="tax").order_by("kind").values_list("kind", "amount_micros")
    assert list(lines) == [("online", 90_000), ("usage", 90_000)]


def test_an_unknown_request_type_goes_to_suspense_and_can_be_corrected():
    make_operator(1, mode="prepaid")
    load(stream([cdr(1, request_type="barter")]))
    suspended = SuspendedRecord.objects.get()
    assert suspended.reason == "invalid_field"
    assert "“barter” is not a request type; known are *prepaid" in suspended.message
    correct(suspended.pk, {"request_type": "rated"})
    assert recycle([suspended.pk], now=NOW, by="test").rated == 1
    assert stored() == [("*rated", 90_000)]
    assert moved() == 0


def test_csv_sources_have_a_column_for_it():
    make_operator(1, mode="prepaid")
    Source.objects.create(code="CSV", format="csv", file_pattern="*.csv")
    header = "record_id,service,msisdn,other_party,start,duration_s,request_type\n"
    line = "{},voice,4915550000001,4930123456,2026-03-10T08:00:00Z,60,{}\n"
    load((header + line.format(1, "rated") + line.format(2, "")).encode(), "a.csv")
    assert stored() == [("*rated", 90_000), ("", 90_000)]


def test_modes_by_name_with_or_without_asterisk():
    assert all(is_charging_mode(mode.removeprefix("*").upper()) for mode in ChargingMode)
    assert not is_charging_mode("barter")
    assert mode_of_record("", "", prepaid=True) is None
    assert mode_of_record("", "*rated", prepaid=True) is ChargingMode.RATED
    assert mode_of_record("postpaid", "*rated", prepaid=True) is None
    assert mode_of_record("prepaid", "", prepaid=False) is None, "a bill is not paid in real time"


def test_a_postpaid_account_cannot_be_charged_in_real_time():
    make_operator(1)
    with pytest.raises(CommandError, match="it holds no money"):
        call_command("chargingmode", "C1", "prepaid")
    assert Account.objects.get().charging_mode == ""


def test_staff_set_the_mode_on_the_accounts_page(admin_client):
    make_operator(1, mode="prepaid")
    account = Account.objects.get()
    page = reverse("admin:charging_account_change", args=(account.pk,))
    assert admin_client.post(page, {"charging_mode": "*prepaid"}).status_code == 302
    account.refresh_from_db()
    assert account.charging_mode == "*prepaid"


@pytest.mark.parametrize("mode", ["pseudoprepaid", "postpaid", "rated", "none"])
def test_a_session_of_an_account_that_its_records_charge_is_authorised_and_debits_nothing(mode):
    make_prepaid(balance_micros=60_000)
    call_command("chargingmode", "C1", mode)
    answer = charge_now(request(Operation.INITIATE, item("voice", 600)))
    assert (answer.result, answer.items[0].granted) == (Result.SUCCESS, 600), "the balance buys a minute"
    charge_now(request(Operation.TERMINATE, item("voice", None, 600), number=1))
    assert ChargingSession.objects.get().cost_micros == 0
    assert default_balance().amount_micros == 60_000


def test_a_session_of_an_account_in_mode_prepaid_is_debited_as_usual():
    make_prepaid(balance_micros=EURO)
    call_command("chargingmode", "C1", "prepaid")
    charge_now(request(Operation.INITIATE, item("voice", 600)))
    charge_now(request(Operation.TERMINATE, item("voice", None, 600), number=1))
    assert default_balance().amount_micros == EURO - 600_000


@pytest.mark.parametrize(("mode", "debited"), [("*none", 0), ("*rated", 0), ("*prepaid", 600_000), ("", 0)])
def test_a_request_says_how_its_usage_is_charged_before_the_account_does(mode, debited):
    make_prepaid(balance_micros=EURO)
    call_command("chargingmode", "C1", "rated")
    charge_now(request(Operation.INITIATE, item("voice", 600, charging_mode=mode)))
    charge_now(request(Operation.TERMINATE, item("voice", None, 600, charging_mode=mode), number=1))
    charge_now(request(Operation.EVENT, item("sms", 1, charging_mode=mode), session="event"))
    assert default_balance().amount_micros == EURO - debited - (50_000 if debited else 0)
