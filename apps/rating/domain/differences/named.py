"""Differences of what has a name: rating profiles, timings, products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from apps.rating.domain import source as src
from apps.rating.domain.tariff import Profile, Tariff


class TermChange(NamedTuple):
    """A change of something that has a name: a profile, a timing, a product. Empty text: it is not there."""

    of: str
    name: str
    old: str
    new: str


def timing_changes(old: src.TariffSource, new: src.TariffSource) -> list[TermChange]:
    """The timings that mean other hours or days, by tariff plan and id."""
    before, after = _timings(old), _timings(new)
    return [
        TermChange(plan, name, _timing(before.get((plan, name))), _timing(after.get((plan, name))))
        for plan, name in sorted(before.keys() | after.keys())
        if before.get((plan, name)) != after.get((plan, name))
    ]


def profile_changes(old: Tariff, new: Tariff) -> Iterator[TermChange]:
    for key in sorted(old.profiles.keys() | new.profiles.keys()):
        before, after = _activations(old.profiles.get(key)), _activations(new.profiles.get(key))
        for since in sorted(before.keys() | after.keys()):
            was, now = before.get(since, ""), after.get(since, "")
            if was != now:
                yield TermChange("/".join(key), str(since), was, now)


def _activations(profile: Profile | None) -> dict[int, str]:
    if profile is None:
        return {}
    return {
        activation.since: ", else ".join((activation.plan.id, *activation.fallback_subjects))
        for activation in profile.activations
    }


def _timings(source: src.TariffSource) -> dict[tuple[str, str], src.Timing]:
    return {(plan.code, timing.id): timing for plan in source.tariff_plans for timing in plan.timings}


def _timing(timing: src.Timing | None) -> str:
    if timing is None:
        return ""
    parts = [
        f"{name} {', '.join(map(str, numbers))}"
        for name, numbers in zip(("years", "months", "days", "weekdays"), timing[1:5], strict=True)
        if numbers
    ]
    return "; ".join([*parts, f"{_clock(timing.start_s)} to {_clock(timing.end_s)}"])


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def product_changes(
    old: Mapping[str, Sequence[Mapping[str, object]]], new: Mapping[str, Sequence[Mapping[str, object]]]
) -> list[TermChange]:
    """Fees, free units and other terms of products that differ between two versions, term by term."""
    changes = []
    for table in sorted(old.keys() | new.keys()):
        before, after = _products(old.get(table, ())), _products(new.get(table, ()))
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name, {}), after.get(name, {})
            changes += [
                TermChange(
                    f"{table.replace('_', ' ')} {name}", term, _text(was.get(term)), _text(now.get(term))
                )
                for term in {**was, **now}
                if was.get(term) != now.get(term)
            ]
    return changes


_NAMES = ("tenant", "price_plan", "bundle", "service", "code")


def _products(rows: Sequence[Mapping[str, object]]) -> dict[str, dict[str, object]]:
    return {
        "/".join(str(row[name]) for name in _NAMES if name in row): {
            term: value for term, value in row.items() if term not in _NAMES
        }
        for row in rows
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)
