"""Messages of RPCs about actions."""

from __future__ import annotations

from collections.abc import Sequence

from apps.crm.domain.actions import AccountPlanView, ActionGroupView, ActionsRun
from apps.crm.domain.asked import AccountPlanAsked, AccountRef, ActionGroupsAsked, RunActionsAsked
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.values import not_negative, seconds


def groups_asked(request: crm_pb2.GetActionGroupsRequest) -> ActionGroupsAsked:
    return ActionGroupsAsked(after_id=not_negative(request.after_id, "after_id"), limit=request.limit or 100)


def groups_message(found: Sequence[ActionGroupView]) -> crm_pb2.GetActionGroupsResponse:
    return crm_pb2.GetActionGroupsResponse(
        groups=[
            crm_pb2.ActionGroup(
                id=one.id, code=one.code, tariff_plan=one.tariff_plan, actions=list(one.actions)
            )
            for one in found
        ]
    )


def run_asked(request: crm_pb2.ExecuteActionsRequest) -> RunActionsAsked:
    return RunActionsAsked(account_id=not_negative(request.account_id, "account_id"), group=request.group)


def run_message(found: ActionsRun) -> crm_pb2.ExecuteActionsResponse:
    return crm_pb2.ExecuteActionsResponse(account_id=found.account_id, group=found.group, cause=found.cause)


def plans_asked(request: crm_pb2.GetAccountPlansRequest) -> AccountRef:
    return AccountRef(account_id=not_negative(request.account_id, "account_id"))


def plans_message(found: Sequence[AccountPlanView]) -> crm_pb2.GetAccountPlansResponse:
    return crm_pb2.GetAccountPlansResponse(plans=[plan_message(one) for one in found])


def plan_asked(request: crm_pb2.AccountPlanRequest) -> AccountPlanAsked:
    return AccountPlanAsked(account_id=not_negative(request.account_id, "account_id"), plan=request.plan)


def plan_message(found: AccountPlanView) -> crm_pb2.AccountPlan:
    return crm_pb2.AccountPlan(
        account_id=found.account_id,
        plan=found.plan,
        due=[
            crm_pb2.DueAction(
                group=one.group,
                timing=one.timing,
                assigned_at=seconds(one.assigned_at),
                due_at=seconds(one.due_at),
                done_at=seconds(one.done_at),
                done_count=one.done_count,
            )
            for one in found.due
        ],
    )
