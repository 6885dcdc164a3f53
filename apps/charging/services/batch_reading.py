"""What a batch of requests is about, read before it is charged: whose they are, and behind the locks what there is.

Payers are locked first and accounts (by their balances) second, both in id order, so that batches of any process,
and loaders of usage files, do not wait for each other in a circle.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.balances import DEFAULT_TAG
from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.charge import digest_of, session_key
from apps.charging.domain.lines import CounterKey, Line
from apps.charging.domain.member_limits import MemberLimits
from apps.charging.domain.requests import OnlineRequest, Operation
from apps.charging.domain.sessions import Hold, Session
from apps.charging.domain.state import Account, Counter
from apps.charging.models import Balance
from apps.charging.services.lines import Directory, Number
from apps.charging.services.member_limits import read_member_limits
from apps.charging.services.money_bounds import MoneyBook
from apps.charging.services.rows import (
    ACCOUNTS_SQL,
    SESSION_COLUMNS,
    SESSION_MARK_COLUMNS,
    account_of,
    balance_of,
    balances_sql,
    session_of,
)
from apps.charging.services.session_memory import Mark, SessionMemory
from apps.charging.services.trigger_rows import STATES_SQL, states_of
from apps.charging.services.triggers import KnownStates
from apps.storage.dialect import for_update
from apps.storage.upserts import select, select_many
from apps.subscribers.selectors import BARRED_SUBSCRIBERS

log = logging.getLogger(__name__)

_ENQUIRIES = frozenset({Operation.CHECK_BALANCE, Operation.PRICE_ENQUIRY, Operation.MAX_USAGE})
_ORDERS = frozenset({Operation.TOP_UP, Operation.ADJUST, Operation.TRANSFER})
_ENDINGS = frozenset({Operation.RELEASE, Operation.EXPIRE})
_OF_A_SESSION = frozenset({Operation.UPDATE, Operation.TERMINATE})
_IN_SESSION = _ENDINGS | {Operation.INITIATE, Operation.UPDATE, Operation.TERMINATE}
# Questions change nothing, and a session ends once however often it is ended: neither needs a kept answer.
WITHOUT_A_KEPT_ANSWER = _ENQUIRIES | _ENDINGS

_SESSION_MARKS = (
    f"SELECT `key`, {SESSION_MARK_COLUMNS} FROM charging_chargingsession WHERE `key` IN ({{values}})"
)
_ANSWERS = "SELECT `key`, answer FROM charging_storedanswer WHERE `key` IN ({values})"

Owner = tuple[int | None, int | None]
"""Account and subscriber; None if there is none."""


class BatchReading:
    """What the requests of one batch find. It is read by :meth:`find_out_whose`, then :meth:`lock_and_read`.

    ``sessions`` are by key, ``versions`` those of their rows; ``balances`` and ``counters`` by account and subscriber.
    ``look_all_up`` looks for the answers of requests too that do not say they are repeats.
    """

    def __init__(
        self,
        requests: Sequence[OnlineRequest],
        now: datetime,
        directory: Directory,
        memory: SessionMemory,
        connection: BaseDatabaseWrapper,
        look_all_up: bool,
    ) -> None:
        self.requests, self.now, self.look_all_up = requests, now, look_all_up
        self.directory, self.memory = directory, memory
        self.connection = connection
        self.for_update = for_update(connection)
        self.digests = [digest_of(request) for request in requests]
        self.keys = [
            session_key(request) if request.operation in _IN_SESSION else None for request in requests
        ]
        self.config, self.sharing, self.tenants = directory.config()
        self.lines: dict[int, Line] = {}
        self.accounts: dict[int, Account] = {}
        self.balances: dict[int, dict[int, BalanceValue]] = {}
        self.counters: dict[int, Mapping[CounterKey, Counter]] = {}
        self.sessions: dict[str, Session] = {}
        self.versions: dict[str, int] = {}
        self.barred: set[int] = set()
        self.contradictory: set[str] = set()
        """Digests of requests whose numbers are those of different subscribers."""
        self.money = MoneyBook(now)
        self.trigger_states = KnownStates({}, ())
        self.members: dict[int, MemberLimits] = {}

    def find_out_whose(self) -> list[Owner]:
        """Account and subscriber of each request; None if there is none."""
        owners: dict[str, tuple[int, int]] = {}
        unknown: set[str] = set()
        for request, key in zip(self.requests, self.keys, strict=True):
            if key is None:
                continue
            known = self.memory.owner(key)
            if known is not None:
                owners[key] = known
            elif request.operation is not Operation.INITIATE:
                unknown.add(key)
        for key, account_id, subscriber_id in self._select(
            "SELECT `key`, account_id, subscriber_id FROM charging_chargingsession WHERE `key` IN ({values})",
            unknown,
        ):
            owners[key] = (account_id, subscriber_id)
        whose: list[Owner | None] = []
        numbers: set[Number] = set()
        for request, key in zip(self.requests, self.keys, strict=True):
            if request.operation in _ORDERS:
                whose.append((request.order.account_id if request.order else None, None))
                continue
            owner: Owner | None = owners.get(key) if key is not None else None
            whose.append(owner)
            if owner is None:
                numbers.update(_numbers_of(request))
        subscribers = self.directory.subscribers(numbers, self.now)
        of_requests = [
            self._subscriber_of(request, digest, subscribers) if owner is None else owner[1]
            for request, digest, owner in zip(self.requests, self.digests, whose, strict=True)
        ]
        wanted = {subscriber_id for subscriber_id in of_requests if subscriber_id is not None}
        self.lines = self.directory.lines(wanted, self.now)
        found: list[Owner] = []
        for owner, subscriber_id in zip(whose, of_requests, strict=True):
            if owner is not None:
                found.append(owner)
                continue
            line = self.lines.get(subscriber_id) if subscriber_id is not None else None
            found.append((line.account_id if line else None, subscriber_id))
        return found

    def _subscriber_of(
        self, request: OnlineRequest, digest: str, subscribers: Mapping[Number, int | None]
    ) -> int | None:
        """The subscriber of the assigned numbers; None if they are those of different subscribers."""
        subscriber_id = None
        for number in _numbers_of(request):
            found = subscribers.get(number)
            if found is None or found == subscriber_id:
                continue
            if subscriber_id is not None:
                if request.operation in _OF_A_SESSION:
                    # Of a session that is not known: it is told so.
                    return None
                log.warning(
                    "request %d of session %s names subscribers %d and %d; it is refused",
                    request.number,
                    request.session_id,
                    subscriber_id,
                    found,
                )
                self.contradictory.add(digest)
                return None
            subscriber_id = found
        return subscriber_id

    def lock_and_read(self, whose: list[Owner]) -> dict[str, str]:
        """Lock who pays and read all that the requests are about; the answers that were given already."""
        subscriber_ids = {subscriber_id for _, subscriber_id in whose if subscriber_id is not None}
        counted = sorted(
            subscriber_id
            for subscriber_id in subscriber_ids
            if _has_free_units(self.lines.get(subscriber_id), self.config.has_fair_use)
        )
        if counted:
            self._select(
                "SELECT subscriber_id FROM charging_payer WHERE subscriber_id IN ({values}) ORDER BY subscriber_id"
                + self.for_update,
                counted,
            )
        account_ids = {account_id for account_id, _ in whose if account_id is not None}
        account_ids |= {
            request.order.to_account_id
            for request in self.requests
            if request.order is not None and request.order.to_account_id is not None
        }
        together = sorted(self.sharing.together(account_ids))
        keys = {key for key in self.keys if key is not None}
        watched = self._perhaps_watched(whose, together)
        balances, accounts, marks, barred, answers, states = select_many(
            self.connection,
            [
                (balances_sql(self.connection), together),
                (ACCOUNTS_SQL, together),
                (_SESSION_MARKS, keys),
                (BARRED_SUBSCRIBERS, subscriber_ids),
                (_ANSWERS, self._perhaps_answered(whose)),
                (STATES_SQL, watched),
            ],
        )
        self.trigger_states = KnownStates(states_of(states), watched)
        self._take_accounts(accounts)
        self._take_balances(together, balances)
        self._make_missing_balances()
        self._take_sessions(marks)
        self._read_counters(counted)
        if self.config.member_limits:
            self.members = read_member_limits(
                self.connection, self.config, self.sharing, self.accounts, self.now
            )
        self.barred = {row[0] for row in barred}
        self.money.read(
            [
                (request, account_id)
                for request, (account_id, _) in zip(self.requests, whose, strict=True)
                if request.money_limit is not None
            ],
            self.accounts,
        )
        return dict(answers)

    def stored_answers(self, digests: Iterable[str]) -> dict[str, str]:
        """The texts of those answers that were given already."""
        return dict(self._select(_ANSWERS, digests))

    def _perhaps_answered(self, whose: list[Owner]) -> list[str]:
        """Digests of the requests that may have been answered before.

        A repeat that is not among them shows when its answer cannot be stored a second time, which takes an account.
        """
        return [
            digest
            for request, key, digest, (account_id, _) in zip(
                self.requests, self.keys, self.digests, whose, strict=True
            )
            if request.operation not in WITHOUT_A_KEPT_ANSWER
            and (
                self.look_all_up
                or request.repeated
                or account_id is None
                or self._is_not_the_next(request, key)
            )
        ]

    def _is_not_the_next(self, request: OnlineRequest, key: str | None) -> bool:
        session = self.memory.remembered(key) if key is not None else None
        return session is not None and request.number <= session.last_number

    def _perhaps_watched(self, whose: list[Owner], together: list[int]) -> list[int]:
        """The accounts whose triggers may have to remember something; all others' are read later if need be."""
        triggers = self.config.triggers
        if triggers is None or not triggers.has_state:
            return []
        lines = {line.account_id: line for line in self.lines.values()}
        return [
            account_id
            for account_id in together
            if (line := lines.get(account_id)) is not None
            and triggers.may_concern(account_id, line.tenant, line.trigger_set_id)
        ]

    def _take_accounts(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            if row[2] not in self.tenants:
                # A tenant that is newer than what this process remembers.
                self.directory.forget()
                self.config, self.sharing, self.tenants = self.directory.config()
            self.accounts[row[0]] = account_of(row, *self.tenants[row[2]])

    def _take_balances(self, account_ids: list[int], rows: list[tuple[Any, ...]]) -> None:
        self.balances = {account_id: {} for account_id in account_ids if account_id in self.accounts}
        groups: dict[int, tuple[int, ...]] = {}
        if any(account_id in self.sharing.groups_of for account_id in account_ids):
            for balance_id, group_id in self._select(
                "SELECT g.balance_id, g.sharedgroup_id FROM charging_balance_groups g JOIN charging_balance b"
                " ON b.id = g.balance_id WHERE b.account_id IN ({values}) ORDER BY g.id",
                account_ids,
            ):
                groups[balance_id] = (*groups.get(balance_id, ()), group_id)
        for row in rows:
            self.balances[row[1]][row[0]] = balance_of(row, groups.get(row[0], ()))

    def _make_missing_balances(self) -> None:
        """An account that never held anything gets its default balance, to be locked by."""
        missing = [
            account_id
            for account_id, balances in self.balances.items()
            if not any(balance.tag == DEFAULT_TAG for balance in balances.values())
        ]
        if missing:
            Balance.objects.bulk_create(
                [Balance(account_id=account_id) for account_id in missing], ignore_conflicts=True
            )
            ids = sorted(self.accounts)
            self._take_balances(ids, self._select(balances_sql(self.connection), ids))

    def _take_sessions(self, marks: list[tuple[Any, ...]]) -> None:
        """The sessions as they are now; those that this process wrote last are known whole."""
        sessions, versions = self.sessions, self.versions
        changed = []
        for key, row_id, version in marks:
            versions[key] = version
            session = self.memory.session(key, Mark(row_id, version))
            if session is None:
                changed.append(key)
            else:
                sessions[key] = session
        if changed:
            self._read_whole_sessions(changed)

    def _read_whole_sessions(self, keys: list[str]) -> None:
        """Sessions that another process wrote last, or that are new."""
        rows = self._select(
            f"SELECT `key`, {SESSION_COLUMNS} FROM charging_chargingsession WHERE `key` IN ({{values}})", keys
        )
        holds: dict[int, dict[int, list[Hold]]] = {}
        for row_id, meter, holder_id, amount in self._select(
            "SELECT session_id, meter, holder_id, amount FROM charging_reservation WHERE session_id IN ({values})"
            " ORDER BY id",
            [row[1] for row in rows],
        ):
            holds.setdefault(row_id, {}).setdefault(meter, []).append(Hold(holder_id, amount))
        for key, *row in rows:
            self.sessions[key] = session_of(tuple(row), holds.get(row[0], {}))

    def _read_counters(self, subscriber_ids: list[int]) -> None:
        held = {
            -hold.balance_id
            for session in self.sessions.values()
            for meter in session.meters
            for hold in meter.holds
            if hold.balance_id < 0
        }
        if not subscriber_ids and not held:
            return
        # Sessions end within days; the months that matter are this one and the one before.
        since = self.now.year * 12 + self.now.month - 3
        columns = (
            "SELECT id, subscriber_id, year, month, service_id, origin, run, used, reserved"
            " FROM charging_allowancecounter"
        )
        rows: list[tuple[Any, ...]] = []
        if subscriber_ids:
            rows += self._select(
                columns + f" WHERE subscriber_id IN ({{values}}) AND year * 12 + month >= {since}",
                subscriber_ids,
            )
        known = {row[0] for row in rows}
        if held - known:
            rows += self._select(columns + " WHERE id IN ({values})", held - known)
        counters: dict[int, dict[CounterKey, Counter]] = {}
        for row in rows:
            counters.setdefault(row[1], {})[CounterKey(*row[1:7])] = Counter(-row[0], row[7], row[8])
        self.counters.update(counters)

    def _select(self, sql: str, values: Iterable[int | str]) -> list[tuple[Any, ...]]:
        return select(self.connection, sql, values)


def _numbers_of(request: OnlineRequest) -> list[Number]:
    numbers = [Number("msisdn", request.msisdn)] if request.msisdn else []
    if request.imsi:
        numbers.append(Number("imsi", request.imsi))
    if request.further_msisdns:
        numbers += [Number("msisdn", msisdn) for msisdn in request.further_msisdns]
    return numbers


def _has_free_units(line: Line | None, fair_use: bool) -> bool:
    return (
        line is not None
        and (line.prepaid or fair_use)
        and (bool(line.bundles) or any(plan.grants for plan in line.plans))
    )
