"""Account triggers at work: what a transaction moved and used is looked at before it is committed.

The executor calls :func:`watch_batch`; what is moved and used beside it comes by :func:`watch_movements` (fees,
records from files, desk) and :func:`watch_uses` (records from files), all under the lock of the balances of the
accounts. Expired balances are found by :func:`watch_expiries`. No other code writes what triggers remember. If no
trigger is switched on, no query runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.balances import BalanceKind
from apps.charging.domain.books import USAGE
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.domain.state import Account, Entry
from apps.charging.domain.trigger_states import (
    FRESH,
    Firing,
    Happened,
    Movement,
    TriggerState,
    Use,
    watch,
    watch_expiry,
)
from apps.charging.domain.triggers import (
    WITH_A_STATE,
    Trigger,
    TriggerAction,
    TriggerBook,
    TriggerKind,
    trigger_book,
)
from apps.charging.models import AccountBar, Balance, BalanceTrigger, TriggerFiring
from apps.charging.services.barring import bar_unless_barred
from apps.charging.services.rows import BALANCE_COLUMNS, balance_of, instant_text
from apps.charging.services.trigger_rows import (
    STATES_SQL,
    StateKey,
    States,
    read_trigger_book,
    states_of,
    trigger_of,
    write_states,
)
from apps.events.services.publishing import publish
from apps.rating.domain import Rater
from apps.rating.selectors import current_tariff
from apps.rating.selectors.views import TENANTS
from apps.storage.dialect import by_index, for_update
from apps.storage.reads import select_in
from apps.storage.upserts import select
from apps.subscribers.selectors import plan_periods

ACCOUNTS_AT_ONCE = 500


class Watched(NamedTuple):
    """An account, and its triggers in their order."""

    account: Account
    triggers: list[Trigger]


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
) -> dict[StateKey, TriggerState]:
    """Let the triggers see what a batch of requests moved and used; what they remember now, for the caller to write.

    ``balances`` are those that changed, as they are at the end, ``entries`` the movements in their order, ``uses``
    are by account. ``known`` is what was read already.
    """
    moving = [entry for entry in entries if entry.balance_id in balances]
    touched = {balances[entry.balance_id].account_id for entry in moving} | uses.keys()
    watched = _watched(book, [accounts[account_id] for account_id in touched], now)
    if not watched:
        return {}
    left = {balance_id: balance.value for balance_id, balance in balances.items()}
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
            accounts[account_id].tenant,
            accounts[account_id].zone,
            moved.get(account_id, [])[::-1],
            uses.get(account_id, ()),
        )
        for account_id in watched
    ]
    return _see(connection, watched, happened, known, rater, now)


def watch_movements(movements: Iterable[tuple[int, str, datetime, int, bool]]) -> None:
    """Let the triggers see movements of default balances that were made beside the executor.

    ``movements`` are (account id, cause, value date, micro-units, whether usage is debited) in their order; the
    balances have changed already. Windows of spending are of usage in real time.
    """
    book = read_trigger_book()
    if book is None:
        return
    moved: dict[int, list[tuple[str, datetime, int, bool]]] = {}
    for account_id, cause, at, amount, spends in movements:
        moved.setdefault(account_id, []).append((cause, at, amount, spends))
    now = max(movement[1] for many in moved.values() for movement in many)
    watched = _watched(book, _accounts(moved).values(), now)
    if not watched:
        return
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
    _see_and_write(watched, happened, None, now)


def watch_uses(uses: Mapping[int, Sequence[Use]], now: datetime) -> None:
    """Let the triggers see usage that was charged beside the executor, by account; their balances are locked."""
    book = read_trigger_book()
    watched = {} if book is None else _watched(book, _accounts(uses).values(), now)
    happened = [
        Happened(account_id, account.tenant, account.zone, uses=uses[account_id])
        for account_id, (account, _) in watched.items()
    ]
    _see_and_write(watched, happened, current_tariff().rater, now)


def watch_expiries(now: datetime) -> int:
    """Let the triggers see balances that have expired since they were looked at last; how many balances there were.

    A trigger begins with the first look after it was made. A look that died is repeated: it fires once a balance and
    end.
    """
    triggers = BalanceTrigger.objects.filter(enabled=True, kind=TriggerKind.BALANCE_EXPIRED)
    begun = list(triggers.exclude(expiries_seen_until=None).select_related("tenant"))
    triggers.filter(expiries_seen_until=None).update(expiries_seen_until=now)
    book = trigger_book(trigger_of(row) for row in begun)
    if book is None:
        return 0
    seen = {row.pk: row.expiries_seen_until or now for row in begun}
    expired = list(
        Balance.objects.filter(expires_at__gt=min(seen.values()), expires_at__lte=now)
        .order_by("account_id")
        .values_list("account_id", flat=True)
    )
    account_ids = sorted(set(expired))
    for first in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        _look_at_expiries(book, account_ids[first : first + ACCOUNTS_AT_ONCE], seen, now)
    triggers.filter(pk__in=seen).update(expiries_seen_until=now)
    return len(expired)


@transaction.atomic
def _look_at_expiries(
    book: TriggerBook, account_ids: list[int], seen: Mapping[int, datetime], now: datetime
) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    balances: dict[int, list[BalanceValue]] = {}
    for balance in locked_balances(account_ids):
        balances.setdefault(balance.account_id, []).append(balance)
    known = KnownStates({}, ())
    known.read(connection, balances)
    changed: dict[StateKey, TriggerState] = {}
    firings: list[Firing] = []
    for account_id, (_, triggers) in _watched(book, _accounts(balances).values(), now).items():
        for trigger in triggers:
            state = before = known.get((trigger.trigger_id, account_id), FRESH)
            for balance in balances[account_id]:
                end = balance.terms.expires_at
                if end is not None and seen[trigger.trigger_id] < end <= now:
                    cause = f"expired:{balance.balance_id}:{instant_text(end)}"
                    state, fired = watch_expiry(trigger, state, balance, cause, now)
                    firings += fired
            if state is not before:
                changed[trigger.trigger_id, account_id] = state
    known_causes = set(
        TriggerFiring.objects.filter(
            trigger__in=seen, cause__in={firing.cause for firing in firings}
        ).values_list("trigger_id", "cause")
    )
    _fire([one for one in firings if (one.trigger.trigger_id, one.cause) not in known_causes], changed, now)
    write_states(connection, changed)


def locked_balances(account_ids: Iterable[int]) -> list[BalanceValue]:
    """The balances of the accounts, locked in the order in which the executor locks them."""
    connection = connections[DEFAULT_DB_ALIAS]
    index = by_index(connection, "balance_tag_once_an_account")
    rows = select(
        connection,
        f"SELECT {BALANCE_COLUMNS} FROM charging_balance{index} WHERE account_id IN ({{values}})"
        f" ORDER BY account_id, id{for_update(connection)}",
        sorted(account_ids),
    )
    groups: dict[int, tuple[int, ...]] = {}
    for balance_id, group_id in Balance.groups.through.objects.filter(
        balance__in=[row[0] for row in rows]
    ).values_list("balance_id", "sharedgroup_id"):
        groups[balance_id] = (*groups.get(balance_id, ()), group_id)
    return [balance_of(row, groups.get(row[0], ())) for row in rows]


def _watched(book: TriggerBook, accounts: Iterable[Account], now: datetime) -> dict[int, Watched]:
    """Those of the accounts that have triggers, in the order of their ids."""
    may = [
        account
        for account in accounts
        if book.may_concern(account.account_id, account.tenant, account.trigger_set_id)
    ]
    plans = _plans_of([account.account_id for account in may], now) if book.of_plan and may else {}
    found: dict[int, Watched] = {}
    for account in sorted(may):
        account_id = account.account_id
        triggers = book.concerning(
            account_id,
            account.tenant,
            account.currency,
            plans.get(account_id, ()),
            account.trigger_set_id,
            now,
        )
        if triggers:
            found[account_id] = Watched(account, triggers)
    return found


def _accounts(account_ids: Iterable[int]) -> dict[int, Account]:
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
) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    write_states(connection, _see(connection, watched, happened, KnownStates({}, ()), rater, now))


def _see(
    connection: BaseDatabaseWrapper,
    watched: Mapping[int, Watched],
    happened: Iterable[Happened],
    known: KnownStates,
    rater: Rater | None,
    now: datetime,
) -> dict[StateKey, TriggerState]:
    """Let the triggers see it, and fire; what they remember now."""
    known.read(
        connection,
        [
            account_id
            for account_id, (_, triggers) in watched.items()
            if any(trigger.kind in WITH_A_STATE for trigger in triggers)
        ],
    )
    changed: dict[StateKey, TriggerState] = {}
    firings: list[Firing] = []
    for one in happened:
        for trigger in watched[one.account_id].triggers:
            key = (trigger.trigger_id, one.account_id)
            before = known.get(key, FRESH)
            after, fired = watch(trigger, before, one, rater, now)
            if after is not before:
                changed[key] = after
            firings += fired
    if firings:
        _fire(firings, changed, now)
    return changed


def _fire(firings: Sequence[Firing], changed: dict[StateKey, TriggerState], now: datetime) -> None:
    """Write the firings, and bar if that is the action. Firing is rare, so it may query once more.

    What triggers that were switched off meanwhile remember is taken out of ``changed``: they have not fired.
    """
    # The executor's book may be some seconds old.
    known = (
        BalanceTrigger.objects.filter(enabled=True)
        .select_related("tenant")
        .in_bulk({firing.trigger.trigger_id for firing in firings})
    )
    for firing in firings:
        if firing.trigger.trigger_id not in known:
            changed.pop((firing.trigger.trigger_id, firing.account_id), None)
    fired = [firing for firing in firings if firing.trigger.trigger_id in known]
    for firing in fired:
        trigger = firing.trigger
        money = trigger.filter.kind == BalanceKind.MONETARY
        row = TriggerFiring.objects.create(
            trigger=known[trigger.trigger_id],
            account_id=firing.account_id,
            at=firing.at,
            kind=trigger.kind,
            action=trigger.action,
            actions=trigger.actions,
            balance_kind=trigger.filter.kind,
            threshold_micros=trigger.threshold if money else 0,
            threshold_units=0 if money else trigger.threshold,
            value_micros=firing.value if money else 0,
            value_units=0 if money else firing.value,
            cause=firing.cause,
            # One that is not to be announced never waits for it.
            announced_at=None if known[trigger.trigger_id].notify else now,
        )
        publish(
            [
                TRIGGER_FIRED.event(
                    firing.account_id,
                    firing.at,
                    tenant=trigger.tenant,
                    account_id=firing.account_id,
                    firing_id=row.pk,
                    trigger_id=trigger.trigger_id,
                    action=str(trigger.action),
                    actions=trigger.actions,
                )
            ]
        )
    for firing in fired:
        if firing.trigger.action == TriggerAction.BAR:
            bar_unless_barred(
                firing.account_id,
                AccountBar.Reason.FRAUD,
                now,
                by=f"trigger:{known[firing.trigger.trigger_id].name}",
                note=firing.cause,
            )


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
