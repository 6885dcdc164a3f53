"""What actions switch on accounts: whether they may go below zero, bars, the account's end, and their triggers.

Called in the transaction of :mod:`apps.charging.services.balance_actions`, under the locks of the accounts' balances.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from django.db.models import QuerySet
from simple_history.utils import bulk_update_with_history

from apps.charging.domain.balance_actions import Action, ActionKind
from apps.charging.domain.published import ACCOUNT_BARRED
from apps.charging.models import Account, AccountBar
from apps.charging.services.barring import bar_unless_barred, lift_bars
from apps.charging.services.trigger_resets import reset_counters_of, reset_triggers_of, set_recurrent
from apps.events.services.publishing import publish

BY = "action:"
"""Bars that an action set are ``by`` this and the key of its order; only these does ``*enable_account`` lift."""
Switch = tuple[int, Action, str]
"""Account, action, and the key of the order that it stands in."""

_TRIGGERS = frozenset(
    {
        ActionKind.RESET_TRIGGERS,
        ActionKind.RESET_COUNTERS,
        ActionKind.SET_RECURRENT,
        ActionKind.UNSET_RECURRENT,
        ActionKind.RESET_ACCOUNT,
    }
)


def switch_accounts(switches: Sequence[Switch], now: datetime) -> None:
    """Carry out the switches, in their order for each account."""
    if not switches:
        return
    _allow_negative(switches)
    for account_id, action, key in switches:
        if action.kind == ActionKind.DISABLE_ACCOUNT:
            bar_unless_barred(
                account_id, AccountBar.Reason.OTHER, now, by=f"{BY}{key}", note=action.parameters
            )
        elif action.kind == ActionKind.ENABLE_ACCOUNT:
            _lift(account_id, key)
        elif action.kind == ActionKind.REMOVE_ACCOUNT:
            _close(account_id, now, key)
    switch_triggers([switch for switch in switches if switch[1].kind in _TRIGGERS])


def switch_triggers(switches: Sequence[Switch]) -> None:
    """Reset triggers and counters of accounts, and let triggers be recurrent or not, in the order of the switches."""
    for kind, some in groupby(switches, key=lambda switch: switch[1].kind):
        account_ids = {account_id for account_id, _, _ in some}
        if kind in (ActionKind.RESET_TRIGGERS, ActionKind.RESET_ACCOUNT):
            reset_triggers_of(account_ids)
        if kind in (ActionKind.RESET_COUNTERS, ActionKind.RESET_ACCOUNT):
            reset_counters_of(account_ids)
        if kind in (ActionKind.SET_RECURRENT, ActionKind.UNSET_RECURRENT):
            set_recurrent(account_ids, kind == ActionKind.SET_RECURRENT)


def _allow_negative(switches: Sequence[Switch]) -> None:
    """The last word on each account counts."""
    wanted = {
        account_id: (action.kind == ActionKind.ALLOW_NEGATIVE, key)
        for account_id, action, key in switches
        if action.kind in (ActionKind.ALLOW_NEGATIVE, ActionKind.DENY_NEGATIVE)
    }
    for allowed in (True, False):
        ids = [account_id for account_id, (value, _) in wanted.items() if value is allowed]
        if ids:
            changing = Account.objects.filter(pk__in=ids, allow_negative=not allowed)
            _update(changing, "allow_negative", allowed, wanted[ids[0]][1])


def _update(accounts: QuerySet[Account], field: str, value: object, key: str) -> list[Account]:
    rows = list(accounts.order_by("pk"))
    for row in rows:
        setattr(row, field, value)
    bulk_update_with_history(
        rows, Account, [field], batch_size=1_000, default_change_reason=f"{BY}{key}"[:100]
    )
    return rows


def _close(account_id: int, now: datetime, key: str) -> None:
    """End the account; its gateways end its sessions, as those of a barred one."""
    for account in _update(Account.objects.filter(pk=account_id, closed_at=None), "closed_at", now, key):
        event = ACCOUNT_BARRED.event(
            account_id, now, tenant=account.tenant.code, account_id=account_id, reason="closed"
        )
        publish([event])


def _lift(account_id: int, key: str) -> None:
    lift_bars(AccountBar.objects.filter(account_id=account_id, barred_by__startswith=BY), f"{BY}{key}")
