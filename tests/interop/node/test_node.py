"""Node's @grpc/grpc-js, a second client that shares no code with the first: 64-bit numbers come as text."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from apps.billing.services.onboarding import onboard
from apps.kernel.clock import utc_now
from apps.rating.services.publishing import publish
from apps.vouchers.services.batches import NewBatch, generate_batch
from tests.factories import LONG_AGO, make_cycle, make_plan, make_tenant, new_line
from tests.interop.diameter.processes import ROOT
from tests.interop.grpc_server import authority, crm_server, other_authority, run_client, token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]
HERE = Path(__file__).resolve().parent
MSISDN = "4915559000002"


def node(scenario, **said):
    return run_client(["node", str(HERE / "calls.mjs"), scenario], {"proto": str(ROOT / "proto"), **said})


@pytest.fixture
def world():
    make_plan("PLAN", voice=(60_000, 0))
    make_cycle(1)
    onboard([new_line(number, mode="prepaid") for number in range(1, 31)], LONG_AGO)
    now = utc_now()
    publish(now)
    order = NewBatch("node", 1, 10_000_000, now + timedelta(days=1))
    return generate_batch(make_tenant(), order, now, key="node").vouchers[0].pin


def test_node_creates_streams_and_tops_up_with_nothing_lost(world, database_url):
    subscriber = {
        "mode": "PAYMENT_MODE_PREPAID",
        "customer": {"name": "Katherine Johnson"},
        "resource": {"msisdn": MSISDN},
        "price_plan": "PLAN",
        "balance": {"amount_micros": "9007199254740993"},
    }
    with crm_server(database_url) as server:
        got = node(
            "surface",
            target=f"localhost:{server.port}",
            authority=str(authority()),
            token=token("crm_agent"),
            subscriber=subscriber,
            msisdn=MSISDN,
            pin=world,
        )
    assert got["created"]["code"] == 0, got["created"]
    assert got["repeated"]
    assert got["created"]["answer"]["balance"]["amount_micros"] == "9007199254740993"
    assert got["redeemed"]["answer"]["balance_micros"] == "9007199264740993"
    assert got["found"]["answer"]["id"] == got["created"]["answer"]["id"]
    assert got["counts"] == [31] * 20
    assert got["cut"] == 1


def test_node_understands_refusals(world, database_url, tmp_path):
    with crm_server(database_url) as server:
        got = node(
            "errors",
            target=f"localhost:{server.port}",
            authority=str(authority()),
            otherAuthority=str(other_authority(tmp_path / "other")),
            token=token("admin"),
        )
    # A call that was late before it began, and a server that is not trusted, never reach the server.
    assert got == {"missing": 5, "invalid": 3, "forged": 16, "late": 4, "untrusted": got["untrusted"]}
    assert got["untrusted"] in (4, 14)
