"""Connections for tests: the server's end, opened by a gateway or not yet, and what it sent."""

from __future__ import annotations

from apps.diameter.protocol.decoding import Message, decode_message, read_error_answer
from apps.diameter.protocol.header import read_header
from apps.diameter.protocol.limits import DEFAULT_LIMITS, Limits
from apps.diameter.protocol.node import DEFAULT_POLICY, PeerPolicy
from apps.diameter.protocol.peer import PeerConnection
from apps.diameter.protocol.peer_events import CapabilitiesReceived, Event, Request, RequestReceived
from tests.diameter.messages import SERVER, cer


def no_jitter() -> float:
    return 0.0


def waiting_connection(limits: Limits = DEFAULT_LIMITS, first_id: int = 1000) -> PeerConnection:
    """Accepted by the server, before the CER."""
    return PeerConnection(SERVER, now=0.0, jitter=no_jitter, first_id=first_id, limits=limits)


def open_connection(
    limits: Limits = DEFAULT_LIMITS, policy: PeerPolicy = DEFAULT_POLICY, first_id: int = 1000
) -> PeerConnection:
    """Open, with nothing left to send."""
    connection = waiting_connection(limits, first_id)
    events = connection.receive(cer(), 0.0)
    assert [type(event) for event in events] == [CapabilitiesReceived]
    connection.accept(policy, 0.0)
    sent = answers_of(connection)
    assert sent[0].avps["Result-Code"] == 2001
    return connection


def split(octets: bytes) -> list[bytes]:
    found = []
    while octets:
        length = int.from_bytes(octets[1:4], "big")
        found.append(octets[:length])
        octets = octets[length:]
    return found


def answers_of(connection: PeerConnection) -> list[Message]:
    """What the connection has to send, read strictly."""
    return [read(data) for data in split(connection.take_octets())]


def read(data: bytes) -> Message:
    header = read_header(data)
    if header.is_error and not header.is_request:
        return read_error_answer(data)
    return decode_message(data)


def requests_of(events: list[Event]) -> list[Request]:
    return [event.request for event in events if isinstance(event, RequestReceived)]


def answer_to(data: bytes, policy: PeerPolicy = DEFAULT_POLICY, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The one answer that an open connection gives by itself to a message."""
    connection = open_connection(limits, policy)
    connection.receive(data, 1.0)
    (answer,) = answers_of(connection)
    return answer
