"""Suspense, statistics, news for operators, and the audit record."""

from __future__ import annotations

from functools import partial

from apps.crm.domain.asked import CorrectionAsked, NotificationsAsked, SuspendedRefs
from apps.crm.operations import table as does
from apps.crmapi.rest.endpoint import ASCENDING, NEWEST_FIRST, Endpoint, Values
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

ONE = "suspense/<int:record_id>"
suspense = partial(Endpoint, tag="Suspense")
endpoint = partial(Endpoint, tag="Operations")


def _correction(values: Values) -> CorrectionAsked:
    return CorrectionAsked(record_id=values.pop("record_id"), corrections=values)


def _records(values: Values) -> SuspendedRefs:
    return SuspendedRefs(ids=tuple(values["ids"]))


def _news(values: Values) -> NotificationsAsked:
    return NotificationsAsked(unacknowledged_only=values.pop("unacknowledged"), **values)


ENDPOINTS = (
    suspense(
        at="GET suspense",
        operation=does.SUSPENSE,
        summary="Usage records in suspense",
        text="In the order of their ids; open ones unless another `state` is asked for.",
        query=SuspenseQuery,
        answer=SuspendedShape,
        pages=ASCENDING,
    ),
    suspense(
        at=f"GET {ONE}",
        operation=does.SUSPENDED_RECORD,
        summary="One suspended record",
        text="Why it could not be rated, and what could be read of it.",
        answer=SuspendedShape,
    ),
    suspense(
        at=f"PATCH {ONE}",
        operation=does.CORRECT_SUSPENDED,
        summary="Correct a suspended record",
        text="The values are used when the record is recycled.",
        body=CorrectionsBody,
        answer=SuspendedShape,
        read=_correction,
        problems=(409,),
        request_example={"msisdn": "4915550000001"},
    ),
    suspense(
        at="POST suspense/recycle",
        operation=does.RECYCLE_SUSPENDED,
        summary="Rate suspended records again",
        text="With their corrections. What cannot be rated stays, with its newest reason.",
        body=RecordIdsBody,
        answer=RecycledShape,
        read=_records,
        problems=(404,),
        request_example={"ids": [17, 18]},
    ),
    suspense(
        at="POST suspense/discard",
        operation=does.DISCARD_SUSPENDED,
        summary="Give suspended records up",
        text="They are kept, marked as discarded, and never rated.",
        body=RecordIdsBody,
        answer=DiscardedShape,
        read=_records,
        problems=(404,),
        request_example={"ids": [19]},
    ),
    endpoint(
        at="GET statistics",
        operation=does.STATISTICS,
        summary="Usage, subscribers and top-ups by day",
        text="As the timer has counted them, for up to 400 days; the last 31 by default.",
        query=StatisticsQuery,
        answer=StatisticsShape,
    ),
    endpoint(
        at="GET audit",
        operation=does.AUDIT,
        summary="Who did what, newest first",
        text="Changes over this door and over gRPC, and refusals; each parameter is matched in full.",
        query=AuditQuery,
        answer=AuditedCallShape,
        pages=NEWEST_FIRST,
    ),
    endpoint(
        at="GET notifications",
        operation=does.NOTIFICATIONS,
        summary="News for operators",
        text="In the order in which they came.",
        query=NotificationQuery,
        answer=NotificationShape,
        read=_news,
        show=lambda found, _: found.notifications,
        pages=ASCENDING,
    ),
    endpoint(
        at="POST notifications/<int:notification_id>/acknowledge",
        operation=does.ACKNOWLEDGE_NOTIFICATION,
        summary="Say that a piece of news was seen",
        text="Doing it again keeps the first acknowledgement.",
        answer=NotificationShape,
    ),
)
