"""Account triggers and what they remember, from their rows and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.trigger_filters import BalanceFilter
from apps.charging.domain.trigger_states import (
    NO_WINDOW,
    TriggerState,
    window_from_text,
    window_to_text,
)
from apps.charging.domain.triggers import Trigger, TriggerBook, trigger_book
from apps.charging.models import BalanceTrigger
from apps.charging.services.rows import destinations_of, instant, instant_text, words
from apps.storage.upserts import Script, update_few, upsert_few

StateKey = tuple[int, int]
"""Ids of the trigger and of the account."""
States = Mapping[StateKey, TriggerState]


def read_trigger_book(kinds: Collection[str] = ()) -> TriggerBook | None:
    """The triggers that are switched on, of all kinds or of these; None if there are none."""
    rows = BalanceTrigger.objects.filter(enabled=True).select_related("tenant").order_by("pk")
    if kinds:
        rows = rows.filter(kind__in=kinds)
    return trigger_book(trigger_of(row) for row in rows)


def trigger_of(row: BalanceTrigger) -> Trigger:
    """The trigger of a row; its ``tenant`` is read."""
    return Trigger(
        row.pk,
        row.tenant.code,
        row.currency,
        row.kind,
        row.threshold,
        row.action,
        BalanceFilter(
            row.balance_tag,
            row.balance_kind,
            *destinations_of(row.destinations),
            frozenset(words(row.categories)),
            row.rating_subject,
            row.shared_group_id,
            row.balance_expires_at,
            row.balance_weight,
            row.balance_blocker,
            row.balance_disabled,
        ),
        row.window_s or 0,
        row.account_id,
        row.price_plan_id,
        row.trigger_set_id,
        row.recurrent,
        row.min_sleep_s,
        row.active_from,
        row.expires_at,
        row.monthly,
        row.weight,
        row.actions,
    )


STATES_SQL = (
    "SELECT trigger_id, account_id, counted, period, executed, last_fired_at, steps, rests_until,"
    " recurrent, id FROM charging_triggerstate WHERE account_id IN ({values})"
)
"""What triggers remember of accounts, for :func:`states_of`."""


def states_of(rows: Iterable[tuple[Any, ...]]) -> dict[StateKey, TriggerState]:
    """What the rows of STATES_SQL say."""
    found = {}
    for (
        trigger_id,
        account_id,
        counted,
        period,
        executed,
        fired_at,
        steps,
        rests_until,
        recurrent,
        row_id,
    ) in rows:
        window = NO_WINDOW
        if steps or rests_until is not None:
            window = window_from_text(steps, instant(rests_until))
        found[trigger_id, account_id] = TriggerState(
            counted,
            period,
            bool(executed),
            None if fired_at is None else instant(fired_at),
            window,
            None if recurrent is None else bool(recurrent),
            row_id,
        )
    return found


_COLUMNS = (
    "trigger_id",
    "account_id",
    "counted",
    "period",
    "executed",
    "last_fired_at",
    "steps",
    "rests_until",
)


def write_states(
    connection: BaseDatabaseWrapper, states: States, before: States, script: Script | None = None
) -> None:
    """Keep what triggers remember, under the lock of the accounts' balances; ``before`` is as it was read.

    Most have only counted on: their rows get that number and nothing else.
    """
    counts = []
    others = []
    for key, state in states.items():
        known = before.get(key)
        if known is not None and known.row_id and known[1:] == state[1:]:
            counts.append((state.row_id, state.counted))
        else:
            others.append((key, state))
    counts.sort()
    update_few(connection, "charging_triggerstate", ("counted",), counts, script)
    if not others:
        return
    others.sort()
    upsert_few(
        connection,
        "charging_triggerstate",
        _COLUMNS,
        [
            (
                *key,
                counted,
                period,
                int(executed),
                None if last_fired_at is None else instant_text(last_fired_at),
                window_to_text(window) if window.steps else "",
                None if window.rests_until is None else instant_text(window.rests_until),
            )
            for key, (counted, period, executed, last_fired_at, window, *_) in others
        ],
        key=("account_id", "trigger_id"),
        update=_COLUMNS[2:],
        forms="iiiiiopo",
        script=script,
    )
