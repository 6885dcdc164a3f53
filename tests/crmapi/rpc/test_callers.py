"""Keys, revocations and rates; calls that come twice; PINs that are seen once."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from structlog.testing import capture_logs

from apps.charging.models import LedgerEntry
from apps.crm.domain.access import Caller
from apps.crm.domain.errors import TooManyRequests, Unauthenticated
from apps.crm.domain.tokens import SigningKey, issue_token
from apps.crm.models import ApiCall, ApiClient, RevokedToken, StoredAnswer
from apps.crm.selectors import subscribers as subscriber_reads
from apps.crm.services.authentication import Authenticator, token_rules
from apps.crm.services.clients import create_client, create_key, platform_token, retire_key, revoke_token
from apps.crm.services.rate_limits import RateLimiter
from apps.crm.tasks import forget_old_records
from apps.crmapi.grpc.pb import crm_pb2 as crm
from apps.kernel.clock import utc_now
from apps.kernel.errors import Conflict, InvalidInput, InvalidInputs, NotFound
from apps.mediation.pb import billing_pb2 as billing
from apps.rating.services.publishing import publish
from apps.subscribers.models import Customer, Subscriber
from apps.vouchers.models import Voucher
from tests.crmapi.rest.world import forget_everything
from tests.crmapi.rpc.calling import Refused, RpcClient
from tests.crmapi.rpc.cases import LATER, new_message
from tests.factories import make_cycle, make_plan, make_subscriber, make_tenant

pytestmark = pytest.mark.django_db
CODE = grpc.StatusCode


@pytest.fixture(autouse=True)
def operator() -> None:
    forget_everything()
    make_plan(sms=(50_000, 0))
    make_cycle(1)
    publish(utc_now())


def new(**changed: object) -> billing.Subscriber:
    from apps.rating.models import PricePlan

    return new_message({"plan": PricePlan.objects.get().pk}, **changed)


def signed(kid: str, secret: str, *, tenant: str = "default", roles: tuple[str, ...] = ("crm_agent",)) -> str:
    return issue_token(
        SigningKey(kid, secret),
        token_rules(),
        utc_now(),
        subject="ann",
        tenant=tenant,
        roles=list(roles),
        lifetime_s=600,
        token_id="",
    )


def test_a_client_speaks_for_its_tenant_and_roles_until_its_key_is_retired():
    now = utc_now()
    create_client("crm2", "default", ["crm_agent"], now)
    kid, secret = create_key("crm2", now)
    second, second_secret = create_key("crm2", now)
    authenticator = Authenticator()
    caller = authenticator.caller(signed(kid, secret), now)
    assert (caller.client, caller.subject, caller.tenant) == ("crm2", "ann", "default")
    make_tenant("mvno")
    for wrong, code in (
        (signed(kid, secret, tenant="mvno"), "wrong_tenant"),
        (signed(kid, secret, roles=("admin",)), "role_not_granted"),
        (signed(kid, "x" * 64), "bad_signature"),
        (signed(second, secret), "bad_signature"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            authenticator.caller(wrong, now)
        assert refused.value.code == code
    retire_key(kid, now)
    assert retire_key(kid, now + timedelta(days=1)).retired_at == now
    authenticator.refresh(now)
    with pytest.raises(Unauthenticated) as refused:
        authenticator.caller(signed(kid, secret), now)
    assert refused.value.code == "unknown_key"
    assert authenticator.caller(signed(second, second_secret), now).client == "crm2"
    ApiClient.objects.update(enabled=False)
    authenticator.refresh(now)
    with pytest.raises(Unauthenticated):
        authenticator.caller(signed(second, second_secret), now)
    # What is kept of a key is not the key.
    from apps.crm.models import ApiKey

    assert all(secret not in row.sealed_secret for row in ApiKey.objects.all())


def test_a_key_that_cannot_be_unsealed_shuts_out_its_own_client_alone(settings):
    now = utc_now()
    create_client("crm2", "default", ["crm_agent"], now)
    lost = create_key("crm2", now)
    settings.SECRET_KEY = "another secret key than that which sealed the first one"
    kept = create_key("crm2", now)
    authenticator = Authenticator()
    assert authenticator.caller(signed(*kept), now).client == "crm2"
    with pytest.raises(Unauthenticated) as refused:
        authenticator.caller(signed(*lost), now)
    assert refused.value.code == "unknown_key"


def test_a_token_that_was_taken_back_or_has_expired_counts_no_longer_though_it_is_remembered():
    now = utc_now()
    authenticator = Authenticator(remembered=2)
    tokens = [
        platform_token(subject=f"s{n}", tenant="default", roles=["admin"], lifetime_s=60, now=now)
        for n in range(4)
    ]
    for token in tokens:
        authenticator.caller(token, now)
    assert len(authenticator._read) == 2
    revoke_token(tokens[3], now, "lost")
    authenticator.refresh(now)
    with pytest.raises(Unauthenticated) as refused:
        authenticator.caller(tokens[3], now)
    assert refused.value.code == "revoked"
    authenticator.caller(tokens[2], now)
    later = now + timedelta(seconds=91)
    authenticator.refresh(later)
    with pytest.raises(Unauthenticated) as refused:
        authenticator.caller(tokens[2], later)
    assert refused.value.code == "expired"
    nobody = platform_token(subject="x", tenant="default", roles=["admin"], lifetime_s=60, now=now)
    from apps.rating.models import Tenant

    Tenant.objects.filter(code="default").update(code="renamed")
    authenticator.refresh(now)
    with pytest.raises(Unauthenticated) as refused:
        authenticator.caller(nobody, now)
    assert refused.value.code == "unknown_tenant"


def test_keys_are_refreshed_before_a_call_has_to_wait_for_it():
    now = utc_now()
    authenticator = Authenticator(refresh_s=2)
    assert (authenticator.is_due(now), authenticator.is_fresh(now)) == (True, False)
    authenticator.refresh(now)
    for later_s, due, fresh in ((0, False, True), (1, True, True), (2, True, False), (-2, True, False)):
        later = now + timedelta(seconds=later_s)
        assert (authenticator.is_due(later), authenticator.is_fresh(later)) == (due, fresh)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"roles": []}, InvalidInput),
        ({"roles": ["chief"]}, InvalidInput),
        ({"roles": ["self_care"]}, InvalidInput),
        ({"subject": ""}, InvalidInput),
        ({"lifetime_s": 0}, InvalidInput),
        ({"lifetime_s": 10**9}, InvalidInput),
        ({"tenant": "none"}, NotFound),
    ],
)
def test_a_token_that_would_not_count_is_not_issued(wrong, error):
    said = {"subject": "ada", "tenant": "default", "roles": ["admin"], "lifetime_s": 60, **wrong}
    with pytest.raises(error):
        platform_token(now=utc_now(), **said)


def test_the_commands_make_clients_keys_and_tokens(capsys):
    call_command("apiclient", "add", "portal", "--role", "self_care")
    printed = capsys.readouterr().out
    kid, secret = (line.split()[1] for line in printed.strip().splitlines())
    assert len(secret) >= 43
    call_command("apiclient", "list")
    listed = capsys.readouterr().out
    assert kid in listed
    assert secret not in listed
    call_command("issuetoken", "ann", "--role", "crm_agent", "--hours", "1")
    token = capsys.readouterr().out.strip()
    assert Authenticator().caller(token, utc_now()).roles == {"crm_agent"}
    call_command("apiclient", "retire", kid)
    call_command("apiclient", "revoke", token)
    with pytest.raises(Unauthenticated):
        Authenticator().caller(token, utc_now())
    for wrong in (
        ("key", "nobody"),
        ("retire", "none"),
        ("add", "portal", "--role", "admin"),
        ("revoke", "x.y.z"),
    ):
        with pytest.raises(CommandError):
            call_command("apiclient", *wrong)
    with pytest.raises(InvalidInputs):
        create_client("Platform", "default", ["admin"], utc_now())
    with pytest.raises(Conflict):
        create_client("portal", "default", ["admin"], utc_now())


def test_a_client_that_calls_too_often_is_told_when_to_come_again_and_others_are_let_in():
    limiter = RateLimiter(most=3)

    def caller(client: str, subject: str = "ann", subscriber_id: int | None = None) -> Caller:
        return Caller(
            1,
            "default",
            subject,
            client,
            frozenset({"admin"}),
            utc_now(),
            subscriber_id=subscriber_id,
            calls_a_second=2.0,
            burst=2,
        )

    for _ in range(2):
        limiter.admit(caller("crm2"), 10.0)
    with pytest.raises(TooManyRequests) as early:
        limiter.admit(caller("crm2", "ben"), 10.0)
    assert early.value.retry_after_s == pytest.approx(0.5)
    limiter.admit(caller("crm2"), 10.6)
    limiter.admit(caller("portal"), 10.6)
    limiter.admit(caller("portal", "c1", 7), 10.6)
    limiter.admit(caller("portal", "c2", 8), 10.6)
    assert len(limiter._buckets) == 3


def test_the_door_says_when_to_call_again(settings):
    settings.API_CALLS_A_SECOND, settings.API_BURST = 1, 3
    ada = RpcClient()
    for _ in range(3):
        ada.ask("GetRefData")
    with pytest.raises(Refused) as refused:
        ada.ask("GetRefData")
    assert (refused.value.code, refused.value.reason) == (CODE.RESOURCE_EXHAUSTED, "too_many_requests")
    assert 0 < refused.value.retry_s <= 1


def test_a_call_that_comes_twice_is_done_once_and_answered_alike():
    ada = RpcClient()
    first = ada.ask("CreateSubscriber", new(), key="order-1")
    again = ada.ask("CreateSubscriber", new(), key="order-1")
    assert first == again
    assert Subscriber.objects.count() == Customer.objects.count() == 1
    assert LedgerEntry.objects.count() == 1
    assert list(ApiCall.objects.order_by("pk").values_list("outcome", "repeated")) == [
        ("ok", False),
        ("ok", True),
    ]
    other = new(resource=billing.Resource(msisdn="4915560000002"), balance=billing.Balance())
    with pytest.raises(Refused) as refused:
        ada.ask("CreateSubscriber", other, key="order-1")
    assert (refused.value.code, refused.value.reason) == (CODE.ALREADY_EXISTS, "idempotency_key_reused")
    # A key is a client's own, within a tenant.
    now = utc_now()
    create_client("crm2", "default", ["crm_agent"], now)
    crm2 = RpcClient(token=signed(*create_key("crm2", now)))
    assert crm2.ask("CreateSubscriber", other, key="order-1").id != first.id
    # Without a key it is done again, and here that is refused by the number.
    with pytest.raises(Refused) as refused:
        ada.ask("CreateSubscriber", new())
    assert refused.value.code in (CODE.FAILED_PRECONDITION, CODE.INVALID_ARGUMENT)


def test_an_error_keeps_nothing_so_that_the_call_can_be_put_right():
    ada = RpcClient()
    with pytest.raises(Refused) as refused:
        ada.ask("CreateSubscriber", new(customer=billing.Customer()), key="order-2")
    assert refused.value.fields == ["customer.name"]
    assert StoredAnswer.objects.count() == Subscriber.objects.count() == 0
    assert ada.ask("CreateSubscriber", new(), key="order-2").id > 0
    for key in ("ä", "x" * 201):
        with pytest.raises(Refused) as refused:
            ada.ask("CreateSubscriber", new(), key=key)
        assert refused.value.reason == "bad_idempotency_key"


def test_pins_are_seen_once_and_a_redemption_that_is_repeated_credits_once():
    ada = RpcClient()
    person = make_subscriber(5, price_plan="PLAN", mode="prepaid")
    order = crm.InsertVoucherRequest(name="Spring", count=2, amount_micros=5_000_000, expires_at=LATER)
    made = ada.ask("InsertVoucher", order, key="batch-1")
    with pytest.raises(Refused) as refused:
        ada.ask("InsertVoucher", order, key="batch-1")
    assert (refused.value.code, refused.value.reason) == (CODE.ALREADY_EXISTS, "already_generated")
    with pytest.raises(Refused) as refused:
        ada.ask("InsertVoucher", order)
    assert refused.value.fields == ["idempotency-key"]
    pins = [voucher.pin for voucher in made.vouchers]
    kept = [str(row) for model in (StoredAnswer, ApiCall, Voucher) for row in model.objects.values()]
    assert not any(pin in row for pin in pins for row in kept)
    request = crm.RedeemVoucherRequest(pin=" ".join((pins[0][:8], pins[0][8:])), id=person.pk)
    once, twice = (ada.ask("RedeemVoucher", request, key="redeem-1") for _ in range(2))
    assert (once.repeated, twice.repeated) == (False, True)
    assert once.balance_micros == twice.balance_micros == 5_000_000
    for pin in (pins[0], "1111222233334444"):
        with pytest.raises(Refused) as refused:
            ada.ask("RedeemVoucher", crm.RedeemVoucherRequest(pin=pin, id=person.pk), key=f"again-{pin}")
        assert refused.value.code is CODE.FAILED_PRECONDITION
    # Each guess is wrong, until the next has to wait.
    reasons = ["voucher_refused"]
    while reasons[-1] == "voucher_refused":
        assert len(reasons) < 20
        with pytest.raises(Refused) as waiting:
            ada.ask("RedeemVoucher", crm.RedeemVoucherRequest(pin=f"{len(reasons):016d}", id=person.pk))
        reasons.append(waiting.value.reason)
    assert (waiting.value.code, waiting.value.reason) == (CODE.RESOURCE_EXHAUSTED, "redemption_wait")
    assert waiting.value.retry_s >= 1


def test_an_internal_error_is_answered_without_the_content_of_the_message(monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the message")

    monkeypatch.setattr(subscriber_reads, "get_subscriber", fail)
    with pytest.raises(Refused) as refused:
        RpcClient().ask("GetSubscriber", crm.GetSubscriberRequest(id=1))
    assert refused.value.code is CODE.INTERNAL
    assert "secret" not in str(refused.value)
    assert "incident" in str(refused.value)


def test_an_answer_that_is_too_large_is_refused_before_it_is_sent(settings):
    settings.GRPC_MAX_MESSAGE_OCTETS = 100
    with pytest.raises(Refused) as refused:
        RpcClient().ask("GetRefData")
    assert (refused.value.code, refused.value.reason) == (CODE.RESOURCE_EXHAUSTED, "answer_too_large")
    # Asking again changes nothing.
    assert refused.value.retry_s is None


def test_what_need_not_be_kept_is_forgotten(settings):
    ada = RpcClient()
    ada.ask("CreateSubscriber", new(), key="order-1")
    old = utc_now() - timedelta(hours=settings.API_ANSWERS_KEPT_H + 1)
    StoredAnswer.objects.update(created_at=old)
    ApiCall.objects.update(at=utc_now() - timedelta(hours=settings.API_AUDIT_KEPT_H + 1))
    RevokedToken.objects.create(token_id="jti:x", expires_at=old, revoked_at=old)
    assert forget_old_records() == (1, 1, 1)
    assert forget_old_records() == (0, 0, 0)


def test_the_admin_shows_clients_and_calls_and_changes_no_record(admin_client: Client):
    now = utc_now()
    create_client("crm2", "default", ["crm_agent"], now)
    kid, secret = create_key("crm2", now)
    RpcClient().ask("CreateSubscriber", new())
    call = ApiCall.objects.get()
    page = admin_client.get(f"/admin/crm/apiclient/{ApiClient.objects.get().pk}/change/").content.decode()
    assert kid in page
    assert secret not in page
    listed = admin_client.get("/admin/crm/apicall/").content.decode()
    assert "CreateSubscriber" in listed
    assert admin_client.post(f"/admin/crm/apicall/{call.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiCall.objects.filter(pk=call.pk).exists()


def test_a_flood_of_calls_without_a_token_is_no_flood_of_log():
    nobody = RpcClient(token="")
    with capture_logs() as logged:
        for _ in range(60):
            with pytest.raises(Refused):
                nobody.ask("GetRefData")
    # Two seconds may have begun meanwhile.
    assert 20 <= len(logged) <= 40
    assert logged[0]["reason"] == "token_missing"
