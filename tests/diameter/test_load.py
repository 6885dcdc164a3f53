"""The load client: what it plays, what it finds wrong, what it measures."""

from __future__ import annotations

import asyncio
import json
import threading
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.diameter.load import runner
from apps.diameter.load.checks import problems_of
from apps.diameter.load.histogram import Histogram
from apps.diameter.load.runner import LoadPlan, LoadRun
from apps.diameter.load.scenarios import Conversation, Gateway, Party, data_session, sms_event, voice_call
from apps.diameter.protocol.codes import FLAG_ERROR, FLAG_PROXIABLE
from apps.diameter.worker.server import DiameterServer
from tests.diameter.connections import read
from tests.diameter.fake_charging import FakeCharging, generous
from tests.diameter.messages import ccr_avps, message
from tests.diameter.test_server import configuration

GATEWAY = Gateway("gw1.load.test", "load.test", "operator.test")
PARTY = Party("491700000001", "262010000000001")
MSCC = "Multiple-Services-Credit-Control"


def played(conversation: Conversation, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests that a conversation makes when it is given these answers."""
    requests = [next(conversation)]
    for answer in answers:
        try:
            requests.append(conversation.send(answer))
        except StopIteration:
            break
    return requests


def granted(*groups: tuple[int, int], final: bool = False) -> dict[str, Any]:
    end = {"Final-Unit-Indication": {"Final-Unit-Action": 0}} if final else {}
    return {
        "Result-Code": 2001,
        MSCC: [
            {"Granted-Service-Unit": {"CC-Total-Octets": octets}, "Rating-Group": group, "Result-Code": 2001}
            | end
            for group, octets in groups
        ],
    }


def test_a_data_session_reports_every_rating_group_until_it_ends():
    answers = [granted((10, 5_000_000), (20, 300), (30, 1)) for _ in range(3)]

    requests = played(data_session(GATEWAY, PARTY, "s", 0), *answers)

    assert [request["CC-Request-Type"] for request in requests] == [1, 2, 2, 3]
    assert [request["CC-Request-Number"] for request in requests] == [0, 1, 2, 3]
    used = [group["Used-Service-Unit"][0]["CC-Total-Octets"] for group in requests[1][MSCC]]
    assert used == [1_000_000, 300, 1]
    assert all("Requested-Service-Unit" not in group for group in requests[3][MSCC])


def test_a_data_session_ends_when_the_last_units_are_used():
    requests = played(data_session(GATEWAY, PARTY, "s", 0), granted((10, 700), final=True), granted())

    assert [request["CC-Request-Type"] for request in requests] == [1, 3]
    assert requests[1][MSCC][0]["Used-Service-Unit"][0]["CC-Total-Octets"] == 700


@pytest.mark.parametrize("conversation", [data_session, voice_call])
def test_a_refused_session_is_over(conversation):
    assert len(played(conversation(GATEWAY, PARTY, "s", 0), {"Result-Code": 4012})) == 1


def test_a_call_reports_seconds():
    answer = {"Result-Code": 2001, "Granted-Service-Unit": {"CC-Time": 40}}

    requests = played(voice_call(GATEWAY, PARTY, "s", 0), *[answer] * 4)

    assert [request["CC-Request-Type"] for request in requests] == [1, 2, 2, 3]
    assert requests[1]["Used-Service-Unit"] == [{"CC-Time": 40}]
    assert [request["Event-Timestamp"] for request in requests] == [0, 40, 80, 120]


def test_a_message_is_one_event():
    (request,) = played(sms_event(GATEWAY, PARTY, "s", 0), {"Result-Code": 2001})

    assert (request["CC-Request-Type"], request["Requested-Action"]) == (4, 0)


def answer(request: dict[str, Any], flags: int = FLAG_PROXIABLE, **changes: Any) -> Any:
    avps: dict[str, Any] = {
        "Session-Id": request["Session-Id"],
        "Result-Code": 2001,
        "Origin-Host": "ocs.test",
        "Origin-Realm": "operator.test",
        "Auth-Application-Id": 4,
        "CC-Request-Type": request["CC-Request-Type"],
        "CC-Request-Number": request["CC-Request-Number"],
    }
    avps.update({name.replace("_", "-"): value for name, value in changes.items()})
    return read(message(272, avps, flags=flags))


ASKED = ccr_avps(Multiple_Services_Credit_Control=[{"Requested-Service-Unit": {}, "Rating-Group": 10}])
GRANT = {"Granted-Service-Unit": {"CC-Total-Octets": 5}, "Rating-Group": 10, "Result-Code": 2001}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({MSCC: [GRANT]}, None),
        ({"Result-Code": 4012}, "0 of 1 groups were answered"),
        ({MSCC: []}, "0 of 1 groups were answered"),
        ({MSCC: [GRANT | {"Rating-Group": 11}]}, "rating group 10 was answered as 11"),
        (
            {MSCC: [{"Rating-Group": 10, "Result-Code": 2001}]},
            "rating group 10 was granted nothing, with success",
        ),
        (
            {MSCC: [GRANT | {"Granted-Service-Unit": {"CC-Total-Octets": 0}}]},
            "rating group 10 was granted 0 CC-Total-Octets without a final action",
        ),
        ({MSCC: [GRANT], "CC-Request-Number": 9}, "CC-Request-Number is 9, asked was 0"),
        ({MSCC: [GRANT], "Session-Id": "other"}, "Session-Id is other, asked was pgw.test;1700000000;42"),
        ({MSCC: [{**GRANT, "Result-Code": 4012}]}, None),
    ],
)
def test_a_wrong_answer_is_reported_with_its_fault(changes, problem):
    assert problems_of(ASKED, answer(ASKED, **changes)) == ([] if problem is None else [problem])


@pytest.mark.parametrize(("action", "fine"), [(0, False), (1, True), (2, True)])
def test_success_without_units_is_right_only_to_redirect_or_restrict(action, fine):
    told = {"Rating-Group": 10, "Result-Code": 2001, "Final-Unit-Indication": {"Final-Unit-Action": action}}

    assert (problems_of(ASKED, answer(ASKED, **{MSCC: [told]})) == []) is fine


def test_session_id_has_to_be_first():
    found = answer(ASKED, **{MSCC: [GRANT]})
    moved = found._replace(avps={"Result-Code": 2001, **found.avps})

    assert problems_of(ASKED, moved) == ["Session-Id is not first"]


def test_the_e_bit_has_to_fit_the_result_code():
    assert problems_of(ASKED, answer(ASKED, flags=FLAG_PROXIABLE | FLAG_ERROR, **{MSCC: [GRANT]})) == [
        "result code 2001 with the E bit"
    ]


def test_more_than_was_asked_for_is_found():
    asked = ccr_avps(Requested_Service_Unit={"CC-Time": 60})

    found = problems_of(asked, answer(asked, Granted_Service_Unit={"CC-Time": 61}))

    assert found == ["the command was granted 61 CC-Time, asked were 60"]


def test_percentiles_are_within_two_per_cent():
    histogram = Histogram()
    for milliseconds in range(1, 1001):
        histogram.add(milliseconds / 1000)

    assert histogram.percentile_s(50) == pytest.approx(0.5, rel=0.03)
    assert histogram.percentile_s(99) == pytest.approx(0.99, rel=0.03)
    assert histogram.percentile_s(100) == 1.0
    assert Histogram().summary_ms()["p99"] == 0.0


def plan_for(server: DiameterServer, **changes: Any) -> LoadPlan:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.ports[0],
        "parties": [PARTY],
        "destination_realm": "operator.test",
        "seed": 1,
    }
    return LoadPlan(**(values | changes))


def load(charging: FakeCharging | None = None, **changes: Any) -> Any:
    """Run a plan against a server with a fake charging service."""

    async def play() -> Any:
        fake = charging or FakeCharging()
        server = DiameterServer(configuration(), fake)
        await server.start()
        try:
            return await LoadRun(plan_for(server, **changes)).run(1_700_000_000)
        finally:
            await server.stop()
            fake.close()

    return asyncio.run(play())


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pace", [{}, {"rate": 400.0}])
def test_gateways_play_sessions_to_their_end_and_count_what_came(pace):
    fake = FakeCharging()

    result = load(fake, peers=2, sessions=5, requests=200, mix={"data": 2, "sms": 1}, **pace)

    figures = result.summary()
    assert figures["problems"] == {}
    assert figures["requests"] == len(fake.requests) >= 200
    opened = {request.session_id for request in fake.requests if request.operation == "initiate"}
    closed = {request.session_id for request in fake.requests if request.operation == "terminate"}
    assert opened == closed
    assert {request.peer for request in fake.requests} == {"gateway1.load.test", "gateway2.load.test"}
    assert figures["answers"]["initial 2001"] == len(opened)
    assert figures["latency_ms"]["p99"] >= figures["latency_ms"]["p50"] > 0


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_the_gateways_own_lateness_is_told_apart_from_the_servers(monkeypatch: pytest.MonkeyPatch):
    # Far above what a busy machine adds to an answer.
    monkeypatch.setattr(runner, "PACE_S", 2.0)

    figures = load(sessions=100, requests=100, rate=200.0, mix={"sms": 1}).summary()

    assert figures["sent_late_ms"]["max"] > 200
    assert figures["latency_ms"]["p50"] < figures["sent_late_ms"]["p50"]


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_waiting_for_a_server_that_has_every_session_in_hand_counts_as_latency():
    fake = FakeCharging()
    fake.hold()
    threading.Timer(0.5, fake.release).start()

    figures = load(fake, sessions=1, requests=20, rate=50.0, mix={"sms": 1}).summary()

    # Only the first was in flight while nothing was answered; those that came due meanwhile waited as well.
    assert figures["latency_ms"]["p50"] > 50
    assert figures["latency_ms"]["max"] >= 250


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_a_repeat_that_is_answered_differently_is_found():
    numbers = iter(range(1_000_000, 2_000_000))

    def moody(request: Any) -> Any:
        answer = generous(request)
        return answer._replace(items=tuple(item._replace(granted=next(numbers)) for item in answer.items))

    same = load(sessions=2, requests=30, repeat_share=1.0)
    different = load(FakeCharging(moody), sessions=2, requests=30, repeat_share=1.0)

    assert (same.summary()["problems"], same.repeats >= 30) == ({}, True)
    assert "a repeat was answered differently" in different.problems


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_a_server_that_falls_is_asked_again_with_the_t_flag():
    async def play() -> Any:
        fake = FakeCharging()
        first = DiameterServer(configuration(), fake)
        await first.start()
        fake.hold()
        plan = plan_for(first, sessions=3, requests=12, persist=True, mix={"sms": 1})
        run = asyncio.create_task(LoadRun(plan).run(1_700_000_000))
        async with asyncio.timeout(30):
            while len(fake.requests) < 3:
                await asyncio.sleep(0.01)
        for transport in list(first._transports):
            transport.abort()
        fake.release()
        result = await run
        await first.stop()
        fake.close()
        return result, fake.requests

    result, requests = asyncio.run(play())

    assert (result.resent, result.reconnects, result.problems) == (3, 1, {})
    identities = [request.identity for request in requests]
    assert len(identities) - len(set(identities)) == 3


class ServerThread(threading.Thread):
    """A server with a fake charging service beside the test."""

    def __init__(self) -> None:
        super().__init__()
        self.started = threading.Event()
        self.stop = threading.Event()
        self.port = 0

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        fake = FakeCharging()
        server = DiameterServer(configuration(), fake)
        await server.start()
        self.port = server.ports[0]
        self.started.set()
        await asyncio.to_thread(self.stop.wait)
        await server.stop()
        fake.close()


@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
def test_the_command_prints_a_summary_for_programs():
    server = ServerThread()
    server.start()
    server.started.wait(30)
    out = StringIO()
    try:
        call_command(
            "diameterload",
            *("--port", str(server.port), "--destination-realm", "operator.test", "--msisdn", "491700000000"),
            *("--requests", "50", "--sessions", "4", "--json"),
            stdout=out,
        )
    finally:
        server.stop.set()
        server.join()

    figures = json.loads(out.getvalue())
    assert figures["requests"] >= 50
    assert figures["problems"] == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--mix", "video", "--msisdn", "1"], "none of data, voice, sms"),
        (["--msisdn", "x"], "not a number"),
        (["--msisdn", "1", "--rating-groups", "a"], "not a list of numbers"),
        (["--msisdn", "1", "--port", "1"], "cannot be reached"),
    ],
)
def test_wrong_arguments_are_explained(arguments, complaint):
    with pytest.raises(CommandError, match=complaint):
        call_command("diameterload", *arguments)
