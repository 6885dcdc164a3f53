"""A deck laid over what is live of its supplier, as a tariff plan to load: a rating plan from each effective day on.

Every id begins with the supplier's code and a colon. Rates are named by what they cost, so equal ones are one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.kernel.errors import InvalidInput, Problem
from apps.kernel.periods import local_midnight
from apps.rating.domain import source as src
from apps.rating.domain.differences.terms import worked_price
from apps.rating.domain.rate_decks.reading import Deck, DeckRow
from apps.rating.domain.rate_decks.values import Status
from apps.rating.domain.rates import CompiledRate
from apps.rating.domain.source import ANY, SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files.fields import MAX_ID

_MAX_DAYS = 60
# With the code, a time and a number within the length of an id.
_MAX_NAME = 28
_NOT_IN_IDS = re.compile(r"[^A-Z0-9_]+")


class Purchase(NamedTuple):
    """Whose prices these are: their place among the rating profiles, and what was agreed.

    ``notice_days`` is how long in advance increases are announced.
    """

    code: str
    tenant: str
    category: str
    subject: str
    zone: ZoneInfo
    price_unit: int = 60
    notice_days: int = 0


class Report(NamedTuple):
    """The tables to load, what is odd about the deck (short notice, a status that prices belie), its days."""

    plan: src.TariffPlan
    findings: list[Problem]
    days: list[date]


class _Price(NamedTuple):
    """What a prefix costs: the deck's (or the live) name of its destination, and its rate."""

    name: str
    rate_id: str


Prices = dict[str, _Price]


def fold(
    deck: Deck,
    live: src.TariffPlan,
    purchase: Purchase,
    *,
    name: str,
    valid_from: date,
    received: date,
    whole: bool,
) -> Report:
    """Lay a deck without problems over the live plan.

    Rows without a day are effective on ``valid_from``. ``whole``: what the deck does not name has no price from that
    day on; else it keeps its price. Raises InvalidInput if there are too many effective days.
    """
    return _Folding(deck, live, purchase, name, valid_from, received, whole).report()


class _Folding:
    def __init__(
        self,
        deck: Deck,
        live: src.TariffPlan,
        purchase: Purchase,
        name: str,
        valid_from: date,
        received: date,
        whole: bool,
    ) -> None:
        self.deck, self.purchase, self.name = deck, purchase, name
        self.valid_from, self.received, self.whole = valid_from, received, whole
        self.mine = f"{purchase.code}:"
        self.live_destinations = {
            row.id: row.prefixes for row in live.destinations if row.id.startswith(self.mine)
        }
        self.rates = {row.id: row for row in live.rates}
        self.live_rates = set(self.rates)
        self.activations = sorted(
            (profile.activation_epoch, profile.rating_plan_id)
            for profile in live.rating_profiles
            if profile[:3] == (purchase.tenant, purchase.category, purchase.subject)
        )
        self.groups: dict[str, list[src.DestinationRate]] = {}
        for row in live.destination_rates:
            self.groups.setdefault(row.id, []).append(row)
        self.entries = {entry.id: entry.destination_rates_id for entry in live.rating_plans}
        self.known_prices: dict[str, Prices] = {}
        self.cents: dict[str, int] = {}

    def report(self) -> Report:
        days = {row.effective or self.valid_from for row in self.deck.rows}
        if self.whole:
            days.add(self.valid_from)
        if len(days) > _MAX_DAYS:
            raise InvalidInput(
                f"the deck has {len(days):,} effective days; at most {_MAX_DAYS} are taken", where=self.name
            )
        first = self._epoch(min(days))
        # What was announced for later is laid over too.
        later = {since for since, _ in self.activations if since > first}
        instants = sorted({self._epoch(day) for day in days} | later)
        destinations: list[src.Destination] = []
        rated: list[src.DestinationRate] = []
        known = dict(self.live_destinations)
        for instant in instants:
            stamp = self._stamp(instant)
            prices = self._prices(instant)
            if not prices:
                raise InvalidInput(
                    f"from {stamp} on the deck leaves this supplier without a price", where=self.name
                )
            for name, prefixes, rate_id in self._grouped(prices):
                destination_id = self._destination_id(name, prefixes, stamp, known)
                if destination_id not in known:
                    known[destination_id] = prefixes
                    destinations.append(src.Destination(destination_id, prefixes))
                rated.append(src.DestinationRate(self.mine + stamp, destination_id, rate_id))
        plans = [self.mine + self._stamp(instant) for instant in instants]
        new_rates = {row.rate_id for row in rated} - self.live_rates
        plan = src.TariffPlan(
            SHARED_TARIFF_PLAN,
            (),
            tuple(destinations),
            tuple(self.rates[rate_id] for rate_id in sorted(new_rates)),
            tuple(rated),
            tuple(src.RatingPlanEntry(plan_id, plan_id, ANY, "10") for plan_id in plans),
            tuple(
                src.RatingProfile(*self._who(), instant, plan_id)
                for instant, plan_id in zip(instants, plans, strict=True)
            ),
        )
        return Report(plan, list(self._findings()), sorted(days))

    def _who(self) -> tuple[str, str, str]:
        return self.purchase.tenant, self.purchase.category, self.purchase.subject

    def _epoch(self, day: date) -> int:
        return int(local_midnight(day, self.purchase.zone).timestamp())

    def _stamp(self, epoch: int) -> str:
        local = datetime.fromtimestamp(epoch, self.purchase.zone)
        return f"{local:%Y%m%d}" if self._epoch(local.date()) == epoch else f"{local:%Y%m%dT%H%M%S}"

    def _prices(self, instant: int) -> Prices:
        """All prices from an instant on: the live ones, and the deck's rows over them, later rows last."""
        prices = dict(self._live_at(instant))
        if self.whole and instant >= self._epoch(self.valid_from):
            named = {prefix for row in self.deck.rows for prefix in row.prefixes}
            prices = {prefix: price for prefix, price in prices.items() if prefix in named}
        for row in sorted(self.deck.rows, key=lambda row: row.effective or self.valid_from):
            if self._epoch(row.effective or self.valid_from) > instant:
                break
            for prefix in row.prefixes:
                if row.status is Status.BLOCKED:
                    prices.pop(prefix, None)
                else:
                    prices[prefix] = _Price(_plain(row.destination), self._rate(row))
        return prices

    def _live_at(self, instant: int) -> Mapping[str, _Price]:
        plan_id = next((plan for since, plan in reversed(self.activations) if since <= instant), "")
        if plan_id not in self.known_prices:
            self.known_prices[plan_id] = {
                prefix: _Price(row.destination_id.split(":")[1], row.rate_id)
                for row in self.groups.get(self.entries.get(plan_id, ""), ())
                for prefix in self.live_destinations.get(row.destination_id, ())
            }
        return self.known_prices[plan_id]

    def _rate(self, row: DeckRow) -> str:
        rate_id = f"{self.mine}{row.price}_{row.first}_{row.following}"
        if self.purchase.price_unit != 60:
            rate_id += f"_per{self.purchase.price_unit}"
        if row.connect_fee != "0":
            rate_id += f"_fee{row.connect_fee}"
        if len(rate_id) > MAX_ID:
            rate_id = self.mine + hashlib.sha256(rate_id.encode()).hexdigest()[:32]
        if rate_id not in self.rates:
            unit = self.purchase.price_unit
            slots = [src.RateSlot(0, row.connect_fee, row.price, unit, row.first)]
            if row.following != row.first:
                slots.append(src.RateSlot(row.first, "0", row.price, unit, row.following))
            self.rates[rate_id] = src.Rate(rate_id, tuple(slots))
        return rate_id

    def _grouped(self, prices: Prices) -> Iterator[tuple[str, tuple[str, ...], str]]:
        """Destinations with their prefixes and rates; a name with several rates makes a destination for each."""
        groups: dict[_Price, list[str]] = {}
        for prefix, price in prices.items():
            groups.setdefault(price, []).append(prefix)
        for price in sorted(groups):
            yield price.name, tuple(sorted(groups[price])), price.rate_id

    def _destination_id(
        self, name: str, prefixes: tuple[str, ...], stamp: str, known: Mapping[str, tuple[str, ...]]
    ) -> str:
        """The id of a destination with just these prefixes: what is live keeps its own, as earlier plans use it."""
        plain = f"{self.mine}{name}"
        number = 1
        candidate = plain
        while candidate in known and tuple(sorted(known[candidate])) != prefixes:
            candidate = f"{plain}:{stamp}" + (f":{number}" if number > 1 else "")
            number += 1
        return candidate

    def _findings(self) -> Iterator[Problem]:
        """Rows whose increase comes without its notice, and whose status says otherwise than their price."""
        for row in self.deck.rows:
            effective = row.effective or self.valid_from
            was = [self._price_before(prefix, self._epoch(effective)) for prefix in row.prefixes]
            now = None if row.status is Status.BLOCKED else self._cost(self._rate(row))
            where = f"{self.name}, row {row.number}"
            rises = now is not None and any(price is not None and now > price for price in was)
            falls = now is not None and any(price is not None and now < price for price in was)
            known = any(price is not None for price in was)
            notice = (effective - self.received).days
            if rises and notice < self.purchase.notice_days:
                earliest = self.received + timedelta(days=self.purchase.notice_days)
                yield Problem(
                    where,
                    f"{row.destination} rises on {effective}, {notice} days after it was announced; agreed are "
                    f"{self.purchase.notice_days}, so {earliest} at the earliest",
                    "short_notice",
                )
            belied = {
                Status.INCREASE: not rises,
                Status.DECREASE: not falls,
                Status.SAME: rises or falls or not known,
                Status.NEW: False,
                Status.BLOCKED: not known,
                None: False,
            }
            if belied[row.status]:
                what = "rises" if rises else "falls" if falls else "stays" if known else "has no price so far"
                yield Problem(
                    where, f"the deck says “{row.status}”, but {row.destination} {what}", "status_belied"
                )

    def _price_before(self, prefix: str, instant: int) -> int | None:
        prices = self._live_at(instant - 1)
        while prefix:
            found = prices.get(prefix)
            if found is not None:
                return self._cost(found.rate_id)
            prefix = prefix[:-1]
        return None

    def _cost(self, rate_id: str) -> int:
        if rate_id not in self.cents:
            rate = CompiledRate(self.rates[rate_id], src.DestinationRate("", ANY, rate_id))
            # In parts of a micro-unit: rates of decks are finer than one.
            self.cents[rate_id] = worked_price(rate, self.purchase.price_unit * 1_000)
        return self.cents[rate_id]


def _plain(name: str) -> str:
    """A destination's name as a part of an id: capitals, digits and “_”."""
    return (_NOT_IN_IDS.sub("_", name.upper()).strip("_") or "UNNAMED")[:_MAX_NAME]
