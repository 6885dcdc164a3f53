"""Spending caps: what an account may use in a calendar month, with a warning at 80 per cent and an end at 100.

After Regulation (EU) 2022/612, article 14. A cap is two triggers of the account that count the cost of its usage by
the month (:mod:`apps.charging.domain.trigger_states`); the second bars the account until the month is over or the cap
is gone. What is on hold for sessions is not spent yet, so the usage that reaches the cap may go past it by what was
granted.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from apps.charging.domain.triggers import TriggerAction, TriggerKind
from apps.charging.models import Account, AccountBar, BalanceTrigger, TriggerState
from apps.charging.services.barring import caps_before, lift_bars
from apps.charging.services.executor import forget_directory
from apps.charging.services.trigger_settings import change_trigger, make_trigger
from apps.charging.services.triggers import locked_balances
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.kernel.periods import month_of
from apps.rating.models import Tenant

WARNING, END = 80, 100
"""Per cent of the cap at which the customer is told, and at which nothing more is granted."""
SMALLEST_MICROS = 10_000


class SpendingCap(NamedTuple):
    """An account's cap, and what was used of it this month, in micro-units of the account's currency."""

    account_id: int
    limit_micros: int
    spent_micros: int
    is_warned: bool
    is_barred: bool


@transaction.atomic
def set_cap(account: Account, limit_micros: int, now: datetime) -> SpendingCap:
    """Give the account a cap, or change it; usage counts from the first one on.

    A cap that was reached and is above what was used now lets the account in again. Raises InvalidInput
    (limit_micros), Conflict (account_closed).
    """
    if limit_micros < SMALLEST_MICROS:
        raise InvalidInput("a cap is an amount above zero, at least 0.01", where="limit_micros")
    if account.closed_at is not None:
        raise Conflict(f"account {account} is closed", code="account_closed")
    locked_balances([account.pk])
    known = {trigger.name: trigger for trigger in _triggers(account)}
    for percent, action in ((WARNING, TriggerAction.NOTIFY), (END, TriggerAction.CAP)):
        name, threshold = _name(account, percent), limit_micros * percent // 100
        trigger = known.get(name)
        if trigger is None:
            make_trigger(
                account.tenant,
                name,
                TriggerKind.MAX_EVENT_COUNTER,
                account=account,
                threshold_micros=threshold,
                balance_tag="",
                monthly=True,
                action=action,
            )
            continue
        change_trigger(account.tenant, trigger.pk, {"threshold_micros": threshold, "enabled": True})
        states = TriggerState.objects.filter(trigger=trigger, account=account)
        states.filter(counted__lt=threshold).update(executed=False)
    cap = _read(account, now)
    if cap.is_barred and cap.spent_micros < cap.limit_micros:
        lift_bars(_bars(account), "another spending cap")
        cap = cap._replace(is_barred=False)
    return cap


@transaction.atomic
def clear_cap(account: Account, now: datetime) -> SpendingCap:
    """Take the account's cap, and the bar that it set; what it was. Raises NotFound."""
    locked_balances([account.pk])
    cap = _read(account, now)
    for trigger in _triggers(account):
        trigger.states.all().delete()
        if trigger.firings.exists():
            trigger.enabled = False
            trigger.save(update_fields=["enabled"])
        else:
            trigger.delete()
    lift_bars(_bars(account), "no spending cap any more")
    transaction.on_commit(forget_directory)
    return cap


def cap_of(account: Account, now: datetime) -> SpendingCap | None:
    """The account's cap; None if it has none."""
    try:
        return _read(account, now)
    except NotFound:
        return None


def lift_caps(now: datetime) -> int:
    """Let accounts in again that a cap has barred in a month that is over; how many."""
    return sum(lift_bars(caps_before(tenant, now), "a new month") for tenant in Tenant.objects.all())


def _read(account: Account, now: datetime) -> SpendingCap:
    trigger = _triggers(account).filter(name=_name(account, END), enabled=True).first()
    if trigger is None:
        raise NotFound(f"account {account} has no spending cap", where="account_id")
    year, month = month_of(now, ZoneInfo(account.tenant.time_zone))
    state = trigger.states.filter(account=account, period=year * 12 + month).first()
    spent = 0 if state is None else state.counted
    limit = trigger.threshold_micros
    is_warned = spent >= limit * WARNING // 100
    return SpendingCap(account.pk, limit, spent, is_warned, _bars(account).exists())


def _triggers(account: Account) -> QuerySet[BalanceTrigger]:
    names = [_name(account, percent) for percent in (WARNING, END)]
    return account.balance_triggers.filter(name__in=names)


def _name(account: Account, percent: int) -> str:
    return f"Spending cap of {account.number}, {percent} %"


def _bars(account: Account) -> QuerySet[AccountBar]:
    return AccountBar.objects.filter(account=account, reason=AccountBar.Reason.CAP)
