"""Groups of actions carried out on accounts, and action plans of accounts."""

from __future__ import annotations

from functools import partial

from apps.crm.operations import table as does
from apps.crmapi.rest.endpoint import ASCENDING, Endpoint
from apps.crmapi.rest.fields import PageQuery
from apps.crmapi.rest.shapes.actions import (
    AccountPlanBody,
    AccountPlanShape,
    ActionGroupShape,
    ActionsRunShape,
    RunActionsBody,
)

ONE = "accounts/<int:account_id>"
endpoint = partial(Endpoint, tag="Actions")

ENDPOINTS = (
    endpoint(
        at="GET action-groups",
        operation=does.ACTION_GROUPS,
        summary="Groups of actions, in the order of their ids",
        text="Those of the tenant's own tariff plan and of the shared one.",
        query=PageQuery,
        answer=ActionGroupShape,
        pages=ASCENDING,
    ),
    endpoint(
        at=f"POST {ONE}/actions",
        operation=does.RUN_ACTIONS,
        id="actions_run",
        summary="Carry a group of actions out on an account",
        text="All of its actions or none, once for the `Idempotency-Key`; 409 with the reason if it is refused.",
        status=201,
        body=RunActionsBody,
        answer=ActionsRunShape,
        problems=(404, 409),
        request_example={"group": "TOPUP_10"},
    ),
    endpoint(
        at=f"GET {ONE}/action-plans",
        operation=does.ACCOUNT_PLANS,
        id="account_action_plans_list",
        summary="The action plans of an account",
        text="With the times at which their groups are due.",
        answer=AccountPlanShape,
    ),
    endpoint(
        at=f"POST {ONE}/action-plans",
        operation=does.ASSIGN_PLAN,
        id="account_action_plans_create",
        summary="Give an account an action plan",
        text="From now on; a plan that it has stays as it is.",
        status=201,
        body=AccountPlanBody,
        answer=AccountPlanShape,
        problems=(404, 409),
        request_example={"plan": "MONTHLY"},
    ),
    endpoint(
        at=f"DELETE {ONE}/action-plans/<str:plan>",
        operation=does.REMOVE_PLAN,
        id="account_action_plans_destroy",
        summary="Take an action plan from an account",
        text="What it has done stays; the answer is what it was.",
        answer=AccountPlanShape,
    ),
)
