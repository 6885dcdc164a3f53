"""From tenant, category, subject, number and instant to the rates that apply.

Source: CGRateS ``engine/ratingprofile.go`` (``GetRatingPlansForPrefix``): the profile of the subject, else of
``*any``; its latest activation; the longest prefix; fallback subjects in order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, cast

from apps.rating.domain.errors import NO_RATE_INTERVAL, NO_RATING_PLAN, UNAUTHORISED_DESTINATION, RatingError
from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.source import ANY, PRICE_PLAN_SUBJECT
from apps.rating.domain.tariff import Activation, CompiledPlan, Profile, Tariff
from apps.rating.domain.timings import FOREVER, Schedule
from apps.rating.domain.usage import NOTHING_MATCHED, Matched

DEFAULT_FALLBACK_DEPTH = 3
_EPOCH = datetime.fromtimestamp(0, UTC)


class Match(NamedTuple):
    """What prices a number, and its rates by timing."""

    matched: Matched
    schedule: Schedule
    rates: tuple[CompiledRate, ...]

    def gap(self, at: int) -> RatingError:
        """The error for an instant ``at`` (Unix seconds) that no timing covers."""
        return RatingError(
            f"rating plan {self.matched.rating_plan} has no timing for {self.matched.destination} at "
            f"{datetime.fromtimestamp(at, self.schedule.zone)}; add one, or *any with a low weight",
            code=NO_RATE_INTERVAL,
        )


class Era(NamedTuple):
    """The outcome of a resolution, the same for every instant of ``[since, until)`` (Unix seconds).

    Without a match, ``code`` says why.
    """

    since: int
    until: int
    match: Match | None
    code: str


# What a Rater caches of a number: (first, last, rate, matched, match). The match prices all of a session of up to a
# day that begins within [first, last]; the rate is the one that always applies, if one does and no maximum cost
# makes it free. A plain tuple, because a named one unpacks several times slower.
KnownMatch = tuple[datetime, datetime, CompiledRate | None, Matched, Match]
# It ends before it begins, so that nothing is priced by it.
NO_KNOWN_MATCH: KnownMatch = (
    datetime.max.replace(tzinfo=UTC),
    _EPOCH,
    None,
    NOTHING_MATCHED,
    cast(Match, None),
)


class Step(NamedTuple):
    """One profile that a resolution consulted, for explanations."""

    subject: str
    depth: int
    rating_plan: str
    outcome: str


class Chain:
    """Who is asked for the rates of (tenant, category, subject): the subject's profile, else that of ``*any``.

    ``expires`` is the instant from which a price plan prices nothing any more. ``eras`` and ``known``, by the
    matched prefix of a number, are a Rater's cache of resolved rates.
    """

    __slots__ = ("category", "eras", "expires", "known", "profiles", "tenant")

    def __init__(self, tenant: str, category: str, profiles: tuple[Profile, ...], expires: int) -> None:
        self.tenant = tenant
        self.category = category
        self.profiles = profiles
        self.expires = expires
        self.eras: dict[str, tuple[Era, ...]] = {}
        self.known: dict[str, KnownMatch] = {}


def chain_for(tariff: Tariff, tenant: str, category: str, subject: str) -> Chain:
    """The chain of a subject. A price plan's subject without a price in the category is its rating subject."""
    own = tariff.profiles.get((tenant, category, subject))
    expires = FOREVER
    if subject.startswith(PRICE_PLAN_SUBJECT):
        terms = tariff.price_plans.get((tenant, subject))
        if terms is None:
            return Chain(tenant, category, (), FOREVER)
        if terms.expires_epoch is not None:
            expires = terms.expires_epoch
        if own is not None:
            return Chain(tenant, category, (own,), expires)
        if not terms.rating_subject:
            return Chain(tenant, category, (), expires)
        subject = terms.rating_subject
        own = tariff.profiles.get((tenant, category, subject))
    default = tariff.profiles.get((tenant, category, ANY))
    profiles = [profile for profile in (own, default) if profile is not None]
    return Chain(tenant, category, tuple(dict.fromkeys(profiles)), expires)


class _Resolution:
    """One walk over profiles at one instant; the window in which it would end the same narrows on the way."""

    def __init__(
        self,
        tariff: Tariff,
        chain: Chain,
        prefix: str,
        epoch: int,
        depth: int,
        note: Callable[[Step], None] | None,
    ) -> None:
        self.tariff, self.chain, self.prefix, self.epoch, self.max_depth, self.note = (
            tariff,
            chain,
            prefix,
            epoch,
            depth,
            note,
        )
        self.since = 0
        self.until = FOREVER
        self.seen: dict[Profile, int] = {}

    def run(self) -> Era:
        for profile in self.chain.profiles:
            activation = self._active(profile, 1)
            if activation is not None:
                match = self._search(profile, activation, 1)
                return Era(self.since, self.until, match, "" if match else UNAUTHORISED_DESTINATION)
        return Era(self.since, self.until, None, NO_RATING_PLAN)

    def _active(self, profile: Profile, depth: int) -> Activation | None:
        """The profile's latest activation at the instant; the window ends at its neighbours."""
        activations = profile.activations
        index = bisect_right(activations, self.epoch, key=lambda activation: activation.since)
        if index < len(activations):
            self.until = min(self.until, activations[index].since)
        if index == 0:
            self._tell(profile.subject, depth, "", "not active yet")
            return None
        self.since = max(self.since, activations[index - 1].since)
        return activations[index - 1]

    def _search(self, profile: Profile, activation: Activation, depth: int) -> Match | None:
        self.seen[profile] = depth
        match = match_plan(self.tariff, self.chain.tenant, self.prefix, profile.subject, activation.plan)
        if match is not None:
            self._tell(profile.subject, depth, activation.plan.id, "has the destination")
            return match
        self._tell(profile.subject, depth, activation.plan.id, "does not have the destination")
        for subject in activation.fallback_subjects:
            fallback = self.tariff.profiles.get((self.chain.tenant, self.chain.category, subject))
            if depth >= self.max_depth:
                self._tell(subject, depth + 1, "", f"not asked: {self.max_depth} profiles deep is the limit")
                continue
            if fallback is None:
                self._tell(subject, depth + 1, "", "has no profile")
                continue
            # A profile asked before, no deeper than now, had nothing to add; so cycles end too.
            if self.seen.get(fallback, depth + 2) <= depth + 1:
                continue
            next_activation = self._active(fallback, depth + 1)
            if next_activation is not None:
                match = self._search(fallback, next_activation, depth + 1)
                if match is not None:
                    return match
        return None

    def _tell(self, subject: str, depth: int, rating_plan: str, outcome: str) -> None:
        if self.note is not None:
            self.note(Step(subject, depth, rating_plan, outcome))


def match_plan(tariff: Tariff, tenant: str, longest: str, subject: str, plan: CompiledPlan) -> Match | None:
    """Longest prefix that the plan has a rate for; highest weight among its destinations; ``*any`` last."""
    by_destination = plan.by_destination
    prefix = longest
    while prefix:
        found = [key for key in tariff.prefixes.get(prefix, ()) if key in by_destination]
        if found:
            best = found[0] if len(found) == 1 else max(found, key=lambda key: by_destination[key].precedence)
            rates, destination, written = by_destination[best], best.id, tariff.written(prefix)
            break
        prefix = prefix[:-1]
    else:
        if plan.any_rates is None:
            return None
        rates, destination, written = plan.any_rates, ANY, ANY
    schedule = tariff.schedule(rates, tenant)
    return Match(Matched(subject, destination, written, plan.id), schedule, rates.rates)


def resolve(
    tariff: Tariff,
    chain: Chain,
    prefix: str,
    epoch: int,
    depth: int,
    note: Callable[[Step], None] | None = None,
) -> Era:
    """What prices a number, known by its matched prefix, at ``epoch``; ``note`` is told each step.

    ``depth`` bounds the profiles on the way from the subject's own to a fallback, both counted.
    """
    if note is None and chain.profiles:
        # The usual case at once: the first profile asked has one activation, and the destination.
        profile = chain.profiles[0]
        first = profile.activations[0]
        if len(profile.activations) == 1 and first.since <= epoch:
            match = match_plan(tariff, chain.tenant, prefix, profile.subject, first.plan)
            if match is not None:
                return Era(first.since, FOREVER, match, "")
    return _Resolution(tariff, chain, prefix, epoch, depth, note).run()
