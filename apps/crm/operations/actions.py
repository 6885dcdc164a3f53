"""Operations about groups of actions and action plans."""

from __future__ import annotations

from apps.crm.domain.actions import AccountPlanView, ActionGroupView, ActionsRun
from apps.crm.domain.asked import AccountPlanAsked, AccountRef, ActionGroupsAsked, RunActionsAsked
from apps.crm.domain.operations import Call
from apps.crm.selectors import actions as reads
from apps.crm.services import actions as changes


def groups(call: Call, asked: ActionGroupsAsked) -> list[ActionGroupView]:
    return reads.list_groups(call.tenant, asked)


def run(call: Call, asked: RunActionsAsked) -> ActionsRun:
    return changes.run(call.tenant, asked.account_id, asked.group, key=call.key, now=call.now)


def plans(call: Call, asked: AccountRef) -> list[AccountPlanView]:
    return reads.list_plans(call.tenant, asked.account_id)


def assign(call: Call, asked: AccountPlanAsked) -> AccountPlanView:
    return changes.assign(call.tenant, asked.account_id, asked.plan, now=call.now)


def remove(call: Call, asked: AccountPlanAsked) -> AccountPlanView:
    return changes.remove(call.tenant, asked.account_id, asked.plan)
