"""Which rating plan takes the place of which between two tariffs, for whom, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from apps.rating.domain.resolution import chain_for
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff import CompiledPlan, Profile, Tariff


@dataclass
class Pair:
    """Plans of which the new one takes the old one's place, for all subjects with plans that price alike."""

    old: CompiledPlan | None
    new: CompiledPlan | None
    amount: int
    since: int
    subjects: dict[str, None] = field(default_factory=dict)
    old_ids: dict[str, None] = field(default_factory=dict)
    new_ids: dict[str, None] = field(default_factory=dict)


def pairs(old: Tariff, new: Tariff, amounts: Mapping[str, int], default_amount: int) -> Iterable[Pair]:
    """Which plan takes the place of which: each pair once, from the earliest time on."""
    found: dict[tuple[int, int, int], Pair] = {}
    alike = _Alike()
    for key in sorted(old.profiles.keys() | new.profiles.keys()):
        before, after = chain_for(old, *key).profiles, chain_for(new, *key).profiles
        amount = amounts.get(key[1], default_amount)
        for since in sorted(
            {change.since for profile in (*before, *after) for change in profile.activations}
        ):
            was, now = _plan_at(before, since), _plan_at(after, since)
            pair_key = alike.number(was), alike.number(now), amount
            pair = found.setdefault(pair_key, Pair(was, now, amount, since))
            pair.since = min(pair.since, since)
            pair.subjects["/".join(key)] = None
            pair.old_ids[was.id if was is not None else ""] = None
            pair.new_ids[now.id if now is not None else ""] = None
    return found.values()


class _Alike:
    """Numbers that plans share which have the same rates for the same destinations."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}
        self.known: dict[int, int] = {}

    def number(self, plan: CompiledPlan | None) -> int:
        if plan is None:
            return -1
        known = self.known.get(id(plan))
        if known is None:
            every = [*plan.by_destination.items(), (ANY, plan.any_rates)]
            content = tuple(
                (key, rates.entries, tuple(map(id, rates.rates))) for key, rates in every if rates is not None
            )
            known = self.known[id(plan)] = self.numbers.setdefault(content, len(self.numbers))
        return known


def _plan_at(profiles: tuple[Profile, ...], at: int) -> CompiledPlan | None:
    """The plan that prices at an instant: of the first profile with an activation by then."""
    for profile in profiles:
        for activation in reversed(profile.activations):
            if activation.since <= at:
                return activation.plan
    return None
