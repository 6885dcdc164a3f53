"""What actions change of an account's triggers: they fire again, count from zero, or fire each time.

Under the locks of the accounts' balances.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import DEFAULT_DB_ALIAS, connections

from apps.charging.models import TriggerState
from apps.storage.reads import select_in
from apps.storage.upserts import upsert_few


def reset_triggers_of(account_ids: Collection[int]) -> None:
    """Let all triggers of the accounts fire again, and spending begin at zero (CGRateS: *reset_triggers).

    Counters go on (:func:`reset_counters_of`), so one that is past its threshold fires with the next use.
    """
    states = TriggerState.objects.filter(account__in=account_ids)
    states.update(executed=False, last_fired_at=None, steps="", rests_until=None)


def reset_counters_of(account_ids: Collection[int]) -> None:
    """Let all counters of the accounts begin at zero (CGRateS: *reset_counters)."""
    TriggerState.objects.filter(account__in=account_ids).update(counted=0, period=0)


def set_recurrent(account_ids: Collection[int], recurrent: bool) -> None:
    """Let the accounts' own triggers, and those of their sets, fire each time, or once, against what they say."""
    rows = [
        (trigger_id, account_id, int(recurrent))
        for account_id, trigger_id in select_in(
            "SELECT a.id, t.id FROM charging_account a JOIN charging_balancetrigger t"
            " ON t.account_id = a.id OR t.trigger_set_id = a.trigger_set_id WHERE a.id IN ({values})",
            account_ids,
        )
    ]
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        upsert_few(
            connections[DEFAULT_DB_ALIAS],
            "charging_triggerstate",
            ("trigger_id", "account_id", "recurrent", *_BEGINNING),
            [(*row, *_BEGINNING.values()) for row in rows[first : first + ROWS_A_STATEMENT]],
            key=("account_id", "trigger_id"),
            update=("recurrent",),
        )


ROWS_A_STATEMENT = 2_000
_BEGINNING = {"counted": 0, "period": 0, "executed": 0, "steps": ""}
