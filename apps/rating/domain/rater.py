"""The Rater: prices usage by a compiled tariff. The only pricing engine there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import floor

from apps.kernel.units import TypeOfRecord
from apps.rating.domain.allowances import UNLIMITED, Allowance, Taken, serves, take
from apps.rating.domain.errors import (
    NO_RATING_PLAN,
    PLAN_EXPIRED,
    UNAUTHORISED_DESTINATION,
    RatingError,
)
from apps.rating.domain.flat_pieces import flat_piece, flat_within
from apps.rating.domain.rates import DOWN, MIDDLE, settle
from apps.rating.domain.resolution import (
    DEFAULT_FALLBACK_DEPTH,
    NOT_QUICK,
    Chain,
    Era,
    Match,
    Quick,
    Step,
    chain_for,
    resolve,
)
from apps.rating.domain.tariff import Tariff
from apps.rating.domain.usage import (
    LATEST_EPOCH,
    MAX_AMOUNT,
    VOICE,
    RatedUsage,
    Usage,
    check_usage,
)
from apps.rating.domain.walk import Segment, Walk

_MAX_REMEMBERED = 400_000
FAST_VOICE_LIMIT_S = 86_400
LAST_QUICK = datetime.fromtimestamp(LATEST_EPOCH - FAST_VOICE_LIMIT_S, UTC)
_FAST_LIMIT: dict[str, int] = {
    tor.value: FAST_VOICE_LIMIT_S if tor == VOICE else MAX_AMOUNT for tor in TypeOfRecord
}
# Thrice as fast as calling the class; the fields are given in order.
_new_rated: Callable[[type[RatedUsage], tuple[object, ...]], RatedUsage] = tuple.__new__
_new_taken: Callable[[type[Taken], tuple[object, ...]], Taken] = tuple.__new__


class Rater:
    """Prices usage; remembers what it resolved, so keep one for as long as its tariff is used.

    ``fallback_depth`` bounds how many profiles deep a lookup goes, the subject's own counted.
    """

    def __init__(self, tariff: Tariff, fallback_depth: int = DEFAULT_FALLBACK_DEPTH) -> None:
        self.tariff = tariff
        self.fallback_depth = fallback_depth
        self._chains: dict[tuple[str, str, str], Chain] = {}
        self._shared_chains: dict[tuple[object, ...], Chain] = {}
        self._stems: dict[str, str] = {}
        self._served: dict[tuple[object, ...], bool] = {}
        self._remembered = 0

    def rate(self, usage: Usage, position: int = 0, paid_from: int = 0) -> RatedUsage:
        """The price of a piece of usage that begins at ``position`` of its session.

        With C(x) the exact cost of the session's first x units, rounded once, the price is
        C(position + amount) − C(position), so pieces add up to the whole wherever a session is split. For
        voice the session began ``position`` seconds before ``usage.start``; other usage has its interval
        chosen at ``usage.start``. Units before ``paid_from`` came from an allowance: the paid increments
        start there, and there is no connect fee if it is above 0.

        Raises RatingError with a stable code; see :mod:`apps.rating.domain.errors`.
        """
        tenant, category, subject, tor, destination, start, amount = usage
        chain = self._chains.get((tenant, category, subject)) or self.chain(usage)
        stem = self._stems.get(destination)
        if stem is None:
            stem = self.stem(destination)
        quick = chain.quick.get(stem) or self._first_quick(usage, chain, stem)
        # The fast paths: a whole session, priced from what is remembered of its number. Everything else, and
        # every doubt, goes the full way.
        if not position and not paid_from and type(amount) is int and 0 < amount <= _FAST_LIMIT.get(tor, 0):
            first, last, flat, match = quick
            try:
                known = first <= start <= last
            except TypeError:
                known = False
            if known and flat is not None:
                increment, increment_cost, fee, divisor, step, method, fee_micros = flat
                increments = -(-amount // increment)
                cost = fee + increments * increment_cost
                if method == MIDDLE:
                    cost = (2 * cost + divisor) // (2 * divisor) * step
                elif method == DOWN:
                    cost = cost // divisor * step
                else:
                    cost = -(-cost // divisor) * step
                return _new_rated(
                    RatedUsage,
                    (
                        cost,
                        increments * increment,
                        fee_micros,
                        0,
                        0,
                        match[0],
                        match[1],
                        match[2],
                        match[3],
                    ),
                )
            if known:
                rated = _in_one_band(match, tor, start, amount)
                if rated is not None:
                    return rated
        elif amount and quick[2] is not None and _is_quick_piece(quick, usage, position, paid_from):
            return flat_piece(quick[3], quick[2], position, amount, paid_from)
        return self._rate(usage, chain, stem, position, paid_from)

    def rate_fully(
        self,
        usage: Usage,
        position: int = 0,
        paid_from: int = 0,
        trail: list[Segment] | None = None,
    ) -> RatedUsage:
        """:meth:`rate` without the fast path; ``trail`` collects the segments that were billed."""
        chain, stem = self.chain(usage), self.stem(usage.destination)
        return self._rate(usage, chain, stem, position, paid_from, trail)

    def _rate(
        self,
        usage: Usage,
        chain: Chain,
        stem: str,
        position: int,
        paid_from: int,
        trail: list[Segment] | None = None,
    ) -> RatedUsage:
        epoch = check_usage(usage, position, paid_from)
        amount = usage.amount
        if amount == 0:
            return self._nothing(usage, epoch, paid_from)
        walk, match = self._walk(usage, chain, stem, epoch, position, paid_from)
        before, billed_before = 0, paid_from
        if position > paid_from:
            walk.advance(position)
            before, billed_before = walk.settled(), walk.position
        walk.advance(position + amount, trail)
        return _new_rated(
            RatedUsage,
            (
                walk.settled() - before,
                walk.position - billed_before,
                0 if position else walk.settled_fee(),
                min(paid_from - position, amount) if paid_from > position else 0,
                paid_from,
                *match[:4],
            ),
        )

    def rate_with_allowances(
        self, usage: Usage, allowances: Sequence[Allowance], position: int = 0, paid_from: int = 0
    ) -> tuple[RatedUsage, tuple[Taken, ...]]:
        """Take free units first, in the order of the allowances, and rate the rest; also what was taken.

        ``paid_from`` is that of the session's earlier pieces (0 for the first). The destination must be rated
        even where nothing is left to pay, so that a hole in the tariff shows instead of being free.
        """
        if not allowances:
            return self.rate(usage, position, paid_from), ()
        if not position and not paid_from:
            free = self._wholly_free(usage, allowances[0])
            if free is not None:
                return free
        check_usage(usage, position, paid_from)
        stem = self.stem(usage.destination)
        usable = [allowance for allowance in allowances if self.serves(usage.tenant, allowance, stem)]
        taken = take(usage.amount, usable)
        if taken:
            paid_from = position + sum(units for _, units in taken)
        return self.rate(usage, position, paid_from), taken

    def _wholly_free(self, usage: Usage, allowance: Allowance) -> tuple[RatedUsage, tuple[Taken, ...]] | None:
        """A session that one allowance covers, to a number that is remembered as rated; None in every doubt."""
        tenant, category, subject, tor, destination, start, amount = usage
        key, remaining, included, excluded = allowance
        if type(amount) is not int or not 0 < amount <= _FAST_LIMIT.get(tor, 0):
            return None
        if remaining != UNLIMITED and remaining < amount:
            return None
        chain = self._chains.get((tenant, category, subject)) or self.chain(usage)
        stem = self._stems.get(destination)
        if stem is None:
            stem = self.stem(destination)
        if (included or excluded) and not self.serves(tenant, allowance, stem):
            return None
        first, last, _, match = chain.quick.get(stem) or self._first_quick(usage, chain, stem)
        try:
            known = first <= start <= last
        except TypeError:
            return None
        if not known:
            return None
        # Nothing is left to walk through, nor a connect fee to pay.
        matched = (match[0], match[1], match[2], match[3])
        rated = _new_rated(RatedUsage, (0, 0, 0, amount, amount, *matched))
        return rated, (_new_taken(Taken, (key, amount)),)

    def max_usage(self, usage: Usage, budget_micros: int, position: int = 0, paid_from: int = 0) -> int:
        """The largest part of ``usage.amount`` whose price is within ``budget_micros``.

        It also stops where a maximum cost of strategy ``*disconnect`` would be exceeded. Raises as :meth:`rate`.
        """
        return self.rate_within(usage, budget_micros, position, paid_from)[0]

    def rate_within(
        self, usage: Usage, budget_micros: int, position: int = 0, paid_from: int = 0
    ) -> tuple[int, RatedUsage]:
        """:meth:`max_usage`, together with the price of that part."""
        chain, stem = self.chain(usage), self.stem(usage.destination)
        quick = chain.quick.get(stem)
        if quick is not None and quick[2] is not None and _is_quick_piece(quick, usage, position, paid_from):
            match = quick[3]
            if match.rates[match.schedule.always].disconnect_cap is None:
                return flat_within(match, quick[2], position, usage.amount, paid_from, budget_micros)
        epoch = check_usage(usage, position, paid_from)
        amount = usage.amount
        if amount == 0:
            return 0, self._nothing(usage, epoch, paid_from)
        walk, match = self._walk(usage, chain, stem, epoch, position, paid_from)
        before, billed_before = 0, paid_from
        if position > paid_from:
            walk.advance(position)
            before, billed_before = walk.settled(), walk.position
        end = position + amount
        walk.advance_within(end, before + budget_micros)
        reached = max(min(walk.position, end) - position, 0)
        if reached == 0:
            return 0, self._nothing(usage, epoch, paid_from)
        return reached, _new_rated(
            RatedUsage,
            (
                walk.settled() - before,
                walk.position - billed_before,
                0 if position else walk.settled_fee(),
                min(paid_from - position, reached) if paid_from > position else 0,
                paid_from,
                *match[:4],
            ),
        )

    def stem(self, destination: str) -> str:
        """The longest known prefix of a number: all that pricing needs to know of it."""
        stem = self._stems.get(destination)
        if stem is None:
            if len(self._stems) >= _MAX_REMEMBERED:
                self._stems.clear()
            stem = self._stems[destination] = self.tariff.longest_prefix(destination)
        return stem

    def chain(self, usage: Usage) -> Chain:
        """Who is asked for the usage's rates; subjects with the same answer share it."""
        key = (usage.tenant, usage.category, usage.subject)
        chain = self._chains.get(key)
        if chain is None:
            if len(self._chains) >= _MAX_REMEMBERED:
                self._chains.clear()
            chain = chain_for(self.tariff, *key)
            shared = (chain.tenant, chain.category, chain.profiles, chain.expires)
            chain = self._chains[key] = self._shared_chains.setdefault(shared, chain)
        return chain

    def era(self, chain: Chain, stem: str, epoch: int) -> Era:
        """The resolution at ``epoch``, remembered."""
        known = chain.eras.get(stem, ())
        for era in known:
            if era.since <= epoch < era.until:
                return era
        era = resolve(self.tariff, chain, stem, epoch, self.fallback_depth)
        self._remembered += 1
        if self._remembered > _MAX_REMEMBERED:
            self._forget()
        chain.eras[stem] = (era, *known)
        return era

    def known_era(self, usage: Usage, chain: Chain, stem: str, epoch: int) -> Era:
        """:meth:`era`, or RatingError where nothing matches."""
        era = self.era(chain, stem, epoch)
        if era.match is None:
            raise _refusal(usage, era.code)
        return era

    def steps(self, usage: Usage) -> list[Step]:
        """The profiles consulted for checked usage, in order."""
        steps: list[Step] = []
        epoch = int(usage.start.timestamp() // 1)
        stem = self.stem(usage.destination)
        resolve(self.tariff, self.chain(usage), stem, epoch, self.fallback_depth, steps.append)
        return steps

    def serves(self, tenant: str, allowance: Allowance, stem: str) -> bool:
        """Whether the allowance is for numbers of that longest known prefix, remembered."""
        if not allowance.included and not allowance.excluded:
            return True
        key = (tenant, stem, allowance.included, allowance.excluded)
        answer = self._served.get(key)
        if answer is None:
            if len(self._served) >= _MAX_REMEMBERED:
                self._served.clear()
            answer = self._served[key] = serves(self.tariff, tenant, allowance, stem)
        return answer

    def _walk(
        self, usage: Usage, chain: Chain, stem: str, epoch: int, position: int, paid_from: int
    ) -> tuple[Walk, Match]:
        """A walk ready to begin, and what matches at ``epoch``; raises RatingError where nothing does."""
        origin = epoch - position if usage.tor == VOICE else None
        if chain.expires <= (epoch if origin is None else origin):
            raise RatingError(
                f"{usage.subject} had expired when the usage began at {usage.start}; move the subscriber to "
                "another price plan or extend this one",
                code=PLAN_EXPIRED,
            )

        era = self.known_era(usage, chain, stem, epoch)
        match = era.match
        assert match is not None
        _remember_quick(chain, stem, era)
        # Only a call can outlive an era.
        later = (lambda instant: self.known_era(usage, chain, stem, instant)) if origin is not None else None
        return Walk(era, later, epoch, origin, paid_from), match

    def _first_quick(self, usage: Usage, chain: Chain, stem: str) -> Quick:
        """What the fast paths may use for a number met for the first time."""
        start = usage.start
        if type(start) is not datetime or start.tzinfo is None:
            return NOT_QUICK
        return _remember_quick(chain, stem, self.era(chain, stem, floor(start.timestamp())))

    def _nothing(self, usage: Usage, epoch: int, paid_from: int) -> RatedUsage:
        """No usage costs nothing, rateable or not; what it would have matched is told where it is known."""
        match = self.era(self.chain(usage), self.stem(usage.destination), epoch).match
        matched = match[:4] if match else ("", "", "", "")
        return RatedUsage(0, 0, 0, 0, paid_from, *matched)

    def _forget(self) -> None:
        for chain in list(self._shared_chains.values()):
            chain.eras.clear()
            chain.quick.clear()
        self._remembered = 0


def _remember_quick(chain: Chain, stem: str, era: Era) -> Quick:
    quick = NOT_QUICK
    # The last increment of the longest call that takes a fast path must still begin within the era.
    last = min(era.until, chain.expires, LATEST_EPOCH) - FAST_VOICE_LIMIT_S
    if era.match is not None and era.since <= last:
        until = LAST_QUICK if last == LATEST_EPOCH - FAST_VOICE_LIMIT_S else datetime.fromtimestamp(last, UTC)
        quick = (datetime.fromtimestamp(era.since, UTC), until, era.match.flat, era.match)
    chain.quick[stem] = quick
    return quick


def _is_quick_piece(quick: Quick, usage: Usage, position: int, paid_from: int) -> bool:
    """Whether a piece (with some usage in it) lies with all of its session where the remembered price holds."""
    _, _, _, tor, _, start, amount = usage
    if type(amount) is not int or type(position) is not int or type(paid_from) is not int:
        return False
    if amount <= 0 or position < 0 or not 0 <= paid_from <= MAX_AMOUNT:
        return False
    if position + amount > _FAST_LIMIT.get(tor, 0):
        return False
    try:
        if tor == VOICE:
            return quick[0] <= start - timedelta(seconds=position) and start <= quick[1]
        return quick[0] <= start <= quick[1]
    except (TypeError, OverflowError):
        return False


def _in_one_band(match: Match, tor: str, start: datetime, amount: int) -> RatedUsage | None:
    """The price of a whole session that stays in one interval; None where it does not, or for a capped rate."""
    epoch = floor(start.timestamp())
    timing = match.schedule.always
    if timing < 0:
        timing, until = match.schedule.at(epoch)
        if timing < 0 or (epoch + amount > until and tor == VOICE):
            return None
    rate = match.rates[timing]
    if rate.free_cap is not None:
        return None
    numerator, position = rate.fee, 0
    for slot_end, increment, cost in rate.steps:
        if slot_end > position:
            increments = -((position - (slot_end if slot_end < amount else amount)) // increment)
            numerator += increments * cost
            position += increments * increment
            if position >= amount:
                break
    return _new_rated(
        RatedUsage,
        (
            settle(numerator, rate.denominator, rate.rounding),
            position,
            rate.fee_micros,
            0,
            0,
            match[0],
            match[1],
            match[2],
            match[3],
        ),
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
