"""A price's explanation, laid out for ``templates/admin/rating/explanation.html``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.backoffice.display import NOTHING, instant, plain_money, usage
from apps.backoffice.panels import Fact, Table
from apps.kernel.units import VOICE_NS, figure
from apps.rating.domain.explain import Explanation, Line, prose


@dataclass(frozen=True)
class ExplainedPrice:
    """What the page shows: figures, who was asked, a line for each rate, and the whole in sentences."""

    facts: tuple[Fact, ...]
    steps: Table
    lines: Table
    prose: str
    note: str = ""


def explained(
    explanation: Explanation, currency: str, *, version: Any = None, note: str = ""
) -> ExplainedPrice:
    """The explanation as tables. Amounts are in ``currency``, instants as the page's zone has them."""
    rated, tor = explanation.rated, explanation.usage.tor
    facts = [
        Fact("Price", plain_money(rated.cost_micros, currency), f"exactly {explanation.exact_cost}"),
        Fact("Usage", usage(explanation.usage.amount, tor), f"billed {usage(rated.billed_usage, tor)}"),
        Fact("Destination", rated.destination or NOTHING, f"prefix {rated.prefix}" if rated.prefix else ""),
        Fact(
            "Rating plan", rated.rating_plan or NOTHING, f"subject {rated.subject}" if rated.subject else ""
        ),
    ]
    if rated.free_usage:
        facts.insert(2, Fact("Free units", usage(rated.free_usage, tor)))
    if version is not None:
        facts.append(Fact("Tariff version", version))
    return ExplainedPrice(
        tuple(facts),
        Table(
            ("", "Subject", "Rating plan", "Outcome"),
            [
                (step.depth, step.subject, step.rating_plan or NOTHING, step.outcome)
                for step in explanation.steps
            ],
            "No subject was asked.",
            (0,),
        ),
        _lines(explanation, currency, tor),
        prose(explanation),
        note,
    )


def _lines(explanation: Explanation, currency: str, tor: str) -> Table:
    rows: list[tuple[Any, ...]] = []
    if explanation.rated.connect_fee_micros:
        fee = plain_money(explanation.rated.connect_fee_micros, currency)
        rows.append(("", "Connect fee", "", "", "", "", "", fee))
    rows += [_line(line, currency, tor) for line in explanation.lines]
    decimals = explanation.rounding_decimals
    return Table(
        ("From", "Rate", "Timing", "Price", "Used", "Increments", "Billed", "Cost"),
        rows,
        "Nothing had to be paid.",
        (4, 5, 6, 7),
        note=(
            f"Rounded once to {decimals} decimals ({explanation.rounding_method})."
            if decimals
            else "Not rounded but to the micro-unit."
        ),
        total=("", "Price", "", "", "", "", "", plain_money(explanation.rated.cost_micros, currency)),
    )


def _line(line: Line, currency: str, tor: str) -> tuple[Any, ...]:
    if line.in_ns:
        tor = VOICE_NS
    rate_unit, increment = figure(line.rate_unit, line.in_ns), figure(line.increment, line.in_ns)
    slot = f", slot from {figure(line.slot_start, line.in_ns)}" if line.slot_start else ""
    timing = "any time" if line.timing == "*any" else f"{line.timing} (weight {line.weight})"
    return (
        instant(line.start, seconds=True),
        f"{line.rate_id}{slot}",
        timing,
        f"{line.rate} for {rate_unit}",
        usage(line.usage, tor),
        f"{line.increments} × {increment}",
        usage(line.units, tor),
        plain_money(line.cost_micros, currency),
    )
