"""Diameter in the admin: its lists and pages, and the orders to a session's gateway."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.charging.domain.requests import OnlineRequest, Operation, RequestItem, Units, UsedUnits
from apps.charging.models import ChargingSession, PeerDay, SessionOrder
from apps.charging.services.executor import charge_now
from apps.diameter.models import AnswerCount, Connection, Peer, ServerProcess, ServiceRule
from apps.diameter.selectors import service_map
from apps.diameter.services.counts import add_counts
from apps.kernel.clock import utc_now
from apps.rating.models import Service
from tests.charging.stored import make_prepaid, msisdn

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    found = Client()
    found.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    return found


@pytest.fixture
def session() -> ChargingSession:
    make_prepaid()
    item = RequestItem("data", "", Units(total_octets=1_000), rating_group=10)
    request = OnlineRequest(
        Operation.INITIATE, "pgw.test;1", 0, utc_now(), msisdn=msisdn(), items=(item,), peer="pgw.test"
    )
    assert charge_now(request, utc_now()).result == "success"
    return ChargingSession.objects.get()


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:diameter_{name}", args=arguments)


def test_lists_and_pages_show_the_rows(client, session):
    now = utc_now()
    peer = Peer.objects.create(host="pgw.test")
    process = ServerProcess.objects.create(
        key="k", origin_host="ocs.test", address="127.0.0.1:3868", pid=1, started_at=now, heartbeat_at=now
    )
    connection = Connection.objects.create(
        peer_host="pgw.test",
        peer_realm="visited.test",
        process=process,
        token="t",
        remote="x:1",
        opened_at=now,
    )
    rule = ServiceRule.objects.create(rating_group=99, service=Service.objects.get(code="data"))
    add_counts({("pgw.test", "CCR-I", 2001): 12_345, ("pgw.test", "CCR-U", 4012): 3}, now)
    order = SessionOrder.objects.create(
        kind="rar", session_id="s", route="pgw.test", peer="pgw.test", cause="c", created_at=now
    )
    shown = {
        "peer": (peer, "Connected"),
        "serverprocess": (process, "127.0.0.1:3868"),
        "connection": (connection, "visited.test"),
        "servicerule": (rule, "99"),
        "answercount": (AnswerCount.objects.get(result_code=2001), "12\u202f345"),
    }
    for name, (row, text) in shown.items():
        listed = client.get(page(f"{name}_changelist"))
        assert text in listed.content.decode(), name
        assert client.get(page(f"{name}_change", row.pk)).status_code == 200
    listed = client.get(reverse("admin:charging_sessionorder_changelist"))
    assert "To be sent" in listed.content.decode()
    assert client.get(reverse("admin:charging_sessionorder_change", args=(order.pk,))).status_code == 200


@pytest.mark.parametrize(("action", "kind"), [("reauthorise", "rar"), ("abort", "asr")])
def test_a_sessions_gateway_is_told_once_asked(client, session, action, kind):
    url = reverse("admin:charging_chargingsession_do", args=(session.pk, action))
    assert client.get(url).status_code == 200
    assert not SessionOrder.objects.exists()

    answer = client.post(url, follow=True)

    order = SessionOrder.objects.get()
    assert (order.kind, order.session_id, order.peer, order.session_row) == (
        kind,
        "pgw.test;1",
        "pgw.test",
        session.pk,
    )
    assert "The gateway is told" in answer.content.decode()
    panel = client.get(
        reverse("admin:charging_chargingsession_change", args=(session.pk,)), {"panel": "orders"}
    )
    assert "To be sent" in panel.content.decode()


def test_names_of_peers_are_kept_in_small_letters_and_wrong_ones_explained(client):
    fields = {
        "host": "PGW.Test",
        "realm": "",
        "served_realms": "*",
        "served_hosts": "",
        "sessions_belong_to": "peer",
        "max_requests_in_flight": "0",
    }

    wrong = client.post(page("peer_add"), fields)
    assert "small letters" in wrong.content.decode()

    client.post(page("peer_add"), fields | {"host": "pgw.test", "enabled": "on"})
    assert Peer.objects.get().host == "pgw.test"


def test_configured_rules_come_before_those_of_3gpp():
    make_prepaid()
    ServiceRule.objects.create(context="32251@3gpp.org", service=Service.objects.get(code="sms"))
    ServiceRule.objects.create(rating_group=7, service=Service.objects.get(code="voice"))

    services = service_map()

    assert services.service("32251@3gpp.org", 1, None) == "sms"
    assert services.service("8.32251@3gpp.org", 7, None) == "voice"
    assert services.service("32274@3gpp.org", None, None) == "sms"
    ServiceRule.objects.filter(rating_group=7).update(charging_mode="*rated")
    assert service_map().charging_mode("8.32251@3gpp.org", 7, None) == "*rated"


def test_counts_of_an_hour_add_up():
    make_prepaid()
    now = utc_now().replace(minute=5)
    add_counts({("pgw.test", "CCR-I", 2001): 2}, now)
    add_counts({("pgw.test", "CCR-I", 2001): 3}, now.replace(minute=50))

    assert AnswerCount.objects.get().answers == 5


def test_a_sessions_page_shows_what_could_not_be_charged(client, session):
    absurd = UsedUnits(Units(total_octets=2**60))
    item = RequestItem("data", used=(absurd,), rating_group=10)
    request = OnlineRequest(Operation.UPDATE, session.session_id, 1, utc_now(), items=(item,))
    assert charge_now(request, utc_now()).result == "invalid_value"

    shown = client.get(
        reverse("admin:charging_chargingsession_change", args=[session.pk]), {"panel": "quotas"}
    )

    text = shown.content.decode()
    assert "Not charged" in text
    assert "1,152,921,504,606,846,976" in text.replace("\u202f", ",").replace("\u00a0", ",")


def test_what_peers_moved_and_were_refused_is_listed(client):
    PeerDay.objects.create(
        peer="pgw.test",
        day=utc_now().date(),
        currency="EUR",
        refunded_micros=2_000_000,
        refusals=3,
        refused_micros=1_000_000_000_000,
        last_refusal="refund_exceeds_debits: account C1, pgw.test;1",
    )
    text = client.get(reverse("admin:charging_peerday_changelist")).content.decode()
    assert "refund_exceeds_debits: account C1" in text
    assert "2.00" in text


def test_a_peers_limit_is_taken_in_units_of_money(client):
    fields = {
        "host": "pgw.test",
        "sessions_belong_to": "realm",
        "money_a_day_micros": "250.50",
        "enabled": "on",
    }
    fields |= {"max_requests_in_flight": "0"}
    client.post(page("peer_add"), fields)
    peer = Peer.objects.get()
    assert (peer.money_a_day_micros, peer.sessions_belong_to) == (250_500_000, "realm")
