"""One connection to a peer: octets and the time in, events and octets out.

The owner feeds ``receive`` and ``tick``, sends what ``take_octets`` gives, and closes the transport when a
``ConnectionEnded`` came. Requests are answered through the connection that they came by and matched to the connection
that they were sent on: ids mean nothing across connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.diameter.protocol import peer_events as report
from apps.diameter.protocol.answers import capabilities, error_answer
from apps.diameter.protocol.capabilities import check_capabilities
from apps.diameter.protocol.codes import (
    APPLICATION_BASE,
    FLAG_ERROR,
    FLAG_PROXIABLE,
    FLAG_REQUEST,
    FLAG_RETRANSMITTED,
    HEADER_BYTES,
    VERSION,
    Command,
    DisconnectCause,
    ResultCode,
)
from apps.diameter.protocol.decoding import Message, decode_message, read_error_answer
from apps.diameter.protocol.encoding import Avps, encode_avps
from apps.diameter.protocol.faults import DiameterFault, FramingFault
from apps.diameter.protocol.framing import MessageSplitter
from apps.diameter.protocol.grammar.commands import COMMANDS
from apps.diameter.protocol.header import Header, read_header, write_message
from apps.diameter.protocol.inspection import check_header
from apps.diameter.protocol.limits import DEFAULT_LIMITS, Limits
from apps.diameter.protocol.node import DEFAULT_POLICY, LocalNode, PeerPolicy
from apps.diameter.protocol.outstanding import Outstanding
from apps.diameter.protocol.peer_events import Event, Request
from apps.diameter.protocol.peer_states import INTRODUCED, TRANSITIONS, PeerAction, PeerInput, PeerState
from apps.diameter.protocol.routing import check_destination
from apps.diameter.protocol.watchdog import Watchdog, WatchdogAction, WatchdogState

_REQUEST_INPUTS = {
    int(Command.CAPABILITIES_EXCHANGE): PeerInput.CER,
    int(Command.DEVICE_WATCHDOG): PeerInput.DWR,
    int(Command.DISCONNECT_PEER): PeerInput.DPR,
}
_ANSWER_INPUTS = {
    int(Command.CAPABILITIES_EXCHANGE): PeerInput.CEA,
    int(Command.DEVICE_WATCHDOG): PeerInput.DWA,
    int(Command.DISCONNECT_PEER): PeerInput.DPA,
}
_TOO_LATE = {PeerState.WAIT_CER: "no CER came in time", PeerState.WAIT_CEA: "no CEA came in time"}
_OPEN = PeerState.OPEN
_OWN = -1
"""Token of requests that the connection itself sends."""


class PeerConnection:
    """The protocol of one connection.

    ``now`` is in seconds of a clock that never goes back. ``initiator`` says that this side opened the connection and
    begins with its CER. ``first_id`` seeds the hop-by-hop and end-to-end ids: random, the same for no two connections.
    ``jitter`` gives −2 to +2 seconds for the watchdog.
    """

    def __init__(
        self,
        node: LocalNode,
        *,
        now: float,
        jitter: Callable[[], float],
        first_id: int,
        initiator: bool = False,
        secured: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        policy: PeerPolicy = DEFAULT_POLICY,
        serves: frozenset[int] = frozenset((int(Command.CREDIT_CONTROL),)),
    ) -> None:
        self.node = node
        self.limits = limits
        self.policy = policy
        self.state = PeerState.WAIT_CEA if initiator else PeerState.WAIT_CER
        self.origin_host = ""
        self.origin_realm = ""
        self.requests_in_flight = 0
        self._serves = serves
        self._secured = secured
        self._splitter = MessageSplitter(limits.max_message_octets)
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._state_deadline: float | None = now + limits.capabilities_timeout_s
        self._watchdog = Watchdog(limits.watchdog_s, jitter, now)
        self._outstanding = Outstanding(first_id)
        self._cer: tuple[Header, bytes] | None = None
        self._disconnect_cause = DisconnectCause.REBOOTING
        self._dpr: tuple[Header, bytes] | None = None
        self._end_reason = ""
        if initiator:
            self._send_own(Command.CAPABILITIES_EXCHANGE, capabilities(node), now)

    # --- what the owner calls ---------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take what arrived; nothing is read on after the end."""
        if self.state is PeerState.CLOSED:
            return []
        self._splitter.feed(data)
        return self._read_on(now)

    def reads_on(self) -> bool:
        """False while the owner decides on the peer's introduction, or once the connection has ended."""
        return self.state is _OPEN or self.state not in (PeerState.CHECKING, PeerState.CLOSED)

    def take_octets(self) -> bytes:
        """What is to be sent now."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def next_deadline(self) -> float:
        """When ``tick`` is due at the latest."""
        deadline = self._watchdog.deadline
        if self._state_deadline is not None and (
            self.state not in INTRODUCED or self._state_deadline < deadline
        ):
            deadline = self._state_deadline
        first = self._outstanding.first_deadline()
        return deadline if first is None or deadline < first else first

    def tick(self, now: float) -> list[Event]:
        """What time alone brings: the watchdog, and states or requests that lasted too long."""
        for token in self._outstanding.expired(now):
            if token != _OWN:
                self._events.append(report.RequestFailed(token, "no answer in time"))
        if self._state_deadline is not None and now >= self._state_deadline:
            self._state_deadline = None
            self._input(PeerInput.TIMEOUT, now, _TOO_LATE.get(self.state, "the peer did not go on in time"))
        if self.state in INTRODUCED:
            action = self._watchdog.tick(now)
            if action is WatchdogAction.SEND_DWR:
                self._send_dwr(now)
            elif action is WatchdogAction.CLOSE:
                self._input(PeerInput.LOST, now, "the watchdog heard nothing")
        return self._take_events()

    def accept(self, policy: PeerPolicy, now: float) -> list[Event]:
        """Let the peer in, on these terms; only after ``CapabilitiesReceived``."""
        self.policy = policy
        self._input(PeerInput.ACCEPT, now)
        return self._read_on(now)

    def refuse(self, result_code: int, message: str, now: float) -> list[Event]:
        """Turn the peer away with this result; only after ``CapabilitiesReceived``."""
        self._input(PeerInput.REFUSE, now, DiameterFault(result_code, message))
        return self._take_events()

    def answer(self, request: Request, avps: bytes, now: float) -> list[Event]:
        """Answer with AVPs that are encoded already; Proxy-Info is added. A second answer is an error here."""
        header = request.header
        proxies = request.avps.get("Proxy-Info")
        self._answered(
            request,
            write_message(
                header.flags & FLAG_PROXIABLE,
                header.command,
                header.application,
                header.hop_by_hop,
                header.end_to_end,
                avps + b"".join(proxies) if proxies else avps,
            ),
            now,
        )
        return self._take_events() if self._events else []

    def refuse_request(self, request: Request, fault: DiameterFault, now: float) -> list[Event]:
        """Answer a delivered request with an error of the base protocol or of its grammar, such as 3004."""
        echo = {
            name: request.avps.get(name)
            for name in (
                "Session-Id",
                "CC-Request-Type",
                "CC-Request-Number",
                "CC-Sub-Session-Id",
                "Proxy-Info",
            )
        }
        data = bytes(HEADER_BYTES) + encode_avps(echo)
        self._answered(request, error_answer(self.node, request.header, data, fault), now)
        return self._take_events()

    def probe(self, now: float) -> list[Event]:
        """Ask whether the peer is still there, and give it up if it does not answer soon.

        One that has left, and whose transport it has not closed yet, is not asked any more: the connection ends.
        """
        if self.state is PeerState.LEFT:
            self._input(PeerInput.TIMEOUT, now, "it came again")
        elif self.state in INTRODUCED and self._watchdog.probe(now, self.limits.probe_s):
            self._send_dwr(now)
        return self._take_events()

    def is_doubted(self) -> bool:
        """Whether nothing came from the peer since it was last asked, or for two intervals of the watchdog."""
        return self._watchdog.state in (WatchdogState.SUSPECT, WatchdogState.DOWN)

    def send_request(
        self, command: int, avps: Avps, now: float, token: int, retransmitted: bool = False
    ) -> None:
        """Send a request of this side; ``AnswerReceived`` or ``RequestFailed`` with ``token`` follows, once.

        Tokens are the owner's, from 0 on.
        """
        if self.state is not PeerState.OPEN:
            self._events.append(report.RequestFailed(token, f"the connection is {self.state.value}"))
            return
        flags = FLAG_PROXIABLE | (FLAG_RETRANSMITTED if retransmitted else 0)
        self._send_request(command, COMMANDS[command].application, flags, encode_avps(avps), now, token)

    def stop(self, cause: DisconnectCause, now: float) -> list[Event]:
        """End the connection in good order: answer requests in flight, DPR with ``cause``, wait for DPA."""
        self._disconnect_cause = cause
        self._input(PeerInput.STOP, now, "ended by this side")
        return self._take_events()

    def lost(self, reason: str, now: float) -> list[Event]:
        """The transport is gone."""
        self._input(PeerInput.LOST, now, reason)
        return self._take_events()

    # --- reading ----------------------------------------------------------------------------------------------------

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _read_on(self, now: float) -> list[Event]:
        while self.reads_on():
            try:
                messages = self._splitter.messages()
            except FramingFault as fault:
                self._unframed(fault, now)
                break
            if not messages:
                break
            for index, data in enumerate(messages):
                self._message(data, now)
                if not self.reads_on():
                    self._splitter.give_back(messages[index + 1 :])
                    break
        return self._take_events()

    def _message(self, data: bytes, now: float) -> None:
        self._watchdog.received(now)
        header = read_header(data)
        if not header.flags & FLAG_REQUEST:
            self._answer_message(header, data, now)
            return
        try:
            check_header(header, self._serves, self.node.applications)
            if self.state is not _OPEN and not self._may_ask(header):
                self._close("the first message was not a CER", now)
                return
            message = decode_message(
                data,
                ignore_unknown_mandatory=self.policy.ignore_unknown_mandatory,
                limits=self.limits,
                header=header,
            )
        except DiameterFault as fault:
            self._refuse_message(header, data, fault, now)
            return
        if self.state is _OPEN and header.command in self._serves:
            # The table's row for it, without looking it up: nearly all messages take this way.
            self._deliver_request(now, message, data)
            return
        self._input(_REQUEST_INPUTS.get(header.command, PeerInput.REQUEST), now, message, data)

    def _may_ask(self, header: Header) -> bool:
        return self.state in INTRODUCED or header.command == Command.CAPABILITIES_EXCHANGE

    def _answer_message(self, header: Header, data: bytes, now: float) -> None:
        given = _ANSWER_INPUTS.get(header.command, PeerInput.ANSWER)
        if self.state not in INTRODUCED and (
            given is not PeerInput.CEA or self.state is not PeerState.WAIT_CEA
        ):
            self._close("an answer before the introduction", now)
            return
        try:
            if header.version != VERSION:
                raise DiameterFault(ResultCode.UNSUPPORTED_VERSION, f"version {header.version}")
            message = (
                read_error_answer(data, self.limits)
                if header.flags & FLAG_ERROR
                else decode_message(data, ignore_unknown_mandatory=True, limits=self.limits)
            )
        except DiameterFault as fault:
            token = self._outstanding.settle(header.hop_by_hop, header.command)
            if token is not None and token != _OWN:
                self._events.append(
                    report.RequestFailed(token, f"the answer cannot be read: {fault.message}")
                )
            else:
                self._events.append(report.AnswerUnmatched(header.command, fault.message))
            if given is PeerInput.CEA and self.state is PeerState.WAIT_CEA:
                self._close(f"the CEA cannot be read: {fault.message}", now)
            return
        self._input(given, now, message, data)

    def _unframed(self, fault: FramingFault, now: float) -> None:
        header = read_header(fault.header)
        if self.state in INTRODUCED and header.flags & FLAG_REQUEST and header.version == VERSION:
            self._out.append(error_answer(self.node, header, fault.header, fault))
            self._events.append(report.RequestRefused(header.command, int(fault.result_code), fault.message))
        self._close(fault.message, now)

    def _refuse_message(self, header: Header, data: bytes, fault: DiameterFault, now: float) -> None:
        introduced = self.state in INTRODUCED
        if introduced or header.command == Command.CAPABILITIES_EXCHANGE:
            self._out.append(error_answer(self.node, header, data, fault))
            self._events.append(report.RequestRefused(header.command, int(fault.result_code), fault.message))
        if not introduced:
            self._close(fault.message, now)

    # --- the table --------------------------------------------------------------------------------------------------

    def _input(self, given: PeerInput, now: float, what: Any = None, data: bytes = b"") -> None:
        row = TRANSITIONS.get((self.state, given))
        if row is None:
            if self.state not in INTRODUCED and self.state is not PeerState.CLOSED:
                self._close(f"{given.value} was not expected", now)
            return
        action, state = row
        if state is not self.state:
            self.state = state
            self._state_deadline = None
        _ACTIONS[action](self, now, what, data)

    def _report_capabilities(self, now: float, message: Message, data: bytes) -> None:
        self._cer = message.header, data
        avps = message.avps
        try:
            common = check_capabilities(avps, self.node.applications, self._secured)
        except DiameterFault as fault:
            self._input(PeerInput.REFUSE, now, fault)
            return
        self._state_deadline = now + self.limits.capabilities_timeout_s
        self.origin_host, self.origin_realm = avps["Origin-Host"], avps["Origin-Realm"]
        self._events.append(
            report.CapabilitiesReceived(
                self.origin_host, self.origin_realm, avps["Product-Name"], avps.get("Origin-State-Id"), common
            )
        )

    def _send_cea_and_open(self, now: float, what: Any, data: bytes) -> None:
        assert self._cer is not None
        self._send_cea(self._cer[0])
        self._events.append(report.PeerOpened(self.origin_host, self.origin_realm))

    def _send_cea_again(self, now: float, message: Message, data: bytes) -> None:
        self._send_cea(message.header)

    def _refuse_and_close(self, now: float, fault: DiameterFault, data: bytes) -> None:
        assert self._cer is not None
        self._out.append(error_answer(self.node, *self._cer, fault))
        self._events.append(
            report.RequestRefused(int(Command.CAPABILITIES_EXCHANGE), int(fault.result_code), fault.message)
        )
        self._close(fault.message, now)

    def _check_cea(self, now: float, message: Message, data: bytes) -> None:
        avps = message.avps
        self._outstanding.settle(message.header.hop_by_hop, message.header.command)
        if avps.get("Result-Code") != ResultCode.SUCCESS:
            self._close(
                f"turned away with {avps.get('Result-Code')} {avps.get('Error-Message', '')}".strip(), now
            )
            return
        try:
            check_capabilities(avps, self.node.applications, self._secured)
        except DiameterFault as fault:
            self._close(fault.message, now)
            return
        self.origin_host, self.origin_realm = avps["Origin-Host"], avps["Origin-Realm"]
        self._events.append(report.PeerOpened(self.origin_host, self.origin_realm))

    def _send_dwa(self, now: float, message: Message, data: bytes) -> None:
        extra = {"Origin-State-Id": self.node.origin_state_id or None}
        self._send_own_answer(message.header, ResultCode.SUCCESS, extra)

    def _deliver_request(self, now: float, message: Message, data: bytes) -> None:
        limit = self.policy.max_requests_in_flight or self.limits.max_requests_in_flight
        try:
            if self.requests_in_flight >= limit:
                raise DiameterFault(
                    ResultCode.TOO_BUSY, f"{limit} requests of this connection are not answered yet"
                )
            check_destination(message.avps, self.node, self.policy)
        except DiameterFault as fault:
            self._refuse_message(message.header, data, fault, now)
            return
        self.requests_in_flight += 1
        self._events.append(report.RequestReceived(Request(message)))

    def _turn_away(self, now: float, message: Message, data: bytes) -> None:
        self._refuse_message(
            message.header, data, DiameterFault(ResultCode.TOO_BUSY, "this connection is about to end"), now
        )

    def _match_answer(self, now: float, message: Message, data: bytes) -> None:
        token = self._outstanding.settle(message.header.hop_by_hop, message.header.command)
        if token is None:
            self._events.append(
                report.AnswerUnmatched(message.header.command, "nothing was asked with its hop-by-hop id")
            )
        elif token != _OWN:
            self._events.append(report.AnswerReceived(token, message))

    def _drain(self, now: float, what: Any, data: bytes) -> None:
        self._state_deadline = now + self.limits.drain_timeout_s
        self._check_drained(now)

    def _drain_for_peer(self, now: float, message: Message, data: bytes) -> None:
        self._dpr = message.header, data
        cause = message.avps["Disconnect-Cause"]
        name = DisconnectCause(cause).name if cause in set(DisconnectCause) else str(cause)
        self._end_reason = f"the peer left: {name}"
        self._drain(now, message, data)

    def _send_dpr(self, now: float, what: Any, data: bytes) -> None:
        self._state_deadline = now + self.limits.disconnect_timeout_s
        self._end_reason = "ended by this side"
        self._send_own(Command.DISCONNECT_PEER, {"Disconnect-Cause": int(self._disconnect_cause)}, now)

    def _send_dpa(self, now: float, message: Any, data: bytes) -> None:
        header = self._dpr[0] if self._dpr is not None else message.header
        self._send_own_answer(header, ResultCode.SUCCESS, {})
        if self.state is PeerState.LEFT:
            self._state_deadline = now + self.limits.disconnect_timeout_s

    def _close_by_table(self, now: float, what: Any, data: bytes) -> None:
        self._close(self._end_reason or (what if isinstance(what, str) else "closed"), now)

    # --- sending ----------------------------------------------------------------------------------------------------

    def _close(self, reason: str, now: float) -> None:
        self.state = PeerState.CLOSED
        self._state_deadline = None
        for token in self._outstanding.abandon():
            if token != _OWN:
                self._events.append(report.RequestFailed(token, f"the connection ended: {reason}"))
        self._events.append(report.ConnectionEnded(reason))

    def _answered(self, request: Request, octets: bytes, now: float) -> None:
        if request.answered:
            raise ValueError("the request was answered already")
        request.answered = True
        self.requests_in_flight -= 1
        if self.state is PeerState.CLOSED:
            return
        self._out.append(octets)
        if self.state is not _OPEN:
            self._check_drained(now)

    def _check_drained(self, now: float) -> None:
        if not self.requests_in_flight and self.state in (PeerState.DRAINING, PeerState.LEAVING):
            self._input(PeerInput.DRAINED, now)

    def _identity(self) -> dict[str, object]:
        return {"Origin-Host": self.node.origin_host, "Origin-Realm": self.node.origin_realm}

    def _send_cea(self, header: Header) -> None:
        self._send_own_answer(header, ResultCode.SUCCESS, capabilities(self.node))

    def _send_own_answer(self, header: Header, result_code: int, extra: Avps) -> None:
        avps = encode_avps({"Result-Code": int(result_code), **self._identity(), **extra})
        self._out.append(
            write_message(0, header.command, header.application, header.hop_by_hop, header.end_to_end, avps)
        )

    def _send_own(self, command: int, extra: Avps, now: float) -> None:
        self._send_request(
            command, APPLICATION_BASE, 0, encode_avps({**self._identity(), **extra}), now, _OWN
        )

    def _send_dwr(self, now: float) -> None:
        self._send_own(Command.DEVICE_WATCHDOG, {"Origin-State-Id": self.node.origin_state_id or None}, now)

    def _send_request(
        self, command: int, application: int, flags: int, avps: bytes, now: float, token: int
    ) -> None:
        hop_by_hop, end_to_end = self._outstanding.add(command, now + self.limits.request_timeout_s, token)
        self._out.append(
            write_message(FLAG_REQUEST | flags, command, application, hop_by_hop, end_to_end, avps)
        )


_ACTIONS: dict[PeerAction, Callable[[PeerConnection, float, Any, bytes], None]] = {
    PeerAction.REPORT_CAPABILITIES: PeerConnection._report_capabilities,
    PeerAction.SEND_CEA_AND_OPEN: PeerConnection._send_cea_and_open,
    PeerAction.SEND_CEA_AGAIN: PeerConnection._send_cea_again,
    PeerAction.REFUSE_AND_CLOSE: PeerConnection._refuse_and_close,
    PeerAction.CHECK_CEA: PeerConnection._check_cea,
    PeerAction.SEND_DWA: PeerConnection._send_dwa,
    PeerAction.DELIVER_REQUEST: PeerConnection._deliver_request,
    PeerAction.TURN_AWAY: PeerConnection._turn_away,
    PeerAction.MATCH_ANSWER: PeerConnection._match_answer,
    PeerAction.DRAIN: PeerConnection._drain,
    PeerAction.DRAIN_FOR_PEER: PeerConnection._drain_for_peer,
    PeerAction.SEND_DPR: PeerConnection._send_dpr,
    PeerAction.SEND_DPA: PeerConnection._send_dpa,
    PeerAction.CLOSE: PeerConnection._close_by_table,
}
