"""Why usage costs what it costs: the whole trace of a price, as values and as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from apps.kernel.money import format_micros
from apps.kernel.units import NANO, VOICE_NS, figure, format_nanoseconds, unit_of
from apps.rating.domain.allowances import Allowance, Taken
from apps.rating.domain.rater import Rater
from apps.rating.domain.rates import DISCONNECT, EXACT, FREE, Rounding, settle
from apps.rating.domain.resolution import Step
from apps.rating.domain.source import ANY
from apps.rating.domain.usage import VOICE, RatedUsage, Usage, session_began
from apps.rating.domain.walk import Segment

_CLOCK = "%Y-%m-%d %H:%M:%S"


class Line(NamedTuple):
    """One run of increments at one rate. ``cost_micros`` and the connect fee add up to the price exactly.

    ``usage`` is the part of the used units in the line, ``units`` the billed ones (whole increments), ``rate``
    the price of ``rate_unit`` units as the tariff states it. All of these count nanoseconds where ``in_ns``: the usage
    does, or the rate has figures of less than a second.
    """

    start: datetime
    position: int
    usage: int
    units: int
    increments: int
    increment: int
    rate: str
    rate_unit: int
    slot_start: int
    rate_id: str
    destination_rate_id: str
    timing: str
    weight: str
    subject: str
    rating_plan: str
    destination: str
    prefix: str
    max_cost: str
    max_cost_strategy: str
    cost_micros: int
    in_ns: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A price with everything that led to it; ``rated`` is what :meth:`Rater.rate` gives for the same usage."""

    usage: Usage
    position: int
    rated: RatedUsage
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    rounding_method: str
    rounding_decimals: int
    exact_cost: str
    taken: tuple[Taken, ...]


def explain(
    rater: Rater,
    usage: Usage,
    position: int = 0,
    paid_from: int = 0,
    allowances: Sequence[Allowance] = (),
) -> Explanation:
    """Price usage as :meth:`Rater.rate_with_allowances` does, and tell how. Raises RatingError as it does."""
    taken: tuple[Taken, ...] = ()
    if allowances:
        _, taken = rater.rate_with_allowances(usage, allowances, position, paid_from)
        if taken:
            paid_from = position + sum(units for _, units in taken)
    rated, lines, rounding, trail = _price(rater, usage, position, paid_from)
    return Explanation(
        usage,
        position,
        rated,
        tuple(rater.steps(usage)),
        lines,
        rounding.name,
        rounding.decimals,
        _exact(trail),
        taken,
    )


def price_lines(rater: Rater, usage: Usage, position: int = 0) -> tuple[RatedUsage, tuple[Line, ...]]:
    """A price and the lines that it is made of: what bulk enquiries need of :func:`explain`."""
    return _price(rater, usage, position, 0)[:2]


def _price(
    rater: Rater, usage: Usage, position: int, paid_from: int
) -> tuple[RatedUsage, tuple[Line, ...], Rounding, list[Segment]]:
    trail: list[Segment] = []
    rated = rater.rate_fully(usage, position, paid_from, trail)
    rounding = _rounding_of_session(rater, usage, position, paid_from, trail)
    return rated, _lines(usage, position, rated, trail, rounding), rounding, trail


def _rounding_of_session(
    rater: Rater, usage: Usage, position: int, paid_from: int, trail: Sequence[Segment]
) -> Rounding:
    """The rounding with the most decimals of all segments so far, those of earlier pieces too."""
    roundings = [segment.rate.rounding for segment in trail]
    if position > paid_from:
        earlier: list[Segment] = []
        rater.rate_fully(session_so_far(usage, position), 0, paid_from, earlier)
        roundings = [segment.rate.rounding for segment in earlier] + roundings
    rounding = EXACT
    for candidate in roundings:
        if candidate.decimals > rounding.decimals:
            rounding = candidate
    return rounding


def session_so_far(usage: Usage, position: int) -> Usage:
    """The piece that came before one at ``position``, from the session's beginning."""
    start = usage.start
    if usage.tor == VOICE_NS:
        start = datetime.fromtimestamp(session_began(start, position), UTC)
    elif usage.tor == VOICE:
        start = datetime.fromtimestamp(int(start.timestamp() // 1) - position, UTC)
    return usage._replace(start=start, amount=position)


def _lines(
    usage: Usage, position: int, rated: RatedUsage, trail: Sequence[Segment], rounding: Rounding
) -> tuple[Line, ...]:
    end = position + usage.amount
    end_ns = end if usage.tor == VOICE_NS else end * NANO
    # What the last line ends at is the price; the cost before the first follows from it.
    after_last = settle(*trail[-1].cost, rounding) if trail else 0
    before = after_last - rated.cost_micros + rated.connect_fee_micros
    lines = []
    for segment in trail:
        timing, weight = segment.match.schedule.entries[segment.timing]
        slot, rate = segment.slot, segment.rate
        units = segment.increments * slot.increment
        in_ns = rate.scale != 1
        after = settle(*segment.cost, rounding)
        lines.append(
            Line(
                datetime.fromtimestamp(segment.epoch, UTC),
                segment.position,
                min(segment.position + units, end_ns if in_ns else end) - segment.position,
                units,
                segment.increments,
                slot.increment,
                slot.rate,
                slot.unit,
                slot.start,
                rate.rate_id,
                rate.destination_rate_id,
                timing.id,
                f"{weight.normalize():f}",
                segment.match.matched.subject,
                segment.match.matched.rating_plan,
                segment.match.matched.destination,
                segment.match.matched.prefix,
                rate.terms.max_cost if rate.free_cap or rate.disconnect_cap else "",
                rate.terms.max_cost_strategy if rate.free_cap or rate.disconnect_cap else "",
                after - before,
                in_ns,
            )
        )
        before = after
    return tuple(lines)


def _exact(trail: Sequence[Segment]) -> str:
    """The session's exact cost so far as a decimal, or as a ratio if its decimals do not end."""
    if not trail:
        return "0"
    numerator, denominator = trail[-1].cost
    denominator *= 1_000_000
    scaled, rest = divmod(numerator * 10**24, denominator)
    if rest:
        return f"{numerator}/{denominator}"
    digits = f"{scaled:025d}"
    fraction = digits[-24:].rstrip("0")
    return f"{digits[:-24]}.{fraction}" if fraction else digits[:-24]


def prose(explanation: Explanation, zone_name: str = "UTC") -> str:
    """The explanation in sentences, for an operator on the telephone with a customer."""
    usage, rated = explanation.usage, explanation.rated
    in_ns = usage.tor == VOICE_NS
    tor, unit = (VOICE, "s") if in_ns or usage.tor == VOICE else (usage.tor, unit_of(usage.tor))
    begun = (
        f" (units {figure(explanation.position, in_ns)} onwards of its session)"
        if explanation.position
        else ""
    )
    sentences = [
        f"{amount_text(usage.amount, unit, in_ns)} of {tor} to {usage.destination or ANY}, begun "
        f"{usage.start:{_CLOCK}} UTC{begun}, cost {format_micros(rated.cost_micros)}.",
        "",
        f"Who is asked (tenant {usage.tenant}, category {usage.category}, subject {usage.subject}):",
    ]
    for step in explanation.steps:
        plan = f", rating plan {step.rating_plan}," if step.rating_plan else ""
        sentences.append(f"  {step.depth}. {step.subject}{plan} {step.outcome}")
    if rated.destination:
        by = "by default" if rated.prefix == ANY else f"by prefix {rated.prefix}"
        sentences.append(f"The destination is {rated.destination}, {by}.")
    for key, units in explanation.taken:
        sentences.append(f"Allowance {key} gives {amount_text(units, unit, in_ns)} free of charge.")
    if rated.connect_fee_micros:
        sentences.append(f"The connect fee is {format_micros(rated.connect_fee_micros)}.")
    sentences += [_line_sentence(line, unit) for line in explanation.lines]
    sentences.append(_rounding_sentence(explanation))
    sentences += _cap_sentences(explanation.lines)
    return "\n".join(sentences)


def _line_sentence(line: Line, unit: str) -> str:
    timing = "at any time" if line.timing == ANY else f"in timing {line.timing} (weight {line.weight})"
    position, increment, units, rate_unit, slot_start = (
        figure(number, line.in_ns)
        for number in (line.position, line.increment, line.units, line.rate_unit, line.slot_start)
    )
    return (
        f"From {line.start:{_CLOCK}} UTC (unit {position}), {timing}: {amount_text(line.usage, unit, line.in_ns)} "
        f"used are {line.increments} × {increment} = {units} billed, at {line.rate} for {rate_unit} "
        f"(rate {line.rate_id}, slot from {slot_start}): {format_micros(line.cost_micros)}."
    )


def amount_text(number: int, unit: str, in_ns: bool) -> str:
    """A figure of usage with its unit."""
    return format_nanoseconds(number) if in_ns else f"{number} {unit}"


def _rounding_sentence(explanation: Explanation) -> str:
    decimals = explanation.rounding_decimals
    how = f"{explanation.rounding_method} to {decimals} decimals" if decimals else "to the micro-unit"
    return f"The session so far costs exactly {explanation.exact_cost}; it is rounded once, {how}."


def _cap_sentences(lines: Sequence[Line]) -> list[str]:
    caps = dict.fromkeys((line.max_cost, line.max_cost_strategy) for line in lines if line.max_cost)
    texts = {
        FREE: "what goes beyond is free",
        DISCONNECT: "a session that is charged in real time ends there, while this price is not limited",
    }
    return [f"The maximum cost is {cost}: {texts[strategy]}." for cost, strategy in caps]
