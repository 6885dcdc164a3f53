"""Suspense, statistics and news for operators."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from apps.crm.selectors.audit import list_calls
from apps.crm.selectors.bills import get_suspended, list_notifications, list_suspense
from apps.crm.selectors.reference import get_statistics
from apps.crm.services.billing import acknowledge_notification
from apps.crm.services.suspense import correct_suspended, discard_suspended, recycle_suspended
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.operations import Call, operation, page_shape
from apps.crmapi.rest.pagination import NEWEST, page_of
from apps.crmapi.rest.shapes.operations import (
    AuditedCallShape,
    AuditQuery,
    CorrectionsBody,
    DiscardedShape,
    NotificationQuery,
    NotificationShape,
    RecordIdsBody,
    RecycledShape,
    StatisticsQuery,
    StatisticsShape,
    SuspendedShape,
    SuspenseQuery,
)

SUSPENSE = "Suspense"
TAG = "Operations"
ID = {"record_id": "The suspended record's id."}


class Suspense(Door):
    @operation(
        "suspense_list",
        "Usage records in suspense",
        permission="suspense.read",
        tag=SUSPENSE,
        query=SuspenseQuery,
        answer=page_shape("SuspensePage", SuspendedShape),
    )
    def get(self, call: Call) -> Response:
        """In the order of their ids; open ones unless another `state` is asked for."""
        return page_of(
            call.request,
            "suspense",
            call.query,
            fetch=lambda position, limit: list_suspense(
                call.tenant,
                reason=call.query.get("reason", ""),
                state=call.query["state"],
                after_id=position[0],
                limit=limit,
            ),
            position=lambda found: (found.id,),
            first=(0,),
            shown=lambda found: SuspendedShape(found, many=True).data,
        )


class SuspendedRecord(Door):
    @operation(
        "suspense_get",
        "One suspended record",
        permission="suspense.read",
        tag=SUSPENSE,
        path=ID,
        answer=SuspendedShape,
    )
    def get(self, call: Call, record_id: int) -> Any:
        """Why it could not be rated, and what could be read of it."""
        return get_suspended(call.tenant, record_id)

    @operation(
        "suspense_correct",
        "Correct a suspended record",
        permission="suspense.write",
        tag=SUSPENSE,
        path=ID,
        body=CorrectionsBody,
        answer=SuspendedShape,
        target="suspended record",
        problems=(409,),
        request_example={"msisdn": "4915550000001"},
    )
    def patch(self, call: Call, record_id: int) -> Any:
        """The values are used when the record is recycled."""
        return correct_suspended(call.tenant, record_id, call.body, now=call.now)


class Recycle(Door):
    @operation(
        "suspense_recycle",
        "Rate suspended records again",
        permission="suspense.write",
        tag=SUSPENSE,
        body=RecordIdsBody,
        answer=RecycledShape,
        target="suspense",
        key="optional",
        problems=(404, 409),
        request_example={"ids": [17, 18]},
    )
    def post(self, call: Call) -> Any:
        """With their corrections. What cannot be rated stays, with its newest reason."""
        return recycle_suspended(call.tenant, call.body["ids"], now=call.now, by=call.caller.actor)


class Discard(Door):
    @operation(
        "suspense_discard",
        "Give suspended records up",
        permission="suspense.write",
        tag=SUSPENSE,
        body=RecordIdsBody,
        answer=DiscardedShape,
        target="suspense",
        key="optional",
        problems=(404,),
        request_example={"ids": [19]},
    )
    def post(self, call: Call) -> Any:
        """They are kept, marked as discarded, and never rated."""
        count = discard_suspended(call.tenant, call.body["ids"], now=call.now, by=call.caller.actor)
        return {"discarded": count}


class Statistics(Door):
    @operation(
        "statistics_get",
        "Usage, subscribers and top-ups by day",
        permission="statistics.read",
        tag=TAG,
        query=StatisticsQuery,
        answer=StatisticsShape,
    )
    def get(self, call: Call) -> Any:
        """As the timer has counted them, for up to 400 days; the last 31 where none are named."""
        return get_statistics(call.tenant, now=call.now, **call.query)


class Notifications(Door):
    @operation(
        "notifications_list",
        "News for operators",
        permission="notifications.read",
        tag=TAG,
        query=NotificationQuery,
        answer=page_shape("NotificationPage", NotificationShape),
    )
    def get(self, call: Call) -> Response:
        """In the order in which they came."""
        return page_of(
            call.request,
            "notifications",
            call.query,
            fetch=lambda position, limit: list_notifications(
                call.tenant,
                unacknowledged_only=call.query["unacknowledged"],
                after_id=position[0],
                limit=limit,
            ),
            position=lambda found: (found.id,),
            first=(0,),
            shown=lambda found: NotificationShape(found, many=True).data,
        )


class Acknowledge(Door):
    @operation(
        "notifications_acknowledge",
        "Say that a piece of news was seen",
        permission="notifications.acknowledge",
        tag=TAG,
        path={"notification_id": "The notification's id."},
        answer=NotificationShape,
        target="notification",
        key="optional",
    )
    def post(self, call: Call, notification_id: int) -> Any:
        """Doing it again keeps the first acknowledgement."""
        return acknowledge_notification(call.tenant, notification_id, now=call.now, by=call.caller.actor)


class Audit(Door):
    @operation(
        "audit_list",
        "Who did what, newest first",
        permission="audit.read",
        tag=TAG,
        query=AuditQuery,
        answer=page_shape("AuditPage", AuditedCallShape),
    )
    def get(self, call: Call) -> Response:
        """Changes over this door and over gRPC, and what was refused; each parameter is matched in full."""
        names = ("subject", "target", "outcome")
        wanted = {name: call.query[name] for name in names if name in call.query}
        return page_of(
            call.request,
            "audit",
            call.query,
            fetch=lambda position, limit: list_calls(
                call.caller.tenant_id,
                **wanted,
                before_id=0 if position[0] == NEWEST else position[0],
                limit=limit,
            ),
            position=lambda found: (found.pk,),
            first=(NEWEST,),
            shown=lambda found: AuditedCallShape(found, many=True).data,
        )
