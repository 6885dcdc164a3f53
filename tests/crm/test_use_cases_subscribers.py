"""The life of a subscriber as the CRM drives it: whole or not at all, and never across a tenant."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from apps.billing.models import Activity, Bill
from apps.billing.services.activities import activities_to_send
from apps.billing.services.execution import run_activity
from apps.charging.domain.requests import OnlineRequest, Operation, RequestItem, Result, Units
from apps.charging.models import Account, Balance, LedgerEntry, SessionOrder
from apps.charging.services.executor import charge_now
from apps.charging.services.operations import adjust, top_up
from apps.crm.domain.subscribers import (
    Address,
    Card,
    CustomerDetails,
    SubscriberChange,
)
from apps.crm.selectors.subscribers import (
    get_subscriber,
)
from apps.crm.services.subscribers import (
    create_subscriber,
    modify_subscriber,
    reactivate_subscriber,
    suspend_subscriber,
    terminate_subscriber,
)
from apps.diameter.services.gateway_events import deliver_to_gateways
from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs, NotFound
from apps.subscribers.models import Customer, PaymentCard, Resource, Subscriber
from apps.subscribers.services.resources import add_resources
from tests.crm.new_subscribers import NOW, TOKEN, make_products, new
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=5)


@pytest.fixture(autouse=True)
def products() -> None:
    make_products()


def fields_of(error: pytest.ExceptionInfo[InvalidInputs]) -> set[str]:
    return {problem.where for problem in error.value.problems}


def test_one_call_creates_everything_and_reading_it_shows_everything():
    made = create_subscriber("default", new(name="Line of Ada"), now=NOW)

    assert (made.number, made.customer.number) == ("S00000001", "C00000001")
    assert (made.msisdn, made.imsi, made.handset) == ("491555000001", "262011234567890", "")
    assert (made.mode, made.currency, made.balance_micros, made.cycle) == ("prepaid", "EUR", 20_000_000, 1)
    assert made.plan is not None
    assert (made.plan.code, made.bundles[0].code, made.name) == ("PLAN", "EXTRA", "Line of Ada")
    assert (made.customer.phone, made.customer.tax_number) == ("4930123", "T1")
    assert (made.address.address_line2, made.address.region) == ("c/o Babbage", "SH")
    assert made.card == Card(brand="visa", last_four="4242", expiry_month=12, expiry_year=2030, holder="A L")
    assert LedgerEntry.objects.get(balance__account_id=made.account_id).kind == "opening"
    by_number = get_subscriber("default", msisdn="+491555000001", now=NOW)
    assert by_number == made == get_subscriber("default", subscriber_id=made.id, now=NOW)


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_created():
    with pytest.raises(InvalidInputs) as refused:
        create_subscriber(
            "default",
            new(
                msisdn="12",
                price_plan="NONE",
                cycle=9,
                bundles=("NOTHING",),
                customer=CustomerDetails(email="nobody"),
                address=Address(country="Germany"),
                mode="both",
            ),
            now=NOW,
        )
    assert fields_of(refused) >= {
        "msisdn", "price_plan", "cycle", "bundles", "customer.name", "customer.email", "address.country", "mode",
    }  # fmt: skip
    assert not Customer.objects.exists()
    assert not Resource.objects.exists()


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"])
def test_a_cards_own_number_is_refused_and_not_repeated(number):
    with pytest.raises(InvalidInputs) as refused:
        create_subscriber("default", new(card=Card(token=number)), now=NOW)
    assert [problem.code for problem in refused.value.problems] == ["card_number_refused"]
    assert number not in str(refused.value)
    assert not PaymentCard.objects.exists()
    assert not Subscriber.objects.exists()


def test_the_token_of_a_card_is_in_no_answer_and_no_history():
    made = create_subscriber("default", new(), now=NOW)
    assert PaymentCard.objects.get().token == TOKEN
    assert TOKEN not in repr(made)
    assert not hasattr(PaymentCard.history.get(), "token")


def test_a_number_in_use_and_a_subscriber_that_exists_are_conflicts():
    create_subscriber("default", new(number="A1"), now=NOW)
    with pytest.raises(Conflict) as taken:
        create_subscriber("default", new(number="A2"), now=NOW)
    with pytest.raises(Conflict) as known:
        create_subscriber("default", new(number="A1", msisdn="4915550002", imsi=""), now=NOW)
    assert (taken.value.code, taken.value.where) == ("not_free", "msisdn")
    assert known.value.code == "already_exists"


def test_a_number_of_another_tenants_pool_is_not_free_and_says_no_more():
    make_tenant("mvno")
    add_resources("mvno", "msisdn", ["491555000001"])
    with pytest.raises(Conflict) as refused:
        create_subscriber("default", new(), now=NOW)
    assert refused.value.code == "not_free"
    assert "mvno" not in str(refused.value)


def test_a_second_line_shares_customer_and_account():
    first = create_subscriber("default", new(), now=NOW)
    customer = CustomerDetails(number=first.customer.number)
    second = create_subscriber(
        "default",
        new(msisdn="4915550002", imsi="", customer=customer, opening_balance_micros=0, card=None),
        now=NOW,
    )
    assert (second.account_id, second.customer_id) == (first.account_id, first.customer_id)
    assert second.card is not None
    with pytest.raises(InvalidInputs) as refused:
        create_subscriber(
            "default", new(msisdn="4915550003", imsi="", customer=customer, opening_balance_micros=5), now=NOW
        )
    assert "opening_balance_micros" in fields_of(refused)


def test_a_currency_that_cycle_or_plan_do_not_have_is_refused():
    with pytest.raises(InvalidInputs) as refused:
        create_subscriber("default", new(currency="USD", cycle=1), now=NOW)
    assert fields_of(refused) == {"currency"}


def test_a_change_changes_the_given_fields_and_nothing_else():
    made = create_subscriber("default", new(), now=NOW)
    changed = modify_subscriber("default", made.id, SubscriberChange(city="Lübeck", email=""), now=LATER)
    assert changed == made._replace(
        address=made.address._replace(city="Lübeck"),
        customer=made.customer._replace(email=""),
    )


def test_a_plan_decided_for_later_holds_from_then_on():
    made = create_subscriber("default", new(), now=NOW)
    june = datetime(2026, 6, 1, tzinfo=UTC)
    changed = modify_subscriber(
        "default", made.id, SubscriberChange(price_plan="OTHER", plan_from=june), now=LATER
    )
    assert changed.plan is not None
    assert changed.next_plan is not None
    assert (changed.plan.code, changed.next_plan.code, changed.next_plan.start) == ("PLAN", "OTHER", june)
    then = get_subscriber("default", subscriber_id=made.id, now=june)
    assert then.plan is not None
    assert then.plan.code == "OTHER"
    with pytest.raises(InvalidInput) as past:
        modify_subscriber("default", made.id, SubscriberChange(price_plan="OTHER", plan_from=NOW), now=LATER)
    assert past.value.where == "plan_from"


def test_bundles_come_and_go_and_a_move_waits_for_the_next_cycle():
    made = create_subscriber("default", new(), now=NOW)
    without = modify_subscriber(
        "default", made.id, SubscriberChange(end_bundles=("EXTRA",), cycle=2), now=LATER
    )
    assert (without.bundles, without.cycle, without.next_cycle) == ((), 1, 2)
    again = modify_subscriber("default", made.id, SubscriberChange(add_bundles=("EXTRA",)), now=LATER)
    assert [bundle.code for bundle in again.bundles] == ["EXTRA"]


def test_a_change_of_which_one_part_is_refused_changes_nothing():
    made = create_subscriber("default", new(), now=NOW)
    with pytest.raises(NotFound) as refused:
        modify_subscriber("default", made.id, SubscriberChange(city="Rom", add_bundles=("NONE",)), now=LATER)
    assert refused.value.where == "add_bundles"
    assert get_subscriber("default", subscriber_id=made.id, now=LATER) == made


def test_a_new_number_takes_the_place_of_the_old_which_rests():
    made = create_subscriber("default", new(), now=NOW)
    changed = modify_subscriber("default", made.id, SubscriberChange(msisdn="4915559999", imsi=""), now=LATER)
    assert (changed.msisdn, changed.imsi) == ("4915559999", "")
    assert Resource.objects.get(value=made.msisdn).status == "quarantined"
    with pytest.raises(NotFound):
        get_subscriber("default", msisdn=made.msisdn, now=LATER)


def data_request(number: int, msisdn: str = "491555000001") -> OnlineRequest:
    item = RequestItem("data", "", Units(total_octets=1_000), rating_group=10)
    return OnlineRequest(
        Operation.INITIATE if number == 0 else Operation.UPDATE,
        "pgw.test;1",
        number,
        NOW,
        msisdn=msisdn,
        items=(item,),
        peer="pgw.test",
    )


def test_a_suspension_refuses_the_next_request_and_ends_live_sessions_until_it_is_lifted():
    made = create_subscriber("default", new(), now=NOW)
    assert charge_now(data_request(0), NOW).result is Result.SUCCESS

    suspended = suspend_subscriber("default", made.id, now=LATER)
    assert (suspended.status, suspended.suspended_at) == ("suspended", LATER)
    assert charge_now(data_request(1), LATER).result is Result.BARRED
    deliver_to_gateways(LATER)
    assert SessionOrder.objects.get().kind == SessionOrder.Kind.ABORT
    with pytest.raises(Conflict):
        suspend_subscriber("default", made.id, now=LATER)

    assert reactivate_subscriber("default", made.id, now=LATER).status == "active"
    assert charge_now(data_request(2), LATER).result is Result.SUCCESS


def test_a_termination_frees_the_numbers_and_bills_the_rest_up_to_its_moment():
    made = create_subscriber("default", new(mode="postpaid", opening_balance_micros=0), now=NOW)
    ended = terminate_subscriber("default", made.id, now=LATER, by="crm/ada")

    assert set(ended.released) == {"491555000001", "262011234567890"}
    assert (ended.subscriber.status, ended.subscriber.msisdn, ended.subscriber.bundles) == (
        "terminated",
        "",
        (),
    )
    assert ended.subscriber.plan is not None
    assert set(Resource.objects.values_list("status", flat=True)) == {"quarantined"}
    activity = Activity.objects.get(pk=ended.activity_id)
    assert (activity.type, activity.queued_by) == (Activity.Type.SINGLE_BILLING, "crm/ada")

    (sent,) = activities_to_send(LATER)
    run_activity(sent.pk, LATER)
    activity.refresh_from_db()
    assert activity.status == Activity.Status.COMPLETED, activity.error
    bill = Bill.objects.get()
    assert (bill.period_start, bill.period_end) == (NOW, LATER)
    # Five days of 31 at one unit a day: the day it began counts, the day it ended does not.
    assert bill.recurring_micros == 5_000_000


def test_a_last_bill_waits_for_the_last_files_where_cycles_do(settings):
    settings.BILLING_GRACE_HOURS = 6
    made = create_subscriber("default", new(mode="postpaid", opening_balance_micros=0), now=NOW)
    ended = terminate_subscriber("default", made.id, now=LATER)
    assert activities_to_send(LATER + timedelta(hours=5)) == []
    assert [row.pk for row in activities_to_send(LATER + timedelta(hours=6))] == [ended.activity_id]


def test_an_account_that_pays_for_another_stays_open_and_gets_no_last_bill():
    first = create_subscriber("default", new(), now=NOW)
    create_subscriber(
        "default",
        new(msisdn="4915550002", imsi="", customer=CustomerDetails(number=first.customer.number),
            opening_balance_micros=0, card=None),
        now=NOW,
    )  # fmt: skip
    assert terminate_subscriber("default", first.id, now=LATER).activity_id == 0
    assert Account.objects.get().closed_at is None


def test_what_a_closed_account_holds_can_be_paid_out_but_nothing_put_on_it():
    made = create_subscriber("default", new(), now=NOW)
    terminate_subscriber("default", made.id, now=LATER)
    account = Account.objects.get()
    with pytest.raises(Conflict):
        top_up(account, 1_000_000, LATER, key="late")
    adjust(account, -20_000_000, LATER, key="paid-out")
    assert Balance.objects.get(account=account).amount_micros == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.mariadb_only
def test_of_several_who_create_the_same_line_at_once_one_succeeds_and_the_others_are_told():
    outcomes: list[str] = []

    def create(number: int) -> None:
        try:
            create_subscriber("default", new(customer=CustomerDetails(name=f"Nr. {number}")), now=NOW)
            outcomes.append("created")
        except BssError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(outcomes)) in (["already_exists", "created"], ["created", "not_free"],
                                     ["already_exists", "created", "not_free"])  # fmt: skip
    assert outcomes.count("created") == 1
    assert (Subscriber.objects.count(), Account.objects.count(), Customer.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.mariadb_only
def test_many_who_create_different_lines_at_once_all_succeed():
    failed: list[BaseException] = []

    def create(number: int) -> None:
        try:
            for part in range(3):
                create_subscriber("default", new(msisdn=f"49155600{number}{part}", imsi=""), now=NOW)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert Subscriber.objects.count() == 18
