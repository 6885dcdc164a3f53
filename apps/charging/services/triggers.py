"""Account triggers at work: what a transaction moved is looked at before it is committed.

The executor calls :func:`watch_batch`, other movements of money :func:`watch_movements`, both under the lock of the
balances that moved. No other code writes spending windows. If no trigger is switched on, no query runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.balances import Balance, BalanceKind
from apps.charging.domain.books import USAGE
from apps.charging.domain.published import TRIGGER_FIRED
from apps.charging.domain.state import Account, Entry
from apps.charging.domain.triggers import (
    NO_WINDOW,
    Firing,
    Movement,
    Trigger,
    TriggerAction,
    TriggerBook,
    TriggerKind,
    Window,
    crossings,
    spend,
    trigger_book,
    window_from_text,
    window_to_text,
)
from apps.charging.models import AccountBar, BalanceTrigger, TriggerFiring
from apps.charging.services.barring import bar_unless_barred
from apps.charging.services.rows import instant, instant_text
from apps.events.services.publishing import publish
from apps.rating.selectors.views import TENANTS
from apps.storage.reads import select_in
from apps.storage.upserts import select, upsert_few
from apps.subscribers.selectors import plan_periods


def read_trigger_book() -> TriggerBook | None:
    """The triggers that are switched on; None if there are none."""
    return trigger_book(
        Trigger(*row[:7], row[7] or 0, *row[8:])
        for row in BalanceTrigger.objects.filter(enabled=True)
        .order_by("pk")
        .values_list(
            "pk",
            "tenant__code",
            "currency",
            "kind",
            "threshold_micros",
            "action",
            "balance_tag",
            "window_s",
            "account_id",
            "price_plan_id",
        )
    )


def watch_batch(
    connection: BaseDatabaseWrapper,
    book: TriggerBook,
    accounts: Mapping[int, Account],
    balances: Mapping[int, Balance],
    entries: Sequence[Entry],
    now: datetime,
) -> int:
    """Let the triggers see what a batch of requests moved; how many fired.

    ``balances`` are those that changed, as they are at the end, ``entries`` the movements in their order.
    """
    left = {
        balance_id: balance.value
        for balance_id, balance in balances.items()
        if balance.kind == BalanceKind.MONETARY
    }
    moved: dict[int, list[Movement]] = {}
    for entry in reversed(entries):
        balance_id = entry.balance_id
        if balance_id not in left:
            continue
        left[balance_id] -= entry.amount
        balance = balances[balance_id]
        moved.setdefault(balance.account_id, []).append(
            Movement(entry.cause, entry.at, balance.tag, left[balance_id], entry.amount, entry.kind == USAGE)
        )
    for movements in moved.values():
        movements.reverse()
    owners = {
        account_id: (accounts[account_id].tenant, accounts[account_id].currency) for account_id in moved
    }
    return _watch(connection, book, owners, moved, now)


def watch_movements(movements: Iterable[tuple[int, str, datetime, int]]) -> int:
    """Let the triggers see movements of default balances that were made beside the executor; how many fired.

    ``movements`` are (account id, cause, value date, micro-units) in their order; the balances have changed already.
    They spend nothing: windows are of usage in real time.
    """
    book = read_trigger_book()
    if book is None:
        return 0
    moved: dict[int, list[tuple[str, datetime, int]]] = {}
    for account_id, cause, at, amount_micros in movements:
        moved.setdefault(account_id, []).append((cause, at, amount_micros))
    owners: dict[int, tuple[str, str]] = {}
    changed: dict[int, list[Movement]] = {}
    for account_id, tenant, currency, tag, amount_micros in select_in(
        f"SELECT a.id, t.code, a.currency, b.tag, b.amount_micros FROM charging_account a"
        f" JOIN {TENANTS} t ON t.id = a.tenant_id"
        " JOIN charging_balance b ON b.account_id = a.id AND b.tag = '*default' WHERE a.id IN ({values})",
        moved,
    ):
        owners[account_id] = (tenant, currency)
        before = amount_micros - sum(amount for _, _, amount in moved[account_id])
        changed[account_id] = []
        for cause, at, amount in moved[account_id]:
            changed[account_id].append(Movement(cause, at, tag, before, amount))
            before += amount
    latest = max(movement.at for many in changed.values() for movement in many)
    return _watch(connections[DEFAULT_DB_ALIAS], book, owners, changed, latest)


def _watch(
    connection: BaseDatabaseWrapper,
    book: TriggerBook,
    owners: Mapping[int, tuple[str, str]],
    moved: Mapping[int, Sequence[Movement]],
    now: datetime,
) -> int:
    plans = _plans_of(owners, now) if book.of_plan else {}
    firings: list[Firing] = []
    spending: dict[tuple[int, int], Trigger] = {}
    for account_id, (tenant, currency) in sorted(owners.items()):
        for trigger in book.concerning(account_id, tenant, currency, plans.get(account_id, ())):
            if trigger.kind != TriggerKind.SPENT:
                firings += crossings(trigger, account_id, moved[account_id])
            elif any(movement.spends for movement in moved[account_id]):
                spending[trigger.trigger_id, account_id] = trigger
    if spending:
        firings += _add_up(connection, spending, moved, now)
    if firings:
        return _fire(firings, now)
    return 0


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


_WINDOWS = (
    "SELECT trigger_id, account_id, steps, rests_until FROM charging_spendingwindow"
    " WHERE account_id IN ({values})"
)
_WINDOW_COLUMNS = ("trigger_id", "account_id", "steps", "rests_until")


def _add_up(
    connection: BaseDatabaseWrapper,
    spending: Mapping[tuple[int, int], Trigger],
    moved: Mapping[int, Sequence[Movement]],
    now: datetime,
) -> list[Firing]:
    known: dict[tuple[int, int], Window] = {}
    for trigger_id, account_id, steps, rests_until in select(
        connection, _WINDOWS, sorted({account_id for _, account_id in spending})
    ):
        known[trigger_id, account_id] = window_from_text(steps, instant(rests_until))
    firings = []
    rows: list[tuple[Any, ...]] = []
    for key, trigger in sorted(spending.items()):
        account_id = key[1]
        window, firing = spend(trigger, account_id, known.get(key, NO_WINDOW), moved[account_id], now)
        if firing is not None:
            firings.append(firing)
        rests = None if window.rests_until is None else instant_text(window.rests_until)
        rows.append((*key, window_to_text(window), rests))
    upsert_few(
        connection,
        "charging_spendingwindow",
        _WINDOW_COLUMNS,
        rows,
        key=_WINDOW_COLUMNS[:2],
        update=_WINDOW_COLUMNS[2:],
        forms="iipo",
    )
    return firings


def _fire(firings: Iterable[Firing], now: datetime) -> int:
    """Write the firings, and bar if that is the action. Firing is rare, so it may query once more."""
    listed = list(firings)
    # The executor's book may be some seconds old.
    known = (
        BalanceTrigger.objects.filter(enabled=True)
        .select_related("tenant")
        .in_bulk({firing.trigger.trigger_id for firing in listed})
    )
    fired = [firing for firing in listed if firing.trigger.trigger_id in known]
    for firing in fired:
        trigger = known[firing.trigger.trigger_id]
        row = TriggerFiring.objects.create(
            trigger=trigger,
            account_id=firing.account_id,
            at=firing.at,
            kind=firing.trigger.kind,
            action=firing.trigger.action,
            threshold_micros=firing.trigger.threshold_micros,
            value_micros=firing.value_micros,
            cause=firing.cause,
            # One that is not to be announced never waits for it.
            announced_at=None if trigger.notify else now,
        )
        publish(
            [
                TRIGGER_FIRED.event(
                    firing.account_id,
                    firing.at,
                    tenant=trigger.tenant.code,
                    account_id=firing.account_id,
                    firing_id=row.pk,
                    trigger_id=trigger.pk,
                    action=str(firing.trigger.action),
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
    return len(fired)
