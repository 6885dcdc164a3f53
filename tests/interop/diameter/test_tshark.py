"""tshark over what the server sends: grants, refusals, errors with Failed-AVP, requests of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from apps.charging.domain.requests import AnswerItem, ChargingAnswer, FinalUnit, FinalUnitAction, Result
from apps.charging.services.session_orders import order_abort, order_reauthorisation
from apps.diameter.load.client import GatewayClient
from apps.diameter.models import Peer
from apps.diameter.worker.server import DiameterServer
from apps.kernel.clock import utc_now
from tests.diameter.connections import read
from tests.diameter.fake_charging import FakeCharging, generous
from tests.diameter.messages import ccr, ccr_avps, cer, dwr, message, raw_avp
from tests.diameter.test_server import configuration, eventually, gateway, open_session, split_whole
from tests.interop.diameter.recording import Chunk, RecordingRelay, complaints_of_tshark

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]

MSCC = "Multiple-Services-Credit-Control"
FINALS = (
    FinalUnit(),
    FinalUnit(FinalUnitAction.REDIRECT, "http://topup.test/"),
    FinalUnit(FinalUnitAction.RESTRICT, "", ("permit in ip from any to 10.0.0.1", "only-topup")),
)


def varied(request: Any) -> ChargingAnswer:
    """An answer with everything that an answer may have, a different final action for each rating group."""
    if request.number == 1:
        refused = AnswerItem("data", Result.CREDIT_LIMIT_REACHED, 10, None, "data", 0, FinalUnit())
        return ChargingAnswer(
            Result.CREDIT_LIMIT_REACHED, (refused,) * len(request.items), reason="credit_limit_reached"
        )
    if request.number == 2:
        items = tuple(
            AnswerItem("", Result.RATING_FAILED, item.rating_group, granted=0) for item in request.items
        )
        return ChargingAnswer(Result.RATING_FAILED, items, reason="unknown_service")
    answer = generous(request)
    now = utc_now()
    return answer._replace(
        cost_micros=1_250_000,
        items=tuple(
            item._replace(
                final=final, quota_holding_s=300, threshold=1_000, service_identifier=7, tariff_change_at=now
            )
            for item, final in zip(answer.items, FINALS, strict=False)
        ),
    )


def groups(*numbers: int) -> list[dict[str, Any]]:
    return [{"Requested-Service-Unit": {}, "Rating-Group": number} for number in numbers]


def capture_of(tmp_path: Path, play: Any) -> RecordingRelay:
    """Play through a relay against a server with a fake charging service."""

    async def scenario() -> RecordingRelay:
        charging = FakeCharging(varied)
        server = DiameterServer(configuration(), charging)
        await server.start()
        with RecordingRelay(server.ports[0]) as relay:
            await play(relay.port)
            await server.stop()
            charging.close()
        relay.write_capture(tmp_path / "server.pcap")
        return relay

    return asyncio.run(scenario())


def test_nothing_that_the_server_answers_is_malformed(tmp_path):
    Peer.objects.create(host="pgw.test", tariff_time_change=True, failure_handling=1)

    async def play(port: int) -> None:
        client: GatewayClient = gateway()
        await client.connect("127.0.0.1", port)
        for number in range(3):
            await client.request(ccr_avps(1, number, **{MSCC: groups(10, 20, 30)}))
        for action in range(4):
            await client.request(
                ccr_avps(4, 9, Requested_Action=action, Requested_Service_Unit={"CC-Time": 5})
            )
        await client.request(ccr_avps(1, 9, Requested_Service_Unit={"CC-Time": 5}, CC_Sub_Session_Id=5))
        now = utc_now()
        await asyncio.to_thread(order_reauthorisation, open_session("s;1"), "one", now, 10)
        await asyncio.to_thread(order_abort, open_session("s;2"), "two", now)

        async def both_sent() -> bool:
            from apps.charging.models import SessionOrder

            return await asyncio.to_thread(SessionOrder.objects.filter(status="done").count) == 2

        await eventually(both_sent)

    relay = capture_of(tmp_path, play)

    sent = [int.from_bytes(data[5:8], "big") for data in relay.messages(from_server=True)]
    assert sent.count(272) == 8
    assert {257, 258, 274, 282} <= set(sent)
    assert complaints_of_tshark(tmp_path / "server.pcap") == []


FAULTY = {
    5001: ccr(extra=raw_avp(64000, b"what")),
    5004: ccr(CC_Request_Type=9),
    5005: ccr(Service_Context_Id=None),
    5009: ccr(extra=raw_avp(415, bytes(4))),
    5011: b"\x02" + ccr()[1:],
    5014: ccr(extra=raw_avp(415, bytes(2), length=4)),
    3001: message(271, raw_avp(263, b"s")),
    3002: ccr(Destination_Host="another.test"),
    3003: ccr(Destination_Realm="elsewhere.test"),
    3007: message(272, b"", application=16777238),
    3009: ccr(extra=raw_avp(55, bytes(8), flags=0xC0)),
}


def test_nothing_that_the_server_says_of_faulty_requests_is_malformed(tmp_path):
    async def play(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(cer() + dwr() + b"".join(FAULTY.values()))
        received = b""
        async with asyncio.timeout(30):
            while len(split_whole(received)) < 2 + len(FAULTY):
                received += await reader.read(65_536)
        codes = [read(data).avps["Result-Code"] for data in split_whole(received)[2:]]
        assert codes == list(FAULTY)
        writer.close()

    capture_of(tmp_path, play)

    assert complaints_of_tshark(tmp_path / "server.pcap") == []


def test_tshark_reports_malformed_messages(tmp_path):
    relay = RecordingRelay(0)
    relay.chunks.append(Chunk(0, True, ccr(extra=raw_avp(415, bytes(2), length=6))))
    relay.write_capture(tmp_path / "broken.pcap")

    assert complaints_of_tshark(tmp_path / "broken.pcap") != []
