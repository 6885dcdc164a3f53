"""Who a number belongs to and on which terms, remembered for a few seconds for real-time charging.

What may not be late (whether the subscriber is barred, what the account holds) is read anew for every request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from apps.charging.domain.balances import Group
from apps.charging.domain.requests import FinalUnit, FinalUnitAction
from apps.charging.domain.state import QuotaPolicy as Policy
from apps.charging.domain.state import World
from apps.charging.domain.usage_book import Line, ServiceInfo
from apps.charging.models import Balance, QuotaPolicy, SharedGroup, SharedGroupTerms
from apps.charging.services.rows import instant_text
from apps.charging.services.triggers import read_trigger_book
from apps.charging.services.usage import Terms, lines_of
from apps.rating.models import Service, Tenant
from apps.storage.reads import select_in
from apps.subscribers.models import Resource

SESSIONS_AT_MOST = timedelta(days=32)
"""Price plans that ended longer ago than this are not looked up: no session is that old."""
_MOST_REMEMBERED = 200_000
# The part of its time after which what is used is read ahead; the rest is for doing so.
_AHEAD = 0.75
# Computing for one statement's rows keeps the interpreter from requests that wait.
_REFRESHED_AT_ONCE = 100


class Number(NamedTuple):
    """An MSISDN or an IMSI."""

    kind: str
    value: str


Tenants = dict[int, tuple[str, ZoneInfo]]
Item = TypeVar("Item")


class Sharing(NamedTuple):
    """Shared groups: by account those it is in, by group its accounts."""

    groups_of: dict[int, frozenset[int]]
    accounts_of: dict[int, frozenset[int]]

    def together(self, account_ids: Iterable[int]) -> set[int]:
        """These accounts and all that share a balance with one of them."""
        found = set(account_ids)
        for account_id in list(found):
            for group_id in self.groups_of.get(account_id, ()):
                found |= self.accounts_of[group_id]
        return found


class Directory:
    """Numbers, lines and the world of charging, each read again once it is CHARGING_DIRECTORY_REFRESH_S old.

    Shared by the threads of a process. What is in use is read anew by :meth:`refresh`, where somebody calls that
    every second or so, before it is too old: requests then hardly ever wait for it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: dict[Number, tuple[float, int | None]] = {}
        self._lines: dict[int, tuple[float, Line | None]] = {}
        self._world: tuple[float, World, Sharing, Tenants] | None = None
        self._terms: tuple[float, Terms] | None = None
        self._numbers_due: dict[Number, tuple[float, int | None]] = {}
        self._lines_due: dict[int, tuple[float, Line | None]] = {}

    def forget(self) -> None:
        """Read everything anew from now on; for the process that has just changed something."""
        with self._lock:
            self._numbers.clear()
            self._lines.clear()
            self._world = None
            self._terms = None

    def forget_lines(self, subscriber_ids: Iterable[int]) -> None:
        """Read these subscribers' plans anew: somebody has just changed them."""
        with self._lock:
            for subscriber_id in subscriber_ids:
                self._lines.pop(subscriber_id, None)

    def refresh(self, now: datetime) -> int:
        """Read anew what was used and is nearly too old; how many numbers and lines that were.

        For a thread of its own. What is forgotten meanwhile stays forgotten.
        """
        numbers, self._numbers_due = self._numbers_due, {}
        lines, self._lines_due = self._lines_due, {}
        began = self._clock()
        for some in _portions(list(numbers)):
            stamp = self._clock()
            owners = self._read_numbers(some, now + timedelta(seconds=stamp - began))
            with self._lock:
                for number in some:
                    if self._numbers.get(number) is numbers[number]:
                        self._numbers[number] = (stamp, owners.get(number))
        world, stamp = self._world, self._clock()
        if world is not None and world[0] < self._soon():
            fresh_world = (stamp, *_read_world())
            with self._lock:
                if self._world is world:
                    self._world = fresh_world
        terms = self._terms
        if terms is not None and terms[0] < self._soon():
            self._terms = None
        for ids in _portions(list(lines)):
            stamp = self._clock()
            found = self._read_lines(ids, now + timedelta(seconds=stamp - began))
            with self._lock:
                for subscriber_id in ids:
                    if self._lines.get(subscriber_id) is lines[subscriber_id]:
                        self._lines[subscriber_id] = (stamp, found.get(subscriber_id))
        return len(numbers) + len(lines)

    def subscribers(self, numbers: Collection[Number], now: datetime) -> dict[Number, int | None]:
        """The subscriber who has each number now, or None."""
        oldest, soon = self._oldest(), self._soon()
        found: dict[Number, int | None] = {}
        missing = []
        for number in numbers:
            known = self._numbers.get(number)
            if known is None or known[0] < oldest:
                missing.append(number)
                continue
            found[number] = known[1]
            if known[0] < soon:
                self._numbers_due[number] = known
        if missing:
            read = self._read_numbers(missing, now)
            stamp = self._clock()
            self._make_room(self._numbers)
            for number in missing:
                found[number] = read.get(number)
                self._numbers[number] = (stamp, found[number])
        return found

    def lines(self, subscriber_ids: Collection[int], now: datetime) -> dict[int, Line]:
        """The lines of these subscribers; those without an account are absent."""
        oldest, soon = self._oldest(), self._soon()
        found: dict[int, Line] = {}
        missing = []
        for subscriber_id in subscriber_ids:
            known = self._lines.get(subscriber_id)
            if known is None or known[0] < oldest:
                missing.append(subscriber_id)
                continue
            if known[1] is not None:
                found[subscriber_id] = known[1]
            if known[0] < soon:
                self._lines_due[subscriber_id] = known
        if missing:
            read = self._read_lines(missing, now)
            stamp = self._clock()
            self._make_room(self._lines)
            for subscriber_id in missing:
                line = read.get(subscriber_id)
                self._lines[subscriber_id] = (stamp, line)
                if line is not None:
                    found[subscriber_id] = line
        return found

    def world(self) -> tuple[World, Sharing, Tenants]:
        """Services, policies, shared groups and triggers; who shares what; code and time zone of tenants by id."""
        known = self._world
        if known is None or known[0] < self._oldest():
            known = self._world = (self._clock(), *_read_world())
        return known[1:]

    def _known_terms(self) -> Terms:
        known = self._terms
        if known is None or known[0] < self._oldest():
            known = self._terms = (self._clock(), Terms.nothing())
        return known[1]

    def _oldest(self) -> float:
        return self._clock() - float(settings.CHARGING_DIRECTORY_REFRESH_S)

    def _soon(self) -> float:
        return self._clock() - float(settings.CHARGING_DIRECTORY_REFRESH_S) * _AHEAD

    def _make_room(
        self, remembered: dict[Number, tuple[float, int | None]] | dict[int, tuple[float, Line | None]]
    ) -> None:
        if len(remembered) > _MOST_REMEMBERED:
            remembered.clear()
            self._numbers_due.clear()
            self._lines_due.clear()

    def _read_lines(self, subscriber_ids: Collection[int], now: datetime) -> dict[int, Line]:
        accounts = dict(
            select_in(
                "SELECT subscriber_id, account_id FROM charging_payer WHERE subscriber_id IN ({values})",
                subscriber_ids,
            )
        )
        since, until = now - SESSIONS_AT_MOST, now + timedelta(days=1)
        return lines_of(sorted(accounts), accounts, since, until, self._known_terms())

    @staticmethod
    def _read_numbers(numbers: list[Number], now: datetime) -> dict[Number, int]:
        found: dict[Number, int] = {}
        moment = instant_text(now)
        for kind in (Resource.Kind.MSISDN.value, Resource.Kind.IMSI.value):
            values = [number.value for number in numbers if number.kind == kind]
            for value, subscriber_id in select_in(
                "SELECT resource.value, held.subscriber_id FROM subscribers_resource resource"
                " JOIN subscribers_resourceassignment held ON held.resource_id = resource.id"
                f" WHERE resource.kind = '{kind}' AND resource.value IN ({{values}}) AND held.start <= '{moment}'"
                f" AND (held.{_quoted_end()} IS NULL OR held.{_quoted_end()} > '{moment}')",
                values,
            ):
                found[Number(kind, value)] = subscriber_id
        return found


def _portions(items: list[Item]) -> Iterator[list[Item]]:
    for first in range(0, len(items), _REFRESHED_AT_ONCE):
        yield items[first : first + _REFRESHED_AT_ONCE]


def _quoted_end() -> str:
    return str(connection.ops.quote_name("end"))


def _read_world() -> tuple[World, Sharing, Tenants]:
    services = {
        code: ServiceInfo(service_id, category, type_of_record)
        for service_id, code, category, type_of_record in Service.objects.values_list(
            "id", "code", "category", "type_of_record"
        )
    }
    policies = {
        (policy.service.code, policy.price_plan_id or 0): _policy(policy)
        for policy in QuotaPolicy.objects.select_related("service").order_by("pk")
    }
    terms: dict[int, dict[int, tuple[str, str]]] = {
        pk: {} for pk in SharedGroup.objects.values_list("pk", flat=True)
    }
    for row in SharedGroupTerms.objects.all():
        terms[row.group_id][row.account_id or 0] = (row.strategy, row.rating_subject)
    groups_of: dict[int, set[int]] = {}
    accounts_of: dict[int, set[int]] = {}
    if terms:
        for group_id, account_id in Balance.groups.through.objects.values_list(
            "sharedgroup_id", "balance__account_id"
        ):
            groups_of.setdefault(account_id, set()).add(group_id)
            accounts_of.setdefault(group_id, set()).add(account_id)
    shared = {pk: Group(pk, by_account) for pk, by_account in terms.items()}
    world = World(services, policies, shared, read_trigger_book())
    sharing = Sharing(
        {account_id: frozenset(groups) for account_id, groups in groups_of.items()},
        {group_id: frozenset(accounts) for group_id, accounts in accounts_of.items()},
    )
    tenants = {
        tenant_id: (code, ZoneInfo(time_zone))
        for tenant_id, code, time_zone in Tenant.objects.values_list("id", "code", "time_zone")
    }
    return world, sharing, tenants


def _policy(row: QuotaPolicy) -> Policy:
    filters = tuple(rule.strip() for rule in row.filters.split(";") if rule.strip())
    return Policy(
        row.default_units,
        row.max_units,
        row.validity_s,
        row.quota_holding_s,
        row.threshold_percent,
        FinalUnit(FinalUnitAction(row.final_action), row.redirect_address, filters),
    )
