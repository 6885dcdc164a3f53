"""Balances as values: which of them may pay for a piece of usage, and in which order.

A balance holds money (micro-units) or units of usage. Free units of price plans and bundles are seen as unit
balances too (:func:`balance_of_grant`), so one order of use holds for everything that a subscriber can spend.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.lines import CounterKey, Grant, Use
from apps.kernel.errors import InvalidInput
from apps.kernel.periods import local_instant
from apps.kernel.units import NANO, SECONDS_PER_DAY, VOICE_NS, TypeOfRecord, parse_nanoseconds
from apps.rating.domain.source import ANY, Timing
from apps.rating.domain.tariff import Tariff
from apps.rating.domain.timings import applies_on

DEFAULT_TAG = "*default"
NOTHING = Fraction(0)
UNLIMITED_UNITS = 1 << 60
"""The value of a balance that never runs out; counted down nowhere."""


class BalanceKind(StrEnum):
    """What a balance holds (CGRateS: balance type)."""

    MONETARY = "monetary"
    VOICE = "voice"
    DATA = "data"
    SMS = "sms"
    GENERIC = "generic"


class Strategy(StrEnum):
    """In which order the members' balances of a shared group are used; *mine_* means one's own first."""

    LOWEST = "*lowest"
    HIGHEST = "*highest"
    RANDOM = "*random"
    MINE_LOWEST = "*mine_lowest"
    MINE_HIGHEST = "*mine_highest"
    MINE_RANDOM = "*mine_random"


class BalanceTerms(NamedTuple):
    """Which usage a balance pays for, when, and in which order (CGRateS: a balance's filters and weight).

    The highest ``weight`` is used first. ``included`` and ``excluded`` are destination ids; ``categories`` empty = all.
    It may be used from ``active_from`` and before ``expires_at``, and then at the instants that ``timings`` name
    (empty = all). A ``blocker`` ends the chain. ``rating_subject`` empty or ``*zeroN`` makes units free in increments
    of N; another one prices the usage, and units and money are both debited. ``factors`` says for a generic balance how
    much usage of each type of record one unit of it buys: 60 (a minute for a unit), 1/4 (four units a message).
    ``groups`` share it between accounts.
    """

    weight: int = 0
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    timings: tuple[Timing, ...] = ()
    active_from: datetime | None = None
    expires_at: datetime | None = None
    disabled: bool = False
    blocker: bool = False
    rating_subject: str = ""
    factors: tuple[tuple[str, Fraction | int], ...] = ()
    groups: tuple[int, ...] = ()


ANY_USE = BalanceTerms()


class Balance(NamedTuple):
    """One balance. ``value`` and ``reserved`` count micro-units (monetary), seconds, octets or events.

    A monetary balance may not fall below ``-overdraft``. ``counter`` marks free units of a plan, whose use is counted
    and not booked. ``used_part`` of one of its units (below 1) is used already: the rest of that unit is spent before
    another one, and the unit is booked when nothing of it is left.
    """

    balance_id: int
    account_id: int
    tag: str = DEFAULT_TAG
    kind: str = BalanceKind.MONETARY
    value: int = 0
    reserved: int = 0
    overdraft: int = 0
    terms: BalanceTerms = ANY_USE
    counter: CounterKey | None = None
    used_part: Fraction = NOTHING

    def holding(self, value: int, reserved: int) -> Balance:
        """The same balance with other figures."""
        balance_id, account_id, tag, kind, _, _, overdraft, terms, counter, used_part = self
        return _new_balance(
            Balance,
            (balance_id, account_id, tag, kind, value, reserved, overdraft, terms, counter, used_part),
        )

    @property
    def available(self) -> int:
        """The spendable part: the value less reservations, never below zero."""
        return max(self.value - self.reserved, 0)

    @property
    def is_whole(self) -> bool:
        """Nothing divides its units: no factor, no increment below a second, no unit that is used in part."""
        terms = self.terms
        return not terms.factors and self.used_part is NOTHING and not terms.rating_subject

    @property
    def parts(self) -> int:
        """Into how many equal parts a unit is divided, so that every factor, and each increment below a second, costs a
        whole number of them."""
        if self.is_whole:
            return 1
        terms = self.terms
        division = _increments_in_a_unit(terms.rating_subject)
        numerators = [factor.numerator * division for _, factor in terms.factors]
        return math.lcm(self.used_part.denominator, division, *numerators)

    @property
    def available_parts(self) -> int:
        """:attr:`available` in parts of a unit, exactly."""
        if self.is_whole:
            return self.available
        parts = self.parts
        return max((self.value - self.reserved) * parts - int(self.used_part * parts), 0)

    def less(self, amount: int) -> Balance:
        """The balance after ``amount`` parts of a unit more are used, or less if that is below zero."""
        parts = self.parts
        left = self.value * parts - int(self.used_part * parts) - amount
        value = -(-left // parts)
        return self._replace(value=value, used_part=Fraction(value * parts - left, parts) or NOTHING)


# Calling a NamedTuple's class costs twice what this does.
_new_balance: Callable[[type[Balance], tuple[object, ...]], Balance] = tuple.__new__


def plain_balance(balances: Mapping[int, Balance], account_id: int) -> int | None:
    """The balance that is all there is, if it is one of the account's money without any terms."""
    if len(balances) != 1:
        return None
    (balance,) = balances.values()
    if balance.terms != ANY_USE or balance.kind != _MONETARY or balance.account_id != account_id:
        return None
    return balance.balance_id


class Group(NamedTuple):
    """A shared group: per account (0 = any) the strategy, and the rating subject of units used through it."""

    group_id: int
    terms: Mapping[int, tuple[str, str]]

    def terms_of(self, account_id: int) -> tuple[str, str]:
        return self.terms.get(account_id) or self.terms.get(0) or (Strategy.MINE_RANDOM, "")


class Candidate(NamedTuple):
    """A balance that may be used, with the rating subject that holds for this account."""

    balance: Balance
    rating_subject: str


def precision(tariff: Tariff, tenant: str, balance: Balance, prefix: str) -> int | None:
    """How closely the balance's destinations match a number whose longest known prefix is ``prefix``.

    The length of the longest prefix that one of them has, 0 for a balance that serves all numbers, None for
    a number that it does not serve.
    """
    included, excluded = balance.terms.included, balance.terms.excluded
    if not included and not excluded:
        return 0
    for known, keys in tariff.prefixes_of(prefix):
        ids = [key.id for key in keys if tariff.visible(key, tenant)]
        if any(destination in excluded for destination in ids):
            return None
        if any(destination in included for destination in ids):
            return len(known)
    if ANY in excluded or (included and ANY not in included):
        return None
    return 0


def is_usable(balance: Balance, category: str, instant: datetime, zone: ZoneInfo) -> bool:
    """Whether the balance is enabled and active at ``instant``, for the category."""
    if balance.terms.disabled:
        return False
    if balance.terms.expires_at is not None and instant >= balance.terms.expires_at:
        return False
    if balance.terms.active_from is not None and instant < balance.terms.active_from:
        return False
    if balance.terms.categories and category not in balance.terms.categories:
        return False
    return not balance.terms.timings or any(
        _covers(timing, instant, zone) for timing in balance.terms.timings
    )


def candidates(
    balances: Collection[Balance],
    account_id: int,
    groups: Mapping[int, Group],
    use: Use,
    kinds: frozenset[str],
    prefix: str,
    instant: datetime,
    tariff: Tariff,
    seed: str,
) -> list[Candidate]:
    """The account's balances of these kinds that may be used at ``instant`` for a number, in order of use.

    The most precise destination first, then the highest weight, then the oldest; those of groups as
    :func:`with_shared` says. ``balances`` are those of all accounts concerned, ``prefix`` is the longest known one of
    the number.
    """
    if len(balances) == 1:
        (only,) = balances
        if not only.terms.groups and only.account_id == account_id:
            return _alone(only, use, kinds, prefix, instant, tariff)
    fitting: list[tuple[int, int, int, Balance]] = []
    for balance in balances:
        if balance.kind not in kinds or not is_usable(balance, use.category, instant, use.zone):
            continue
        if balance.terms.factors and _factor(balance, use.type_of_record) is None:
            continue
        exact = precision(tariff, use.tenant, balance, prefix)
        if exact is not None:
            # Unlimited free units come first of all, so that nothing is used up in vain.
            if balance.counter is not None and balance.value == UNLIMITED_UNITS:
                exact = _UNLIMITED_FIRST
            fitting.append((-exact, -balance.terms.weight, balance.balance_id, balance))
    fitting.sort()
    mine = memberships(balances, account_id, groups)
    return with_shared([entry[3] for entry in fitting], account_id, mine, seed)


def memberships(
    balances: Iterable[Balance], account_id: int, groups: Mapping[int, Group]
) -> Mapping[int, Group]:
    """The groups that the account is a member of: one of its balances is in it, or its terms name the account."""
    found: dict[int, Group] = {}
    for balance in balances:
        for group_id in balance.terms.groups:
            group = groups.get(group_id)
            if group is not None and (balance.account_id == account_id or account_id in group.terms):
                found[group_id] = group
    return found


def with_shared(
    usable: list[Balance], account_id: int, groups: Mapping[int, Group], seed: str
) -> list[Candidate]:
    """The account's own of the ``usable`` balances, in their order, and those of the groups that it is in.

    A group's balances of a kind stand together: where the first of the account's own among them stands or, if none
    of these is usable, the first of any member.
    """
    found: dict[int, Candidate] = {}
    anchored = {
        (group_id, balance.kind)
        for balance in usable
        if groups and balance.account_id == account_id
        for group_id in balance.terms.groups
    }
    for balance in usable:
        own = balance.account_id == account_id
        shared = [groups[group_id] for group_id in balance.terms.groups if group_id in groups]
        if own and not shared:
            found.setdefault(balance.balance_id, Candidate(balance, balance.terms.rating_subject))
        for group in shared:
            if not own and (group.group_id, balance.kind) in anchored:
                continue
            strategy, subject = group.terms_of(account_id)
            members = [
                other
                for other in usable
                if group.group_id in other.terms.groups and other.kind == balance.kind
            ]
            for member in in_order_of_strategy(members, strategy, account_id, seed):
                found.setdefault(member.balance_id, Candidate(member, subject or member.terms.rating_subject))
    return list(found.values())


def _alone(
    balance: Balance, use: Use, kinds: frozenset[str], prefix: str, instant: datetime, tariff: Tariff
) -> list[Candidate]:
    """:func:`candidates` for one balance, the usual case."""
    if (
        balance.kind not in kinds
        or not is_usable(balance, use.category, instant, use.zone)
        or (balance.terms.factors and _factor(balance, use.type_of_record) is None)
        or precision(tariff, use.tenant, balance, prefix) is None
    ):
        return []
    return [Candidate(balance, balance.terms.rating_subject)]


def in_order_of_strategy(members: list[Balance], strategy: str, account_id: int, seed: str) -> list[Balance]:
    """A group's balances as ``strategy`` orders them for the account; lots are drawn by ``seed``, so repeats agree.

    The lowest is the one with the least to spend. With *mine_* all of the account's own come first, in the same order.
    """
    if strategy.endswith("lowest"):
        ordered = sorted(members, key=lambda balance: (balance.available, balance.balance_id))
    elif strategy.endswith("highest"):
        ordered = sorted(members, key=lambda balance: (-balance.available, balance.balance_id))
    else:
        ordered = sorted(members, key=lambda balance: _drawn_lot(seed, balance.balance_id))
    if strategy.startswith("*mine"):
        ordered.sort(key=lambda balance: balance.account_id != account_id)
    return ordered


def next_change(balances: Iterable[Balance], after: datetime, until: datetime, zone: ZoneInfo) -> datetime:
    """The first instant in ``(after, until)`` at which one of the balances begins or ceases to be usable."""
    first = until
    for balance in balances:
        for instant in (balance.terms.active_from, balance.terms.expires_at):
            if instant is not None and after < instant < first:
                first = instant
        if balance.terms.timings:
            first = _next_edge(balance.terms.timings, after, first, zone)
    return first


_ZERO = re.compile(r"\*zero(.+)", re.ASCII)


@lru_cache(maxsize=1_000)
def free_increment(rating_subject: str) -> int | None:
    """The increment of free units in billionths of a unit: ``*zero1m`` is 60 seconds, ``*zero5ms`` 5,000,000 ns (plain
    ``*zero`` and no subject a unit); None if a subject prices.

    Raises InvalidInput for a ``*zero`` that is followed by no number of units, or by one that is neither whole seconds
    nor a whole part of one: usage in whole seconds could not be paid by it.
    """
    if rating_subject in ("", "*zero"):
        return NANO
    match = _ZERO.fullmatch(rating_subject)
    if match is None:
        return None
    increment = parse_nanoseconds(match[1])
    if increment < 1:
        raise InvalidInput(f"“{rating_subject}” has no increment; write it like *zero1s or *zero1m")
    if increment % NANO and NANO % increment:
        raise InvalidInput(
            f"“{rating_subject}” is neither whole seconds nor a whole part of one; write it like *zero5ms or *zero2s"
        )
    return increment


@lru_cache(maxsize=1_000)
def _increments_in_a_unit(rating_subject: str) -> int:
    """Into how many increments below a unit the subject divides it; 1 if into none."""
    try:
        return max(NANO // (free_increment(rating_subject) or NANO), 1)
    except InvalidInput:
        return 1


class FreeTerms(NamedTuple):
    """Free units are taken ``increment`` units of usage at a time, each for ``price`` parts of the balance's unit."""

    increment: int
    price: int


def free_terms(balance: Balance, rating_subject: str, type_of_record: str) -> FreeTerms | None:
    """How units of the balance are taken; None where ``rating_subject`` prices them."""
    increment = free_increment(rating_subject)
    if increment is None:
        return None
    if type_of_record != VOICE_NS:
        increment = increment // NANO or 1
    parts, usage = parts_of_usage(balance, type_of_record)
    # Increments of a group may be finer than the balance is divided; then several are taken at once.
    increment *= usage // math.gcd(usage, increment)
    return FreeTerms(increment, increment * parts // usage)


def parts_of_usage(balance: Balance, type_of_record: str) -> tuple[int, int]:
    """So many parts of a unit of the balance pay for so much usage, in lowest terms; one unit of usage if it can be."""
    factor = _factor(balance, type_of_record) or 1
    if type_of_record != VOICE_NS:
        return balance.parts * factor.denominator // factor.numerator, 1
    parts, usage = balance.parts * factor.denominator, factor.numerator * NANO
    common = math.gcd(parts, usage)
    return parts // common, usage // common


def balance_of_grant(
    grant: Grant, key: CounterKey, used: int, reserved: int, account_id: int, balance_id: int, kind: str
) -> Balance:
    """Free units of a plan or bundle as a unit balance: used one by one, with no weight of their own."""
    unlimited = grant.units < 0
    return Balance(
        balance_id=balance_id,
        account_id=account_id,
        tag=grant.origin,
        kind=kind,
        value=UNLIMITED_UNITS if unlimited else max(grant.units - used, 0),
        reserved=0 if unlimited else reserved,
        terms=BalanceTerms(included=frozenset(grant.included), excluded=frozenset(grant.excluded)),
        counter=key,
    )


@lru_cache(maxsize=1_000)
def kinds_for(type_of_record: str) -> frozenset[str]:
    """The kinds of unit balance that may pay for a type of record: those of its name, and generic ones."""
    return frozenset({kind_for(type_of_record), BalanceKind.GENERIC.value})


def kind_for(type_of_record: str) -> str:
    """The kind of unit balance that is named like the type of record."""
    return _VOICE if type_of_record == VOICE_NS else type_of_record


_UNLIMITED_FIRST = 1_000
MONEY = frozenset({BalanceKind.MONETARY.value})
_MONETARY = BalanceKind.MONETARY.value
_VOICE = TypeOfRecord.VOICE.value


def _factor(balance: Balance, type_of_record: str) -> Fraction | int | None:
    type_of_record = kind_for(type_of_record)
    for name, factor in balance.terms.factors:
        if name == type_of_record:
            return factor
    return None


def _drawn_lot(seed: str, balance_id: int) -> bytes:
    return blake2b(f"{seed}:{balance_id}".encode(), digest_size=8).digest()


def _covers(timing: Timing, instant: datetime, zone: ZoneInfo) -> bool:
    local = instant.astimezone(zone)
    second = local.hour * 3600 + local.minute * 60 + local.second
    return applies_on(timing, local.date()) and timing.start_s <= second < timing.end_s


def _next_edge(timings: tuple[Timing, ...], after: datetime, until: datetime, zone: ZoneInfo) -> datetime:
    day = after.astimezone(zone).date()
    first = until
    while local_instant(day, 0, zone) < first:
        edges = {
            second for timing in timings for second in (0, timing.start_s, timing.end_s, SECONDS_PER_DAY)
        }
        for second in edges:
            instant = local_instant(day, second, zone)
            if after < instant < first:
                first = instant
        day += timedelta(days=1)
    return first
