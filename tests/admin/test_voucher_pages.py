"""Vouchers in the admin: generated once, PINs seen once, redeemed for a customer, locks lifted."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.charging.models import LedgerEntry
from apps.kernel.clock import utc_now
from apps.vouchers.models import RedemptionGuard, Voucher, VoucherBatch
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.sealing import open_with_passphrase
from tests.charging.stored import account_of, default_balance, make_prepaid
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db
PASSPHRASE = "correct horse battery"
GENERATE = "admin:vouchers_voucherbatch_do_list"


@pytest.fixture(autouse=True)
def own_keys(settings, tmp_path):
    settings.VOUCHER_KEY_FILE = tmp_path / "voucher_keys"


def order(**changes):
    return {
        "tenant": make_tenant().pk,
        "name": "Kiosk",
        "kind": "monetary",
        "value": "10.00",
        "count": "3",
        "expires_at_0": "2036-01-01",
        "expires_at_1": "00:00:00",
        "book": "cash",
        "active": "on",
        "handover": "shown",
        "key": uuid4().hex,
        **changes,
    }


def post(client: Client, page: str, /, *args: object, **data: object):
    return client.post(reverse(page, args=args), data, follow=True)


def test_pins_are_shown_once_and_kept_out_of_every_cache(admin_client):
    wanted = order()
    page = post(admin_client, GENERATE, "generate", **wanted)
    pins = [
        text.replace(" ", "") for text in re.findall(r"<strong>([\d ]{19})</strong>", page.content.decode())
    ]
    assert len(set(pins)) == Voucher.objects.filter(status="active").count() == 3
    assert "no-store" in page["Cache-Control"]
    again = post(admin_client, GENERATE, "generate", **wanted).content.decode()
    assert "already" in again
    assert not any(pin in again.replace(" ", "") for pin in pins)
    assert VoucherBatch.objects.get().created_by == "admin"


def test_a_sealed_file_comes_with_the_page(admin_client):
    sealed = {"handover": "passphrase", "passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
    page = post(admin_client, GENERATE, "generate", **order(**sealed)).content.decode()
    content = base64.b64decode(re.search(r"base64,([^\"]+)\"", page)[1])
    assert open_with_passphrase(content, PASSPHRASE).count(b"\n") == 4
    assert PASSPHRASE not in page


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"count": "101"}, "At most 100 can be shown"),
        ({"value": "ten"}, "is not an amount"),
        ({"kind": "sms", "value": "1.5"}, "whole number of units"),
        ({"expires_at_0": "2020-01-01"}, "would have expired already"),
        ({"handover": "recipient", "recipient": "bob"}, "not an age public key"),
        ({"handover": "passphrase", "passphrase": PASSPHRASE, "passphrase_again": "x"}, "passphrases differ"),
        ({"handover": "passphrase", "passphrase": "short", "passphrase_again": "short"}, "12 characters"),
    ],
)
def test_orders_that_make_no_sense_generate_nothing(admin_client, wrong, says):
    assert says in post(admin_client, GENERATE, "generate", **order(**wrong)).content.decode()
    assert not VoucherBatch.objects.exists()


def test_staff_redeem_a_pin_for_a_customer_and_it_stands_nowhere(admin_client):
    make_prepaid()
    made = generate_batch(
        make_tenant(), NewBatch("x", 1, 10_000_000, utc_now() + timedelta(days=1)), utc_now(), key="x"
    )
    pin, account = made.vouchers[0].pin, account_of()
    for typed, says in (("12", "has 16 digits"), ("0" * 16, "cannot be redeemed"), (pin, "balance is 11.00")):
        page = post(
            admin_client, "admin:charging_account_do", account.pk, "redeem", pin=typed, key=uuid4().hex
        ).content.decode()
        assert says in page
        assert typed not in page.replace("12 ", "") or typed == "12"
    assert default_balance().amount_micros == 11_000_000
    assert LedgerEntry.objects.get(kind="top_up").note.startswith("Voucher")
    panel = admin_client.get(
        reverse("admin:charging_account_change", args=(account.pk,)), {"panel": "vouchers"}
    )
    assert made.vouchers[0].serial in panel.content.decode()


def test_vouchers_are_blocked_from_the_list_and_a_lock_is_lifted_with_a_reason(admin_client):
    tenant, now = make_tenant(), utc_now()
    made = generate_batch(tenant, NewBatch("x", 2, 1, now + timedelta(days=1)), now, key="x")
    rows = list(Voucher.objects.values_list("pk", flat=True))
    changes = {"action": "block_selected", "_selected_action": rows}
    admin_client.post(reverse("admin:vouchers_voucher_changelist"), changes)
    assert set(Voucher.objects.values_list("status", "changed_by")) == {("blocked", "admin")}
    post(admin_client, "admin:vouchers_voucherbatch_do", made.batch.pk, "void", reason="lost in the post")
    assert set(Voucher.objects.values_list("status", "reason")) == {("void", "lost in the post")}
    guard = RedemptionGuard.objects.create(
        tenant=tenant, subject="account:1", failures=10, failed_at=now, locked_at=now
    )
    post(admin_client, "admin:vouchers_redemptionguard_do", guard.pk, "lift", reason="showed a passport")
    guard.refresh_from_db()
    assert (guard.failures, guard.locked_at, guard.lifted_by, guard.lift_reason) == (
        0,
        None,
        "admin",
        "showed a passport",
    )


def test_who_may_only_look_generates_blocks_and_lifts_nothing(client, django_user_model):
    from django.contrib.auth.models import Group

    from bss_project.staff_groups import create_groups

    create_groups()
    user = django_user_model.objects.create_user("eve", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name="auditor"))
    client.force_login(user)
    assert client.post(reverse(GENERATE, args=("generate",)), order()).status_code == 403
    assert not VoucherBatch.objects.exists()
