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
    SharedLimitBody,
    SharedLimitShape,
    SpendingCapBody,
    SpendingCapShape,
    TriggerChangeBody,
    TriggerQuery,
    TriggerShape,
)

CAP = "accounts/<int:account_id>/spending-cap"
LIMITS = "shared-groups/<str:group>/limits"
LIMIT = f"{LIMITS}/<int:account_id>/<str:kind>"
ONE = "triggers/<int:trigger_id>"
endpoint = partial(Endpoint, tag="Triggers")

ENDPOINTS = (
    endpoint(
        at="GET triggers",
        operation=does.TRIGGERS,
        summary="Triggers, in the order of their ids",
        text="Those of one account alone with `account_id`.",
        query=TriggerQuery,
        answer=TriggerShape,
        pages=ASCENDING,
    ),
    endpoint(
        at="POST triggers",
        operation=does.CREATE_TRIGGER,
        summary="Make a trigger",
        text="Every process heeds it within seconds.",
        status=201,
        body=NewTriggerBody,
        answer=TriggerShape,
        problems=(404,),
        request_example={"name": "Almost empty", "kind": "below", "threshold": "5.00"},
    ),
    endpoint(
        at=f"GET {ONE}",
        operation=does.TRIGGER,
        summary="One trigger",
        text="As it is now; its firings say what it was then.",
        answer=TriggerShape,
    ),
    endpoint(
        at=f"PATCH {ONE}",
        operation=does.MODIFY_TRIGGER,
        summary="Change a trigger, or switch it on or off",
        text="Fields that are left out stay as they are. Whom it watches cannot be changed.",
        body=TriggerChangeBody,
        answer=TriggerShape,
        problems=(409,),
        request_example={"enabled": False},
    ),
    endpoint(
        at=f"DELETE {ONE}",
        operation=does.DELETE_TRIGGER,
        summary="Delete a trigger that never fired",
        text="409 (`has_fired`) otherwise: switch it off instead.",
        answer=TriggerShape,
        problems=(409,),
    ),
    endpoint(
        at=f"POST {ONE}/reset",
        operation=does.RESET_TRIGGER,
        summary="Let a trigger begin at zero",
        text="And fire again, for one account or all. `below` and `above` fire at each crossing: nothing to reset.",
        body=ResetBody,
        answer=ResetShape,
    ),
    endpoint(
        at="GET trigger-firings",
        operation=does.TRIGGER_FIRINGS,
        id="trigger_firings_list",
        summary="What triggers did, newest first",
        text="Of one trigger, of one account, or of all.",
        query=FiringQuery,
        answer=FiringShape,
        pages=NEWEST_FIRST,
    ),
    endpoint(
        at=f"GET {CAP}",
        operation=does.SPENDING_CAP,
        summary="The spending cap of an account",
        text="And what was used of it this month; 404 if it has none.",
        answer=SpendingCapShape,
    ),
    endpoint(
        at=f"POST {CAP}",
        operation=does.SET_SPENDING_CAP,
        summary="Give an account a spending cap, or change it",
        text="Firings and notifications tell of 80 and 100 per cent, once a month each. At 100 the account is barred"
        " until the month is over, or the cap is raised or cleared. Usage counts from the first cap on.",
        body=SpendingCapBody,
        answer=SpendingCapShape,
        problems=(404, 409),
        request_example={"limit": "50.00"},
    ),
    endpoint(
        at=f"DELETE {CAP}",
        operation=does.CLEAR_SPENDING_CAP,
        summary="Clear the spending cap of an account",
        text="And the bar that it set; the answer is what it was.",
        answer=SpendingCapShape,
    ),
    endpoint(
        at=f"GET {LIMITS}",
        operation=does.SHARED_LIMITS,
        summary="Limits of the members of a shared group",
        text="What each may use of the other members' balances in a calendar month, and has used.",
        answer=SharedLimitShape,
    ),
    endpoint(
        at=f"POST {LIMIT}",
        operation=does.SET_SHARED_LIMIT,
        summary="Limit a member of a shared group",
        text="Account 0 is each member that has no limit of its own. What its sessions hold counts as used.",
        body=SharedLimitBody,
        answer=SharedLimitShape,
        problems=(404,),
        request_example={"limit": 3600},
    ),
    endpoint(
        at=f"DELETE {LIMIT}",
        operation=does.CLEAR_SHARED_LIMIT,
        summary="Take a limit of a member away",
        text="The answer is what it was.",
        answer=SharedLimitShape,
    ),
)
