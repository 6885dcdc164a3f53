"""Any input in any fragments gets an answer or a closed connection; bounded memory, never a crash."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from apps.diameter.protocol.codes import FLAG_PROXIABLE, FLAG_REQUEST
from apps.diameter.protocol.decoding import decode_message
from apps.diameter.protocol.framing import MessageSplitter
from apps.diameter.protocol.grammar.commands import COMMANDS
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import PeerPolicy
from apps.diameter.protocol.peer_events import ConnectionEnded
from apps.diameter.protocol.peer_states import PeerState
from tests.diameter.connections import answers_of, open_connection, requests_of, waiting_connection
from tests.diameter.messages import ccr, cer, dwr, message
from tests.diameter.strategies import commands

LIMITS = Limits(max_message_octets=4096, max_avps=100)


def flags_of(is_request: bool) -> int:
    return (FLAG_REQUEST if is_request else 0) | FLAG_PROXIABLE


@given(commands())
def test_what_a_grammar_allows_is_read_as_it_was_written(drawn):
    code, is_request, avps = drawn
    data = message(code, avps, flags=flags_of(is_request), application=COMMANDS[code].application)

    # Four times: the first learns the shapes, the second the layouts that the others are read by.
    for _ in range(4):
        assert decode_message(data).avps == avps


@given(st.lists(commands(codes=(272,)), min_size=1, max_size=4), st.data())
def test_messages_come_out_whole_however_they_are_cut(drawn, data):
    sent = [message(code, avps, flags=flags_of(is_request)) for code, is_request, avps in drawn]
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter = MessageSplitter(65_536)
    received = []

    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        splitter.feed(stream[start:end])
        received += splitter.messages()

    assert received == sent
    assert splitter.held_octets == 0


def test_a_conversation_octet_by_octet_is_the_same_as_in_one_piece():
    stream = (
        ccr(hop_by_hop=1) + dwr(hop_by_hop=2) + ccr(hop_by_hop=3, CC_Request_Type=None) + ccr(hop_by_hop=4)
    )
    whole, slow = open_connection(), open_connection()

    events = whole.receive(stream, 1.0)
    slow_events = [event for n in range(len(stream)) for event in slow.receive(stream[n : n + 1], 1.0)]

    assert [request.avps for request in requests_of(slow_events)] == [r.avps for r in requests_of(events)]
    assert slow.take_octets() == whole.take_octets()


def survives(connection, octets: bytes, step: int) -> None:
    """Feed, and check that all that is sent are sound answers and that nothing piles up."""
    for start in range(0, len(octets), step):
        events = connection.receive(octets[start : start + step], 1.0)
        for event in events:
            if hasattr(event, "common_applications"):
                connection.accept(PeerPolicy(), 1.0)
        answers_of(connection)
        assert connection._splitter.held_octets <= LIMITS.max_message_octets + step
        if any(isinstance(event, ConnectionEnded) for event in events):
            assert connection.state is PeerState.CLOSED


@given(st.binary(max_size=300), st.integers(1, 300))
@example(b"\x01\0\0\0" + bytes(16), 20)
def test_any_octets_before_or_after_the_introduction_are_survived(octets, step):
    for connection in (waiting_connection(LIMITS), open_connection(LIMITS)):
        survives(connection, octets, step)


@given(
    st.sampled_from([ccr(), ccr(2, 1, Multiple_Services_Credit_Control=[{"Rating-Group": 1}]), cer(), dwr()]),
    st.data(),
)
def test_a_message_with_octets_changed_gets_its_answer_and_the_next_is_served(original, data):
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(20, len(mutated) - 1))
        mutated[position] = data.draw(st.integers(0, 255))
    connection = open_connection(LIMITS, PeerPolicy(ignore_unknown_mandatory=data.draw(st.booleans())))

    delivered = requests_of(connection.receive(bytes(mutated), 1.0))
    answered = answers_of(connection)

    assert len(delivered) + len(answered) == 1
    assert len(requests_of(connection.receive(ccr(), 1.0))) == 1


@given(st.data())
def test_a_header_with_octets_changed_is_survived(data):
    mutated = bytearray(ccr())
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, 19))] = data.draw(st.integers(0, 255))

    survives(open_connection(LIMITS), bytes(mutated), len(mutated))


@given(
    st.recursive(
        st.binary(max_size=8), lambda inner: st.lists(inner, max_size=4).map(b"".join), max_leaves=20
    )
)
def test_any_avps_behind_a_sound_header_are_survived(octets):
    octets += bytes(-len(octets) % 4)
    connection = open_connection(LIMITS)

    connection.receive(message(272, octets), 1.0)

    assert len(answers_of(connection)) == 1
    assert connection.state is PeerState.OPEN
