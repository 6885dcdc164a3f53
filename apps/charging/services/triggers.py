"""Account triggers at work: what a transaction moved and used is looked at before it is committed.

The executor calls :func:`watch_batch`; what is moved and used beside it comes by :func:`watch_movements` (fees,
records from files, desk) and :func:`watch_uses` (records from files), all under the lock of the balances of the
accounts. No other code but :mod:`apps.charging.services.trigger_expiries` and resets writes what triggers remember. If
no trigger is switched on, no query runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.books import USAGE
from apps.charging.domain.state import Account, Entry
from apps.charging.domain.trigger_states import (
    FRESH,
    Firing,
    Happened,
    Movement,
    TriggerState,
    Use,
    watch,
)
from apps.charging.domain.triggers import (
    WITH_A_STATE,
    Trigger,
    TriggerBook,
)
from apps.charging.models import Balance
from apps.charging.services.rows import BALANCE_COLUMNS, balance_of, balances_sql
from apps.charging.services.trigger_firing import Fired, fire
from apps.charging.services.trigger_rows import (
    STATES_SQL,
    StateKey,
    States,
    read_trigger_book,
    states_of,
    write_states,
)
from apps.rating.domain import Rater
from apps.rating.selectors import current_tariff
from apps.rating.selectors.views import TENANTS
from apps.storage.reads import select_in
from apps.storage.upserts import select
from apps.subscribers.selectors import plan_periods

ACCOUNTS_AT_ONCE = 500


class Watched(NamedTuple):
    """An account, and its triggers in their order."""

    account: Account
    triggers: list[Trigger]


class Seen(NamedTuple):
    """What triggers remember now, and those that fired."""

    states: Mapping[StateKey, TriggerState]
    fired: list[Fired]


NOTHING_SEEN = Seen({}, [])


class KnownStates(dict[StateKey, TriggerState]):
    """What triggers remember, as far as it was read: of the accounts ``whose``."""

    def __init__(self, states: States, whose: Iterable[int]) -> None:
        super().__init__(states)
        self.whose = set(whose)

    def read(self, connection: BaseDatabaseWrapper, account_ids: Iterable[int]) -> None:
        """Read those of these accounts too, behind the lock of their balances."""
        missing = sorted(set(account_ids) - self.whose)
        if missing:
            self.update(states_of(select(connection, STATES_SQL, missing)))
            self.whose.update(missing)


def watch_batch(
    connection: BaseDatabaseWrapper,
    book: TriggerBook,
    accounts: Mapping[int, Account],
    balances: Mapping[int, BalanceValue],
    entries: Sequence[Entry],
    uses: Mapping[int, Sequence[Use]],
    known: KnownStates,
    rater: Rater | None,
    now: datetime,
    but_not: Collection[StateKey] = (),
) -> Seen:
    """Let the triggers see what a batch of requests moved and used; the caller writes what they remember now.

    ``balances`` are those that changed, as they are at the end, ``entries`` the movements in their order, ``uses``
    are by account. ``known`` is what was read already.
    """
    moving = [entry for entry in entries if entry.balance_id in balances] if book.watches_movements else []
    touched = {balances[entry.balance_id].account_id for entry in moving} | uses.keys()
    watched = watched_of(book, [accounts[account_id] for account_id in touched], now)
    if not watched:
        return NOTHING_SEEN
    left = {balance_id: balance.value for balance_id, balance in balances.items()} if moving else {}
    moved: dict[int, list[Movement]] = {}
    for entry in reversed(moving):
        balance = balances[entry.balance_id]
        if balance.account_id not in watched:
            continue
        left[entry.balance_id] -= entry.amount
        spends = entry.kind == USAGE
        moved.setdefault(balance.account_id, []).append(
            Movement(
                entry.cause, entry.at, balance, left[entry.balance_id], entry.amount, spends, online=spends
            )
        )
    happened = [
        Happened(
            account_id,
            account.tenant,
            account.zone,
            moved[account_id][::-1] if account_id in moved else (),
            uses.get(account_id, ()),
        )
        for account_id, (account, _) in watched.items()
    ]
    return _see(connection, watched, happened, known, rater, now, but_not)


def watch_movements(movements: Iterable[tuple[int, str, datetime, int, bool]]) -> list[Fired]:
    """Let the triggers see movements of default balances that were made beside the executor; what fired.

    ``movements`` are (account id, cause, value date, micro-units, whether usage is debited) in their order; the
    balances have changed already. Windows of spending are of usage in real time.
    """
    book = read_trigger_book()
    if book is None:
        return []
    moved: dict[int, list[tuple[str, datetime, int, bool]]] = {}
    for account_id, cause, at, amount, spends in movements:
        moved.setdefault(account_id, []).append((cause, at, amount, spends))
    now = max(movement[1] for many in moved.values() for movement in many)
    watched = watched_of(book, accounts_of(moved).values(), now)
    if not watched:
        return []
    before = {
        row[1]: balance_of(row)
        for row in select_in(
            f"SELECT {BALANCE_COLUMNS} FROM charging_balance WHERE tag = '*default' AND account_id IN ({{values}})",
            watched.keys(),
        )
    }
    happened = []
    for account_id, (account, _) in watched.items():
        balance = before[account_id]
        left = balance.value - sum(amount for _, _, amount, _ in moved[account_id])
        seen = []
        for cause, at, amount, spends in moved[account_id]:
            seen.append(Movement(cause, at, balance, left, amount, spends))
            left += amount
        happened.append(Happened(account_id, account.tenant, account.zone, seen))
    return _see_and_write(watched, happened, None, now)


def watch_uses(uses: Mapping[int, Sequence[Use]], now: datetime) -> list[Fired]:
    """Let the triggers see usage that was charged beside the executor, by account, whose balances are locked."""
    book = read_trigger_book()
    watched = {} if book is None else watched_of(book, accounts_of(uses).values(), now)
    happened = [
        Happened(account_id, account.tenant, account.zone, uses=uses[account_id])
        for account_id, (account, _) in watched.items()
    ]
    return _see_and_write(watched, happened, current_tariff().rater, now)


def locked_balances(account_ids: Iterable[int]) -> list[BalanceValue]:
    """The balances of the accounts, locked in the order in which the executor locks them."""
    connection = connections[DEFAULT_DB_ALIAS]
    rows = select(connection, balances_sql(connection), sorted(account_ids))
    groups: dict[int, tuple[int, ...]] = {}
    for balance_id, group_id in Balance.groups.through.objects.filter(
        balance__in=[row[0] for row in rows]
    ).values_list("balance_id", "sharedgroup_id"):
        groups[balance_id] = (*groups.get(balance_id, ()), group_id)
    return [balance_of(row, groups.get(row[0], ())) for row in rows]


def watched_of(book: TriggerBook, accounts: Iterable[Account], now: datetime) -> dict[int, Watched]:
    """Those of the accounts that have triggers, in the order of their ids."""
    may = [
        account
        for account in accounts
        if book.may_concern(account.account_id, account.tenant, account.trigger_set_id)
    ]
    plans = _plans_of([account.account_id for account in may], now) if book.of_plan and may else {}
    found: dict[int, Watched] = {}
    alike: dict[tuple[str, str, int | None], list[Trigger]] = {}
    for account in sorted(may):
        account_id = account.account_id
        kind = account.tenant, account.currency, account.trigger_set_id
        has_own = account_id in plans or account_id in book.of_account
        triggers = None if has_own else alike.get(kind)
        if triggers is None:
            triggers = book.concerning(
                account_id,
                account.tenant,
                account.currency,
                plans.get(account_id, ()),
                account.trigger_set_id,
                now,
            )
            if not has_own:
                alike[kind] = triggers
        if triggers:
            found[account_id] = Watched(account, triggers)
    return found


def accounts_of(account_ids: Iterable[int]) -> dict[int, Account]:
    """The accounts as the executor knows them."""
    rows = select_in(
        "SELECT a.id, a.number, t.code, t.time_zone, a.currency, a.mode, a.trigger_set_id FROM charging_account a"
        f" JOIN {TENANTS} t ON t.id = a.tenant_id WHERE a.id IN ({{values}})",
        list(account_ids),
    )
    return {
        account_id: Account(
            account_id, number, tenant, ZoneInfo(zone), currency, mode == "prepaid", trigger_set_id=set_id
        )
        for account_id, number, tenant, zone, currency, mode, set_id in rows
    }


def _see_and_write(
    watched: Mapping[int, Watched], happened: Iterable[Happened], rater: Rater | None, now: datetime
) -> list[Fired]:
    connection = connections[DEFAULT_DB_ALIAS]
    known = KnownStates({}, ())
    seen = _see(connection, watched, happened, known, rater, now)
    write_states(connection, seen.states, known)
    return seen.fired


def _see(
    connection: BaseDatabaseWrapper,
    watched: Mapping[int, Watched],
    happened: Iterable[Happened],
    known: KnownStates,
    rater: Rater | None,
    now: datetime,
    but_not: Collection[StateKey] = (),
) -> Seen:
    """Let the triggers see it, and fire."""
    known.read(
        connection,
        [
            account_id
            for account_id, (_, triggers) in watched.items()
            if account_id not in known.whose and any(trigger.kind in WITH_A_STATE for trigger in triggers)
        ],
    )
    changed: dict[StateKey, TriggerState] = {}
    firings: list[Firing] = []
    for one in happened:
        for trigger in watched[one.account_id].triggers:
            key = (trigger.trigger_id, one.account_id)
            if key in but_not:
                continue
            before = known.get(key, FRESH)
            after, fired = watch(trigger, before, one, rater, now)
            if after is not before:
                changed[key] = after
            firings += fired
    return Seen(changed, fire(firings, changed, now) if firings else [])


def _plans_of(account_ids: Collection[int], now: datetime) -> dict[int, set[int]]:
    """The price plans that the accounts' subscribers have now."""
    payers = dict(
        select_in(
            "SELECT subscriber_id, account_id FROM charging_payer WHERE account_id IN ({values})", account_ids
        )
    )
    plans: dict[int, set[int]] = {}
    for subscriber_id, price_plan_id, _, _ in plan_periods(payers, now, now):
        plans.setdefault(payers[subscriber_id], set()).add(price_plan_id)
    return plans
