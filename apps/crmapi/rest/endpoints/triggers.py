"""Triggers of accounts' money, and what they did."""

from __future__ import annotations

from functools import partial

from apps.crm.operations import table as does
from apps.crmapi.rest.endpoint import ASCENDING, NEWEST_FIRST, Endpoint
from apps.crmapi.rest.shapes.triggers import (
    FiringQuery,
    FiringShape,
    NewTriggerBody,
    ResetBody,
    ResetShape,
    TriggerChangeBody,
    TriggerQuery,
    TriggerShape,
)

ONE = "triggers/<int:trigger_id>"
endpoint = partial(Endpoint, tag="Triggers")

ENDPOINTS = (
    endpoint(
        method="get",
        path="triggers",
        operation=does.TRIGGERS,
        id="triggers_list",
        summary="Triggers, in the order of their ids",
        text="Those of one account alone with `account_id`.",
        query=TriggerQuery,
        answer=TriggerShape,
        pages=ASCENDING,
    ),
    endpoint(
        method="post",
        path="triggers",
        operation=does.CREATE_TRIGGER,
        id="triggers_create",
        summary="Make a trigger",
        text="Every process heeds it within seconds.",
        status=201,
        body=NewTriggerBody,
        answer=TriggerShape,
        problems=(404,),
        request_example={"name": "Almost empty", "kind": "below", "threshold": "5.00"},
    ),
    endpoint(
        method="get",
        path=ONE,
        operation=does.TRIGGER,
        id="triggers_get",
        summary="One trigger",
        text="As it is now; its firings say what it was then.",
        answer=TriggerShape,
    ),
    endpoint(
        method="patch",
        path=ONE,
        operation=does.MODIFY_TRIGGER,
        id="triggers_modify",
        summary="Change a trigger, or switch it on or off",
        text="Fields that are left out stay as they are. Whom it watches cannot be changed.",
        body=TriggerChangeBody,
        answer=TriggerShape,
        problems=(409,),
        request_example={"enabled": False},
    ),
    endpoint(
        method="delete",
        path=ONE,
        operation=does.DELETE_TRIGGER,
        id="triggers_delete",
        summary="Delete a trigger that never fired",
        text="409 (`has_fired`) otherwise: switch it off instead.",
        answer=TriggerShape,
        problems=(409,),
    ),
    endpoint(
        method="post",
        path=f"{ONE}/reset",
        operation=does.RESET_TRIGGER,
        id="triggers_reset",
        summary="Let a trigger of spending begin at zero",
        text="And fire again, for one account or all. Triggers of a balance fire at each crossing: nothing to reset.",
        body=ResetBody,
        answer=ResetShape,
    ),
    endpoint(
        method="get",
        path="trigger-firings",
        operation=does.TRIGGER_FIRINGS,
        id="trigger_firings_list",
        summary="What triggers did, newest first",
        text="Of one trigger, of one account, or of all.",
        query=FiringQuery,
        answer=FiringShape,
        pages=NEWEST_FIRST,
    ),
)
