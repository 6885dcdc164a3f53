"""Messages of RPCs about triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from apps.crm.domain.triggers import FiringView, ResetTrigger, SharedLimitView, SpendingCapView, TriggerView
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.values import instant_of, not_negative, seconds
from apps.kernel.errors import InvalidInput

CHANGEABLE = (
    *("name", "disabled", "threshold_micros", "threshold_units", "window_s", "balance_tag", "destinations"),
    *("categories", "recurrent", "min_sleep_s", "monthly", "actions", "action", "quiet"),
)


def triggers_asked(request: crm_pb2.GetTriggersRequest) -> TriggersAsked:
    return TriggersAsked(
        account_id=not_negative(request.account_id, "account_id"),
        after_id=not_negative(request.after_id, "after_id"),
        limit=request.limit or 100,
    )


def triggers_message(found: Sequence[TriggerView]) -> crm_pb2.GetTriggersResponse:
    return crm_pb2.GetTriggersResponse(triggers=[trigger_message(one) for one in found])


def new_trigger(message: crm_pb2.Trigger) -> NewTriggerAsked:
    return NewTriggerAsked(
        name=message.name,
        kind=message.kind,
        threshold_micros=message.threshold_micros,
        window_s=not_negative(message.window_s, "window_s") or None,
        action=message.action or "notify",
        currency=message.currency,
        balance_tag=message.balance_tag or None,
        price_plan=message.price_plan,
        account_id=not_negative(message.account_id, "account_id"),
        notify=not message.quiet,
        enabled=not message.disabled,
        balance_kind=message.balance_kind or "monetary",
        threshold_units=message.threshold_units,
        destinations=message.destinations,
        categories=message.categories,
        recurrent=message.recurrent,
        min_sleep_s=not_negative(message.min_sleep_s, "min_sleep_s"),
        monthly=message.monthly,
        active_from=instant_of(message.active_from, "active_from"),
        expires_at=instant_of(message.expires_at, "expires_at"),
        trigger_set=message.trigger_set,
        actions=message.actions,
    )


def change_asked(request: crm_pb2.ModifyTriggerRequest) -> TriggerChangeAsked:
    message, paths = request.trigger, list(request.update_mask.paths)
    if unknown := [path for path in paths if path not in CHANGEABLE]:
        raise InvalidInput(
            f"“{unknown[0][:60]}” cannot be changed; there are {', '.join(CHANGEABLE)}", where="update_mask"
        )
    if not paths:
        raise InvalidInput(f"name what to change: {', '.join(CHANGEABLE)}", where="update_mask")
    values: dict[str, Any] = {path: getattr(message, path) for path in paths}
    if "disabled" in values:
        values["enabled"] = not values.pop("disabled")
    if "quiet" in values:
        values["notify"] = not values.pop("quiet")
    return TriggerChangeAsked(trigger_id=not_negative(message.id, "trigger.id"), **values)


def named(request: crm_pb2.DeleteTriggerRequest) -> TriggerRef:
    return TriggerRef(trigger_id=not_negative(request.id, "id"))


def reset_asked(request: crm_pb2.ResetTriggerRequest) -> TriggerResetAsked:
    return TriggerResetAsked(
        trigger_id=not_negative(request.id, "id"),
        account_id=not_negative(request.account_id, "account_id"),
    )


def reset_message(found: ResetTrigger) -> crm_pb2.ResetTriggerResponse:
    return crm_pb2.ResetTriggerResponse(accounts=found.accounts)


def firings_asked(request: crm_pb2.GetTriggerFiringsRequest) -> FiringsAsked:
    return FiringsAsked(
        trigger_id=not_negative(request.trigger_id, "trigger_id"),
        account_id=not_negative(request.account_id, "account_id"),
        before_id=not_negative(request.before_id, "before_id"),
        limit=request.limit or 100,
    )


def firings_message(found: Sequence[FiringView]) -> crm_pb2.GetTriggerFiringsResponse:
    return crm_pb2.GetTriggerFiringsResponse(
        firings=[
            crm_pb2.TriggerFiring(
                id=one.id,
                at=seconds(one.at),
                trigger_id=one.trigger_id,
                trigger=one.trigger,
                account_id=one.account_id,
                account_number=one.account_number,
                kind=one.kind,
                action=one.action,
                threshold_micros=one.threshold_micros,
                value_micros=one.value_micros,
                currency=one.currency,
                cause=one.cause,
                text=one.text,
                balance_kind=one.balance_kind,
                threshold_units=one.threshold_units,
                value_units=one.value_units,
                actions=one.actions,
            )
            for one in found
        ]
    )


def trigger_message(found: TriggerView) -> crm_pb2.Trigger:
    return crm_pb2.Trigger(
        id=found.id,
        name=found.name,
        disabled=not found.enabled,
        kind=found.kind,
        threshold_micros=found.threshold_micros,
        window_s=found.window_s or 0,
        currency=found.currency,
        balance_tag=found.balance_tag,
        price_plan=found.price_plan,
        account_id=found.account_id or 0,
        action=found.action,
        quiet=not found.notify,
        balance_kind=found.balance_kind,
        threshold_units=found.threshold_units,
        destinations=found.destinations,
        categories=found.categories,
        recurrent=found.recurrent,
        min_sleep_s=found.min_sleep_s,
        monthly=found.monthly,
        active_from=seconds(found.active_from),
        expires_at=seconds(found.expires_at),
        trigger_set=found.trigger_set,
        actions=found.actions,
    )


def cap_asked(
    request: crm_pb2.GetSpendingCapRequest | crm_pb2.ClearSpendingCapRequest,
) -> AccountRef:
    return AccountRef(account_id=not_negative(request.account_id, "account_id"))


def new_cap_asked(request: crm_pb2.SetSpendingCapRequest) -> SpendingCapAsked:
    return SpendingCapAsked(
        account_id=not_negative(request.account_id, "account_id"), limit_micros=request.limit_micros
    )


def cap_message(found: SpendingCapView) -> crm_pb2.SpendingCap:
    return crm_pb2.SpendingCap(
        account_id=found.account_id,
        currency=found.currency,
        limit_micros=found.limit_micros,
        spent_micros=found.spent_micros,
        is_warned=found.is_warned,
        is_barred=found.is_barred,
    )


def shared_limits_asked(request: crm_pb2.GetSharedLimitsRequest) -> SharedGroupRef:
    if not request.group:
        raise InvalidInput("name a shared group", where="group")
    return SharedGroupRef(group=request.group)


def shared_limits_message(found: Sequence[SharedLimitView]) -> crm_pb2.GetSharedLimitsResponse:
    return crm_pb2.GetSharedLimitsResponse(limits=[shared_limit_message(one) for one in found])


def new_shared_limit(message: crm_pb2.SharedLimit) -> SharedLimitAsked:
    return SharedLimitAsked(
        group=message.group,
        account_id=not_negative(message.account_id, "account_id"),
        kind=message.kind,
        limit=not_negative(message.limit, "limit"),
    )


def shared_limit_named(request: crm_pb2.ClearSharedLimitRequest) -> SharedLimitRef:
    account_id = not_negative(request.account_id, "account_id")
    return SharedLimitRef(group=request.group, account_id=account_id, kind=request.kind)


def shared_limit_message(found: SharedLimitView) -> crm_pb2.SharedLimit:
    return crm_pb2.SharedLimit(
        group=found.group,
        account_id=found.account_id,
        kind=found.kind,
        limit=found.limit,
        used=found.used,
    )
