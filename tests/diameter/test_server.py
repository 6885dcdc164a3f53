"""The server over real sockets, with a charging service that is always generous."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.charging.domain.requests import ChargingAnswer, Result
from apps.charging.domain.sessions import peer_of_route
from apps.charging.models import ChargingSession, SessionOrder
from apps.charging.services.executor import ChargingUnavailable
from apps.charging.services.session_orders import order_abort, order_reauthorisation
from apps.diameter.load.client import ConnectionRefused
from apps.diameter.models import AnswerCount, Connection, Peer, ServerProcess
from apps.diameter.protocol.codes import Command
from apps.diameter.services.orders import route_from_text
from apps.diameter.worker.configuration import TlsFiles
from apps.diameter.worker.server import DiameterServer
from tests.diameter.connections import read
from tests.diameter.fake_charging import FakeCharging
from tests.diameter.messages import ccr, ccr_avps, cer, raw_avp
from tests.diameter.servers import (
    configuration,
    eventually,
    gateway,
    nobody_is_connected,
    run,
    running,
    split_whole,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_gateway_is_let_in_served_and_counted():
    async def scenario() -> None:
        async with running() as (server, charging):
            client = gateway()
            await client.connect("127.0.0.1", server.ports[0])
            groups = [{"Requested-Service-Unit": {"CC-Total-Octets": 5_000}, "Rating-Group": 10}]

            answer = await client.request(ccr_avps(Multiple_Services_Credit_Control=groups))

            assert answer.avps["Result-Code"] == 2001
            (group,) = answer.avps["Multiple-Services-Credit-Control"]
            assert group["Granted-Service-Unit"] == {"CC-Total-Octets": 5_000}
            assert charging.requests[0].peer == "pgw.test"
            await client.leave()

    run(scenario)
    assert list(AnswerCount.objects.values_list("peer_host", "request", "result_code", "answers")) == [
        ("pgw.test", "CCR-I", 2001, 1)
    ]
    assert not ServerProcess.objects.exists()


def test_charging_is_told_which_requests_may_be_repeats():
    async def scenario() -> None:
        async with running() as (server, charging):
            client = gateway()
            await client.connect("127.0.0.1", server.ports[0])
            for retransmitted in (False, True):
                await client.request(ccr_avps(), retransmitted)

            assert [request.repeated for request in charging.requests] == [False, True]
            await client.leave()

    run(scenario)


def test_requests_that_come_together_or_octet_by_octet_are_all_answered():
    async def scenario() -> None:
        async with running() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[0])
            stream = b"".join(ccr(2, number, hop_by_hop=number) for number in range(20))
            writer.write(cer() + stream)
            for position in range(len(ccr(2, 99))):
                writer.write(ccr(2, 99, hop_by_hop=99)[position : position + 1])
                await writer.drain()
            received = b""
            async with asyncio.timeout(30):
                while len(split_whole(received)) < 22:
                    received += await reader.read(65_536)
            ids = [int.from_bytes(data[12:16], "big") for data in split_whole(received)]
            assert ids == [11, *range(20), 99]
            writer.close()

    run(scenario)


def test_a_peer_that_is_not_configured_is_turned_away():
    async def scenario() -> None:
        async with running(accept_unknown_peers=False) as (server, _):
            with pytest.raises(ConnectionRefused, match=r"3010.*not configured"):
                await gateway().connect("127.0.0.1", server.ports[0])

    run(scenario)


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        ({"enabled": False}, "3010.*disabled"),
        ({"realm": "other.test"}, "3010.*realm"),
        ({"requires_tls": True}, "5017.*TLS"),
    ],
)
def test_a_peers_own_terms_can_keep_it_out(peer, reason):
    Peer.objects.create(host="pgw.test", **peer)

    async def scenario() -> None:
        async with running() as (server, _):
            with pytest.raises(ConnectionRefused, match=reason):
                await gateway().connect("127.0.0.1", server.ports[0])

    run(scenario)


def test_a_peers_own_terms_decide_how_it_is_read():
    Peer.objects.create(host="pgw.test", ignore_unknown_mandatory=True, served_realms="*", failure_handling=1)

    async def scenario() -> None:
        async with running() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[0])
            writer.write(cer() + ccr(extra=raw_avp(64000, b"x"), Destination_Realm="anything.test"))
            received = b""
            async with asyncio.timeout(30):
                while len(split_whole(received)) < 2:
                    received += await reader.read(65_536)
            answer = read(split_whole(received)[1])
            assert answer.avps["Result-Code"] == 2001
            assert answer.avps["Credit-Control-Failure-Handling"] == 1
            writer.close()

    run(scenario)


RADIUS_ATTRIBUTES = {
    # RFC 7155, with the M bit as a gateway sends them beside a session's other facts.
    2: b"secret", 4: b"\x0a\0\0\1", 5: bytes(4), 6: b"\0\0\0\2", 7: b"\0\0\0\7", 8: b"\x0a\1\2\3", 9: b"\xff" * 4,
    12: b"\0\0\5\xdc", 22: b"route", 24: b"state", 28: bytes(4), 31: b"491700000001", 32: b"nas", 40: b"\0\0\0\1",
    41: bytes(4), 45: b"\0\0\0\1", 46: bytes(4), 61: b"\0\0\0\x12", 77: b"info", 87: b"port", 88: b"pool",
    89: b"\xff\0", 95: bytes(16), 96: bytes(8), 97: b"\0\x40" + bytes(8), 99: b"::/0", 100: b"pool6",
    123: b"\0\x38" + bytes(7), 126: b"1op", 168: bytes(16), 169: bytes(16), 363: bytes(8), 401: b"", 408: b"\0\0\0\1",
}  # fmt: skip


def test_a_strict_peer_may_send_standard_attributes_and_none_of_a_vendor_that_is_unknown():
    attributes = b"".join(raw_avp(code, data) for code, data in RADIUS_ATTRIBUTES.items())
    # TS 29.061: 3GPP's own, at the top level as some gateways have them.
    attributes += b"".join(
        raw_avp(code, data, vendor=10415)
        for code, data in (
            (1, b"262010000000001"),
            (6, bytes(4)),
            (22, bytes(8)),
            (28, b"id"),
            (900, bytes(6)),
        )
    )
    within = raw_avp(873, raw_avp(874, attributes, vendor=10415), vendor=10415)

    async def scenario() -> None:
        async with running() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[0])
            vendors_own = raw_avp(8, b"\x0a\1\2\3", vendor=193)
            writer.write(
                cer() + ccr(extra=attributes) + ccr(2, 1, extra=within) + ccr(2, 2, extra=vendors_own)
            )
            received = b""
            async with asyncio.timeout(30):
                while len(split_whole(received)) < 4:
                    received += await reader.read(65_536)
            answers = {
                avps.avps.get("CC-Request-Number"): avps.avps for avps in map(read, split_whole(received))
            }
            assert (answers[0]["Result-Code"], answers[1]["Result-Code"]) == (2001, 2001)
            assert (answers[2]["Result-Code"], answers[2]["Failed-AVP"]) == (5001, vendors_own)
            writer.close()

    run(scenario)


def test_a_second_connection_of_a_peer_is_refused_in_any_process():
    async def scenario() -> None:
        async with running() as (first, _), running() as (second, _):
            client = gateway()
            await client.connect("127.0.0.1", first.ports[0])
            for server in (first, second):
                with pytest.raises(ConnectionRefused, match="connected already"):
                    await gateway("PGW.test").connect("127.0.0.1", server.ports[0])
            assert (await client.request(ccr_avps())).avps["Result-Code"] == 2001
            await client.leave()

    run(scenario)


def test_a_peer_costs_no_thread():
    async def scenario() -> None:
        async with running() as (server, _):
            before = threading.active_count()
            clients = [gateway(f"pgw{number}.test") for number in range(20)]
            for client in clients:
                await client.connect("127.0.0.1", server.ports[0])
                await client.request(ccr_avps())
            assert threading.active_count() <= before + 1
            for client in clients:
                await client.leave()

    run(scenario)


def test_a_peer_may_come_back_after_it_left_or_fell():
    async def scenario() -> None:
        async with running() as (server, _):
            client = gateway()
            await client.connect("127.0.0.1", server.ports[0])
            await client.leave()
            await eventually(nobody_is_connected)
            await client.connect("127.0.0.1", server.ports[0])
            client.drop()
            await eventually(nobody_is_connected)
            await client.connect("127.0.0.1", server.ports[0])
            assert (await client.request(ccr_avps())).avps["Result-Code"] == 2001

    run(scenario)


def test_a_dead_process_owns_nothing():
    ServerProcess.objects.create(
        key="dead",
        origin_host="ocs.test",
        address="x",
        pid=1,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        heartbeat_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    Connection.objects.create(
        peer_host="pgw.test",
        peer_realm="visited.test",
        process_id="dead",
        token="t",
        remote="x",
        opened_at=datetime(2026, 1, 1, tzinfo=UTC),
    )

    async def scenario() -> None:
        async with running() as (server, _):
            await gateway().connect("127.0.0.1", server.ports[0])

    run(scenario)


def test_stopping_answers_requests_in_flight_and_sends_a_dpr():
    async def scenario() -> None:
        charging = FakeCharging()
        server = DiameterServer(configuration(), charging)
        await server.start()
        client = gateway()
        await client.connect("127.0.0.1", server.ports[0])
        charging.hold()
        asked = asyncio.create_task(client.request(ccr_avps()))

        async def arrived() -> bool:
            return len(charging.requests) == 1

        await eventually(arrived)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.05)
        charging.release()

        assert (await asked).avps["Result-Code"] == 2001
        await stopping
        assert client.ended == "the peer left: REBOOTING"
        with pytest.raises(OSError):
            await gateway("other.test").connect("127.0.0.1", server.ports[0])
        charging.close()

    run(scenario)


def test_more_requests_than_the_process_may_hold_are_told_it_is_busy():
    async def scenario() -> None:
        async with running(max_requests=3) as (server, charging):
            client = gateway()
            await client.connect("127.0.0.1", server.ports[0])
            charging.hold()
            asked = [asyncio.create_task(client.request(ccr_avps(1, number))) for number in range(5)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().avps["Result-Code"] for task in done} == {3004}
            charging.release()
            codes = [(await task).avps["Result-Code"] for task in asked]
            assert sorted(codes) == [2001, 2001, 2001, 3004, 3004]

    run(scenario)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (ChargingUnavailable("the database does not answer"), 3004),
        (ChargingAnswer(Result.UNABLE_TO_COMPLY, reason="internal_error"), 5012),
    ],
)
def test_a_request_that_cannot_be_charged_is_answered_all_the_same(reply, code):
    async def scenario() -> None:
        async with running(FakeCharging(lambda request: reply)) as (server, _):
            client = gateway()
            await client.connect("127.0.0.1", server.ports[0])
            assert (await client.request(ccr_avps())).avps["Result-Code"] == code

    run(scenario)


def test_an_event_without_an_action_is_refused_without_being_charged():
    async def scenario() -> None:
        async with running() as (server, charging):
            client = gateway()
            await client.connect("127.0.0.1", server.ports[0])
            answer = await client.request(ccr_avps(4, 0))
            assert (answer.avps["Result-Code"], answer.avps["Failed-AVP"]) == (5005, raw_avp(436, bytes(4)))
            assert charging.requests == []

    run(scenario)


def open_session(session_id: str, route: str = "pgw.test") -> ChargingSession:
    return ChargingSession(session_id=session_id, status=ChargingSession.Status.OPEN, peer=route)


def test_orders_are_sent_by_the_process_that_owns_the_connection():
    asked: list[tuple[int, dict[str, Any]]] = []

    def on_server_request(request: Any) -> int:
        asked.append((request.header.command, request.avps))
        return 2002 if request.header.command == Command.RE_AUTH else 2001

    async def scenario() -> None:
        async with running() as (first, _), running() as (second, _):
            bystander = gateway("other.test")
            await bystander.connect("127.0.0.1", first.ports[0])
            client = gateway(on_server_request=on_server_request)
            await client.connect("127.0.0.1", second.ports[0])
            now = datetime.now(UTC)
            await asyncio.to_thread(order_reauthorisation, open_session("s;1"), "top-up 1", now, 10)
            await asyncio.to_thread(
                order_abort, open_session("s;2", "pgw9.test/far.test/pgw.test"), "suspended", now
            )

            async def both_done() -> bool:
                done = SessionOrder.objects.filter(status=SessionOrder.Status.DONE)
                return await asyncio.to_thread(done.count) == 2

            await eventually(both_done)

    run(scenario)
    rar, asr = sorted(asked)
    assert (rar[0], rar[1]["Session-Id"], rar[1]["Rating-Group"]) == (258, "s;1", 10)
    assert (rar[1]["Destination-Host"], rar[1]["Destination-Realm"]) == ("pgw.test", "visited.test")
    assert rar[1]["Re-Auth-Request-Type"] == 0
    assert (asr[0], asr[1]["Destination-Host"], asr[1]["Destination-Realm"]) == (274, "pgw9.test", "far.test")
    codes = SessionOrder.objects.order_by("id").values_list("kind", "result_code")
    assert list(codes) == [("rar", 2002), ("asr", 2001)]


def test_a_cause_orders_once():
    now = datetime.now(UTC)

    assert order_abort(open_session("s;1"), "suspended", now) is not None
    assert order_abort(open_session("s;1"), "suspended", now) is None


def test_a_route_leads_back_to_the_connection():
    assert route_from_text("PGW.test") == ("PGW.test", "")
    assert route_from_text("pgw.test/visited.test/DRA.test") == ("pgw.test", "visited.test")
    assert [peer_of_route(route) for route in ("PGW.test", "pgw.test/visited.test/DRA.test")] == [
        "pgw.test",
        "dra.test",
    ]


def test_tls_from_the_first_octet(tmp_path):
    import ssl

    from tests.diameter.certificates import certificate_files

    files = certificate_files(tmp_path)
    Peer.objects.create(host="pgw.test", requires_tls=True)

    async def scenario() -> None:
        tls = TlsFiles(files.server_certificate, files.server_key, files.authority)
        async with running(tls_port=0, tls=tls) as (server, _):
            context = ssl.create_default_context(cafile=files.authority)
            context.load_cert_chain(files.client_certificate, files.client_key)
            client = gateway()
            await client.connect("127.0.0.1", server.ports[1], context)
            assert (await client.request(ccr_avps())).avps["Result-Code"] == 2001
            await client.leave()
            with pytest.raises(ConnectionRefused, match=r"3010.*certificate is not somebody.test's"):
                await gateway("somebody.test").connect("127.0.0.1", server.ports[1], context)
            nameless = ssl.create_default_context(cafile=files.authority)
            with pytest.raises((ConnectionRefused, OSError)):
                await gateway().connect("127.0.0.1", server.ports[1], nameless)

    run(scenario)
