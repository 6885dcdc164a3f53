"""Faults seen in other Diameter nodes, each of which this one must not have."""

from __future__ import annotations

import pytest

from apps.diameter.protocol.codes import FLAG_ERROR, FLAG_PROXIABLE, FLAG_REQUEST, FLAG_RETRANSMITTED, Command
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.framing import MessageSplitter
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import PeerPolicy
from apps.diameter.protocol.peer_events import AnswerReceived, AnswerUnmatched, ConnectionEnded
from tests.diameter.connections import answer_to, answers_of, open_connection, requests_of, waiting_connection
from tests.diameter.messages import SESSION_ID, ccr, cer, message, raw_avp

ASR = {
    "Session-Id": SESSION_ID,
    "Origin-Host": "ocs.test",
    "Origin-Realm": "operator.test",
    "Destination-Realm": "visited.test",
    "Destination-Host": "pgw.test",
    "Auth-Application-Id": 4,
}


def asa(hop_by_hop: int) -> bytes:
    avps = {
        "Session-Id": SESSION_ID,
        "Result-Code": 2001,
        "Origin-Host": "pgw.test",
        "Origin-Realm": "visited.test",
    }
    return message(274, avps, flags=FLAG_PROXIABLE, hop_by_hop=hop_by_hop)


def test_answers_go_to_the_connection_that_asked_though_hop_by_hop_ids_coincide():
    first, second = open_connection(), open_connection()
    (asked_first,) = requests_of(first.receive(ccr(hop_by_hop=7, Session_Id="a"), 1.0))
    (asked_second,) = requests_of(second.receive(ccr(hop_by_hop=7, Session_Id="b"), 1.0))

    second.answer(asked_second, encode_avps({"Session-Id": "b"}), 1.0)
    first.answer(asked_first, encode_avps({"Session-Id": "a"}), 1.0)

    assert first.take_octets().endswith(encode_avps({"Session-Id": "a"}))
    assert second.take_octets().endswith(encode_avps({"Session-Id": "b"}))


def test_an_answer_on_another_connection_does_not_count_though_its_id_is_right():
    first, second = open_connection(first_id=500), open_connection(first_id=500)
    first.send_request(Command.ABORT_SESSION, ASR, 1.0, 3)
    hop_by_hop = answers_of(first)[0].header.hop_by_hop

    assert [type(event) for event in second.receive(asa(hop_by_hop), 1.0)] == [AnswerUnmatched]
    assert [type(event) for event in first.receive(asa(hop_by_hop), 1.0)] == [AnswerReceived]


def test_a_peer_that_leaves_with_a_request_in_flight_silences_no_other_peer():
    leaving, staying = open_connection(), open_connection()
    (orphan,) = requests_of(leaving.receive(ccr(), 1.0))
    leaving.lost("connection reset", 1.5)
    leaving.answer(orphan, encode_avps({"Session-Id": SESSION_ID}), 2.0)

    (request,) = requests_of(staying.receive(ccr(), 2.0))
    staying.answer(request, encode_avps({"Session-Id": SESSION_ID}), 2.0)

    assert len(staying.take_octets()) > 20


@pytest.mark.parametrize("length", [0, 4, 19, 21, 22])
def test_an_impossible_length_before_the_cer_ends_the_connection_at_once(length):
    connection = waiting_connection()

    events = connection.receive(b"\x01" + length.to_bytes(3, "big") + bytes(16), 0.0)

    assert [type(event) for event in events] == [ConnectionEnded]
    assert connection.take_octets() == b""
    assert connection.receive(cer(), 0.0) == []


def test_an_impossible_length_afterwards_is_answered_and_ends_the_connection():
    connection = open_connection()
    good = ccr(hop_by_hop=5)

    events = connection.receive(good + good[:1] + (16).to_bytes(3, "big") + good[4:], 1.0)

    assert len(requests_of(events)) == 1
    (answer,) = answers_of(connection)
    assert answer.avps["Result-Code"] == 5015
    assert isinstance(events[-1], ConnectionEnded)


def test_a_header_that_claims_16_mb_is_refused_before_anything_is_held():
    splitter = MessageSplitter(65_536)
    connection = open_connection()
    huge = ccr()[:1] + b"\xff\xff\xfc" + ccr()[4:]

    events = connection.receive(huge, 1.0)

    assert answers_of(connection)[0].avps["Result-Code"] == 5015
    assert isinstance(events[-1], ConnectionEnded)
    splitter.feed(ccr()[:100])
    assert splitter.messages() == []
    assert splitter.held_octets == 100


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"Destination_Realm": "elsewhere.test"}, 3003), ({"Destination_Host": "another.test"}, 3002)],
)
def test_what_belongs_elsewhere_is_returned_with_the_e_bit(changes, code):
    answer = answer_to(ccr(**changes))

    assert (answer.avps["Result-Code"], answer.header.is_error) == (code, True)
    assert answer.avps["Session-Id"] == SESSION_ID


def test_a_foreign_realm_and_host_may_be_served_for_a_peer():
    connection = open_connection(
        policy=PeerPolicy(realms=frozenset({"elsewhere.test"}), hosts=frozenset({"*"}))
    )

    events = connection.receive(ccr(Destination_Realm="Elsewhere.Test", Destination_Host="another.test"), 1.0)

    assert len(requests_of(events)) == 1


def test_a_request_that_was_here_before_is_a_loop():
    answer = answer_to(ccr(Route_Record=["relay.test", "OCS.test"]))

    assert (answer.avps["Result-Code"], answer.header.is_error) == (3005, True)


def test_an_application_that_is_not_served_is_answered_with_the_e_bit():
    answer = answer_to(message(272, b"", application=16777238))

    assert (answer.avps["Result-Code"], answer.header.is_error, answer.header.application) == (
        3007,
        True,
        16777238,
    )


@pytest.mark.parametrize("command", [271, 318, 258, 274, 0xFFFFFF])
def test_an_unknown_command_is_answered_with_a_result_code(command):
    answer = answer_to(message(command, raw_avp(263, b"s")))

    assert (answer.avps["Result-Code"], answer.header.is_error) == (3001, True)
    assert answer.header.command == command
    assert answer.avps["Session-Id"] == "s"


def test_an_unknown_avp_with_the_m_bit_is_answered_5001_and_returned():
    unknown = raw_avp(64000, b"what")

    answer = answer_to(ccr(extra=unknown))

    assert (answer.avps["Result-Code"], answer.header.is_error) == (5001, False)
    assert answer.avps["Failed-AVP"] == unknown
    assert answer.avps["CC-Request-Type"] == 1
    assert answer.avps["CC-Request-Number"] == 0


def test_version_2_is_answered_5011():
    data = b"\x02" + ccr()[1:]

    answer = answer_to(data)

    assert answer.avps["Result-Code"] == 5011
    assert answer.header.version == 1


def test_a_bad_avp_length_is_answered():
    answer = answer_to(ccr(extra=raw_avp(415, bytes(2), length=4)))

    assert answer.avps["Result-Code"] == 5014
    assert answer.avps["Failed-AVP"] == raw_avp(415, bytes(4))


def test_failed_avp_of_a_missing_avp_holds_an_example():
    answer = answer_to(ccr(Service_Context_Id=None))

    assert (answer.avps["Result-Code"], answer.avps["Failed-AVP"]) == (5005, raw_avp(461, b""))
    assert not answer.header.is_error


def test_an_answer_that_cannot_echo_what_its_grammar_wants_carries_the_e_bit():
    answer = answer_to(ccr(CC_Request_Type=None))

    assert (answer.avps["Result-Code"], answer.header.is_error) == (5005, True)


def test_a_repeat_with_the_t_flag_is_a_request_like_any_other():
    connection = open_connection()
    data = bytearray(ccr())
    data[4] |= FLAG_RETRANSMITTED

    (request,) = requests_of(connection.receive(bytes(data), 1.0))

    assert request.header.is_retransmitted


def test_a_request_with_the_e_bit_is_answered_3008():
    data = bytearray(ccr())
    data[4] = FLAG_REQUEST | FLAG_ERROR

    answer = answer_to(bytes(data))

    assert (answer.avps["Result-Code"], answer.header.is_error) == (3008, True)


def test_requests_are_bounded_by_what_the_peer_may_have_in_flight():
    connection = open_connection(Limits(max_requests_in_flight=10))

    events = connection.receive(b"".join(ccr(hop_by_hop=n) for n in range(500)), 1.0)

    assert len(requests_of(events)) == 10
    assert {answer.avps["Result-Code"] for answer in answers_of(connection)} == {3004}
