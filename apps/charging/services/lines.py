"""Who a number belongs to and on which terms, cached for a few seconds for real-time charging.

Bars and balances must be current: they are read for every request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.conf import settings

from apps.charging.domain.lines import Line
from apps.charging.domain.state import ChargingConfig
from apps.charging.services.config import Sharing, Tenants, read_config
from apps.charging.services.line_rows import LineRow, lines_of_rows, read_line_rows
from apps.charging.services.remembered import Remembered
from apps.charging.services.terms import Terms
from apps.subscribers.models import Resource
from apps.subscribers.selectors import holders_at

SESSIONS_AT_MOST = timedelta(days=32)
"""Price plans that ended longer ago than this are not looked up: no session is that old."""
# The part of an entry's life after which it is prefetched if in use; the rest is for doing so.
_AHEAD = 0.75
# Computing for one statement's rows keeps the GIL from waiting requests.
_REFRESHED_AT_ONCE = 100

Item = TypeVar("Item")
HeldNumber = tuple[float, int | None]
"""When it was read, and whose it is."""
HeldLine = tuple[float, Line | None, LineRow | None, Terms]
"""When it was read, the line, and the row and the terms that it was made of."""


HeldConfig = tuple[float, ChargingConfig, Sharing, Tenants]


class Number(NamedTuple):
    """An MSISDN or an IMSI."""

    kind: str
    value: str


class Directory:
    """Numbers, lines and the configuration of charging, each read again once it is CHARGING_DIRECTORY_REFRESH_S old.

    Shared by the threads of a process. :meth:`refresh`, called every second or so,
    prefetches entries in use before they expire: requests then hardly ever wait for them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._numbers: Remembered[Number, HeldNumber] = Remembered()
        self._lines: Remembered[int, HeldLine] = Remembered()
        self._config: HeldConfig | None = None
        self._terms: tuple[float, Terms] | None = None

    def forget(self) -> None:
        """Invalidate all entries; for the process that has just changed something."""
        self._numbers.forget()
        self._lines.forget()
        self._config = None
        self._terms = None

    def forget_lines(self, subscriber_ids: Iterable[int]) -> None:
        """Invalidate these subscribers' plans: they have just been changed."""
        self._lines.forget(list(subscriber_ids))

    def refresh(self, now: datetime) -> int:
        """Prefetch entries in use that expire soon; returns the count of numbers and lines.

        For a thread of its own. Entries invalidated meanwhile stay invalid.
        """
        began, soon = self._clock(), self._soon()
        numbers = self._numbers.due(began, soon)
        for some in _portions(list(numbers)):
            stamp = self._clock()
            owners = self._read_numbers(some, now + timedelta(seconds=stamp - began))
            self._numbers.renew({number: (stamp, owners.get(number)) for number in some}, numbers, stamp)
        self._refresh_world(soon)
        terms = self._terms_since(soon)
        lines = self._lines.due(began, soon)
        for ids in _portions(list(lines)):
            stamp = self._clock()
            fresh = self._read_lines(ids, now + timedelta(seconds=stamp - began), stamp, terms, lines)
            self._lines.renew(fresh, lines, stamp)
        return len(numbers) + len(lines)

    def subscribers(self, numbers: Collection[Number], now: datetime) -> dict[Number, int | None]:
        """The subscriber who has each number now, or None."""
        oldest = self._oldest()
        known, missing = self._numbers.look_up(numbers, oldest)
        found = {number: held[1] for number, held in known.items()}
        if missing:
            stamp = self._clock()
            owners = self._read_numbers(missing, now)
            for number in missing:
                found[number] = owners.get(number)
            self._numbers.keep({number: (stamp, owners.get(number)) for number in missing}, stamp, oldest)
        return found

    def lines(self, subscriber_ids: Collection[int], now: datetime) -> dict[int, Line]:
        """The lines of these subscribers; those without an account are absent."""
        oldest = self._oldest()
        known, missing = self._lines.look_up(subscriber_ids, oldest)
        if missing:
            stamp = self._clock()
            read = self._read_lines(missing, now, stamp, self._terms_since(oldest), {})
            self._lines.keep(read, stamp, oldest)
            known.update(read)
        return {subscriber_id: held[1] for subscriber_id, held in known.items() if held[1] is not None}

    def config(self) -> tuple[ChargingConfig, Sharing, Tenants]:
        """Services, policies, shared groups and triggers; who shares what; code and time zone of tenants by id."""
        known = self._config
        if known is None or known[0] < self._oldest():
            known = self._config = self._read_world(known)
        return known[1:]

    def _refresh_world(self, soon: float) -> None:
        known = self._config
        if known is not None and known[0] < soon:
            fresh = self._read_world(known)
            if self._config is known:
                self._config = fresh

    def _read_world(self, known: HeldConfig | None) -> HeldConfig:
        """The configuration as it is now, the same objects if nothing has changed: lines keep what follows from it."""
        stamp, fresh = self._clock(), read_config()
        return (stamp, *(known[1:] if known is not None and known[1:] == fresh else fresh))

    def _terms_since(self, oldest: float) -> Terms:
        """The terms as they were at ``oldest`` or later, the same object for as long as nothing in them has changed."""
        known, stamp = self._terms, self._clock()
        if known is not None and known[0] >= oldest:
            return known[1]
        terms = Terms.nothing() if known is None else known[1].read_again()
        if self._terms is known:
            self._terms = (stamp, terms)
            if known is not None and terms is not known[1]:
                # Some lines grant what they should not any more.
                self._lines.forget()
        return terms

    def _oldest(self) -> float:
        return self._clock() - float(settings.CHARGING_DIRECTORY_REFRESH_S)

    def _soon(self) -> float:
        return self._clock() - float(settings.CHARGING_DIRECTORY_REFRESH_S) * _AHEAD

    @staticmethod
    def _read_lines(
        subscriber_ids: Collection[int],
        now: datetime,
        stamp: float,
        terms: Terms,
        former: Mapping[int, HeldLine],
    ) -> dict[int, HeldLine]:
        """The lines as they are now; rebuilt unless their row and terms are unchanged."""
        first, last = now - SESSIONS_AT_MOST, now + timedelta(days=1)
        rows = read_line_rows(subscriber_ids, first, last)
        found: dict[int, HeldLine] = {}
        changed = []
        for subscriber_id in subscriber_ids:
            row, held = rows.get(subscriber_id), former.get(subscriber_id)
            if row is None:
                found[subscriber_id] = (stamp, None, None, terms)
            elif held is not None and held[3] is terms and held[2] == row:
                found[subscriber_id] = (stamp, held[1], row, terms)
            else:
                changed.append(row)
        for subscriber_id, line in lines_of_rows(changed, first, last, terms).items():
            found[subscriber_id] = (stamp, line, rows[subscriber_id], terms)
        return found

    @staticmethod
    def _read_numbers(numbers: list[Number], now: datetime) -> dict[Number, int]:
        found: dict[Number, int] = {}
        for kind in (Resource.Kind.MSISDN.value, Resource.Kind.IMSI.value):
            values = [number.value for number in numbers if number.kind == kind]
            for (_, value), subscriber_id in holders_at(kind, values, now).items():
                found[Number(kind, value)] = subscriber_id
        return found


def _portions(items: list[Item]) -> Iterator[list[Item]]:
    for first in range(0, len(items), _REFRESHED_AT_ONCE):
        yield items[first : first + _REFRESHED_AT_ONCE]
