"""Small tariffs to price with, written the way the files are, and an independent oracle of a session's cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from apps.kernel.rounding import RoundingMethod, round_to_decimals
from apps.rating.domain import Rater, Tariff, Usage, compile_tariff
from apps.rating.domain.source import (
    Destination,
    DestinationRate,
    PricePlan,
    Rate,
    RateSlot,
    RatingPlanEntry,
    RatingProfile,
    TariffPlan,
    TariffSource,
    Timing,
)

ANY = "*any"


def slot(rate: str, unit: int = 60, increment: int = 60, start: int = 0, connect_fee: str = "0") -> RateSlot:
    return RateSlot(start, connect_fee, rate, unit, increment)


def tariff_source(
    slots: Sequence[RateSlot] = (),
    *,
    rounding: tuple[str, int] = ("*middle", 0),
    max_cost: tuple[str, str] = ("0", ""),
    destination: str = ANY,
    zone: str = "UTC",
    timed: Iterable[tuple[Timing, str, Sequence[RateSlot]]] = (),
    destinations: Iterable[Destination] = (),
    price_plans: Iterable[PricePlan] = (),
) -> TariffSource:
    """One rating plan of subject ``*any``, category ``call``: ``slots`` at any time, ``timed`` ones by weight."""
    groups = [(Timing(ANY), "0", slots)] if slots else []
    groups += timed
    return TariffSource(
        (("default", zone),),
        (
            TariffPlan(
                "*shared",
                tuple(timing for timing, _, _ in groups if timing.id != ANY),
                tuple(destinations),
                tuple(Rate(f"RT_{n}", tuple(rows)) for n, (_, _, rows) in enumerate(groups)),
                tuple(
                    DestinationRate(f"DR_{n}", destination, f"RT_{n}", *rounding, *max_cost)
                    for n in range(len(groups))
                ),
                tuple(
                    RatingPlanEntry("RP", f"DR_{n}", timing.id, weight)
                    for n, (timing, weight, _) in enumerate(groups)
                ),
                (RatingProfile("default", "call", ANY, 0, "RP"),),
            ),
        ),
        tuple(price_plans),
    )


def tariff(slots: Sequence[RateSlot] = (), **options: object) -> Tariff:
    return compile_tariff(tariff_source(slots, **options))  # type: ignore[arg-type]


def rater(slots: Sequence[RateSlot] = (), **options: object) -> Rater:
    return Rater(tariff(slots, **options))


def usage(
    amount: int = 60,
    start: str = "2026-01-05T12:00:00Z",
    *,
    tor: str = "voice",
    destination: str = "4930123456",
    subject: str = "alice",
    category: str = "call",
    tenant: str = "default",
) -> Usage:
    """Usage at noon of Monday, 5 January 2026, unless told otherwise."""
    return Usage(tenant, category, subject, tor, destination, datetime.fromisoformat(start), amount)


def later(piece: Usage, amount_used: int, amount: int) -> Usage:
    """The next piece of the same session, ``amount_used`` units on; only for voice time goes by."""
    passed = timedelta(seconds=amount_used if piece.tor == "voice" else 0)
    return piece._replace(start=piece.start + passed, amount=amount)


def naive_cost_micros(plain: TariffSource, session: Usage, upto: int, paid_from: int = 0) -> tuple[int, int]:
    """Cost in micro-units and billed units of a session's first ``upto`` units, one increment after another.

    Written from the rules alone, for tariffs of :func:`tariff_source`: it looks at the wall clock for
    every increment and keeps fractions, with no bands, intervals or caches.
    """
    plan = plain.tariff_plans[0]
    zone = ZoneInfo(plain.tenants[0][1])
    timings = {ANY: Timing(ANY)} | {timing.id: timing for timing in plan.timings}
    rates = {rate.id: rate.slots for rate in plan.rates}
    terms = {row.id: row for row in plan.destination_rates}
    position, cost, decimals, method = paid_from, Fraction(0), 0, "*middle"
    fee_due = paid_from == 0
    while position < upto:
        instant = session.start
        if session.tor == "voice":
            instant += timedelta(seconds=position)
        wall = instant.astimezone(zone)
        second = wall.hour * 3600 + wall.minute * 60 + wall.second
        candidates = []
        for order, entry in enumerate(plan.rating_plans):
            timing = timings[entry.timing_id]
            if (
                (not timing.years or wall.year in timing.years)
                and (not timing.months or wall.month in timing.months)
                and (not timing.month_days or wall.day in timing.month_days)
                and (not timing.weekdays or wall.isoweekday() in timing.weekdays)
                and timing.start_s <= second < timing.end_s
            ):
                candidates.append((Fraction(entry.weight), timing.start_s, -order, entry))
        row = terms[max(candidates)[3].destination_rates_id]
        slots = rates[row.rate_id]
        current = max((s for s in slots if s.group_start <= position), key=lambda s: s.group_start)
        if row.rounding_decimals > decimals:
            decimals, method = row.rounding_decimals, row.rounding_method
        cap = Fraction(row.max_cost) if row.max_cost_strategy == "*free" else None
        added = Fraction(current.rate) * current.increment / current.unit
        if fee_due:
            cost, fee_due = Fraction(slots[0].connect_fee), False
            cost = cost if cap is None else min(cost, cap)
        cost = cost + added if cap is None else max(cost, min(cost + added, cap))
        position += current.increment
    micros = cost * 1_000_000
    settled = round_to_decimals(micros.numerator, micros.denominator, RoundingMethod(method), decimals)
    return settled, position - paid_from


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
