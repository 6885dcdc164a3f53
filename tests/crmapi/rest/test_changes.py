"""Changes over REST: done once for a key, recorded with who did it; and PINs and tokens that are not stored."""

from __future__ import annotations

import json

import pytest

from apps.charging.models import Account, Balance, LedgerEntry
from apps.crm.models import ApiCall, ApiToken, StoredAnswer
from apps.subscribers.models import Subscriber
from apps.vouchers.models import RedemptionGuard, VoucherBatch
from tests.crmapi.rest.world import World, make_rest_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_rest_world()


def new_subscriber(world, msisdn="491770000009"):
    return {
        "msisdn": msisdn,
        "mode": "prepaid",
        "price_plan": world.names["plan_code"],
        "customer": {"name": "Grace"},
        "opening_balance": "7.25",
    }


def test_a_top_up_that_is_sent_three_times_moves_the_money_once(world):
    account, admin = world.names["account"], world.admin
    before = Balance.objects.get(account=account).amount_micros
    answers = [admin.post(f"accounts/{account}/top-ups", {"amount": "2.5"}, "receipt-1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, "true", "true"]
    assert Balance.objects.get(account=account).amount_micros == before + 2_500_000
    assert answers[0].json()["amount"] == "2.5"
    assert answers[0].json()["balance_micros"] == before + 2_500_000


def test_keys_that_differ_in_their_last_character_are_two(world):
    account, admin = world.names["account"], world.admin
    before = Balance.objects.get(account=account).amount_micros
    for end in ("a", "b", "b"):
        answer = admin.post(f"accounts/{account}/top-ups", {"amount": "1"}, "k" * 199 + end)
        assert answer.status_code == 201
    assert Balance.objects.get(account=account).amount_micros == before + 2_000_000


def test_people_behind_the_platforms_key_may_choose_the_same_idempotency_key(world):
    account = world.names["account"]
    before = Balance.objects.get(account=account).amount_micros
    ada, grace = world.api("admin"), world.api("admin", subject="grace")
    for api in (ada, grace, ada, grace):
        assert api.post(f"accounts/{account}/top-ups", {"amount": "1"}, "1").status_code == 201
    assert Balance.objects.get(account=account).amount_micros == before + 2_000_000
    adjusted = grace.post(f"accounts/{account}/adjustments", {"amount": "-1", "note": "twice"}, "2")
    assert (adjusted.status_code, "grace" in LedgerEntry.objects.latest("pk").note) == (201, True)


def test_a_key_is_for_one_request_of_one_client(world):
    account, admin = world.names["account"], world.admin
    path = f"accounts/{account}/top-ups"
    assert admin.post(path, {"amount": "1"}, "a-key").status_code == 201
    other_body = admin.post(path, {"amount": "2"}, "a-key")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = admin.post(f"subscribers/{world.names['prepaid']}/suspend", None, "a-key")
    assert elsewhere.status_code == 422
    # The same values in another order, with other blanks, are the same request.
    raw = b'{ "note": "x",   "amount": "3" }'
    assert admin.post(path, {"amount": "3", "note": "x"}, "b-key").status_code == 201
    assert admin.post(path, raw, "b-key").headers["Idempotency-Replayed"] == "true"
    missing = admin.post(path, {"amount": "1"})
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
    for wrong in ("x" * 201, "é"):
        assert admin.post(path, {"amount": "1"}, wrong).json()["code"] == "bad_idempotency_key"


def test_a_subscriber_is_created_once_for_a_key_and_a_refused_request_may_be_mended(world):
    admin, count = world.admin, Subscriber.objects.count()
    wrong = admin.post("subscribers", {**new_subscriber(world), "price_plan": "NONE"}, "new-1")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "price_plan"
    made = admin.post("subscribers", new_subscriber(world), "new-1")
    again = admin.post("subscribers", new_subscriber(world), "new-1")
    assert made.status_code == again.status_code == 201
    assert made.json() == again.json()
    assert Subscriber.objects.count() == count + 1
    found = made.json()
    assert (found["balance"], found["balance_micros"], found["status"]) == ("7.25", 7_250_000, "active")
    assert admin.get(f"subscribers?msisdn={found['msisdn']}").json()["items"] == [found]


def test_a_change_changes_the_named_fields_and_nothing_else(world):
    admin, path = world.admin, f"subscribers/{world.names['prepaid']}"
    before = admin.get(path).json()
    card = {"token": "tok_1", "brand": "Visa", "last_four": "4242", "expiry_month": 1, "expiry_year": 2030}
    after = admin.patch(
        path, {"address": {"city": "Lübeck"}, "customer": {"phone": "0451"}, "card": card}
    ).json()
    assert after["address"] == {**before["address"], "city": "Lübeck"}
    assert after["customer"] == {**before["customer"], "phone": "0451"}
    assert after["card"]["last_four"] == "4242"
    assert "token" not in after["card"]
    assert admin.patch(path, {"card": None}).json()["card"] is None
    assert admin.patch(path, {}).json()["address"]["city"] == "Lübeck"


def test_pins_are_in_the_first_answer_and_nowhere_else(world):
    order = {"name": "Kiosk", "count": 2, "amount_micros": 3_000_000, "expires_at": "2099-01-01T00:00:00Z"}
    admin, batches = world.admin, VoucherBatch.objects.count()
    made = admin.post("voucher-batches", order, "order-1").json()
    pins = [voucher["pin"] for voucher in made["vouchers"]]
    assert all(len(pin) == 16 and pin.isdigit() for pin in pins)
    again = admin.post("voucher-batches", order, "order-1").json()
    assert again["batch"] == made["batch"]
    assert [voucher["pin"] for voucher in again["vouchers"]] == [None, None]
    assert VoucherBatch.objects.count() == batches + 1
    kept = b" ".join(StoredAnswer.objects.values_list("body", flat=True)).decode()
    recorded = json.dumps(list(ApiCall.objects.values()), default=str)
    assert not [pin for pin in pins if pin in kept or pin in recorded]


def test_a_voucher_is_redeemed_once_and_a_wrong_pin_says_nothing(world):
    account = world.names["account"]
    redeem = {"pin": world.names["pin"], "account_id": account}
    agent = world.api("crm_agent")
    first = agent.post("vouchers/redeem", redeem, "r-1")
    assert (first.status_code, first.json()["amount"]) == (200, "5")
    again = agent.post("vouchers/redeem", redeem, "r-1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert list(ApiCall.objects.order_by("pk").values_list("outcome", "repeated")) == [
        ("ok", False),
        ("ok", True),
    ]
    other = Account.objects.filter(tenant__code="default", mode="prepaid").exclude(pk=account).first()
    if other is not None:
        used = agent.post("vouchers/redeem", {**redeem, "account_id": other.pk}, "r-2")
        assert used.json()["code"] == "voucher_refused"
    wrong = [agent.post("vouchers/redeem", {**redeem, "pin": "0" * 16}) for _ in range(5)]
    codes = [answer.json()["code"] for answer in wrong]
    assert codes[0] == "voucher_refused"
    assert codes[-1] == "redemption_wait"
    assert wrong[-1].status_code == 429
    assert int(wrong[-1].headers["Retry-After"]) >= 1
    assert LedgerEntry.objects.filter(cause__contains="event", amount_micros=5_000_000).count() == 1
    assert world.names["pin"] not in json.dumps(list(ApiCall.objects.values()), default=str)


def test_an_account_with_wrong_pins_is_let_in_again_by_an_agent_of_its_tenant(world):
    account, agent = world.names["account"], world.api("crm_agent")
    path = f"accounts/{account}/redemption-lock"
    wrong = {"pin": "0" * 16, "account_id": account}
    codes = [agent.post("vouchers/redeem", wrong).json()["code"] for _ in range(5)]
    assert codes[-1] == "redemption_wait"
    waiting = agent.get(path).json()
    assert (waiting["account_id"], waiting["locked"], waiting["lifted_by"]) == (account, False, "")
    assert waiting["failures"] >= 3
    lifted = agent.post(f"{path}/lift", {"reason": "identified"})
    assert lifted.status_code == 200
    assert (lifted.json()["failures"], lifted.json()["lift_reason"]) == (0, "identified")
    assert "ada" in lifted.json()["lifted_by"]
    assert agent.post("vouchers/redeem", wrong).json()["code"] == "voucher_refused"
    RedemptionGuard.objects.filter(subject=f"account:{account}").update(failures=10, locked_at=world.now)
    assert agent.get(path).json()["locked"] is True
    assert agent.post("vouchers/redeem", wrong).json()["code"] == "redemption_locked"
    assert agent.post(f"{path}/lift").json()["locked"] is False
    assert agent.post("vouchers/redeem", wrong).json()["code"] == "voucher_refused"
    assert world.api("admin", tenant="other").post(f"{path}/lift").status_code == 404
    assert agent.post(f"accounts/{world.foreign['account']}/redemption-lock/lift").status_code == 404


def test_the_audit_record_says_who_did_what_and_who_was_refused(world):
    agent, person = world.api("crm_agent"), world.names["prepaid"]
    agent.post(f"subscribers/{person}/suspend", None, **{"X-Request-Id": "req-7"})
    agent.post(f"subscribers/{person}/suspend")
    world.api("auditor").post(f"subscribers/{person}/reactivate")
    agent.get(f"subscribers/{person}")
    rows = [
        (call.operation, call.subject, call.outcome, call.target, call.request_id, call.door)
        for call in ApiCall.objects.order_by("pk")
    ]
    suspend, reactivate = (
        f"POST /subscribers/<int:subscriber_id>/{what}" for what in ("suspend", "reactivate")
    )
    assert rows == [
        (suspend, "ada", "ok", f"subscriber {person}", "req-7", "rest"),
        (suspend, "ada", "wrong_status", "", "", "rest"),
        (reactivate, "ada", "forbidden", "", "", "rest"),
    ]


def test_a_customers_token_is_kept_as_a_hash_and_can_be_taken_back(world):
    agent, path = world.api("crm_agent"), f"subscribers/{world.names['prepaid']}/tokens"
    issued = agent.post(path, {"hours": 2}, "t-1")
    token = issued.json()["token"]
    assert issued.status_code == 201
    assert agent.post(path, {"hours": 2}, "t-1").json()["token"] is None
    assert token not in json.dumps([*ApiToken.objects.values(), *ApiCall.objects.values()], default=str)
    assert token.encode() not in b"".join(StoredAnswer.objects.values_list("body", flat=True))
    own = type(agent)(token)
    assert own.get("me").json()["id"] == world.names["prepaid"]
    assert agent.ask("DELETE", path).json() == {"revoked": 1}
    refused = own.get("me")
    assert (refused.status_code, refused.json()["code"]) == (401, "revoked")


def test_money_may_be_given_as_text_or_as_micro_units_but_not_as_a_number(world):
    admin, path = world.admin, f"accounts/{world.names['account']}/top-ups"
    cases = [
        ({"amount": "0.000001"}, 201),
        ({"amount_micros": 1}, 201),
        ({"amount": "1", "amount_micros": 1_000_000}, 201),
        ({"amount": "1", "amount_micros": 1}, 400),
        ({"amount": 1.5}, 400),
        ({"amount": "1.0000001"}, 400),
        ({"amount": "1e3"}, 400),
        ({"amount": "９"}, 400),
        ({"amount": "0"}, 422),
        ({"amount": "-1"}, 422),
        ({"amount_micros": "1"}, 400),
        ({"amount_micros": True}, 400),
        ({"amount_micros": 10**19}, 400),
        ({"amount": "9" * 40}, 400),
        ({}, 400),
    ]
    got = [
        (body, admin.post(path, body, f"money-{number}").status_code)
        for number, (body, _) in enumerate(cases)
    ]
    assert got == cases


def test_a_bill_is_cancelled_once_and_shows_its_credit_note_and_its_replacement(world):
    billing, bill = world.api("billing"), world.names["postpaid_bill"]
    path, body = f"bills/{bill}/cancel", {"reason": "wrong price", "again": True}
    first, repeated = billing.post(path, body, "cancel-1"), billing.post(path, body, "cancel-1")
    assert (first.status_code, repeated.content) == (200, first.content)
    done = first.json()
    note, instead = done["credit_note"], done["successor"]
    assert (done["bill"]["id"], done["bill"]["status"], done["bill"]["credit_note_id"]) == (
        bill,
        "cancelled",
        note["id"],
    )
    assert (note["kind"], note["corrects_id"], note["credit_note_id"], note["reason"]) == (
        "credit",
        bill,
        None,
        "wrong price",
    )
    assert [line["amount_micros"] for line in note["lines"]] == [
        -line["amount_micros"] for line in done["bill"]["lines"]
    ]
    assert (instead["kind"], instead["period_start"]) == ("postpaid", done["bill"]["period_start"])
    assert billing.get(f"bills/{bill}").json() == done["bill"]
    listed = billing.get(f"bills?account_id={done['bill']['account_id']}&kind=credit").json()["items"]
    assert [(one["id"], one["corrects_id"]) for one in listed] == [(note["id"], bill)]
    call = ApiCall.objects.exclude(target="").get()
    assert (call.operation, call.target) == ("POST /bills/<int:bill_id>/cancel", f"bill {bill}")


def test_a_bill_that_cannot_be_cancelled_says_why(world):
    billing, bill = world.api("billing"), world.names["postpaid_bill"]
    statement, path = world.names["bill"], f"bills/{bill}/cancel"
    refused = billing.post(f"bills/{statement}/cancel", {"reason": "wrong"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "bill_id")
    assert billing.post(path, {}).json()["errors"][0]["field"] == "reason"
    note = billing.post(path, {"reason": "wrong"}).json()["credit_note"]["id"]
    twice = billing.post(path, {"reason": "wrong"})
    assert (twice.status_code, twice.json()["code"]) == (409, "cancelled")
    assert billing.post(f"bills/{note}/cancel", {"reason": "wrong"}).status_code == 422
