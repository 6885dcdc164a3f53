"""Carry out actions on many accounts in one transaction: read under the locks, act, write each table at once.

The locks, the ledger, the triggers that watch it and the events of credits are those of the batch executor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.acting import LONGEST_KEY, Acted, Refused, act
from apps.charging.domain.answers import answer_from_text, answer_to_text
from apps.charging.domain.balance_actions import Action, ActionKind, in_order
from apps.charging.domain.balances import DEFAULT_TAG, Balance, BalanceKind
from apps.charging.domain.published import CREDITS, ERRAND_DUE, account_credited
from apps.charging.domain.requests import ChargingAnswer, Result
from apps.charging.domain.state import FIRST_NEW_ID, Account, Entry
from apps.charging.models import Balance as BalanceRow
from apps.charging.models import LedgerEntry, TriggerFiring
from apps.charging.services.account_switches import switch_accounts
from apps.charging.services.books import BookKey, book_ids
from apps.charging.services.rows import (
    ACCOUNTS_SQL,
    TERMS_COLUMNS,
    account_of,
    balance_figures,
    balance_of,
    balances_sql,
    instant_text,
    part_text,
    terms_row,
)
from apps.charging.services.trigger_firing import Fired
from apps.charging.services.trigger_rows import read_trigger_book, write_states
from apps.charging.services.triggers import KnownStates, watch_batch
from apps.events.services.publishing import publish
from apps.kernel.errors import Conflict, InvalidInput
from apps.rating.models import Tenant
from apps.storage.bulk import insert_rows
from apps.storage.reads import select_in
from apps.storage.retry import is_rolled_back, may_have_committed, retrying
from apps.storage.upserts import run, update_few, upsert_few

log = logging.getLogger(__name__)

ROWS_A_STATEMENT = 2_000
# So many different changes of figures are an UPDATE each.
_FEW_CHANGES = 20
# Constants, because looking a member of an enumeration up costs several times as much.
SUCCESS, _MONETARY = Result.SUCCESS, BalanceKind.MONETARY.value
_FIGURES = ("amount_micros", "units", "reserved_micros", "reserved_units", "overdraft_micros")
_IDENTITY = ("account_id", "tag", "kind")
_ENTRY_COLUMNS = ("balance_id", "at", "kind", "book_id", "amount_micros", "units", "cause", "note")
_ANSWERS = "SELECT `key`, answer FROM charging_storedanswer WHERE `key` IN ({values})"


class ActionOrder(NamedTuple):
    """Actions to be carried out on one account, all or none, with the value date ``at``.

    ``key`` names what caused them (``firing:7``), within all orders of the product: up to 80 characters.
    """

    account_id: int
    actions: tuple[Action, ...]
    key: str
    at: datetime


def carry_out_actions(
    orders: Sequence[ActionOrder], now: datetime, *, remember: bool = True
) -> list[ChargingAnswer]:
    """Carry out the orders, one after the other, in one transaction or the caller's; the answers in their order.

    An order that cannot be carried out changes nothing and is refused by its answer (``account_closed``,
    ``credit_limit_reached``, ``kind_differs``, ``no_account``, ``no_amount``, ``too_much``); the others are carried
    out. A repeat of a key changes nothing and gets the first answer, which is kept for CHARGING_ANSWERS_KEPT_H;
    ``remember`` is False where the caller's own row, in the same transaction, says that the order is done. Later, the
    ledger refuses a cause that it has: Conflict (``already_done``), and nothing of the batch is done.

    Balances are locked in the order of the accounts. Errands (calls, mails) are published as ``charging.errand_due`` to
    be carried out after the commit.
    """
    for order in orders:
        if not 0 < len(order.key) <= LONGEST_KEY:
            raise InvalidInput(f"a key has 1 to {LONGEST_KEY} characters, not {len(order.key)}", where="key")
    return retrying(partial(_carry_out, orders, now, remember=remember), repeatable=remember)


def _carry_out(orders: Sequence[ActionOrder], now: datetime, *, remember: bool) -> list[ChargingAnswer]:
    try:
        with transaction.atomic():
            batch = _Batch(now)
            answers = batch.run(orders, remember=remember)
            carry_out_firings(batch.fired, now)
            return answers
    except IntegrityError as error:
        causes = [f"action:{order.key}:" for order in orders[:1_000]]
        done = next(
            (cause for cause in causes if LedgerEntry.objects.filter(cause__startswith=cause).exists()), None
        )
        if done is None:
            raise
        raise Conflict(f"“{done}” has moved a balance before", code="already_done") from error


ActionSource = Callable[[str, str], tuple[Action, ...] | None]
"""The actions of a group by the tenant's code and the group's id; None if it does not know the group."""
_sources: list[ActionSource] = []


def add_action_source(source: ActionSource) -> None:
    """Have ``source`` asked for the groups of actions that triggers name; for rooms above, when they are set up."""
    if source not in _sources:
        _sources.append(source)


def carry_out_firings(fired: Sequence[Fired], now: datetime) -> None:
    """Carry out what triggers that fired ask for, in the transaction that made them fire, under the locks of it.

    Once a firing, under the key ``firing:<id>``. What follows may make other triggers fire, whose actions are carried
    out too; a trigger whose own actions these are rests meanwhile. Usage is charged though actions cannot be carried
    out: an error of ours, or a group that no source knows, is logged and left to the rooms above, which get every
    firing as an event.
    """
    done: set[tuple[int, int]] = set()
    while asking := [one for one in fired if one.actions]:
        done.update((one.trigger_id, one.account_id) for one in asking)
        try:
            with transaction.atomic():
                batch = _Batch(now, frozenset(done))
                orders = {one.firing_id: order for one in asking if (order := _order_of(one))}
                answers = batch.run(list(orders.values()), remember=True)
                done_ids = [
                    pk for pk, answer in zip(orders, answers, strict=True) if answer.result is SUCCESS
                ]
                TriggerFiring.objects.filter(pk__in=done_ids).update(acted_at=now)
        except Exception as error:
            if is_rolled_back(error) or may_have_committed(error):
                raise
            log.exception("actions of triggers that fired could not be carried out")
            return
        fired = batch.fired


def _order_of(one: Fired) -> ActionOrder | None:
    for source in _sources:
        actions = source(one.tenant, one.actions)
        if actions is not None:
            return ActionOrder(one.account_id, actions, f"firing:{one.firing_id}", one.at)
    log.error("trigger %d asks for actions “%s”, which there are not", one.trigger_id, one.actions)
    return None


class _Batch:
    """The working state of one transaction. ``but_not`` are triggers, with their accounts, that rest."""

    def __init__(self, now: datetime, but_not: frozenset[tuple[int, int]] = frozenset()) -> None:
        self.now, self.but_not = now, but_not
        self.fired: list[Fired] = []
        self.connection: BaseDatabaseWrapper = connections[DEFAULT_DB_ALIAS]
        self.accounts: dict[int, Account] = {}
        self.balances: dict[int, Mapping[int, Balance]] = {}
        self.before: dict[int, Balance] = {}
        self.changed: dict[int, Balance] = {}
        self.entries: list[Entry] = []
        self.switches: list[tuple[int, Action, ActionOrder]] = []
        self.errands: list[tuple[int, Action, ActionOrder]] = []
        self.fresh_id = FIRST_NEW_ID

    def run(self, orders: Sequence[ActionOrder], *, remember: bool) -> list[ChargingAnswer]:
        self._lock_and_read({order.account_id for order in orders}, _needs_groups(orders))
        ordered = {id(order.actions): in_order(order.actions) for order in orders}
        if not remember:
            answers = [self._act(order, ordered[id(order.actions)]) for order in orders]
            self._write()
            return answers
        digests = [_digest(order.key) for order in orders]
        given = dict(select_in(_ANSWERS, digests))
        stored = len(given)
        answers = []
        for order, digest in zip(orders, digests, strict=True):
            if (text := given.get(digest)) is not None:
                answers.append(answer_from_text(text))
                continue
            answers.append(self._act(order, ordered[id(order.actions)]))
            given[digest] = answer_to_text(answers[-1])
        self._write()
        rows = [(key, instant_text(self.now), text) for key, text in list(given.items())[stored:]]
        insert_rows("charging_storedanswer", ("key", "answered_at", "answer"), rows)
        return answers

    def _lock_and_read(self, account_ids: set[int], with_groups: bool) -> None:
        sql = balances_sql(self.connection)
        rows = select_in(sql, account_ids)
        without = account_ids - {row[1] for row in rows if row[2] == DEFAULT_TAG}
        tenants = {
            tenant_id: (code, ZoneInfo(time_zone))
            for tenant_id, code, time_zone in Tenant.objects.values_list("id", "code", "time_zone")
        }
        self.accounts = {
            row[0]: account_of(row, *tenants[row[2]]) for row in select_in(ACCOUNTS_SQL, account_ids)
        }
        if missing := sorted(without & self.accounts.keys()):
            # An account that never held anything gets its default balance, to be locked by.
            BalanceRow.objects.bulk_create(
                [BalanceRow(account_id=pk) for pk in missing], ignore_conflicts=True
            )
            found = {row[0] for row in rows}
            rows += [row for row in select_in(sql, missing) if row[0] not in found]
        groups = self._groups([row[0] for row in rows]) if with_groups else {}
        found_of: dict[int, dict[int, Balance]] = {}
        for row in rows:
            found_of.setdefault(row[1], {})[row[0]] = balance_of(row, groups.get(row[0], ()))
        self.balances.update(found_of)

    @staticmethod
    def _groups(balance_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
        groups: dict[int, tuple[int, ...]] = {}
        for balance_id, group_id in select_in(
            "SELECT balance_id, sharedgroup_id FROM charging_balance_groups WHERE balance_id IN ({values})"
            " ORDER BY sharedgroup_id",
            balance_ids,
        ):
            groups[balance_id] = (*groups.get(balance_id, ()), group_id)
        return groups

    def _act(self, order: ActionOrder, actions: tuple[Action, ...]) -> ChargingAnswer:
        account = self.accounts.get(order.account_id)
        if account is None:
            message = f"there is no account {order.account_id}"
            return ChargingAnswer(Result.UNKNOWN_USER, reason="no_account", message=message)
        balances = self.balances[account.account_id]
        try:
            acted = act(account, balances, actions, order.key, order.at, self.fresh_id)
        except Refused as refused:
            result, reason, message = refused.refusal
            return ChargingAnswer(
                result,
                account_id=account.account_id,
                currency=account.currency,
                reason=reason,
                message=message,
            )
        self._keep(order, account, balances, acted)
        return ChargingAnswer(SUCCESS, (), account.account_id, None, account.currency)

    def _keep(
        self, order: ActionOrder, account: Account, balances: Mapping[int, Balance], acted: Acted
    ) -> None:
        self.fresh_id = acted.fresh_id
        for balance_id, balance in acted.balances.items():
            former = balances.get(balance_id)
            if balance is not former:
                if former is not None and balance_id < FIRST_NEW_ID:
                    self.before.setdefault(balance_id, former)
                self.changed[balance_id] = balance
        self.balances[account.account_id] = acted.balances
        self.entries += acted.entries
        for action in acted.switches:
            self.switches.append((account.account_id, action, order))
            after = _switched(account, action)
            if after is not account:
                account = self.accounts[account.account_id] = after
        self.errands += [(number, action, order) for number, action in acted.errands]

    def _write(self) -> None:
        self._write_known()
        self._write_new()
        self._write_entries()
        book = read_trigger_book() if self.entries else None
        if book is not None:
            known = KnownStates({}, ())
            states, self.fired = watch_batch(
                self.connection,
                book,
                self.accounts,
                self.changed,
                self.entries,
                {},
                known,
                None,
                self.now,
                self.but_not,
            )
            write_states(self.connection, states, known)
        switch_accounts(
            [(account_id, action, order.key) for account_id, action, order in self.switches], self.now
        )
        publish(self._events())

    def _write_known(self) -> None:
        """Balances that were there: their figures, and the terms of those whose terms changed."""
        same: dict[tuple[bool, int, int, int], list[int]] = {}
        terms: list[tuple[Any, ...]] = []
        regrouped: dict[int, tuple[int, ...]] = {}
        for balance_id, former in sorted(self.before.items()):
            balance = self.changed[balance_id]
            if balance.used_part is not former.used_part:
                BalanceRow.objects.filter(pk=balance_id).update(used_part=part_text(balance.used_part))
            if balance.terms is former.terms:
                change = balance.value - former.value, balance.reserved - former.reserved
                key = (balance.kind == BalanceKind.MONETARY, *change, balance.overdraft - former.overdraft)
                same.setdefault(key, []).append(balance_id)
                continue
            identity = (balance_id, balance.account_id, balance.tag, balance.kind)
            terms.append((*identity, *balance_figures(balance), *terms_row(balance.terms)))
            if balance.terms.groups != former.terms.groups:
                regrouped[balance_id] = balance.terms.groups
        self._write_figures(same)
        for changed in _portions(terms):
            upsert_few(
                self.connection,
                "charging_balance",
                ("id", *_IDENTITY, *_FIGURES, *TERMS_COLUMNS),
                changed,
                key=("id",),
                update=(*_FIGURES, *TERMS_COLUMNS),
            )
        self._write_groups(regrouped)

    def _write_figures(self, same: Mapping[tuple[bool, int, int, int], list[int]]) -> None:
        """Figures of balances under our locks, by what is added to them: a plan adds the same to nearly all."""
        if len(same) <= _FEW_CHANGES:
            for (is_money, value, reserved, overdraft), ids in same.items():
                name, held = ("amount_micros", "reserved_micros") if is_money else ("units", "reserved_units")
                run(
                    self.connection,
                    f"UPDATE charging_balance SET {name} = {name} + {value:d}, {held} = {held} + {reserved:d},"
                    f" overdraft_micros = overdraft_micros + {overdraft:d} WHERE id IN ({','.join(map(str, ids))})",
                )
            return
        ids = sorted(pk for some in same.values() for pk in some)
        for some in _portions([(pk, *balance_figures(self.changed[pk])) for pk in ids]):
            update_few(self.connection, "charging_balance", _FIGURES, some)

    def _write_new(self) -> None:
        """Balances that came into being get rows, and their entries these rows' ids."""
        new = [(pk, balance) for pk, balance in self.changed.items() if pk >= FIRST_NEW_ID]
        if not new:
            return
        insert_rows(
            "charging_balance",
            (*_IDENTITY, *_FIGURES, *TERMS_COLUMNS),
            [
                (b.account_id, b.tag, b.kind, *balance_figures(b), *terms_row(b.terms))
                for _, b in sorted(new, key=lambda pair: (pair[1].account_id, pair[1].tag))
            ],
        )
        rows = select_in(
            "SELECT account_id, tag, id FROM charging_balance WHERE account_id IN ({values})",
            {balance.account_id for _, balance in new},
        )
        stored = {(account_id, tag): balance_id for account_id, tag, balance_id in rows}
        ids = {pk: stored[balance.account_id, balance.tag] for pk, balance in new}
        for pk, balance in new:
            del self.changed[pk]
            self.changed[ids[pk]] = balance._replace(balance_id=ids[pk])
        self.entries = [
            entry if entry.balance_id < FIRST_NEW_ID else entry._replace(balance_id=ids[entry.balance_id])
            for entry in self.entries
        ]
        self._write_groups({ids[pk]: balance.terms.groups for pk, balance in new if balance.terms.groups})

    @staticmethod
    def _write_groups(groups: Mapping[int, tuple[int, ...]]) -> None:
        """The shared groups of balances; executors see them within CHARGING_DIRECTORY_REFRESH_S."""
        if not groups:
            return
        through = BalanceRow.groups.through
        through.objects.filter(balance_id__in=groups).delete()
        through.objects.bulk_create(
            [
                through(balance_id=balance_id, sharedgroup_id=group_id)
                for balance_id, ids in sorted(groups.items())
                for group_id in ids
            ]
        )

    def _write_entries(self) -> None:
        books: dict[tuple[str, str, str], int] = {}
        rows = []
        for balance_id, at, kind, book, amount, cause, note, _ in self.entries:
            balance = self.changed[balance_id]
            owner = self.accounts[balance.account_id]
            key = BookKey(owner.tenant, owner.currency, book)
            book_id = books.get(key)
            if book_id is None:
                book_id = books[key] = book_ids(self.connection, [key])[key]
            money, units = (amount, 0) if balance.kind == _MONETARY else (0, amount)
            rows.append((balance_id, instant_text(at), kind, book_id, money, units, cause, note))
        insert_rows(LedgerEntry._meta.db_table, _ENTRY_COLUMNS, rows)

    def _events(self) -> Iterable[Any]:
        for entry in self.entries:
            if entry.kind in CREDITS and entry.amount > 0:
                balance = self.changed[entry.balance_id]
                is_money = balance.kind == BalanceKind.MONETARY
                yield account_credited(
                    balance.account_id,
                    balance.balance_id,
                    self.accounts[balance.account_id].tenant,
                    entry.at,
                    entry.kind,
                    amount_micros=entry.amount if is_money else 0,
                    units=0 if is_money else entry.amount,
                )
        for number, action, order in self.errands:
            yield ERRAND_DUE.event(
                order.account_id,
                order.at,
                tenant=self.accounts[order.account_id].tenant,
                account_id=order.account_id,
                key=order.key,
                number=number,
                action=str(action.kind),
                parameters=action.parameters,
            )


def _needs_groups(orders: Sequence[ActionOrder]) -> bool:
    """Whether an action states shared groups, or makes a balance that takes those of another."""
    lists = {id(order.actions): order.actions for order in orders}
    return any(
        action.groups is not None or action.rollover is not None
        for actions in lists.values()
        for action in actions
    )


def _switched(account: Account, action: Action) -> Account:
    """The account as orders behind this one in the same batch see it."""
    if action.kind == ActionKind.ALLOW_NEGATIVE:
        return account._replace(allow_negative=True)
    if action.kind == ActionKind.DENY_NEGATIVE:
        return account._replace(allow_negative=False)
    if action.kind == ActionKind.REMOVE_ACCOUNT:
        return account._replace(barred=True, bar_reason="")
    return account


def _digest(key: str) -> str:
    return blake2b(f"actions\0{key}".encode(), digest_size=16).hexdigest()


def _portions(rows: Sequence[tuple[Any, ...]]) -> Iterable[Sequence[tuple[Any, ...]]]:
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        yield rows[first : first + ROWS_A_STATEMENT]
