"""Many gateways at once: sessions in a closed loop or at a rate, each answer checked and timed."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.diameter.load.checks import problems_of
from apps.diameter.load.client import ConnectionRefused, GatewayClient
from apps.diameter.load.histogram import Histogram
from apps.diameter.load.scenarios import SCENARIOS, Avps, Conversation, Gateway, Party
from apps.diameter.protocol.codes import ResultCode
from apps.diameter.protocol.decoding import Message
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import address_of_text

KINDS = {1: "initial", 2: "update", 3: "terminate", 4: "event"}
MAX_PROBLEMS_KEPT = 50
RECONNECT_AFTER_S = 0.5
PACE_S = 0.001


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is to be done.

    ``mix`` weighs the scenarios. ``sessions`` run at a time on each peer (closed loop), or with ``rate`` (requests a
    second over all peers) at most so many. It ends after ``requests`` answers or ``seconds``, whichever is first; open
    sessions are then brought to their end. ``repeat_share`` of the requests are sent again, with the T flag, and must
    be answered alike. With ``persist`` requests that a fall of the server left unanswered are repeated with the T
    flag until they are answered.
    """

    host: str
    port: int
    parties: Sequence[Party]
    destination_realm: str
    mix: dict[str, int] = field(default_factory=lambda: {"data": 1})
    peers: int = 1
    sessions: int = 16
    requests: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    updates: int = 2
    ask: int = 0
    call_s: int = 60
    octets: int = 1_000_000
    rating_groups: tuple[int, ...] = (10, 20, 30)
    repeat_share: float = 0.0
    persist: bool = False
    patience_s: float = 60.0
    timeout_s: float = 10.0
    origin_host: str = "gateway"
    origin_realm: str = "load.test"
    called_number: str = "493012345678"
    tls: ssl.SSLContext | None = None
    seed: int = 0


class LoadResult:
    """What came of it."""

    def __init__(self) -> None:
        self.latency = Histogram()
        self.latency_of: dict[str, Histogram] = {name: Histogram() for name in KINDS.values()}
        self.sent_late = Histogram()
        """At a rate: how long after its place in the schedule this side came to send each request."""
        self.codes: Counter[tuple[str, int]] = Counter()
        self.problems: Counter[str] = Counter()
        self.sessions = 0
        self.repeats = 0
        self.resent = 0
        self.unanswered = 0
        self.reconnects = 0
        self.server_requests: Counter[int] = Counter()
        self.seconds = 0.0

    def problem(self, text: str) -> None:
        if text in self.problems or len(self.problems) < MAX_PROBLEMS_KEPT:
            self.problems[text] += 1

    @property
    def rate(self) -> float:
        return self.latency.count / self.seconds if self.seconds else 0.0

    def summary(self) -> dict[str, Any]:
        """For programs: figures by name; latencies in milliseconds."""
        return {
            "requests": self.latency.count,
            "sessions": self.sessions,
            "seconds": round(self.seconds, 3),
            "requests_per_second": round(self.rate, 1),
            "latency_ms": self.latency.summary_ms(),
            "latency_ms_by_request": {
                name: found.summary_ms() for name, found in self.latency_of.items() if found.count
            },
            "sent_late_ms": self.sent_late.summary_ms(),
            "answers": {
                f"{kind} {code}": count
                for (kind, code), count in sorted(self.codes.items(), key=lambda row: row[0])
            },
            "repeats": self.repeats,
            "resent_after_loss": self.resent,
            "unanswered": self.unanswered,
            "reconnects": self.reconnects,
            "server_requests": {
                str(command): count for command, count in sorted(self.server_requests.items())
            },
            "problems": dict(self.problems),
        }


class _Session:
    """One conversation in progress on a peer."""

    __slots__ = ("conversation", "due", "first", "peer", "pending")

    def __init__(self, peer: _Peer, conversation: Conversation) -> None:
        self.peer = peer
        self.conversation = conversation
        self.pending: Avps = next(conversation)
        self.due = 0.0
        self.first: Message | None = None
        """The answer that a repeat on purpose must equal."""


class _Peer:
    """One gateway: its connection, and whether it is reconnecting."""

    def __init__(self, gateway: Gateway, client: GatewayClient) -> None:
        self.gateway = gateway
        self.client = client
        self.connecting: asyncio.Task[None] | None = None
        self.waiting: deque[_Session] = deque()


class LoadRun:
    """One run of a plan; ``run`` once."""

    def __init__(self, plan: LoadPlan, report: Callable[[int], None] = lambda done: None) -> None:
        self.plan = plan
        self.result = LoadResult()
        self._report = report
        self._random = random.Random(plan.seed or None)
        self._parties = self._round_robin(plan.parties)
        self._names = list(plan.mix)
        self._weights = [plan.mix[name] for name in self._names]
        self._numbers = 0
        self._live = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._ready: deque[_Session] = deque()
        self._peers: list[_Peer] = []
        self._clock: Callable[[], float]
        self._wall: int

    async def run(self, wall_clock_s: int) -> LoadResult:
        """Connect, load, check, leave. ``wall_clock_s`` is the time of the first session, in seconds since 1970.

        Raises OSError or ConnectionRefused if a gateway is refused.
        """
        # Not the loop's clock, which is of whole milliseconds and stands still for as long as a round takes.
        self._clock, self._wall = time.perf_counter, wall_clock_s
        plan = self.plan
        for number in range(plan.peers):
            name = f"{plan.origin_host}{number + 1}.{plan.origin_realm}"
            gateway = Gateway(
                name,
                plan.origin_realm,
                plan.destination_realm,
                plan.updates,
                plan.call_s,
                plan.octets,
                plan.ask,
                plan.rating_groups,
                plan.called_number,
            )
            client = GatewayClient(
                LocalNode(name, plan.origin_realm, (address_of_text("127.0.0.1"),), "diameterload"),
                limits=Limits(request_timeout_s=plan.timeout_s),
                on_server_request=self._asked_by_server,
            )
            await client.connect(plan.host, plan.port, plan.tls)
            self._peers.append(_Peer(gateway, client))
        started = self._clock()
        self._wall -= int(started)
        if plan.rate:
            await self._at_rate(started)
        else:
            for _ in range(plan.sessions):
                for peer in self._peers:
                    self._begin(peer)
            await self._until_done(started)
        self.result.seconds = self._clock() - started
        for peer in self._peers:
            if peer.client.is_open:
                await peer.client.leave()
        return self.result

    # --- pace -------------------------------------------------------------------------------------------------------

    def _enough(self, started: float) -> bool:
        plan = self.plan
        return bool(
            (plan.requests and self.result.latency.count >= plan.requests)
            or (plan.seconds and self._clock() - started >= plan.seconds)
        )

    async def _until_done(self, started: float) -> None:
        while not self._closing:
            await asyncio.sleep(0.02)
            self._report(self.result.latency.count)
            self._closing = self._enough(started)
        await self._finish()

    async def _at_rate(self, started: float) -> None:
        plan, sent, held_up = self.plan, 0, False
        while not self._enough(started):
            await asyncio.sleep(PACE_S)
            due = int((self._clock() - started) * plan.rate)
            while sent < due:
                session = self._ready.popleft() if self._ready else self._one_more()
                if session is None:
                    break
                # Waiting for the server counts as latency from the request's place in the schedule on; this side's own
                # lateness is none of the server's, and is counted apart.
                place = started + sent / plan.rate
                if held_up:
                    session.due = place
                else:
                    session.due = self._clock()
                    self.result.sent_late.add(session.due - place)
                sent += 1
                self._send(session)
            held_up = sent < due
            self._report(self.result.latency.count)
        self._closing = True
        while self._ready:
            self._send(self._ready.popleft())
        await self._finish()

    async def _finish(self) -> None:
        if self._live:
            try:
                await asyncio.wait_for(self._idle.wait(), self.plan.patience_s)
            except TimeoutError:
                self.result.problem(f"sessions were not over after {self.plan.patience_s:g} s of patience")

    def _one_more(self) -> _Session | None:
        if self._live >= self.plan.sessions * self.plan.peers:
            return None
        return self._open(self._peers[self._numbers % len(self._peers)])

    # --- sessions ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _round_robin(parties: Sequence[Party]) -> Iterator[Party]:
        while True:
            yield from parties

    def _open(self, peer: _Peer) -> _Session:
        self._numbers += 1
        self._live += 1
        self.result.sessions += 1
        name = self._random.choices(self._names, self._weights)[0] if len(self._names) > 1 else self._names[0]
        at = self._wall + int(self._clock())
        session_id = f"{peer.gateway.origin_host};{self._wall};{self._numbers};{self._random.getrandbits(32)}"
        return _Session(peer, SCENARIOS[name](peer.gateway, next(self._parties), session_id, at))

    def _begin(self, peer: _Peer) -> None:
        session = self._open(peer)
        session.due = self._clock()
        self._send(session)

    def _send(self, session: _Session, retransmitted: bool = False) -> None:
        peer = session.peer
        if not peer.client.is_open and self.plan.persist:
            self._await_connection(session)
            return
        if not session.due:
            session.due = self._clock()
        avps = session.pending
        peer.client.ask(avps, lambda message, why: self._answered(session, message, why), retransmitted)

    def _answered(self, session: _Session, message: Message | None, why: str) -> None:
        if message is None:
            if self.plan.persist:
                self.result.resent += 1
                self._await_connection(session)
                return
            self.result.unanswered += 1
            self.result.problem(f"no answer: {why}")
            self._end(session)
            return
        if self.plan.persist and message.avps.get("Result-Code") == ResultCode.TOO_BUSY:
            self.result.resent += 1
            asyncio.get_running_loop().call_later(RECONNECT_AFTER_S, self._send, session, True)
            return
        if session.first is not None:
            self._repeated(session, session.first, message)
            return
        request = session.pending
        kind = KINDS[request["CC-Request-Type"]]
        took_s = self._clock() - session.due
        self.result.latency.add(took_s)
        self.result.latency_of[kind].add(took_s)
        self.result.codes[kind, message.avps.get("Result-Code", 0)] += 1
        for problem in problems_of(request, message):
            self.result.problem(f"{kind}: {problem}")
        if self.plan.repeat_share and self._random.random() < self.plan.repeat_share:
            self._repeat(session, message)
            return
        self._go_on(session, message)

    def _go_on(self, session: _Session, message: Message) -> None:
        try:
            session.pending = session.conversation.send(message.avps)
        except StopIteration:
            self._end(session)
            return
        session.due = 0.0
        if self.plan.rate and not self._closing:
            self._ready.append(session)
        else:
            self._send(session)

    def _repeat(self, session: _Session, first: Message) -> None:
        """Send the request again, with the T flag; the answer is compared with the first."""
        self.result.repeats += 1
        session.first = first
        self._send(session, retransmitted=True)

    def _repeated(self, session: _Session, first: Message, again: Message) -> None:
        session.first = None
        if again.avps != first.avps:
            self.result.problem("a repeat was answered differently")
        self._go_on(session, first)

    def _end(self, session: _Session) -> None:
        self._live -= 1
        if not self._closing and not self.plan.rate:
            # Not at once: a server that turns everything away must not make this a recursion without end.
            asyncio.get_running_loop().call_soon(self._begin, session.peer)
        elif self._live == 0 and self._closing:
            self._idle.set()

    # --- the connection ---------------------------------------------------------------------------------------------

    def _await_connection(self, session: _Session) -> None:
        peer = session.peer
        if peer.client.is_open:
            asyncio.get_running_loop().call_later(RECONNECT_AFTER_S, self._send, session, True)
            return
        peer.waiting.append(session)
        if peer.connecting is None:
            peer.connecting = asyncio.get_running_loop().create_task(self._reconnect(peer))

    async def _reconnect(self, peer: _Peer) -> None:
        while True:
            await asyncio.sleep(RECONNECT_AFTER_S)
            try:
                await peer.client.connect(self.plan.host, self.plan.port, self.plan.tls)
            except (OSError, ConnectionRefused):
                continue
            break
        self.result.reconnects += 1
        peer.connecting = None
        waiting, peer.waiting = peer.waiting, deque()
        for session in waiting:
            self._send(session, retransmitted=True)

    def _asked_by_server(self, request: Any) -> int:
        self.result.server_requests[request.header.command] += 1
        return int(ResultCode.SUCCESS)
