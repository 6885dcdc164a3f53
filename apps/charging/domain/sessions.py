"""Sessions as values: the progress of each quota, and its holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol

from apps.kernel.units import NANO

SUPERVISION_FACTOR = 2
"""A session that is silent for this many validity times is ended (Tcc: RFC 8506 section 13)."""
DEFAULT_VALIDITY_S = 600
LONGEST_SESSION_ID = 1_000


@lru_cache(maxsize=100)
def end_of_supervision(now: datetime, validity_s: int) -> datetime:
    """When a session ends that is silent from ``now`` on; the requests of a batch have it in common."""
    return now + timedelta(seconds=SUPERVISION_FACTOR * (validity_s or DEFAULT_VALIDITY_S))


class SessionStatus(StrEnum):
    """Where a session is in its life."""

    OPEN = "open"
    CLOSED = "closed"
    """Terminated by its client."""
    RELEASED = "released"
    """Ended by the operator; its holds were released."""
    EXPIRED = "expired"
    """Ended by its supervision timer."""


class Hold(NamedTuple):
    """A part of a balance (or of an allowance counter, for negative ids) reserved for a quota."""

    balance_id: int
    amount: int


NO_RUN = ""
FREE_RUN = "*zero:"
Passed = tuple[int, int, int, int]


class Meter(NamedTuple):
    """One quota of a session: a service under a rating group, from its first unit on.

    ``position`` counts the units reported. Units before ``covered`` are paid for already, because increments are
    taken whole. ``run`` names who paid last (``*zero:<balance>``, the subject that priced, or ``*money`` for a quota
    that is out in money, which moves no position), and ``run_from`` is the position at which that run began: its paid
    increments start there. ``granted`` is the quota out at the client and ``holds`` its reservations.
    ``reported_at`` is when the next piece of usage began.
    The sums are over the session; ``unrated_units`` were used but had no price. ``passed`` are balances of units at a
    price that did not buy the next increment when their turn was over: (balance, units, money, seconds since 1970) as
    it was then. They stay passed over until there is more, or other rates apply. ``in_ns``: figures of usage count
    nanoseconds.
    """

    service: str
    rating_group: int | None
    service_identifier: int | None
    destination: str
    started_at: datetime
    reported_at: datetime
    position: int = 0
    covered: int = 0
    run: str = NO_RUN
    run_from: int = 0
    granted: int = 0
    holds: tuple[Hold, ...] = ()
    tariff_change_at: datetime | None = None
    cost_micros: int = 0
    unpaid_micros: int = 0
    free_units: int = 0
    unrated_units: int = 0
    passed: tuple[Passed, ...] = ()
    in_ns: bool = False

    @property
    def key(self) -> tuple[str, int | None, int | None]:
        return self.service, self.rating_group, self.service_identifier

    @property
    def units(self) -> int:
        """:attr:`position` in units; a second that has begun counts."""
        return -(-self.position // NANO) if self.in_ns else self.position

    def in_nanoseconds(self) -> Meter:
        """The same quota, with its figures in nanoseconds."""
        if self.in_ns:
            return self
        return self._replace(
            position=self.position * NANO,
            covered=self.covered * NANO,
            run_from=self.run_from * NANO,
            granted=self.granted * NANO,
            free_units=self.free_units * NANO,
            unrated_units=self.unrated_units * NANO,
            in_ns=True,
        )


class Reading(Protocol):
    """What paying needs to know of a meter."""

    @property
    def destination(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def reported_at(self) -> datetime: ...
    @property
    def position(self) -> int: ...
    @property
    def covered(self) -> int: ...
    @property
    def run(self) -> str: ...
    @property
    def run_from(self) -> int: ...
    @property
    def passed(self) -> tuple[Passed, ...]: ...


class WorkingMeter:
    """A meter while a request changes it; read back with :meth:`meter`."""

    __slots__ = Meter._fields

    def __init__(self, meter: Meter) -> None:
        (
            self.service,
            self.rating_group,
            self.service_identifier,
            self.destination,
            self.started_at,
            self.reported_at,
            self.position,
            self.covered,
            self.run,
            self.run_from,
            self.granted,
            self.holds,
            self.tariff_change_at,
            self.cost_micros,
            self.unpaid_micros,
            self.free_units,
            self.unrated_units,
            self.passed,
            self.in_ns,
        ) = meter

    def report(self, at: datetime) -> None:
        """The next piece of usage begins at ``at``, if that is not before the last report."""
        if at > self.reported_at:
            self.reported_at = at

    def meter(self) -> Meter:
        return Meter(
            self.service,
            self.rating_group,
            self.service_identifier,
            self.destination,
            self.started_at,
            self.reported_at,
            self.position,
            self.covered,
            self.run,
            self.run_from,
            self.granted,
            self.holds,
            self.tariff_change_at,
            self.cost_micros,
            self.unpaid_micros,
            self.free_units,
            self.unrated_units,
            self.passed,
            self.in_ns,
        )


class Session(NamedTuple):
    """A credit-control session. ``row_id`` is its row's; ``expires_at`` when its supervision timer ends it."""

    row_id: int
    session_id: str
    sub_session: int
    account_id: int
    subscriber_id: int
    opened_at: datetime
    updated_at: datetime
    expires_at: datetime
    status: str = SessionStatus.OPEN
    last_number: int = 0
    peer: str = ""
    owner: str = ""
    meters: tuple[Meter, ...] = ()

    @property
    def cost_micros(self) -> int:
        return sum(meter.cost_micros for meter in self.meters)

    @property
    def unpaid_micros(self) -> int:
        return min(sum(meter.unpaid_micros for meter in self.meters), 1 << 62)


def peer_of_route(route: str) -> str:
    """Whose connection leads to a session's client, in small letters; ``route`` is its host, or host/realm/agent."""
    return route.rpartition("/")[2].lower()


def with_stored_ids(session: Session, ids: Mapping[int, int]) -> Session:
    """The session with the ids of rows that are stored now instead of the provisional ones that it names them by."""
    runs = {f"{FREE_RUN}{provisional}": f"{FREE_RUN}{row_id}" for provisional, row_id in ids.items()}
    return session._replace(
        meters=tuple(
            meter._replace(
                holds=tuple(
                    Hold(ids.get(hold.balance_id, hold.balance_id), hold.amount) for hold in meter.holds
                ),
                run=runs.get(meter.run, meter.run),
                passed=tuple((ids.get(passed[0], passed[0]), *passed[1:]) for passed in meter.passed),
            )
            for meter in session.meters
        )
    )
