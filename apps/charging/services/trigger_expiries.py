"""Balances that have expired, found by beat for the triggers that watch for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from apps.charging.domain.balances import Balance as BalanceValue
from apps.charging.domain.trigger_states import FRESH, Firing, TriggerState, watch_expiry
from apps.charging.domain.triggers import TriggerBook, TriggerKind, trigger_book
from apps.charging.models import Balance, BalanceTrigger, TriggerFiring
from apps.charging.services.balance_actions import carry_out_firings
from apps.charging.services.rows import instant_text
from apps.charging.services.trigger_firing import fire
from apps.charging.services.trigger_rows import StateKey, trigger_of, write_states
from apps.charging.services.triggers import (
    ACCOUNTS_AT_ONCE,
    KnownStates,
    accounts_of,
    locked_balances,
    watched_of,
)


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
    for account_id, (_, triggers) in watched_of(book, accounts_of(balances).values(), now).items():
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
    written = fire(
        [one for one in firings if (one.trigger.trigger_id, one.cause) not in known_causes], changed, now
    )
    write_states(connection, changed, known)
    carry_out_firings(written, now)
