"""Actions of the admin call one service each, say what came of it, and turn refusals into messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.backoffice.display import change_url, plain_money
from apps.billing.domain import cycle_period
from apps.billing.models import Activity, Bill, BillCycle, BillingAccount, BillRun, Notification, OneOffCharge
from apps.billing.services.billing import bill_accounts
from apps.billing.services.payments import issue_bill
from apps.charging.models import Account, Balance, BookPosting, LedgerBook, LedgerEntry
from apps.kernel.periods import Month
from apps.rating.models import Destination, PricePlan, Rate, Service, TariffPlan, TariffVersion
from apps.subscribers.models import Customer, Resource, Subscriber
from tests.admin.world import make_world
from tests.factories import make_cycle, make_plan, make_subscriber, make_tenant

pytestmark = pytest.mark.django_db
admin.autodiscover()


@pytest.fixture
def client(db) -> Client:
    # Pages are registered when the first one is asked for; these tests look for their actions before that.
    admin.autodiscover()
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    return client


def act(client: Client, obj, name: str, **data) -> list[str]:
    """Send an action's form for a row; the messages that the person sees next."""
    model_admin = admin.site.get_model_admin(type(obj))
    # What earlier actions told was never shown here; it would be told again.
    client.cookies.pop("messages", None)
    answer = client.post(model_admin.action_url(name, obj), data)
    return said(answer)


def act_on_list(client: Client, model, name: str, **data) -> list[str]:
    client.cookies.pop("messages", None)
    return said(client.post(admin.site.get_model_admin(model).action_url(name), data))


def said(answer) -> list[str]:
    assert answer.status_code in (200, 302), answer.status_code
    form = answer.context and answer.context.get("form")
    assert answer.status_code == 302 or not form or not form.errors, form.errors
    return [text for _, text in new_messages(answer)]


def new_messages(answer) -> list[tuple[str, str]]:
    """Level and text of what this request told."""
    return [(message.level_tag, str(message)) for message in get_messages(answer.wsgi_request)]


def test_a_subscriber_is_suspended_reactivated_and_terminated(client):
    subscriber = make_subscriber(plan=make_plan())
    for action, status in (("suspend", "suspended"), ("reactivate", "active"), ("terminate", "terminated")):
        act(client, subscriber, action)
        subscriber.refresh_from_db()
        assert subscriber.status == status
    assert subscriber.history.first().history_user.username == "root"


def test_an_action_that_does_not_apply_is_refused_in_words(client):
    subscriber = make_subscriber(plan=make_plan())
    act(client, subscriber, "terminate")
    assert act(client, Subscriber.objects.get(), "suspend") == [
        "“Suspend” does not apply to S1 as it is now."
    ]


def test_the_buttons_of_a_page_are_those_that_apply(client):
    subscriber = make_subscriber(plan=make_plan())
    page = reverse("admin:subscribers_subscriber_change", args=(subscriber.pk,))
    titles = [button["title"] for button in client.get(page).context["actions_detail"]]
    assert "Suspend" in titles
    assert "Reactivate" not in titles


def test_a_plan_begins_on_the_tenants_day(client):
    make_tenant(time_zone="Europe/Berlin")
    subscriber = make_subscriber(plan=make_plan("OLD"))
    plan = make_plan("NEW")
    act(client, subscriber, "plan", price_plan=plan.pk, start_day="2026-03-01")
    assert subscriber.plans.get(price_plan=plan).start == datetime(2026, 2, 28, 23, tzinfo=UTC)


def test_a_refusal_of_a_service_is_a_message_and_keeps_the_form(client):
    subscriber = make_subscriber(plan=make_plan("OLD"))
    act(client, subscriber, "plan", price_plan=make_plan("LATER").pk, start_day="2030-01-01")
    now = make_plan("NOW")
    model_admin = admin.site.get_model_admin(Subscriber)
    client.cookies.pop("messages", None)
    answer = client.post(model_admin.action_url("plan", subscriber), {"price_plan": now.pk})
    assert answer.status_code == 200
    assert [level for level, _ in new_messages(answer)] == ["error"]
    assert answer.context["form"]["price_plan"].value() == str(now.pk)
    assert not subscriber.plans.filter(price_plan=now).exists()


def test_a_top_up_that_is_sent_twice_moves_money_once(client):
    subscriber = make_subscriber(plan=make_plan(), mode="prepaid")
    account = subscriber.payer.account
    key = "a" * 32
    first = act(client, account, "top-up", amount_micros="12.50", note="Receipt 7", key=key)
    second = act(client, account, "top-up", amount_micros="12.50", note="Receipt 7", key=key)
    assert first == ["12.50\u00a0EUR posted; the balance is 12.50\u00a0EUR."]
    assert "has moved money before" in second[0]
    assert Balance.objects.get(account=account).amount_micros == 12_500_000
    entry = LedgerEntry.objects.get(kind="top_up")
    assert (entry.note, entry.book.code) == ("Receipt 7", "cash")


def test_an_adjustment_may_take_money_off_and_needs_a_reason(client):
    account = make_subscriber(
        plan=make_plan(), mode="prepaid", opening_balance_micros=5_000_000
    ).payer.account
    model_admin = admin.site.get_model_admin(Account)
    data = {"amount_micros": "-1.234567", "book": "correction", "note": "", "key": "b" * 32}
    answer = client.post(model_admin.action_url("adjust", account), data)
    assert "note" in answer.context["form"].errors
    act(client, account, "adjust", **{**data, "note": "Charged twice"})
    assert Balance.objects.get(account=account).amount_micros == 3_765_433


def test_a_new_customer_comes_with_everything_or_not_at_all(client):
    plan, cycle = make_plan(), make_cycle()
    data = {
        "tenant": plan.tenant_id,
        "customer_number": "C77",
        "customer_name": "Grace Hopper",
        "kind": "person",
        "subscriber_number": "S77",
        "msisdn": "+4915777777777",
        "price_plan": plan.pk,
        "mode": "prepaid",
        "cycle": cycle.pk,
        "opening_balance_micros": "10",
    }
    assert act_on_list(client, Customer, "new", **data) == ["Subscriber S77 is active with +4915777777777."]
    subscriber = Subscriber.objects.get(number="S77")
    assert subscriber.payer.account.balances.get().amount_micros == 10_000_000
    again = act_on_list(
        client, Customer, "new", **{**data, "customer_number": "C78", "customer_name": "Other"}
    )
    assert any("exists already" in message for message in again)
    assert not Customer.objects.filter(number="C78").exists()


def test_ranges_of_numbers_go_into_the_pool(client):
    tenant = make_tenant()
    values = "+491570000001-491570000010\n491570000020"
    told = act_on_list(client, Resource, "add", tenant=tenant.pk, kind="msisdn", values=values)
    assert told == ["11 added."]
    told = act_on_list(client, Resource, "add", tenant=tenant.pk, kind="msisdn", values="12x4")
    assert "12x4" in told[0]
    assert Resource.objects.filter(status="free").count() == 11


def test_a_plan_in_use_is_not_retired_and_the_message_names_its_holders(client):
    plan = make_plan()
    make_subscriber(plan=plan)
    assert act(client, plan, "retire") == ["Plan is in use by 1 subscriber (S1)"]
    unused = make_plan("UNUSED")
    assert act(client, unused, "retire") == ["Unused is retired: it is sold no more."]
    unused.refresh_from_db()
    assert unused.retired_at is not None
    assert act(client, unused, "bring-back") == ["Unused is on sale again."]


def test_a_service_that_plans_sell_is_not_retired(client):
    make_plan(voice=(100_000, 0))
    assert act(client, Service.objects.get(code="voice"), "retire") == [
        "Voice is in use by 1 price plan (Plan)"
    ]


def test_prices_are_entered_as_decimals_and_kept_as_micro_units(client, django_capture_on_commit_callbacks):
    plan = make_plan(voice=(100_000, 0))
    line = plan.services.get()
    data = {
        "name": "Plan",
        "currency": "EUR",
        "monthly_fee_micros": "7.99",
        "rating_subject": "*any",
        "services-TOTAL_FORMS": "1",
        "services-INITIAL_FORMS": "1",
        "services-0-id": line.pk,
        "services-0-price_plan": plan.pk,
        "services-0-service": line.service_id,
        "services-0-price_micros": "0.0912",
        "services-0-free_units": "10",
    }
    page = reverse("admin:rating_priceplan_change", args=(plan.pk,))
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(page, data)
    assert said(answer)[-1].startswith("Tariff version ")
    plan.refresh_from_db()
    line.refresh_from_db()
    assert (plan.monthly_fee_micros, line.price_micros) == (7_990_000, 91_200)
    version = TariffVersion.objects.get()
    assert (version.published_by, version.note) == ("root", "price plan Plan")
    with django_capture_on_commit_callbacks(execute=True):
        client.cookies.pop("messages", None)
        again = client.post(page, {**data, "name": "Plan renamed"})
    assert "Prices are as before" in said(again)[-1]
    history = client.get(reverse("admin:rating_priceplan_history", args=(plan.pk,))).content.decode()
    assert "7.99" in history
    assert "7990000" not in history


def test_an_amount_finer_than_a_micro_unit_is_an_error_at_the_field(client):
    plan = make_plan()
    page = reverse("admin:rating_priceplan_change", args=(plan.pk,))
    data = {"name": "P", "currency": "EUR", "monthly_fee_micros": "0.0000001", "rating_subject": "*any"}
    answer = client.post(page, {**data, "services-TOTAL_FORMS": "0", "services-INITIAL_FORMS": "0"})
    assert "six decimals" in str(answer.context["adminform"].form.errors["monthly_fee_micros"])


def test_a_rate_without_a_slot_at_0_is_saved_and_the_page_says_what_it_means(client):
    rate = Rate.objects.create(tariff_plan=TariffPlan.objects.create(code="default"), code="RT")
    slot = {"group_start": "30", "connect_fee": "0", "price": "0.1", "unit": "60", "increment": "60"}
    data = {f"slots-0-{name}": value for name, value in slot.items()}
    answer = client.post(
        reverse("admin:rating_rate_change", args=(rate.pk,)),
        {"code": "RT", "slots-TOTAL_FORMS": "1", "slots-INITIAL_FORMS": "0", **data},
    )
    assert any("usage before 30 is priced by the slot of 30" in text for text in said(answer))
    assert rate.slots.get().group_start == 30


def test_prefixes_are_added_and_removed_many_at_a_time(client):
    destination = Destination.objects.create(
        tariff_plan=TariffPlan.objects.create(code="default"), code="DE_MOBILE"
    )
    act(client, destination, "add", prefixes="4915, 4916;4917\n+49151")
    assert list(destination.prefixes.values_list("prefix", flat=True)) == ["4915", "49151", "4916", "4917"]
    assert "is no prefix of" in act(client, destination, "remove", prefixes="4915 4999")[0]
    act(client, destination, "remove", prefixes="4915 4917")
    assert destination.prefixes.count() == 2
    found = client.get(reverse("admin:rating_destination_changelist"), {"q": "+4915199999"})
    assert [row.code for row in found.context["cl"].result_list] == ["DE_MOBILE"]


def test_a_cycle_is_run_and_a_second_run_of_the_period_is_refused(client):
    make_subscriber(plan=make_plan())
    cycle = BillCycle.objects.get()
    assert act(client, cycle, "run")[0].startswith("Activity ")
    activity = Activity.objects.get()
    assert (activity.type, activity.parameters.cycle, activity.queued_by) == (2, 1, "root")
    assert "does the same" in act(client, cycle, "run")[0]


def test_the_next_bill_is_previewed_and_nothing_is_written(client):
    account = make_subscriber(plan=make_plan(fee_micros=7_000_000)).payer.account
    model_admin = admin.site.get_model_admin(Account)
    answer = client.post(model_admin.action_url("preview", account), {})
    assert answer.status_code == 200
    assert any("Plan" in str(row[2]) for row in answer.context["result"].table.rows)
    assert Bill.objects.count() == 0
    assert Activity.objects.count() == 0


def test_an_activity_form_says_which_field_is_missing(client):
    make_cycle()
    model_admin = admin.site.get_model_admin(Activity)
    answer = client.post(model_admin.action_url("queue"), {"type": 2, "cycle": "", "month": "2026-13"})
    assert set(answer.context["form"].errors) == {"cycle", "month"}
    answer = client.post(model_admin.action_url("queue"), {"type": 1, "month": "next"})
    assert set(answer.context["form"].errors) == {"msisdn", "month"}


def test_a_run_is_watched_as_json_and_stopped_and_resumed(client):
    make_world(subscribers=2, records=2, days=1)
    run = BillRun.objects.get(state="stopped")
    address = reverse("admin:billing_billrun_progress", args=(run.pk,))
    watched = client.get(address).json()
    assert (watched["state"], watched["percent"], watched["chunks"]) == ("stopped", 40, "2 of 4")
    assert client.get(reverse("admin:billing_billrun_progress", args=(999,))).status_code == 404
    assert act(client, run, "stop") == [f"“Stop” does not apply to {run} as it is now."]
    act(client, run, "resume")
    run.refresh_from_db()
    assert run.state in ("running", "completed")


def test_a_payment_settles_a_bill(client):
    make_world(subscribers=3, records=2, days=1)
    bill = Bill.objects.filter(kind="postpaid").first()
    assert bill is not None
    Bill.objects.filter(pk=bill.pk).update(status="unpaid")
    bill.payments.all().delete()
    bill.refresh_from_db()
    model_admin = admin.site.get_model_admin(Bill)
    form = client.get(model_admin.action_url("pay", bill)).context["form"]
    assert form["amount_micros"].value() == "13.35"
    told = act(client, bill, "pay", amount_micros="13.35", reference="TX-1")
    assert told[0].endswith("is paid.")
    bill.refresh_from_db()
    assert bill.status == "paid"


def test_a_bill_is_cancelled_with_a_reason_and_links_to_its_credit_note(client):
    make_world(subscribers=3, records=2, days=1)
    bill = Bill.objects.filter(kind="postpaid").first()
    assert bill is not None
    BillingAccount.objects.get_or_create(account=bill.account, defaults={"cycle": bill.cycle})
    told = act(client, bill, "cancel", reason="wrong price")
    note = Bill.objects.get(corrects=bill)
    assert told == [f"{note} cancels {bill}."]
    page = client.get(change_url(bill)).content.decode()
    assert change_url(note) in page
    assert "Cancelled" in page


def test_an_account_shows_the_credit_that_pays_its_next_bills(client):
    subscriber = make_subscriber(plan=make_plan())
    account, cycle = subscriber.payer.account, make_cycle()
    OneOffCharge.objects.create(
        account=account,
        at=datetime(2026, 1, 5, tzinfo=UTC),
        description="Returned",
        amount_micros=-60_000_000,
    )
    period = cycle_period(Month(2026, 1), cycle.day, cycle.zone)
    bill_id = bill_accounts(cycle, [account.pk], period, period.end).bills[account.pk]
    bill = issue_bill(bill_id)
    assert bill.total_micros < 0
    page = client.get(change_url(account)).content.decode()
    assert "Open credit" in page
    assert plain_money(-bill.total_micros, "EUR") in page
    assert "Credit" in client.get(change_url(bill)).content.decode()


def test_notifications_are_acknowledged_by_name(client):
    make_world(subscribers=1, records=1, days=1)
    first, second = Notification.objects.order_by("pk")
    act(client, first, "acknowledge")
    client.post(
        reverse("admin:billing_notification_changelist"),
        {"action": "acknowledge_selected", "_selected_action": [first.pk, second.pk]},
    )
    assert set(Notification.objects.values_list("acknowledged_by", flat=True)) == {"root"}


def test_a_price_enquiry_explains_a_price_and_charges_nothing(client, django_capture_on_commit_callbacks):
    from apps.kernel.clock import utc_now
    from apps.rating.services.publishing import publish

    plan = make_plan(voice=(90_000, 0))
    publish(utc_now())
    model_admin = admin.site.get_model_admin(TariffVersion)
    answer = client.post(
        model_admin.action_url("enquiry"),
        {
            "service": Service.objects.get(code="voice").pk,
            "tenant": plan.tenant_id,
            "price_plan": plan.pk,
            "destination": "+4930123456",
            "amount": "1m30s",
        },
    )
    page = answer.content.decode()
    assert answer.status_code == 200, answer.context["form"].errors
    assert answer.context["result"].facts[0].value == "0.18\u00a0EUR"
    assert "In words" in page
    assert LedgerEntry.objects.count() == 0
    nobody = client.post(
        model_admin.action_url("enquiry"),
        {
            "service": plan.services.get().service_id,
            "tenant": plan.tenant_id,
            "subject": "nobody",
            "amount": "60",
        },
    )
    assert [level for level, _ in new_messages(nobody)] == ["error"]


def test_a_changing_page_needs_its_csrf_token(db):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    subscriber = make_subscriber(plan=make_plan())
    model_admin = admin.site.get_model_admin(Subscriber)
    assert client.post(model_admin.action_url("suspend", subscriber)).status_code == 403
    subscriber.refresh_from_db()
    assert subscriber.status == "active"


def test_looking_at_an_action_page_does_nothing(client):
    subscriber = make_subscriber(plan=make_plan())
    model_admin = admin.site.get_model_admin(Subscriber)
    assert client.get(model_admin.action_url("suspend", subscriber)).status_code == 200
    subscriber.refresh_from_db()
    assert subscriber.status == "active"
    assert PricePlan.objects.count() == 1


def test_the_ledger_links_each_entry_to_what_caused_it(client):
    plan = make_plan("FEE", fee_micros=5_000_000)
    subscriber = make_subscriber(plan=plan, mode="prepaid", opening_balance_micros=20_000_000)
    cycle = make_cycle()
    period = cycle_period(Month(2026, 1), cycle.day, cycle.zone)
    bills = bill_accounts(cycle, [subscriber.payer.account_id], period, period.end).bills
    bill = Bill.objects.get(pk=bills[subscriber.payer.account_id])
    page = client.get(reverse("admin:charging_ledgerentry_changelist")).content.decode()
    assert f'href="{change_url(bill)}">bill:{bill.pk}</a>' in page
    assert f'href="{change_url(bill.account)}">opening:{bill.account_id}</a>' in page
    assert "Ledger entries" in page


def test_a_posting_that_is_sent_twice_moves_money_between_two_books_once(client):
    make_subscriber(plan=make_plan(), mode="prepaid", opening_balance_micros=5_000_000)
    cash = LedgerBook.objects.get(code="cash")
    receivables = LedgerBook.objects.get(code="receivables")
    foreign = LedgerBook.objects.create(tenant=make_tenant("mvno"), currency="EUR", code="fees")
    data = {"amount_micros": "12.50", "note": "Bank statement 7", "key": "a" * 32}
    first = act(client, cash, "post", credit=receivables.pk, **data)
    second = act(client, cash, "post", credit=receivables.pk, **data)
    assert first == ["12.50\u00a0EUR posted to Owed by bill."]
    assert "has moved money before" in second[0]
    posting = BookPosting.objects.get()
    assert (posting.debit, posting.credit, posting.amount_micros) == (cash, receivables, 12_500_000)
    form = client.get(admin.site.get_model_admin(LedgerBook).action_url("post", cash)).context["form"]
    offered = set(form.fields["credit"].queryset)
    assert receivables in offered
    assert not offered & {cash, foreign}
