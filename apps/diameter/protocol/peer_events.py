"""What a connection reports to its owner."""

from __future__ import annotations

from typing import Any, NamedTuple

from apps.diameter.protocol.decoding import Message
from apps.diameter.protocol.header import Header


class Request:
    """A request of the peer that waits for its answer; belongs to the connection it came by."""

    __slots__ = ("answered", "avps", "header")

    def __init__(self, message: Message) -> None:
        self.header: Header = message.header
        self.avps: dict[str, Any] = message.avps
        self.answered = False


class CapabilitiesReceived(NamedTuple):
    """The peer has introduced itself; the owner calls ``accept`` or ``refuse``."""

    origin_host: str
    origin_realm: str
    product_name: str
    origin_state_id: int | None
    common_applications: frozenset[int]


class PeerOpened(NamedTuple):
    """Requests may go both ways from now on."""

    origin_host: str
    origin_realm: str


class RequestReceived(NamedTuple):
    """A sound request; the owner calls ``answer`` or ``refuse_request``, once, whenever it likes."""

    request: Request


class RequestRefused(NamedTuple):
    """A request that was answered here, because of what RFC 6733 says."""

    command: int
    result_code: int
    message: str


class AnswerReceived(NamedTuple):
    """The answer to the request that was sent with ``token``."""

    token: int
    message: Message


class RequestFailed(NamedTuple):
    """The request that was sent with ``token`` will not be answered: it timed out, or the connection ended."""

    token: int
    reason: str


class AnswerUnmatched(NamedTuple):
    """An answer to nothing that was asked on this connection, or one that cannot be read; dropped."""

    command: int
    reason: str


class ConnectionEnded(NamedTuple):
    """The owner sends the rest and closes the transport."""

    reason: str


Event = (
    CapabilitiesReceived
    | PeerOpened
    | RequestReceived
    | RequestRefused
    | AnswerReceived
    | RequestFailed
    | AnswerUnmatched
    | ConnectionEnded
)
