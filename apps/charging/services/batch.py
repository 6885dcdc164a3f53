"""One batch of requests in one transaction: lock and read, charge in order, write, each with a few statements."""

from __future__ import annotations

import random
from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.answers import answer_from_text, answer_to_text
from apps.charging.domain.balances import Balance, BalanceKind
from apps.charging.domain.charge import charge
from apps.charging.domain.lines import CounterKey
from apps.charging.domain.member_limits import NO_LIMITS
from apps.charging.domain.published import CREDITS, account_credited
from apps.charging.domain.requests import BalanceOrder, ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.domain.sessions import SessionStatus
from apps.charging.domain.state import FIRST_NEW_ID, Counter, Entry, Outcome, State
from apps.charging.domain.totals import total_falls
from apps.charging.domain.trigger_states import Use
from apps.charging.domain.trigger_uses import uses_of
from apps.charging.services.balance_actions import carry_out_firings
from apps.charging.services.batch_reading import WITHOUT_A_KEPT_ANSWER, BatchReading, Owner
from apps.charging.services.batch_writing import Writing, store_new_rows, write
from apps.charging.services.failures import Failure
from apps.charging.services.lines import Directory
from apps.charging.services.session_memory import SessionMemory
from apps.charging.services.taken import taken_before, with_pending
from apps.charging.services.trigger_firing import Fired
from apps.charging.services.triggers import watch_batch
from apps.events.domain.kinds import NewEvent
from apps.rating.domain import Rater
from apps.storage.dialect import commits_in_script

_CONTRADICTORY = ChargingAnswer(
    Result.UNKNOWN_USER,
    reason="contradictory_subscriber",
    message="the numbers of the request are those of different subscribers",
)


class Poisoned(NamedTuple):
    """A request that cannot be carried out because of an error of ours; nothing of it was written."""

    error: Exception


def execute(
    requests: Sequence[OnlineRequest],
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
    done: two threads that compute at once only take the GIL from each other. ``own_thread`` says that this
    thread, and so its connection, does nothing else. ``look_all_up`` looks for the answers of requests too that do not
    say they are repeats; without it, one that is breaks the batch: IntegrityError. Raises what the database raises;
    nothing is written then.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    batch = _Batch(requests, now, directory, rater, memory, connection, turn, look_all_up)
    if own_thread and commits_in_script(connection):
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
    """As within ``atomic()``, in two round trips instead of five: without autocommit,
    MySQL begins with the first statement, and the COMMIT is sent with the last ones."""
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
        requests: Sequence[OnlineRequest],
        now: datetime,
        directory: Directory,
        rater: Rater,
        memory: SessionMemory,
        connection: BaseDatabaseWrapper,
        turn: AbstractContextManager[object],
        look_all_up: bool,
    ) -> None:
        self.turn, self.rater, self.now, self.connection = turn, rater, now, connection
        self.read = BatchReading(requests, now, directory, memory, connection, look_all_up)
        self.next_session_row = _first_session_row(now)
        self.fresh_id = FIRST_NEW_ID
        self.writing = Writing()
        self.uses: dict[int, list[Use]] = {}
        triggers = self.read.config.triggers
        self.counting = triggers if triggers is not None and triggers.counts_events else None
        self.taken: dict[str, list[Entry]] = {}

    def run(self, commit: bool = False) -> list[ChargingAnswer | Poisoned]:
        """Charge and write; and ``commit``, unless the caller does."""
        read, writing = self.read, self.writing
        whose = read.find_out_whose()
        stored = read.lock_and_read(whose)
        writing.before, writing.versions = dict(read.sessions), read.versions
        writing.accounts = read.accounts
        if any(request.operation is _REFUND or request.totals for request in read.requests):
            self._read_taken(whose)
        with self.turn:
            results = self._charge_all(whose, stored)
        if writing.failures:
            self._answer_repeats(results)
        triggers = read.config.triggers
        fired: list[Fired] = []
        if triggers is not None and (writing.entries or self.uses):
            writing.trigger_states_before = read.trigger_states
            writing.trigger_states, fired = watch_batch(
                self.connection,
                triggers,
                read.accounts,
                writing.balances,
                writing.entries,
                self.uses,
                read.trigger_states,
                self.rater,
                self.now,
            )
        store_new_rows(self.connection, writing)
        read.money.write()
        writing.events = [
            self._credited(entry)
            for entry in writing.entries
            if entry.kind in CREDITS and entry.amount > 0 and entry.balance_id > 0
        ]
        if any(firing.actions for firing in fired):
            write(self.connection, writing, self.now)
            carry_out_firings(fired, self.now)
            if commit:
                self.connection.commit()
            return results
        write(self.connection, writing, self.now, commit)
        return results

    def _read_taken(self, whose: list[Owner]) -> None:
        """What was taken before, for refunds and for sessions whose totals fall, or may fall within this batch."""
        read = self.read
        times = Counts(read.keys)
        for request, digest, key, (account_id, subscriber_id) in zip(
            read.requests, read.digests, read.keys, whose, strict=True
        ):
            session = None if key is None else read.sessions.get(key)
            if session is not None:
                account_id, subscriber_id = session.account_id, session.subscriber_id
                if not request.totals or (
                    times[key] == 1 and not total_falls(request, session, read.config.services)
                ):
                    continue
            elif request.operation is not _REFUND:
                if request.totals and times[key] > 1:
                    self.taken[digest] = []
                continue
            balances, _ = self._balances_of(account_id, None)
            counters = (
                _NO_COUNTERS if subscriber_id is None else read.counters.get(subscriber_id, _NO_COUNTERS)
            )
            self.taken[digest] = taken_before(
                request, session, balances, counters, read.config.services, self.now
            )

    def _credited(self, entry: Entry) -> NewEvent:
        balance = self.writing.balances[entry.balance_id]
        money = balance.kind == BalanceKind.MONETARY
        return account_credited(
            balance.account_id,
            balance.balance_id,
            self.read.accounts[balance.account_id].tenant,
            entry.at,
            entry.kind,
            amount_micros=entry.amount if money else 0,
            units=0 if money else entry.amount,
        )

    def _charge_all(self, whose: list[Owner], stored: Mapping[str, str]) -> list[ChargingAnswer | Poisoned]:
        """Charge the requests one after the other, those that were answered before excepted."""
        results: list[ChargingAnswer | Poisoned] = []
        given: dict[str, ChargingAnswer] = {}
        for request, digest, key, (account_id, subscriber_id) in zip(
            self.read.requests, self.read.digests, self.read.keys, whose, strict=True
        ):
            kept = request.operation not in WITHOUT_A_KEPT_ANSWER
            if kept and digest in given:
                results.append(given[digest]._replace(replayed=True))
                continue
            text = stored.get(digest) if kept else None
            if text is not None:
                results.append(answer_from_text(text))
                continue
            if digest in self.read.contradictory:
                results.append(_CONTRADICTORY)
                continue
            try:
                answer = self._charge(request, digest, key, account_id, subscriber_id)
            except Exception as error:
                # An unexpected error fails only this request; its changes are discarded.
                self.writing.failures.append(Failure(digest, request, error))
                results.append(Poisoned(error))
                continue
            if kept:
                given[digest] = answer
            results.append(answer)
        return results

    def _answer_repeats(self, results: list[ChargingAnswer | Poisoned]) -> None:
        """A repeat that fails, and did not say that it is one, still gets the answer that it had."""
        answers = self.read.stored_answers([failure.key for failure in self.writing.failures])
        for place, (digest, result) in enumerate(zip(self.read.digests, results, strict=True)):
            if isinstance(result, Poisoned) and digest in answers:
                results[place] = answer_from_text(answers[digest])
        self.writing.failures = [failure for failure in self.writing.failures if failure.key not in answers]

    def _charge(
        self,
        request: OnlineRequest,
        digest: str,
        key: str | None,
        account_id: int | None,
        subscriber_id: int | None,
    ) -> ChargingAnswer:
        read = self.read
        session = read.sessions.get(key) if key is not None else None
        if session is not None:
            account_id, subscriber_id = session.account_id, session.subscriber_id
        account, line, counters, order = None, None, _NO_COUNTERS, request.order
        if account_id is not None:
            account = read.accounts.get(account_id)
        if subscriber_id is not None:
            line, counters = read.lines.get(subscriber_id), read.counters.get(subscriber_id, counters)
        limit = request.money_limit
        balances, barred_members = self._balances_of(account_id, order)
        taken: Sequence[Entry] = ()
        if self.taken and digest in self.taken:
            taken = with_pending(
                self.taken[digest],
                self.writing.entries,
                balances,
                counters,
                None if session is None else session.row_id,
            )
        state = State(
            read.config,
            line,
            account,
            balances,
            counters,
            session,
            subscriber_id in read.barred,
            None if order is None or order.to_account_id is None else read.accounts.get(order.to_account_id),
            self.next_session_row,
            self.fresh_id,
            None
            if limit is None or account is None
            else read.money.bounds(request.operation, limit, account),
            barred_members,
            taken,
            NO_LIMITS if account_id is None else read.members.get(account_id, NO_LIMITS),
        )
        outcome = charge(state, request, self.rater, self.now)
        self._keep(state, outcome, key, subscriber_id)
        if (
            self.counting is not None
            and account is not None
            and self.counting.may_concern(account.account_id, account.tenant, account.trigger_set_id)
            and (uses := uses_of(state, outcome, request, self.now))
        ):
            self.uses.setdefault(account.account_id, []).extend(uses)
        after = outcome.money_bounds
        if (
            limit is not None
            and account is not None
            and after is not None
            and after is not state.money_bounds
        ):
            read.money.note(limit, account, after, request.session_id)
        if account is not None and request.operation not in WITHOUT_A_KEPT_ANSWER:
            self.writing.answers.append((digest, answer_to_text(outcome.answer)))
        return outcome.answer

    def _balances_of(
        self, account_id: int | None, order: BalanceOrder | None
    ) -> tuple[Mapping[int, Balance], frozenset[int]]:
        """The balances that the request may touch: of its accounts, and of those that share with it.

        And those of these accounts that are barred or closed.
        """
        read = self.read
        if account_id is None:
            return _NO_BALANCES, _NOBODY
        if order is None and account_id not in read.sharing.groups_of:
            return read.balances.get(account_id, _NO_BALANCES), _NOBODY
        ids = {account_id}
        if order is not None and order.to_account_id is not None:
            ids.add(order.to_account_id)
        if account_id in read.sharing.groups_of:
            ids = read.sharing.together(ids)
        balances = {
            pk: balance
            for found in sorted(ids)
            if found in read.balances
            for pk, balance in read.balances[found].items()
        }
        return balances, frozenset(
            found
            for found in ids
            if found != account_id and found in read.accounts and read.accounts[found].barred
        )

    def _keep(self, before: State, after: Outcome, key: str | None, subscriber_id: int | None) -> None:
        """Keep what the request changed, for the requests behind it and for the end of the batch."""
        read, writing = self.read, self.writing
        self.fresh_id = after.fresh_id
        known = before.balances
        if after.balances is not known:
            for balance_id, balance in after.balances.items():
                former = known.get(balance_id)
                if former is not balance:
                    writing.balances[balance_id] = balance
                    if former is not None:
                        writing.balances_before.setdefault(balance_id, former)
                    read.balances[balance.account_id][balance_id] = balance
        if after.counters and after.counters is not before.counters and subscriber_id is not None:
            read.counters[subscriber_id] = after.counters
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
            read.sessions[key] = session
        writing.entries.extend(after.entries)
        if after.members is not before.members and before.account is not None:
            account_id = before.account.account_id
            read.members[account_id] = writing.members[account_id] = after.members


_NO_BALANCES: Mapping[int, Balance] = {}
_REFUND = Operation.REFUND
_NOBODY: frozenset[int] = frozenset()
_NO_COUNTERS: Mapping[CounterKey, Counter] = {}


def _first_session_row(now: datetime) -> int:
    """Where this batch's session ids begin: after those of earlier seconds, at a place of its own within this one."""
    return (int(now.timestamp()) << 31) + random.getrandbits(31)
