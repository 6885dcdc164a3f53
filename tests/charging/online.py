"""A subscriber, an account and its balances as plain values, to charge requests against without a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.charging.domain.balances import DEFAULT_TAG, Balance, Group
from apps.charging.domain.charge import charge, charge_generally
from apps.charging.domain.lines import NO_END, BundlePeriod, CounterKey, Grant, Line, PlanPeriod, ServiceInfo
from apps.charging.domain.member_limits import NO_LIMITS, MemberLimits
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.requests import (
    BalanceOrder,
    ChargingAnswer,
    OnlineRequest,
    Operation,
    RequestItem,
    Result,
    Units,
    UsedUnits,
)
from apps.charging.domain.sessions import Session
from apps.charging.domain.state import FIRST_NEW_ID, Account, ChargingConfig, Counter, Entry, Outcome, State
from apps.rating.domain import Rater, compile_tariff
from apps.rating.domain.source import (
    Destination,
    DestinationRate,
    PricePlan,
    Rate,
    RateSlot,
    RatingPlanEntry,
    RatingProfile,
    ServicePrice,
    TariffPlan,
    TariffSource,
    Timing,
)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
MIB = 1024 * 1024
GERMANY, BERLIN, BRITAIN = "4915550000002", "4930123456", "447700900123"
ACCOUNT_ID = 1
SERVICES = {
    "voice": ServiceInfo(1, "call", "voice"),
    "sms": ServiceInfo(2, "sms", "sms"),
    "data": ServiceInfo(3, "data", "data"),
    "mms": ServiceInfo(4, "mms", "mms"),
}
DESTINATIONS = (
    Destination("DE", ("49",)),
    Destination("DE_BERLIN", ("4930",)),
    Destination("GB", ("44",)),
)


def make_rater(
    *,
    connect_fee: str = "0",
    rate: str = "0.06",
    unit: int = 60,
    increment: int = 1,
    slots: Iterable[RateSlot] = (),
    subjects: Mapping[str, Iterable[RateSlot]] | None = None,
    rounding: tuple[str, int] = ("*middle", 0),
    max_cost: tuple[str, str] = ("0", ""),
    timed: Iterable[tuple[Timing, Iterable[RateSlot]]] = (),
    timed_subjects: Mapping[str, Iterable[tuple[Timing, Iterable[RateSlot]]]] | None = None,
    zone: str = "UTC",
) -> Rater:
    """Voice at ``rate`` a ``unit`` (a minute at 0.06 unless told otherwise) to everywhere but 999…

    The plan “basic” prices SMS at 0.05, data at 0.01 a MiB and MMS at 0.10. ``subjects`` are further rating
    subjects for calls and data; ``timed`` rates beat the plain ones within their timing, ``timed_subjects`` those of
    subjects.
    """
    rows = tuple(slots) or (RateSlot(0, connect_fee, rate, unit, increment),)
    rates: dict[str, tuple[tuple[Timing | None, tuple[RateSlot, ...]], ...]] = {
        "*any": ((None, rows), *((timing, tuple(slots)) for timing, slots in timed))
    }
    for subject, subject_rows in (subjects or {}).items():
        later = (timed_subjects or {}).get(subject, ())
        rates[subject] = ((None, tuple(subject_rows)), *((timing, tuple(slots)) for timing, slots in later))
    plan = TariffPlan(
        "*shared",
        timings=tuple(timing for many in (timed, *(timed_subjects or {}).values()) for timing, _ in many),
        destinations=DESTINATIONS,
        rates=tuple(
            Rate(f"RT_{subject}_{n}", slots)
            for subject, many in rates.items()
            for n, (_, slots) in enumerate(many)
        ),
        destination_rates=tuple(
            DestinationRate(f"DR_{subject}_{n}", destination, f"RT_{subject}_{n}", *rounding, *max_cost)
            for subject, many in rates.items()
            for n in range(len(many))
            for destination in ("DE", "DE_BERLIN", "GB", "*any")
            if subject != "*any" or destination != "*any"
        ),
        rating_plans=tuple(
            RatingPlanEntry(
                f"RP_{subject}", f"DR_{subject}_{n}", timing.id if timing else "*any", str(10 * n)
            )
            for subject, many in rates.items()
            for n, (timing, _) in enumerate(many)
        ),
        rating_profiles=tuple(
            RatingProfile("default", category, subject, 0, f"RP_{subject}")
            for subject in rates
            for category in ("call", "data")
        ),
    )
    plans = (
        PricePlan(
            "default",
            "basic",
            "*any",
            None,
            (
                ServicePrice("sms", 1, 50_000),
                ServicePrice("data", MIB, 10_000),
                ServicePrice("mms", 1, 100_000),
            ),
        ),
        # Data of this one is priced by the tariff, as calls are: for rates of data that change with time.
        PricePlan("default", "timed", "*any", None, (ServicePrice("sms", 1, 50_000),)),
    )
    return Rater(compile_tariff(TariffSource((("default", zone),), (plan,), plans)))


def make_line(
    *,
    plan: str = "basic",
    grants: Mapping[str, tuple[Grant, ...]] | None = None,
    bundles: tuple[BundlePeriod, ...] = (),
    prepaid: bool = True,
    zone: str = "UTC",
) -> Line:
    periods = (PlanPeriod(LONG_AGO, NO_END, 1, f"*plan:{plan}", grants or {}),)
    return Line(7, ACCOUNT_ID, prepaid, "default", ZoneInfo(zone), periods, bundles)


def money(value: int, **terms: object) -> Balance:
    """The default balance with ``value`` micro-units, or another one with ``tag``."""
    return _with(Balance(1, ACCOUNT_ID, DEFAULT_TAG, "monetary", value), terms)


def units(balance_id: int, kind: str, value: int, **terms: object) -> Balance:
    balance = Balance(balance_id, ACCOUNT_ID, f"{kind}-{balance_id}", kind, value)
    return _with(balance, terms)


def _with(balance: Balance, fields: Mapping[str, Any]) -> Balance:
    """The balance with other fields of its own and of its terms."""
    own = {name: value for name, value in fields.items() if name in Balance._fields}
    terms = balance.terms._replace(**{name: fields[name] for name in fields.keys() - own.keys()})
    return balance._replace(**own, terms=terms)


class Charger:
    """Charges one request after another, as the executor would, and remembers everything."""

    def __init__(
        self,
        *balances: Balance,
        rater: Rater | None = None,
        line: Line | None = None,
        allow_negative: bool = False,
        groups: Iterable[Group] = (),
        policies: Mapping[tuple[str, int], QuotaPolicy] | None = None,
        known: bool = True,
    ) -> None:
        self.rater = rater or make_rater()
        self.line = (line or make_line()) if known else None
        prepaid = self.line.prepaid if self.line else True
        zone = self.line.zone if self.line else ZoneInfo("UTC")
        self.account: Account | None = Account(
            ACCOUNT_ID, "A1", "default", zone, "EUR", prepaid, allow_negative
        )
        self.other: Account | None = None
        self.balances = {balance.balance_id: balance for balance in balances}
        self.counters: dict[CounterKey, Counter] = {}
        self.sessions: dict[tuple[str, int], Session] = {}
        self.entries: list[Entry] = []
        self.answers: dict[tuple[str, int, int], ChargingAnswer] = {}
        self.config = ChargingConfig(SERVICES, policies or {}, {group.group_id: group for group in groups})
        self.barred = False
        self.barred_members: frozenset[int] = frozenset()
        self.members: MemberLimits = NO_LIMITS
        self.fresh_id = FIRST_NEW_ID
        self.now = NOON

    def state_of(self, request: OnlineRequest) -> State:
        """What the request is charged against."""
        key = (request.session_id, request.sub_session)
        return State(
            self.config,
            self.line,
            self.account,
            self.balances,
            self.counters,
            self.sessions.get(key),
            self.barred,
            self.other,
            len(self.sessions) + 1,
            self.fresh_id,
            barred_members=self.barred_members,
            taken=list(self.entries) if request.totals or request.operation is Operation.REFUND else (),
            members=self.members,
        )

    def outcome_of(self, request: OnlineRequest) -> Outcome:
        """What the request would do."""
        return charge(self.state_of(request), request, self.rater, self.now)

    def ask(self, request: OnlineRequest, now: datetime | None = None) -> ChargingAnswer:
        key, state = (request.session_id, request.sub_session), self.state_of(request)
        outcome = charge(state, request, self.rater, now or self.now)
        # The fast path gives the same result as the rules.
        by_rules = charge_generally(state, request, self.rater, now or self.now)
        assert outcome._replace(entries=list(outcome.entries)) == by_rules._replace(
            entries=list(by_rules.entries)
        )
        self.balances, self.counters = dict(outcome.balances), dict(outcome.counters)
        self.fresh_id = outcome.fresh_id
        self.members = outcome.members
        if outcome.session is not None:
            self.sessions[key] = outcome.session
        self.entries.extend(outcome.entries)
        return outcome.answer

    def send(
        self,
        operation: Operation,
        *items: RequestItem,
        number: int = 0,
        session: str = "s",
        at: datetime | None = None,
        order: BalanceOrder | None = None,
    ) -> ChargingAnswer:
        moment = at or self.now
        return self.ask(
            OnlineRequest(operation, session, number, moment, "4915", items=items, order=order), moment
        )

    def value(self, balance_id: int = 1) -> int:
        return self.balances[balance_id].value

    def reserved(self, balance_id: int = 1) -> int:
        return self.balances[balance_id].reserved

    def booked(self, balance_id: int = 1) -> int:
        return sum(entry.amount for entry in self.entries if entry.balance_id == balance_id)


def units_of(service: str, amount: int) -> Units:
    if service == "voice":
        return Units(time_s=amount)
    if service == "data":
        return Units(total_octets=amount)
    return Units(service_specific=amount)


def item(
    service: str = "voice",
    asked: int | None = None,
    used: int | None = None,
    destination: str = GERMANY,
    **more: object,
) -> RequestItem:
    """One rating group: ``asked`` units requested, ``used`` units reported."""
    return RequestItem(
        service,
        destination,
        None if asked is None else units_of(service, asked),
        () if used is None else (UsedUnits(units_of(service, used)),),
        **more,  # type: ignore[arg-type]
    )


def call(
    charger: Charger, *pieces: int, destination: str = GERMANY, session: str = "s", service: str = "voice"
) -> int:
    """A session that reports ``pieces`` one after the other; what it cost. Voice lets the time pass."""
    began = charger.now
    asked = item(service, sum(pieces) or 1, destination=destination)
    if charger.send(Operation.INITIATE, asked, session=session, at=began).result is not Result.SUCCESS:
        # It goes on without a quota, so that usage is still reported.
        charger.send(Operation.INITIATE, session=session, at=began)
    passed = 0
    for number, piece in enumerate(pieces[:-1], 1):
        passed += piece
        at = began + timedelta(seconds=passed if service == "voice" else 0)
        rest = max(sum(pieces) - passed, 1)
        charger.send(
            Operation.UPDATE,
            item(service, rest, piece, destination=destination),
            number=number,
            session=session,
            at=at,
        )
    last = pieces[-1] if pieces else 0
    at = began + timedelta(seconds=passed + last if service == "voice" else 0)
    charger.send(
        Operation.TERMINATE,
        item(service, None, last, destination=destination),
        number=len(pieces) + 1,
        session=session,
        at=at,
    )
    return charger.sessions[session, 0].cost_micros
