"""The Rater: prices usage by a compiled tariff. The only pricing engine there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import floor
from typing import NamedTuple

from apps.kernel.units import NANO, VOICE_NS, TypeOfRecord
from apps.rating.domain.allowances import UNLIMITED, Allowance, Taken, serves
from apps.rating.domain.errors import (
    NO_RATING_PLAN,
    PLAN_EXPIRED,
    UNAUTHORISED_DESTINATION,
    RatingError,
)
from apps.rating.domain.flat import largest_within, price, whole_cost
from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.resolution import (
    DEFAULT_FALLBACK_DEPTH,
    NO_KNOWN_MATCH,
    Chain,
    Era,
    KnownMatch,
    Match,
    Step,
    chain_for,
    resolve,
)
from apps.rating.domain.tariff import Tariff
from apps.rating.domain.usage import (
    LATEST_EPOCH,
    MAX_AMOUNT,
    NOTHING_MATCHED,
    VOICE,
    RatedUsage,
    Usage,
    check_usage,
    session_began,
)
from apps.rating.domain.walk import FinerRate, Segment, Walk

_MAX_CACHED = 400_000
_LONGEST_KNOWN_CALL_S = 86_400
_LAST_KNOWN = datetime.fromtimestamp(LATEST_EPOCH - _LONGEST_KNOWN_CALL_S, UTC)


# The longest session by type of record that a known match is good for. Usage of other types is walked.
_LONGEST = {tor.value: MAX_AMOUNT for tor in TypeOfRecord} | {VOICE: _LONGEST_KNOWN_CALL_S}


class KnownPrice(NamedTuple):
    """Prices whole sessions of 1 to ``longest`` units that begin in ``[first, last]`` (never, if that is empty).

    ``rate`` does so at any time; None if it depends on the time.
    """

    first: datetime
    last: datetime
    longest: int
    rate: CompiledRate | None
    match: Match
    tor: str

    def cost(self, start: datetime, amount: int) -> int | None:
        """The cost that :meth:`Rater.rate` would say, in micro-units; None: ask it."""
        rate = self.rate or _rate_in_force(self.match, self.tor, start, 0, amount)
        return None if rate is None else whole_cost(rate, amount)


class Rater:
    """Prices usage; caches what it resolved, so keep one for as long as its tariff is used.

    ``fallback_depth`` bounds how many profiles deep a lookup goes, the subject's own counted.
    """

    def __init__(self, tariff: Tariff, fallback_depth: int = DEFAULT_FALLBACK_DEPTH) -> None:
        self.tariff = tariff
        self.fallback_depth = fallback_depth
        self._chains: dict[tuple[str, str, str], Chain] = {}
        self._shared_chains: dict[tuple[object, ...], Chain] = {}
        self._prefixes: dict[str, str] = {}
        self._served: dict[tuple[object, ...], bool] = {}
        self._cached = 0

    def rate(self, usage: Usage, position: int = 0, paid_from: int = 0) -> RatedUsage:
        """The price of a piece of usage that begins at ``position`` of its session.

        With C(x) the exact cost of the session's first x units, rounded once, the price is
        C(position + amount) − C(position), so pieces add up to the whole at any split of a session. For
        voice the session began ``position`` seconds before ``usage.start``; other usage has its interval
        chosen at ``usage.start``. Units before ``paid_from`` came from an allowance: the paid increments
        start there, and there is no connect fee if it is above 0. For ``VOICE_NS`` all of these figures count
        nanoseconds, as those of the price do.

        Raises RatingError with a stable code; see :mod:`apps.rating.domain.errors`.
        """
        tenant, category, subject, tor, destination, start, amount = usage
        chain = self._chains.get((tenant, category, subject)) or self.chain(usage)
        prefix = self._prefixes.get(destination)
        if prefix is None:
            prefix = self.matched_prefix(destination)
        known = chain.known.get(prefix) or self._first_known(usage, chain, prefix)
        first, last, rate, matched, match = known
        if position or paid_from:
            covered = _covers(known, usage, position, paid_from)
        else:
            try:
                covered = (
                    first <= start <= last and type(amount) is int and 0 < amount <= _LONGEST.get(tor, 0)
                )
            except TypeError:
                covered = False
        if covered:
            if rate is None:
                rate = _rate_in_force(match, tor, start, position, amount)
            if rate is not None:
                return price(matched, rate, position, amount, paid_from)
        return self._walked(usage, chain, prefix, position, paid_from)

    def rate_fully(
        self,
        usage: Usage,
        position: int = 0,
        paid_from: int = 0,
        trail: list[Segment] | None = None,
    ) -> RatedUsage:
        """:meth:`rate` increment by increment; ``trail`` collects the segments that were billed.

        Their positions count nanoseconds where those of their rates do.
        """
        chain, prefix = self.chain(usage), self.matched_prefix(usage.destination)
        return self._walked(usage, chain, prefix, position, paid_from, trail)

    def _walked(
        self,
        usage: Usage,
        chain: Chain,
        prefix: str,
        position: int,
        paid_from: int,
        trail: list[Segment] | None = None,
    ) -> RatedUsage:
        epoch = check_usage(usage, position, paid_from)
        if usage.amount == 0:
            return self._nothing(usage, epoch, paid_from)
        as_written = trail is not None
        try:
            walk, match = self._walk(usage, chain, prefix, epoch, position, paid_from, as_written=as_written)
            before, billed_before = walk.settled_at(position)
            walk.advance(position + usage.amount, trail)
        except FinerRate:
            if trail is not None:
                trail.clear()
            walk, match = self._walk(usage, chain, prefix, epoch, position, paid_from, finely=True)
            before, billed_before = walk.settled_at(position * NANO)
            walk.advance((position + usage.amount) * NANO, trail)
        return _rated(walk, match, usage, position, paid_from, before, billed_before)

    def rate_with_allowances(
        self, usage: Usage, allowances: Sequence[Allowance], position: int = 0, paid_from: int = 0
    ) -> tuple[RatedUsage, tuple[Taken, ...]]:
        """Take free units first, in the order of the allowances, and rate the rest; also returns the units taken.

        ``paid_from`` is that of the session's earlier pieces (0 for the first). The destination must be rated
        even if nothing is left to pay, so that a hole in the tariff shows instead of being free.
        """
        if not allowances:
            return self.rate(usage, position, paid_from), ()
        if type(usage.amount) is not int or type(position) is not int:
            check_usage(usage, position, paid_from)
        left = usage.amount
        taken = []
        for allowance in allowances:
            if left <= 0:
                break
            key, remaining, included, excluded = allowance
            if (included or excluded) and not self._serves(usage, allowance):
                continue
            units = left if remaining == UNLIMITED else min(left, max(remaining, 0))
            if units:
                taken.append(Taken(key, units))
                left -= units
        if taken:
            paid_from = position + usage.amount - left
        return self.rate(usage, position, paid_from), tuple(taken)

    def rate_within(
        self, usage: Usage, budget_micros: int, position: int = 0, paid_from: int = 0
    ) -> tuple[int, RatedUsage]:
        """The largest part of ``usage.amount`` whose price is within ``budget_micros``, and that price.

        It also stops before a maximum cost of strategy ``*disconnect`` would be exceeded. Raises as :meth:`rate`.
        """
        chain, prefix = self.chain(usage), self.matched_prefix(usage.destination)
        known = chain.known.get(prefix)
        if known is not None:
            _, _, rate, matched, _ = known
            if rate is not None and rate.one_slot is not None and _covers(known, usage, position, paid_from):
                return largest_within(matched, rate, position, usage.amount, paid_from, budget_micros)
        epoch = check_usage(usage, position, paid_from)
        if usage.amount == 0:
            return 0, self._nothing(usage, epoch, paid_from)
        end = position + usage.amount
        try:
            walk, match = self._walk(usage, chain, prefix, epoch, position, paid_from)
            before, billed_before = walk.settled_at(position)
            walk.advance_within(end, before + budget_micros)
        except FinerRate:
            walk, _ = self._walk(usage, chain, prefix, epoch, position, paid_from, finely=True)
            before, _ = walk.settled_at(position * NANO)
            walk.advance_within(end * NANO, before + budget_micros)
            reached = min(walk.position // NANO, end) - position
            if reached <= 0:
                return 0, self._nothing(usage, epoch, paid_from)
            return reached, self.rate(usage._replace(amount=reached), position, paid_from)
        reached = max(min(walk.position, end) - position, 0)
        if reached == 0:
            return 0, self._nothing(usage, epoch, paid_from)
        usage = usage._replace(amount=reached)
        return reached, _rated(walk, match, usage, position, paid_from, before, billed_before)

    def known_price(self, usage: Usage) -> KnownPrice:
        """What prices other usage like this, of any amount and start, for loops over many records."""
        chain, prefix = self.chain(usage), self.matched_prefix(usage.destination)
        first, last, rate, _, match = chain.known.get(prefix) or self._first_known(usage, chain, prefix)
        return KnownPrice(first, last, _LONGEST.get(usage.tor, 0), rate, match, usage.tor)

    def matched_prefix(self, number: str) -> str:
        """The longest known prefix of a number: all that pricing needs to know of it."""
        prefix = self._prefixes.get(number)
        if prefix is None:
            if len(self._prefixes) >= _MAX_CACHED:
                self._prefixes.clear()
            prefix = self._prefixes[number] = self.tariff.longest_prefix(number)
        return prefix

    def chain(self, usage: Usage) -> Chain:
        """Who is asked for the usage's rates; subjects with the same answer share it."""
        key = (usage.tenant, usage.category, usage.subject)
        chain = self._chains.get(key)
        if chain is None:
            if len(self._chains) >= _MAX_CACHED:
                self._chains.clear()
            chain = chain_for(self.tariff, *key)
            shared = (chain.tenant, chain.category, chain.profiles, chain.expires)
            chain = self._chains[key] = self._shared_chains.setdefault(shared, chain)
        return chain

    def era(self, chain: Chain, prefix: str, epoch: int) -> Era:
        """The resolution at ``epoch``, cached."""
        known = chain.eras.get(prefix, ())
        for era in known:
            if era.since <= epoch < era.until:
                return era
        era = resolve(self.tariff, chain, prefix, epoch, self.fallback_depth)
        self._cached += 1
        if self._cached > _MAX_CACHED:
            self._forget()
        chain.eras[prefix] = (era, *known)
        return era

    def known_era(self, usage: Usage, chain: Chain, prefix: str, epoch: int) -> Era:
        """:meth:`era`, or RatingError if nothing matches."""
        era = self.era(chain, prefix, epoch)
        if era.match is None:
            raise _refusal(usage, era.code)
        return era

    def steps(self, usage: Usage) -> list[Step]:
        """The profiles consulted for checked usage, in order."""
        steps: list[Step] = []
        epoch = int(usage.start.timestamp() // 1)
        prefix = self.matched_prefix(usage.destination)
        resolve(self.tariff, self.chain(usage), prefix, epoch, self.fallback_depth, steps.append)
        return steps

    def _serves(self, usage: Usage, allowance: Allowance) -> bool:
        """Whether the allowance is for the usage's number, cached."""
        prefix = self.matched_prefix(usage.destination)
        key = (usage.tenant, prefix, allowance.included, allowance.excluded)
        answer = self._served.get(key)
        if answer is None:
            if len(self._served) >= _MAX_CACHED:
                self._served.clear()
            answer = self._served[key] = serves(self.tariff, usage.tenant, allowance, prefix)
        return answer

    def _walk(
        self,
        usage: Usage,
        chain: Chain,
        prefix: str,
        epoch: int,
        position: int,
        paid_from: int,
        *,
        as_written: bool = False,
        finely: bool = False,
    ) -> tuple[Walk, Match]:
        """A walk ready to begin, and what matches at ``epoch``; raises RatingError if nothing does.

        ``finely``: usage in units is followed in billionths of them.
        """
        origin = None
        scale = NANO if finely else 1
        if usage.tor == VOICE:
            origin = epoch - position
        elif usage.tor == VOICE_NS:
            origin = session_began(usage.start, position)
            scale = NANO
        if chain.expires <= (epoch if origin is None else origin):
            raise RatingError(
                f"{usage.subject} had expired when the usage began at {usage.start}; move the subscriber to "
                "another price plan or extend this one",
                code=PLAN_EXPIRED,
            )

        era = self.known_era(usage, chain, prefix, epoch)
        match = era.match
        assert match is not None
        chain.known[prefix] = _known(chain, era)
        # Only a call can outlive an era.
        later = (lambda at: self.known_era(usage, chain, prefix, at)) if origin is not None else None
        paid_from *= NANO if finely else 1
        return Walk(era, later, epoch, origin, paid_from, scale, as_written), match

    def _first_known(self, usage: Usage, chain: Chain, prefix: str) -> KnownMatch:
        """The match of a number that this Rater has not cached yet."""
        start = usage.start
        if type(start) is not datetime or start.tzinfo is None:
            return NO_KNOWN_MATCH
        era = self.era(chain, prefix, floor(start.timestamp()))
        known = chain.known[prefix] = _known(chain, era)
        return known

    def _nothing(self, usage: Usage, epoch: int, paid_from: int) -> RatedUsage:
        """No usage costs nothing, whether it has a rate or not; ``matched`` is what it would have been priced by."""
        match = self.era(self.chain(usage), self.matched_prefix(usage.destination), epoch).match
        return RatedUsage(0, 0, 0, 0, paid_from, match.matched if match else NOTHING_MATCHED)

    def _forget(self) -> None:
        for chain in list(self._shared_chains.values()):
            chain.eras.clear()
            chain.known.clear()
        self._cached = 0


def _known(chain: Chain, era: Era) -> KnownMatch:
    # The last increment of the longest call that is covered must still begin within the era.
    last = min(era.until, chain.expires, LATEST_EPOCH) - _LONGEST_KNOWN_CALL_S
    match = era.match
    if match is None or era.since > last:
        return NO_KNOWN_MATCH
    rate = match.rates[match.schedule.always] if match.schedule.always >= 0 else None
    if rate is not None and rate.walked:
        rate = None
    until = _LAST_KNOWN if last == LATEST_EPOCH - _LONGEST_KNOWN_CALL_S else datetime.fromtimestamp(last, UTC)
    return datetime.fromtimestamp(era.since, UTC), until, rate, match.matched, match


def _covers(known: KnownMatch, usage: Usage, position: int, paid_from: int) -> bool:
    """Whether the match prices a piece (with some usage in it) and all of its session before it."""
    _, _, _, tor, _, start, amount = usage
    if type(amount) is not int or type(position) is not int or type(paid_from) is not int:
        return False
    if amount <= 0 or position < 0 or not 0 <= paid_from <= MAX_AMOUNT:
        return False
    try:
        if position + amount > _LONGEST.get(tor, 0):
            return False
        if position and tor == VOICE:
            return known[0] <= start - timedelta(seconds=position) and start <= known[1]
        return known[0] <= start <= known[1]
    except (TypeError, OverflowError):
        return False


def _rate_in_force(
    match: Match, tor: str, start: datetime, position: int, amount: int
) -> CompiledRate | None:
    """The rate that prices the piece and all of its session before it; None if several do or it has to be walked."""
    epoch = floor(start.timestamp())
    if tor == VOICE:
        timing, until = match.schedule.at(epoch - position)
        if epoch + amount > until:
            return None
    else:
        timing, _ = match.schedule.at(epoch)
    if timing < 0:
        return None
    rate = match.rates[timing]
    return None if rate.walked else rate


def _rated(
    walk: Walk, match: Match, usage: Usage, position: int, paid_from: int, before: int, billed_before: int
) -> RatedUsage:
    """The price of a piece at whose end a walk is; ``before`` is the cost of the session until then."""
    # Of billed nanoseconds whole seconds are told: the next piece begins a new increment where they end.
    scale = 1 if usage.tor == VOICE_NS else walk.scale
    amount = usage.amount
    return RatedUsage(
        walk.settled() - before,
        walk.position // scale - billed_before // scale,
        0 if position else walk.settled_fee(),
        min(paid_from - position, amount) if paid_from > position else 0,
        paid_from,
        match.matched,
    )


def _refusal(usage: Usage, code: str) -> RatingError:
    who = f"tenant {usage.tenant}, category {usage.category}, subject {usage.subject}"
    if code == UNAUTHORISED_DESTINATION:
        return RatingError(
            f"destination “{usage.destination}” is not in the rating plan of {who}, nor in its fallbacks; add a "
            "rate for it or for *any",
            code=UNAUTHORISED_DESTINATION,
        )
    return RatingError(
        f"no rating profile for {who} is active at {usage.start}, nor one for subject *any",
        code=NO_RATING_PLAN,
    )
