"""Operations about triggers of accounts' money."""

from __future__ import annotations

from apps.crm.domain.asked import (
    AccountRef,
    FiringsAsked,
    NewTriggerAsked,
    SharedGroupRef,
    SharedLimitAsked,
    SharedLimitRef,
    SpendingCapAsked,
    TriggerChangeAsked,
    TriggerRef,
    TriggerResetAsked,
    TriggersAsked,
)
from apps.crm.domain.operations import Call
from apps.crm.domain.triggers import FiringView, ResetTrigger, SharedLimitView, SpendingCapView, TriggerView
from apps.crm.selectors import triggers as reads
from apps.crm.services import triggers as changes


def find_all(call: Call, asked: TriggersAsked) -> list[TriggerView]:
    return reads.list_triggers(call.tenant, asked)


def find(call: Call, asked: TriggerRef) -> TriggerView:
    return reads.get_trigger(call.tenant, asked.trigger_id)


def create(call: Call, new: NewTriggerAsked) -> TriggerView:
    return changes.create_trigger(call.tenant, new)


def modify(call: Call, asked: TriggerChangeAsked) -> TriggerView:
    return changes.change_trigger(call.tenant, asked)


def delete(call: Call, asked: TriggerRef) -> TriggerView:
    """The deleted trigger."""
    found = reads.get_trigger(call.tenant, asked.trigger_id)
    changes.delete_trigger(call.tenant, asked.trigger_id)
    return found


def reset(call: Call, asked: TriggerResetAsked) -> ResetTrigger:
    return ResetTrigger(changes.reset_trigger(call.tenant, asked.trigger_id, account_id=asked.account_id))


def firings(call: Call, asked: FiringsAsked) -> list[FiringView]:
    return reads.list_firings(call.tenant, asked)


def spending_cap(call: Call, asked: AccountRef) -> SpendingCapView:
    return changes.get_cap(call.tenant, asked.account_id, now=call.now)


def set_spending_cap(call: Call, asked: SpendingCapAsked) -> SpendingCapView:
    return changes.set_cap(call.tenant, asked.account_id, asked.limit_micros, now=call.now)


def clear_spending_cap(call: Call, asked: AccountRef) -> SpendingCapView:
    """The cap that it was."""
    return changes.clear_cap(call.tenant, asked.account_id, now=call.now)


def shared_limits(call: Call, asked: SharedGroupRef) -> list[SharedLimitView]:
    return changes.shared_limits(call.tenant, asked.group, now=call.now)


def set_shared_limit(call: Call, asked: SharedLimitAsked) -> SharedLimitView:
    return changes.set_shared_limit(call.tenant, asked, now=call.now)


def clear_shared_limit(call: Call, asked: SharedLimitRef) -> SharedLimitView:
    """The limit that it was."""
    return changes.clear_shared_limit(call.tenant, asked, now=call.now)
