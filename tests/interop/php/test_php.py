"""A real PHP client with generated code, over TLS: what a CRM in PHP sees of the platform."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta

import pytest
from django.db import transaction

from apps.billing.services.onboarding import onboard
from apps.kernel.clock import utc_now
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from apps.subscribers.services.assignments import locked_subscriber
from apps.vouchers.services.batches import NewBatch, generate_batch
from tests.factories import LONG_AGO, make_cycle, make_plan, make_tenant, new_line
from tests.interop.grpc_server import authority, crm_server, other_authority, token
from tests.interop.php.client import CLIENT, generate, php

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]
# More than a stream's window holds, so that one which is cut short cannot have ended already.
OTHERS = 400
MSISDN = "4915559000001"
PREPAID = 1


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("php"))


@pytest.fixture
def world():
    """Some forty subscribers, a plan, and a voucher's PIN."""
    make_plan("PLAN", voice=(60_000, 0))
    make_cycle(1)
    onboard([new_line(number, mode="prepaid") for number in range(1, OTHERS + 1)], LONG_AGO)
    now = utc_now()
    publish(now)
    order = NewBatch("php", 1, 10_000_000, now + timedelta(days=1))
    return generate_batch(make_tenant(), order, now, key="php").vouchers[0].pin


def said(server, **more):
    return {"target": f"localhost:{server.port}", "authority": str(authority()), **more}


def new_subscriber(**more):
    return {
        "mode": PREPAID,
        "customer": {"name": "Grace Hopper — Größe 42"},
        "resource": {"msisdn": MSISDN},
        "price_plan": "PLAN",
        "balance": {"amount_micros": 9_007_199_254_740_993},
        **more,
    }


def test_php_creates_lists_streams_and_tops_up(world, database_url, generated):
    with crm_server(database_url) as server:
        got = php(
            "surface",
            said(server, token=token("crm_agent"), subscriber=new_subscriber(), msisdn=MSISDN, pin=world),
            generated,
        )
    created = got["created"]["answer"]
    assert created["customer"]["name"] == "Grace Hopper — Größe 42"
    assert created["balance"]["amountMicros"] == "9007199254740993", "more than a double can hold"
    assert got["repeated"]
    assert Subscriber.objects.filter(customer__name__startswith="Grace").count() == 1
    assert got["counts"] == [OTHERS + 1, 7]
    assert got["between"]["answer"]["id"] == created["id"]
    assert got["cut"] == 1
    assert got["balance_micros"] == 9_007_199_254_740_993 + 10_000_000
    assert got["voucher_repeated"]


def test_php_understands_every_refusal(world, database_url, generated, tmp_path):
    with crm_server(database_url) as server:
        stranger = str(other_authority(tmp_path / "other"))
        got = php("errors", said(server, token=token("admin"), otherAuthority=stranger), generated)
    codes = {name: (answer["code"], answer["reason"]) for name, answer in got.items()}
    assert codes == {
        "no_token": (16, codes["no_token"][1]),
        "alg_none": (16, "wrong_algorithm"),
        "other_key": (16, "bad_signature"),
        "missing": (5, codes["missing"][1]),
        "invalid": (3, "invalid_input"),
        "both_named": (3, codes["both_named"][1]),
        "untrusted": (14, ""),
        "nobody_there": (14, ""),
        "too_large": (8, ""),
    }
    assert all(codes[name][1] for name in ("no_token", "missing", "both_named"))
    assert {"resource.msisdn", "customer.name", "price_plan"} <= set(got["invalid"]["fields"])


def test_a_deadline_that_passes_is_told_and_the_call_sent_again_is_done_once(world, database_url, generated):
    number = new_line(1).msisdn
    with crm_server(database_url) as server:
        asked = said(server, token=token("crm_agent"), msisdn=number)
        with transaction.atomic():
            locked_subscriber(Subscriber.objects.get(number="S1").pk)
            assert php("too_late", asked, generated)["late"]["code"] == 4
        done = php("again", asked, generated)["done"]
    assert done["code"] == 0
    assert done["answer"]["status"] == "SUBSCRIBER_STATUS_SUSPENDED"
    assert Subscriber.objects.get(number="S1").history.filter(status="suspended").count() == 1


def test_the_example_for_crm_developers_does_what_its_readme_says(world, database_url, generated, tmp_path):
    with crm_server(database_url) as server:
        environment = {
            **os.environ,
            "CRM_GENERATED": str(generated),
            "CRM_TARGET": f"localhost:{server.port}",
            "CRM_CA": str(authority()),
            "CRM_TOKEN": token("crm_agent"),
        }

        def crm(*arguments, typed="", status=0):
            done = subprocess.run(
                [str(CLIENT / "crm"), *arguments],
                input=typed,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == status, done.stdout + done.stderr
            return done.stdout + done.stderr

        assert "active, prepaid" in crm("create", MSISDN, "PLAN", "Grace Hopper", "prepaid", "5.00")
        assert "is not free" in crm("create", MSISDN, "PLAN", "Grace Hopper", status=1)
        assert "the balance is 15.00 EUR" in crm("topup", MSISDN, typed=world + "\n")
        assert world not in crm("topup", MSISDN, typed=world + "\n", status=1)
        assert "balance 15.00 EUR" in crm("show", MSISDN)
        assert crm("usage", MSISDN) == "no usage\n"
        assert crm("bills", MSISDN) == ""
        assert "no bill" in crm("bill", MSISDN, status=1)
        assert "  customer.name: " in crm("create", "12", "NONE", "", status=1)
        assert "Usage: crm" in crm("dance", MSISDN, status=2)
