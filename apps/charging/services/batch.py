"""One batch of requests in one transaction: lock and read, charge in order, write, each with a few statements.

Payers are locked first and accounts (by their balances) second, both in id order, so that batches of any process,
and loaders of usage files, do not wait for each other in a circle.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.answers import answer_from_text, answer_to_text
from apps.charging.domain.balances import DEFAULT_TAG
from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.charge import charge, digest_of, session_key
from apps.charging.domain.requests import ChargingAnswer, ChargingRequest, Operation
from apps.charging.domain.sessions import Hold, Session, SessionStatus
from apps.charging.domain.state import FIRST_NEW_ID, Account, Counter, Entry, State
from apps.charging.domain.usage_book import CounterKey, Line
from apps.charging.models import Balance
from apps.charging.services.batch_writing import Writing, write
from apps.charging.services.lines import Directory, Number
from apps.charging.services.rows import (
    BALANCE_COLUMNS,
    SESSION_COLUMNS,
    SESSION_MARK_COLUMNS,
    balance_of,
    session_of,
)
from apps.charging.services.session_memory import Mark, SessionMemory
from apps.charging.services.triggers import watch_batch
from apps.rating.domain import Rater
from apps.storage.upserts import by_index, select, select_many

_ENQUIRIES = frozenset({Operation.CHECK_BALANCE, Operation.PRICE_ENQUIRY, Operation.MAX_USAGE})
_ORDERS = frozenset({Operation.TOP_UP, Operation.ADJUST, Operation.TRANSFER})
_ENDINGS = frozenset({Operation.RELEASE, Operation.EXPIRE})
_IN_SESSION = _ENDINGS | {Operation.RESERVE, Operation.UPDATE, Operation.TERMINATE}
_GOING_ON = frozenset({Operation.UPDATE, Operation.TERMINATE})
# Questions change nothing, and a session ends once however often it is ended: neither needs a kept answer.
_WITHOUT_A_KEPT_ANSWER = _ENQUIRIES | _ENDINGS


_ACCOUNTS = (
    "SELECT a.id, a.number, a.tenant_id, a.currency, a.mode, a.allow_negative, a.closed_at, b.reason"
    " FROM charging_account a LEFT JOIN charging_accountbar b ON b.account_id = a.id WHERE a.id IN ({values})"
)
_BALANCES = (
    f"SELECT {BALANCE_COLUMNS} FROM charging_balance{{by_index}}"
    " WHERE account_id IN ({values}) ORDER BY account_id, id"
)
_SESSION_MARKS = (
    f"SELECT `key`, {SESSION_MARK_COLUMNS} FROM charging_chargingsession WHERE `key` IN ({{values}})"
)
_BARRED = "SELECT id FROM subscribers_subscriber WHERE id IN ({values}) AND status <> 'active'"
_ANSWERS = "SELECT `key`, answer FROM charging_storedanswer WHERE `key` IN ({values})"


# Thrice as fast as calling the class; the fields are given in their order.
_new_state: Callable[[type[State], tuple[object, ...]], State] = tuple.__new__


class Poisoned(NamedTuple):
    """A request that cannot be carried out because of an error of ours; nothing of it was written."""

    error: Exception


def execute(
    requests: Sequence[ChargingRequest],
    now: datetime,
    directory: Directory,
    rater: Rater,
    memory: SessionMemory,
    turn: AbstractContextManager[object],
    own_thread: bool = False,
    look_all_up: bool = False,
) -> list[ChargingAnswer | Poisoned]:
    """Charge the requests in their order in one transaction; the answers in the same order, committed.

    ``memory`` learns the sessions that were written. ``turn`` is held while nothing but computing is
    done: two threads that compute at once only take the interpreter from each other. ``own_thread`` says that this
    thread, and so its connection, does nothing else. ``look_all_up`` leaves nothing about answers to inference, which a
    caller wants that cannot begin again. Raises what the database raises; nothing is written then.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    look_all_up = look_all_up or connection.in_atomic_block
    batch = _Batch(requests, now, directory, rater, memory, connection, turn, look_all_up)
    if own_thread and connection.vendor == "mysql":
        results = _run_and_commit(connection, batch)
    else:
        with transaction.atomic():
            results = batch.run()
    if not connection.in_atomic_block:
        for key, (mark, session) in batch.writing.marks.items():
            if session.status == SessionStatus.OPEN:
                memory.remember(key, mark, session)
            else:
                memory.drop(key)
    return results


def _run_and_commit(connection: BaseDatabaseWrapper, batch: _Batch) -> list[ChargingAnswer | Poisoned]:
    """As within ``atomic()``, in two round trips instead of five: MySQL begins with the first statement by itself
    where it was told once not to commit by itself, and the COMMIT goes with the last ones."""
    if connection.get_autocommit():
        connection.set_autocommit(False)
    try:
        return batch.run(commit=True)
    except BaseException:
        try:
            connection.rollback()
        except Error:
            connection.close()
        raise


class _Batch:
    """The working state of one batch."""

    def __init__(
        self,
        requests: Sequence[ChargingRequest],
        now: datetime,
        directory: Directory,
        rater: Rater,
        memory: SessionMemory,
        connection: BaseDatabaseWrapper,
        turn: AbstractContextManager[object],
        look_all_up: bool,
    ) -> None:
        self.turn, self.look_all_up = turn, look_all_up
        self.connection = connection
        self.for_update = " FOR UPDATE" if connection.vendor == "mysql" else ""
        self.requests, self.now, self.directory, self.rater, self.memory = (
            requests,
            now,
            directory,
            rater,
            memory,
        )
        self.digests = [digest_of(request) for request in requests]
        self.keys = [
            session_key(request) if request.operation in _IN_SESSION else None for request in requests
        ]
        self.world, self.sharing, self.tenants = directory.world()
        self.lines: dict[int, Line] = {}
        self.accounts: dict[int, Account] = {}
        self.balances: dict[int, dict[int, BalanceValue]] = {}
        self.counters: dict[int, dict[CounterKey, Counter]] = {}
        self.sessions: dict[str, Session] = {}
        self.barred: set[int] = set()
        self.next_session_row = _first_session_row(now)
        self.fresh_id = FIRST_NEW_ID
        self.writing = Writing()

    def run(self, commit: bool = False) -> list[ChargingAnswer | Poisoned]:
        """Charge and write; and ``commit``, where nobody else does."""
        whose = self._find_out_whose()
        stored = self._lock_and_read(whose)
        with self.turn:
            results = self._charge_all(whose, stored)
        writing, triggers = self.writing, self.world.triggers
        if triggers is not None and writing.entries:
            watch_batch(self.connection, triggers, self.accounts, writing.balances, writing.entries, self.now)
        write(self.connection, writing, self.now, commit)
        return results

    def _charge_all(
        self, whose: list[tuple[int | None, int | None]], stored: Mapping[str, str]
    ) -> list[ChargingAnswer | Poisoned]:
        """Charge the requests one after the other, those that were answered before excepted."""
        results: list[ChargingAnswer | Poisoned] = []
        given: dict[str, ChargingAnswer] = {}
        for request, digest, key, (account_id, subscriber_id) in zip(
            self.requests, self.digests, self.keys, whose, strict=True
        ):
            kept = request.operation not in _WITHOUT_A_KEPT_ANSWER
            if kept and digest in given:
                results.append(given[digest]._replace(replayed=True))
                continue
            text = stored.get(digest) if kept else None
            if text is not None:
                results.append(answer_from_text(text))
                continue
            try:
                answer = self._charge(request, digest, key, account_id, subscriber_id)
            except Exception as error:
                # Whatever one request stumbles over is its own affair: nothing of it was taken over.
                results.append(Poisoned(error))
                continue
            if kept:
                given[digest] = answer
            results.append(answer)
        return results

    def _find_out_whose(self) -> list[tuple[int | None, int | None]]:
        """Account and subscriber of each request; None where there is none."""
        owners: dict[str, tuple[int, int]] = {}
        unknown: set[str] = set()
        for request, key in zip(self.requests, self.keys, strict=True):
            if key is None:
                continue
            known = self.memory.owner(key)
            if known is not None:
                owners[key] = known
            elif request.operation is not Operation.RESERVE:
                unknown.add(key)
        for key, account_id, subscriber_id in self._select(
            "SELECT `key`, account_id, subscriber_id FROM charging_chargingsession WHERE `key` IN ({values})",
            unknown,
        ):
            owners[key] = (account_id, subscriber_id)
        whose: list[tuple[int | None, int | None] | None] = []
        numbers: set[Number] = set()
        for request, key in zip(self.requests, self.keys, strict=True):
            if request.operation in _ORDERS:
                whose.append((request.order.account_id if request.order else None, None))
                continue
            owner: tuple[int | None, int | None] | None = owners.get(key) if key is not None else None
            whose.append(owner)
            if owner is None:
                numbers.update(_numbers_of(request))
        subscribers = self.directory.subscribers(numbers, self.now)
        of_requests = [
            _subscriber_of(request, subscribers) if owner is None else owner[1]
            for request, owner in zip(self.requests, whose, strict=True)
        ]
        wanted = {subscriber_id for subscriber_id in of_requests if subscriber_id is not None}
        self.lines = self.directory.lines(wanted, self.now)
        found: list[tuple[int | None, int | None]] = []
        for owner, subscriber_id in zip(whose, of_requests, strict=True):
            if owner is not None:
                found.append(owner)
                continue
            line = self.lines.get(subscriber_id) if subscriber_id is not None else None
            found.append((line.account_id if line else None, subscriber_id))
        return found

    def _lock_and_read(self, whose: list[tuple[int | None, int | None]]) -> dict[str, str]:
        """Lock who pays and read all that the requests are about; the answers that were given already."""
        subscriber_ids = {subscriber_id for _, subscriber_id in whose if subscriber_id is not None}
        counted = sorted(
            subscriber_id
            for subscriber_id in subscriber_ids
            if _has_free_units(self.lines.get(subscriber_id))
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
        asked, next_ones = self._perhaps_answered()
        balances, accounts, marks, barred, answers = select_many(
            self.connection,
            [
                # The default balance stands for its account, whose own row is left alone: bills and records that
                # refer to one hold it for as long as their transaction lasts.
                (self._balances_sql() + self.for_update, together),
                # Behind the lock: whoever held it before may have closed or barred the account.
                (self._dialect(_ACCOUNTS), together),
                (self._dialect(_SESSION_MARKS), keys),
                (self._dialect(_BARRED), subscriber_ids),
                (self._dialect(_ANSWERS), asked),
            ],
        )
        self._take_accounts(accounts)
        self._take_balances(together, balances)
        self._make_missing_balances()
        self._take_sessions(marks)
        self._read_counters(counted)
        self.barred = {row[0] for row in barred}
        changed = [digest for key, digest, session in next_ones if self.sessions.get(key) is not session]
        return dict(answers + self._select(_ANSWERS, changed))

    def _perhaps_answered(self) -> tuple[list[str], list[tuple[str, str, Session]]]:
        """Digests of requests that may have been answered before; and those that most probably have not, with the
        keys and states of their sessions, provided that these are what this process knows them to be.

        What was answered in an open session has raised its last number. What was answered before the session was
        opened, or under its id without being of it, has not: the answer cannot be stored then, and the batch is
        carried out again with ``look_all_up``.
        """
        asked: list[str] = []
        next_ones: list[tuple[str, str, Session]] = []
        for request, key, digest in zip(self.requests, self.keys, self.digests, strict=True):
            if request.operation in _WITHOUT_A_KEPT_ANSWER:
                continue
            if key is not None and request.operation in _GOING_ON and not self.look_all_up:
                session = self.memory.remembered(key)
                if session is not None and session.last_number < request.number:
                    next_ones.append((key, digest, session))
                    continue
            asked.append(digest)
        return asked, next_ones

    def _take_accounts(self, rows: list[tuple[Any, ...]]) -> None:
        for account_id, number, tenant_id, currency, mode, allow_negative, closed_at, bar_reason in rows:
            if tenant_id not in self.tenants:
                # A tenant that is newer than what this process remembers.
                self.directory.forget()
                self.world, self.sharing, self.tenants = self.directory.world()
            code, zone = self.tenants[tenant_id]
            self.accounts[account_id] = Account(
                account_id,
                number,
                code,
                zone,
                currency,
                mode == "prepaid",
                bool(allow_negative),
                closed_at is not None or bar_reason is not None,
                "" if bar_reason is None or closed_at is not None else bar_reason,
            )

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
            self._take_balances(ids, self._select(self._balances_sql() + self.for_update, ids))

    def _take_sessions(self, marks: list[tuple[Any, ...]]) -> None:
        """The sessions as they are now; those that this process wrote last are known whole."""
        sessions, versions = self.sessions, self.writing.versions
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
        self.writing.before = dict(sessions)

    def _read_whole_sessions(self, keys: list[str]) -> None:
        """Sessions that another process, or nobody yet, has had in hand."""
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
            "SELECT id, subscriber_id, year, month, service_id, origin, used, reserved"
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
        for row in rows:
            counters = self.counters.setdefault(row[1], {})
            counters[CounterKey(*row[1:6])] = Counter(-row[0], row[6], row[7])

    def _charge(
        self,
        request: ChargingRequest,
        digest: str,
        key: str | None,
        account_id: int | None,
        subscriber_id: int | None,
    ) -> ChargingAnswer:
        session = self.sessions.get(key) if key is not None else None
        if session is not None:
            account_id, subscriber_id = session.account_id, session.subscriber_id
        account = self.accounts.get(account_id) if account_id is not None else None
        line = self.lines.get(subscriber_id) if subscriber_id is not None else None
        other_id = request.order.to_account_id if request.order is not None else None
        together = self._together(account_id, other_id)
        balances = self._balances_of(together)
        counters = self.counters.get(subscriber_id, {}) if subscriber_id is not None else {}
        other = self.accounts.get(other_id) if other_id is not None else None
        barred = subscriber_id in self.barred
        world, row, fresh_id = self.world, self.next_session_row, self.fresh_id
        state = _new_state(
            State, (world, line, account, balances, counters, session, barred, other, row, fresh_id)
        )
        outcome = charge(state, request, self.rater, self.now)
        self.fresh_id = outcome.state.fresh_id
        self._take_over(state, outcome.state, outcome.entries, key, subscriber_id)
        if account is not None and request.operation not in _WITHOUT_A_KEPT_ANSWER:
            self.writing.answers.append((digest, answer_to_text(outcome.answer)))
        return outcome.answer

    def _together(self, account_id: int | None, other_id: int | None) -> list[int]:
        """The accounts whose balances the request may touch."""
        ids = [] if account_id is None else [account_id]
        if other_id is not None:
            ids.append(other_id)
        if self.sharing.groups_of and account_id in self.sharing.groups_of:
            ids = sorted(self.sharing.together(ids))
        return [found for found in ids if found in self.balances]

    def _balances_of(self, account_ids: list[int]) -> dict[int, BalanceValue]:
        if len(account_ids) == 1:
            return self.balances[account_ids[0]]
        return {
            pk: balance for account_id in account_ids for pk, balance in self.balances[account_id].items()
        }

    def _select(self, sql: str, values: Iterable[int | str]) -> list[tuple[Any, ...]]:
        return select(self.connection, self._dialect(sql), values)

    def _balances_sql(self) -> str:
        index = by_index(self.connection, "balance_tag_once_an_account")
        return self._dialect(_BALANCES).replace("{by_index}", index)

    def _dialect(self, sql: str) -> str:
        return sql if self.connection.vendor == "mysql" else sql.replace("`", '"')

    def _take_over(
        self,
        before: State,
        after: State,
        entries: Iterable[Entry],
        key: str | None,
        subscriber_id: int | None,
    ) -> None:
        """Remember what the request changed, for the requests behind it and for the end of the batch."""
        writing = self.writing
        if after is before:
            return
        if after.balances is not before.balances:
            known = before.balances
            for balance_id, balance in after.balances.items():
                former = known.get(balance_id)
                if former is not balance:
                    writing.balances[balance_id] = balance
                    if former is not None:
                        writing.balances_before.setdefault(balance_id, former)
                    own = self.balances[balance.account_id]
                    self.balances[balance.account_id] = {**own, balance_id: balance}
        if after.counters is not before.counters and subscriber_id is not None:
            self.counters[subscriber_id] = dict(after.counters)
            for counter_key, counter in after.counters.items():
                if before.counters.get(counter_key) != counter:
                    writing.counters[counter_key] = counter
        session = after.session
        if session is not None and session is not before.session:
            assert key is not None
            if before.session is None:
                self.next_session_row += 1
                writing.new_sessions.add(session.row_id)
            writing.sessions[key] = session
            self.sessions[key] = session
        writing.entries.extend(entries)


def _numbers_of(request: ChargingRequest) -> list[Number]:
    numbers = [Number("msisdn", request.msisdn)] if request.msisdn else []
    if request.imsi:
        numbers.append(Number("imsi", request.imsi))
    return numbers


def _subscriber_of(request: ChargingRequest, subscribers: Mapping[Number, int | None]) -> int | None:
    """Who has the MSISDN, else who has the IMSI."""
    for number in _numbers_of(request):
        found = subscribers.get(number)
        if found is not None:
            return found
    return None


def _has_free_units(line: Line | None) -> bool:
    return (
        line is not None and line.prepaid and (bool(line.bundles) or any(plan.grants for plan in line.plans))
    )


def _first_session_row(now: datetime) -> int:
    """Where this batch's session ids begin: after those of earlier seconds, at a place of its own within this one."""
    return (int(now.timestamp()) << 31) + secrets.randbelow(1 << 31)
