"""One connection's life: introduction, requests, watchdog, good-byes."""

from __future__ import annotations

import pytest

from apps.diameter.protocol.codes import FLAG_ERROR, FLAG_PROXIABLE, FLAG_REQUEST, Command, DisconnectCause
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import PeerPolicy
from apps.diameter.protocol.peer import PeerConnection
from apps.diameter.protocol.peer_events import (
    AnswerReceived,
    AnswerUnmatched,
    CapabilitiesReceived,
    ConnectionEnded,
    PeerOpened,
    RequestFailed,
)
from apps.diameter.protocol.peer_states import TRANSITIONS, PeerState
from apps.diameter.protocol.watchdog import TRANSITIONS as WATCHDOG_TRANSITIONS
from apps.diameter.protocol.watchdog import Watchdog, WatchdogAction, WatchdogInput, WatchdogState
from tests.diameter.connections import (
    answer_to,
    answers_of,
    no_jitter,
    open_connection,
    read,
    requests_of,
    split,
    waiting_connection,
)
from tests.diameter.messages import GATEWAY, SERVER, SESSION_ID, ccr, cer, dpr, dwr, message, raw_avp

SMALL = encode_avps({"Session-Id": SESSION_ID, "Result-Code": 2001})


def ended(events):
    return [event.reason for event in events if isinstance(event, ConnectionEnded)]


def client_connection() -> PeerConnection:
    return PeerConnection(
        GATEWAY,
        now=0.0,
        jitter=no_jitter,
        first_id=5,
        initiator=True,
        serves=frozenset((int(Command.RE_AUTH), int(Command.ABORT_SESSION))),
    )


def test_two_ends_introduce_themselves_ask_and_part():
    client, server = client_connection(), waiting_connection()

    (seen,) = server.receive(client.take_octets(), 0.0)
    assert seen.origin_host == "pgw.test"
    server.accept(PeerPolicy(), 0.0)
    assert client.receive(server.take_octets(), 0.0) == [PeerOpened("ocs.test", "operator.test")]

    client.send_request(Command.CREDIT_CONTROL, read(ccr()).avps, 1.0, 7)
    (request,) = requests_of(server.receive(client.take_octets(), 1.0))
    server.answer(
        request,
        encode_avps(
            {
                "Session-Id": SESSION_ID,
                "Result-Code": 2001,
                "Origin-Host": "ocs.test",
                "Origin-Realm": "operator.test",
                "Auth-Application-Id": 4,
                "CC-Request-Type": 1,
                "CC-Request-Number": 0,
            }
        ),
        1.0,
    )
    (answer,) = client.receive(server.take_octets(), 1.0)
    assert (answer.token, answer.message.avps["Result-Code"]) == (7, 2001)

    client.stop(DisconnectCause.REBOOTING, 2.0)
    assert server.receive(client.take_octets(), 2.0) == []
    assert ended(client.receive(server.take_octets(), 2.0)) == ["ended by this side"]
    assert ended(server.lost("closed", 2.0)) == ["the peer left: REBOOTING"]


def test_the_cea_says_what_the_server_speaks():
    connection = waiting_connection()
    connection.receive(cer(), 0.0)
    connection.accept(PeerPolicy(), 0.0)

    (cea,) = answers_of(connection)

    assert cea.header[2:6] == (0, 257, 0, 11)
    assert cea.avps == {
        "Result-Code": 2001,
        "Origin-Host": "ocs.test",
        "Origin-Realm": "operator.test",
        "Host-IP-Address": [b"\0\1\x7f\0\0\1"],
        "Vendor-Id": 0,
        "Product-Name": "BSS",
        "Origin-State-Id": 7,
        "Supported-Vendor-Id": [10415],
        "Auth-Application-Id": [4],
        "Firmware-Revision": 1,
    }


@pytest.mark.parametrize("first", [ccr(), dwr(), dpr(), message(257, b"", flags=0, application=0)])
def test_anything_before_the_cer_ends_the_connection_unanswered(first):
    connection = waiting_connection()

    assert len(ended(connection.receive(first, 0.0))) == 1
    assert connection.take_octets() == b""


def test_no_cer_in_time_ends_the_connection():
    connection = waiting_connection(Limits(capabilities_timeout_s=10))

    assert ended(connection.tick(9.9)) == []
    assert connection.next_deadline() == 10.0
    assert ended(connection.tick(10.0)) == ["no CER came in time"]


def test_a_cer_with_a_fault_gets_a_cea_that_says_so_and_no_connection():
    connection = waiting_connection()

    events = connection.receive(cer(Origin_Host=None), 0.0)

    (cea,) = answers_of(connection)
    assert cea.avps["Result-Code"] == 5005
    assert cea.avps["Failed-AVP"][:4] == (264).to_bytes(4, "big")
    assert not cea.header.is_error
    assert len(ended(events)) == 1


@pytest.mark.parametrize(
    "offer",
    [
        {"Auth_Application_Id": None, "Acct_Application_Id": [4]},
        {"Auth_Application_Id": [0xFFFFFFFF]},
        {"Auth_Application_Id": [16777238, 4]},
        {
            "Auth_Application_Id": None,
            "Vendor_Specific_Application_Id": [{"Vendor-Id": [10415], "Auth-Application-Id": 4}],
        },
    ],
)
def test_credit_control_is_common_however_it_is_offered(offer):
    connection = waiting_connection()

    (event,) = connection.receive(cer(**offer), 0.0)

    assert isinstance(event, CapabilitiesReceived)
    assert event.common_applications == {4}


def test_no_common_application_is_said_and_ends_the_connection():
    connection = waiting_connection()

    events = connection.receive(cer(Auth_Application_Id=[16777238]), 0.0)

    (cea,) = answers_of(connection)
    assert (cea.avps["Result-Code"], cea.header.is_error) == (5010, False)
    assert len(ended(events)) == 1


def test_a_peer_that_wants_in_band_tls_only_is_told_there_is_none():
    connection = waiting_connection()
    connection.receive(cer(Inband_Security_Id=[1]), 0.0)

    assert answers_of(connection)[0].avps["Result-Code"] == 5017


def test_an_unknown_peer_is_turned_away_with_the_e_bit():
    connection = waiting_connection()
    connection.receive(cer(), 0.0)

    events = connection.refuse(3010, "pgw.test is not configured here", 0.0)

    (cea,) = answers_of(connection)
    assert (cea.avps["Result-Code"], cea.header.is_error) == (3010, True)
    assert cea.avps["Error-Message"] == "pgw.test is not configured here"
    assert ended(events) == ["pgw.test is not configured here"]


def test_what_comes_while_the_peer_is_looked_up_waits():
    connection = waiting_connection()
    connection.receive(cer() + ccr(hop_by_hop=1) + ccr(hop_by_hop=2)[:50], 0.0)
    assert not connection.reads_on()

    requests = requests_of(connection.accept(PeerPolicy(), 0.0))
    assert [request.header.hop_by_hop for request in requests] == [1]

    requests = requests_of(connection.receive(ccr(hop_by_hop=2)[50:], 0.0))
    assert [request.header.hop_by_hop for request in requests] == [2]


def test_a_watchdog_request_is_answered():
    answer = answer_to(dwr(hop_by_hop=99))

    assert (answer.header.command, answer.header.hop_by_hop) == (280, 99)
    assert answer.avps["Result-Code"] == 2001


def test_proxy_info_is_echoed_in_order_and_the_p_bit_is_copied():
    proxies = [
        raw_avp(284, raw_avp(280, host) + raw_avp(33, state))
        for host, state in ((b"a", b"\0\1"), (b"b", b"\2"))
    ]
    for flags in (FLAG_REQUEST, FLAG_REQUEST | FLAG_PROXIABLE):
        connection = open_connection()
        data = bytearray(ccr(extra=b"".join(proxies)))
        data[4] = flags
        (request,) = requests_of(connection.receive(bytes(data), 1.0))

        connection.answer(request, SMALL, 1.0)

        sent = connection.take_octets()
        assert sent.endswith(b"".join(proxies))
        assert sent[4] == flags & FLAG_PROXIABLE


def test_an_error_answer_echoes_proxy_info_too():
    proxy = raw_avp(284, raw_avp(280, b"relay") + raw_avp(33, b"\xff\0\xfe"))
    connection = open_connection()
    connection.receive(ccr(extra=proxy + raw_avp(64000, b"")), 1.0)

    assert connection.take_octets().endswith(proxy)


def test_answers_may_be_given_in_any_order():
    connection = open_connection()
    requests = requests_of(connection.receive(ccr(hop_by_hop=1) + ccr(hop_by_hop=2) + ccr(hop_by_hop=3), 1.0))

    for request in reversed(requests):
        connection.answer(request, SMALL, 1.0)

    sent = split(connection.take_octets())
    assert [int.from_bytes(data[12:16], "big") for data in sent] == [3, 2, 1]


def test_a_request_is_answered_once():
    connection = open_connection()
    (request,) = requests_of(connection.receive(ccr(), 1.0))
    connection.answer(request, SMALL, 1.0)

    with pytest.raises(ValueError, match="answered already"):
        connection.answer(request, SMALL, 1.0)


def test_more_requests_in_flight_than_the_limit_are_told_it_is_busy():
    connection = open_connection(Limits(max_requests_in_flight=2))

    requests = requests_of(connection.receive(b"".join(ccr(hop_by_hop=n) for n in range(3)), 1.0))

    assert len(requests) == 2
    (busy,) = answers_of(connection)
    assert (busy.header.hop_by_hop, busy.avps["Result-Code"], busy.header.is_error) == (2, 3004, True)
    connection.answer(requests[0], SMALL, 1.0)
    assert len(requests_of(connection.receive(ccr(hop_by_hop=4), 1.0))) == 1


def test_a_request_of_this_side_meets_its_answer():
    connection = open_connection()
    avps = {"Session-Id": SESSION_ID, "Origin-Host": "ocs.test", "Origin-Realm": "operator.test"}
    target = {"Destination-Realm": "visited.test", "Destination-Host": "pgw.test", "Auth-Application-Id": 4}
    connection.send_request(Command.ABORT_SESSION, avps | target, 1.0, 8)
    (asr,) = answers_of(connection)
    assert (asr.header.is_request, asr.header.application) == (True, 4)

    answer = message(
        274,
        {
            "Session-Id": SESSION_ID,
            "Result-Code": 2001,
            "Origin-Host": "pgw.test",
            "Origin-Realm": "visited.test",
        },
        flags=FLAG_PROXIABLE,
        hop_by_hop=asr.header.hop_by_hop,
    )
    (event,) = connection.receive(answer, 1.5)

    assert isinstance(event, AnswerReceived)
    assert event.token == 8
    assert [type(e) for e in connection.receive(answer, 1.5)] == [AnswerUnmatched]


def test_a_request_of_this_side_fails_when_its_time_is_over_or_the_connection_ends():
    connection = open_connection(Limits(request_timeout_s=10, watchdog_s=60))
    avps = {
        "Session-Id": SESSION_ID,
        "Origin-Host": "ocs.test",
        "Origin-Realm": "operator.test",
        "Destination-Realm": "visited.test",
        "Destination-Host": "pgw.test",
        "Auth-Application-Id": 4,
        "Re-Auth-Request-Type": 0,
    }
    connection.send_request(Command.RE_AUTH, avps, 1.0, 1)
    assert connection.next_deadline() == 11.0
    assert connection.tick(11.0) == [RequestFailed(1, "no answer in time")]

    connection.send_request(Command.RE_AUTH, avps, 20.0, 2)
    assert RequestFailed(2, "the connection ended: reset") in connection.lost("reset", 21.0)


def test_an_unreadable_answer_fails_its_request():
    connection = open_connection()
    connection.send_request(Command.ABORT_SESSION, {"Session-Id": SESSION_ID}, 1.0, 8)
    hop_by_hop = int.from_bytes(connection.take_octets()[12:16], "big")

    (event,) = connection.receive(message(274, b"", flags=0, hop_by_hop=hop_by_hop), 1.0)

    assert isinstance(event, RequestFailed)


def test_a_leaving_peers_requests_are_answered_before_the_dpa():
    connection = open_connection()
    (request,) = requests_of(connection.receive(ccr(), 1.0))

    assert connection.receive(dpr(), 1.0) == []
    assert connection.take_octets() == b""

    connection.answer(request, SMALL, 1.5)
    commands = [int.from_bytes(data[5:8], "big") for data in split(connection.take_octets())]
    assert commands == [272, 282]
    assert ended(connection.tick(1.5 + 3.0)) == ["the peer left: REBOOTING"]


def test_this_side_drains_before_it_leaves_and_turns_new_requests_away():
    connection = open_connection()
    (request,) = requests_of(connection.receive(ccr(hop_by_hop=1), 1.0))
    connection.stop(DisconnectCause.BUSY, 1.0)
    assert connection.take_octets() == b""

    connection.receive(ccr(hop_by_hop=2), 1.1)
    assert answers_of(connection)[0].avps["Result-Code"] == 3004

    connection.answer(request, SMALL, 1.2)
    answer, request_to_leave = split(connection.take_octets())
    assert int.from_bytes(answer[5:8], "big") == 272
    assert read(request_to_leave).avps["Disconnect-Cause"] == 1

    dpa = {"Result-Code": 2001, "Origin-Host": "pgw.test", "Origin-Realm": "visited.test"}
    hop_by_hop = int.from_bytes(request_to_leave[12:16], "big")
    events = connection.receive(message(282, dpa, flags=0, application=0, hop_by_hop=hop_by_hop), 1.3)
    assert ended(events) == ["ended by this side"]


def test_draining_and_parting_take_a_bounded_time():
    connection = open_connection(Limits(drain_timeout_s=5, disconnect_timeout_s=3))
    connection.receive(ccr(), 1.0)
    connection.stop(DisconnectCause.REBOOTING, 1.0)

    connection.tick(6.0)
    assert read(connection.take_octets()).header.command == 282
    assert ended(connection.tick(9.0)) == ["ended by this side"]


def test_an_answer_after_the_end_goes_nowhere():
    connection = open_connection()
    (request,) = requests_of(connection.receive(ccr(), 1.0))
    connection.lost("reset by peer", 2.0)

    assert connection.answer(request, SMALL, 3.0) == []
    assert connection.take_octets() == b""


def test_a_silent_peer_is_asked_suspected_and_given_up():
    connection = open_connection(Limits(watchdog_s=30))

    connection.tick(30.0)
    (asked,) = answers_of(connection)
    assert (asked.header.command, asked.header.is_request) == (280, True)
    connection.tick(60.0)
    assert ended(connection.tick(90.0)) == ["the watchdog heard nothing"]


def test_any_message_quiets_the_watchdog():
    connection = open_connection(Limits(watchdog_s=30))
    connection.tick(30.0)
    connection.take_octets()

    connection.receive(ccr(), 45.0)
    connection.tick(60.0)
    assert connection.take_octets() == b""
    connection.tick(75.0)
    assert read(connection.take_octets()).header.command == 280


@pytest.mark.parametrize(
    ("steps", "state", "last_action"),
    [
        ("T", WatchdogState.AWAITING, WatchdogAction.SEND_DWR),
        ("TR", WatchdogState.OKAY, WatchdogAction.NOTHING),
        ("TT", WatchdogState.SUSPECT, WatchdogAction.NOTHING),
        ("TTR", WatchdogState.OKAY, WatchdogAction.NOTHING),
        ("TTT", WatchdogState.DOWN, WatchdogAction.CLOSE),
    ],
)
def test_the_watchdog_follows_rfc_3539(steps, state, last_action):
    current, action = WatchdogState.OKAY, None
    for step in steps:
        given = WatchdogInput.TIMER if step == "T" else WatchdogInput.RECEIVED
        action, current = WATCHDOG_TRANSITIONS[current, given]

    assert (current, action) == (state, last_action)


def test_each_interval_is_jittered_and_never_below_six_seconds():
    jitters = iter([2.0, -2.0, 0.0])
    watchdog = Watchdog(1.0, lambda: next(jitters), 100.0)
    assert watchdog.deadline == 108.0
    watchdog.tick(108.0)
    assert watchdog.deadline == 112.0


def test_the_table_leads_out_of_every_state():
    for state in PeerState:
        if state is not PeerState.CLOSED:
            assert any(
                start is state and after is not state for (start, _), (_, after) in TRANSITIONS.items()
            )


def test_an_error_answer_of_a_peer_is_an_answer():
    client = client_connection()
    client.take_octets()
    cea = {
        "Result-Code": 2001,
        "Origin-Host": "ocs.test",
        "Origin-Realm": "operator.test",
        "Host-IP-Address": list(SERVER.host_ip_addresses),
        "Vendor-Id": 0,
        "Product-Name": "BSS",
        "Auth-Application-Id": [4],
    }
    client.receive(message(257, cea, flags=0, application=0, hop_by_hop=5), 0.0)
    client.send_request(Command.CREDIT_CONTROL, read(ccr()).avps, 1.0, 7)
    hop_by_hop = int.from_bytes(client.take_octets()[12:16], "big")
    busy = {
        "Session-Id": SESSION_ID,
        "Result-Code": 3004,
        "Origin-Host": "ocs.test",
        "Origin-Realm": "operator.test",
    }

    (event,) = client.receive(
        message(272, busy, flags=FLAG_PROXIABLE | FLAG_ERROR, hop_by_hop=hop_by_hop), 1.0
    )

    assert (event.token, event.message.avps["Result-Code"]) == (7, 3004)
