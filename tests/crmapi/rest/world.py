"""Two tenants with something of every kind, and callers who ask for it over REST."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from redis import Redis

from apps.billing.models import Activity, Bill, BillCycle, Notification
from apps.charging.models import Account, Balance, BalanceTrigger, SharedGroup
from apps.charging.services.executor import forget_directory
from apps.charging.services.member_limit_settings import set_member_limit
from apps.charging.services.spending_caps import set_cap
from apps.charging.services.trigger_settings import make_trigger
from apps.crm.selectors.reference import forget_reference_data
from apps.crm.selectors.tenants import forget_tenants
from apps.crm.services import shared_rates
from apps.crm.services.authentication import forget_shared_authenticator
from apps.crm.services.clients import platform_token
from apps.crmapi.rest.throttling import forget_rates
from apps.invoicing.models import BillDocument
from apps.kernel.clock import utc_now
from apps.mediation.models import SuspendedRecord
from apps.rating.models import Bundle, PricePlan, PricePlanService, Tenant
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from apps.subscribers.models import Resource, Subscriber
from apps.vouchers.models import RedemptionGuard, Voucher, VoucherBatch
from apps.vouchers.services.batches import NewBatch, generate_batch
from tests.admin.world import make_world
from tests.factories import make_bundle, make_plan, make_subscriber, make_tenant
from tests.remembered import remembered

PREFIX = "/api/v1/"
PDF = b"%PDF-1.7\n% as far as these tests look at it\n%%EOF\n"


@cache
def shared_client() -> Client:
    """One for all: each new one would look through every static file first. No cookies are involved."""
    return Client()


@dataclass
class Api:
    """Asks as the bearer of a token; without one anonymously."""

    token: str = ""
    client: Client = field(default_factory=lambda: shared_client())

    def ask(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> HttpResponse:
        sent = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("HTTP_AUTHORIZATION", f"Bearer {self.token}")
        if key:
            sent["HTTP_IDEMPOTENCY_KEY"] = key
        options: dict[str, Any] = {} if body is None else {"data": body, "content_type": "application/json"}
        address = path if path.startswith(("/", "http")) else PREFIX + path
        return self.client.generic(method, address, **_encoded(options), **sent)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, key: str = "", **headers: str) -> HttpResponse:
        return self.ask("POST", path, body, key, **headers)

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self.ask("PATCH", path, body)


def _encoded(options: dict[str, Any]) -> dict[str, Any]:
    if "data" in options and not isinstance(options["data"], bytes | str):
        options["data"] = json.dumps(options["data"])
    return options


@dataclass
class World:
    """What the tests name: the first tenant's own things, and the same of another tenant."""

    now: datetime
    names: dict[str, Any]
    foreign: dict[str, Any]
    pins: list[str]

    def api(
        self, *roles: str, tenant: str = "default", subscriber_id: int | None = None, subject: str = "ada"
    ) -> Api:
        token = platform_token(
            subject=subject,
            tenant=tenant,
            roles=list(roles),
            lifetime_s=3600,
            now=utc_now(),
            subscriber_id=subscriber_id,
        )
        return Api(token)

    @property
    def admin(self) -> Api:
        return self.api("admin")

    @property
    def customer(self) -> Api:
        return self.api("self_care", subscriber_id=self.names["prepaid"])


def forget_everything() -> None:
    """What a process remembers of rows that another test made."""
    forget_shared_authenticator()
    forget_tenants()
    forget_reference_data()
    forget_directory()
    forget_rates()
    if settings.API_RATES_URL:
        # Calls and refusals of earlier tests, which all come from one address.
        with Redis.from_url(settings.API_RATES_URL) as redis:
            for key in redis.scan_iter(f"{shared_rates.PREFIX}*"):
                redis.delete(key)
    look_again()


def make_rest_world() -> World:
    """The operator of the admin's tests, and beside it a tenant whose rows only its own users may see."""
    forget_everything()
    world = remembered("rest world", _make_rest_world)
    write_document(world.names["bill"])
    return world


def _make_rest_world() -> World:
    make_world(subscribers=4, records=12, days=3)
    now = utc_now()
    PricePlanService.objects.filter(service__code="sms", price_micros=None).update(price_micros=90_000)
    publish(now)
    tenant = Tenant.objects.get(code="default")
    order = NewBatch("Tests", 6, 5_000_000, now + timedelta(days=90))
    printed = generate_batch(tenant, order, now, key="tests")
    Notification.objects.create(tenant=tenant, at=now, level="info", text="a run is through")
    make_trigger(tenant, "hourly spending", "spent", threshold_micros=5_000_000, window_s=3600)
    waiting = generate_batch(tenant, order._replace(active=False), now, key="waiting")
    # Guesses in the admin's world are forgiven here.
    RedemptionGuard.objects.all().delete()
    names = _names("default", now)
    RedemptionGuard.objects.create(
        tenant=tenant, subject=f"account:{names['account']}", failures=1, failed_at=now - timedelta(days=1)
    )
    names |= {
        "serial": printed.vouchers[0].serial,
        "pin": printed.vouchers[1].pin,
        "own_pin": printed.vouchers[2].pin,
        "batch": printed.batch.pk,
        "inactive_batch": waiting.batch.pk,
    }
    return World(now, names, _other(now), [voucher.pin for voucher in printed.vouchers[3:]])


def write_document(bill_id: int) -> None:
    """A PDF for the bill where its row says that it is."""
    document = BillDocument.objects.filter(bill_id=bill_id).first()
    assert document is not None
    path = Path(settings.INVOICES_DIR) / document.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PDF)
    document.sha256, document.size_octets = sha256(PDF).hexdigest(), len(PDF)
    document.save()


def _other(now: datetime) -> dict[str, Any]:
    other = make_tenant("other")
    plan = make_plan("OTHER", tenant=other, voice=(60_000, 100))
    make_bundle("OTHERS", tenant=other, voice=10)
    person = make_subscriber(77, plan=plan, mode="prepaid", cycle=77, opening_balance_micros=1_000_000)
    make_subscriber(78, plan=plan, cycle=77)
    account = person.payer.account
    cycle = BillCycle.objects.get(number=77)
    Bill.objects.create(
        tenant=other,
        account=account,
        cycle=cycle,
        number="O1",
        kind="prepaid",
        period_start=datetime(2026, 1, 1, tzinfo=UTC),
        period_end=datetime(2026, 2, 1, tzinfo=UTC),
        issued_on=datetime(2026, 2, 1, tzinfo=UTC).date(),
        currency="EUR",
        total_micros=0,
        usage_sequence=0,
        usage_from=datetime(2026, 1, 1, tzinfo=UTC),
        created_at=now,
    )
    about = {"cycle": 77, "year": 2026, "month": 1}
    Activity.objects.create(type=2, payload=about, cycle=cycle, status=1, queued_at=now)
    for name in ("theirs", "theirs too"):
        make_trigger(other, name, "below", threshold_micros=1_000_000, currency="EUR")
    Notification.objects.create(tenant=other, at=now, level="info", text="theirs")
    suspended = SuspendedRecord.objects.order_by("-pk").first()
    assert suspended is not None
    suspended.pk, suspended.byte_offset = None, 999
    suspended.msisdn = "4915550000077"
    suspended.save()
    generate_batch(other, NewBatch("Theirs", 1, 1_000_000, now + timedelta(days=9)), now, key="theirs")
    return _names("other", now)


def _names(tenant: str, now: datetime) -> dict[str, Any]:
    people = Subscriber.objects.filter(tenant__code=tenant).order_by("pk")
    prepaid = people.filter(payer__account__mode="prepaid").first()
    postpaid = people.filter(payer__account__mode="postpaid").first()
    assert prepaid is not None
    assert postpaid is not None
    account = Account.objects.get(payers__subscriber=prepaid)
    held = Resource.objects.get(assignments__subscriber=prepaid, kind="msisdn")
    bill = Bill.objects.filter(account__payers__subscriber=prepaid).order_by("pk").first()
    assert bill is not None
    paid_later = Bill.objects.filter(tenant__code=tenant, kind="postpaid", status="unpaid").first()
    suspense = SuspendedRecord.objects.filter(msisdn=held.value).first() or SuspendedRecord.objects.first()
    assert suspense is not None
    names = {
        "tenant": tenant,
        "prepaid": prepaid.pk,
        "postpaid": postpaid.pk,
        "msisdn": held.value,
        "account": account.pk,
        "balance": Balance.objects.filter(account=account).earliest("pk").pk,
        "bill": bill.pk,
        "postpaid_bill": paid_later.pk if paid_later else bill.pk,
        "plan": PricePlan.objects.filter(tenant__code=tenant).earliest("pk").pk,
        "plan_code": PricePlan.objects.filter(tenant__code=tenant).earliest("pk").code,
        "bundle": Bundle.objects.filter(tenant__code=tenant).earliest("pk").pk,
        "cycle": BillCycle.objects.filter(tenant__code=tenant).earliest("number").number,
        "activity": Activity.objects.filter(cycle__tenant__code=tenant).earliest("pk").pk,
        "notification": Notification.objects.filter(tenant__code=tenant).earliest("pk").pk,
        "suspense": suspense.pk,
        # The fired one first, if any.
        "trigger": BalanceTrigger.objects.filter(tenant__code=tenant).order_by("-firings__pk", "pk")[0].pk,
        "unfired": BalanceTrigger.objects.filter(tenant__code=tenant, firings=None).latest("pk").pk,
        "batch": VoucherBatch.objects.filter(tenant__code=tenant).latest("pk").pk,
        "inactive_batch": VoucherBatch.objects.filter(tenant__code=tenant).latest("pk").pk,
        "serial": Voucher.objects.filter(tenant__code=tenant).latest("pk").serial,
        "action_plan": "WELCOME",
        "shared_group": "FAMILY" if tenant == "default" else "THEIRS",
        "limited": "voice",
    }
    set_cap(account, 100_000_000, now)
    SharedGroup.objects.get_or_create(tenant=account.tenant, code=names["shared_group"])
    set_member_limit(account.tenant, names["shared_group"], account.number, "voice", 60)
    return names
