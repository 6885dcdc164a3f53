"""What goes on: activities, notifications, and records in suspense."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from apps.billing.domain.activities import ActivityParameters
from apps.billing.models import Activity, BillRun, Notification
from apps.billing.selectors.runs import runs_progress
from apps.crm.domain.bills import ActivityView, ActivityWithRuns, NotificationView, RunView, SuspendedView
from apps.crm.selectors.rows import checked_choice, checked_limit, checked_not_negative
from apps.crm.selectors.tenants import tenant_of
from apps.kernel.errors import InvalidInput, NotFound
from apps.mediation.models import SuspendedRecord
from apps.rating.models.tenants import DEFAULT_TENANT
from apps.subscribers.models import Resource

_ACTIVITY = (
    "pk",
    "type",
    "payload",
    "status",
    "error",
    "result",
    "cycle__number",
    "queued_by",
    "queued_at",
    "started_at",
    "finished_at",
)
_SUSPENDED = (
    "pk",
    "file__name",
    "reason",
    "message",
    "record_id",
    "service_code",
    "msisdn",
    "other_party",
    "start",
    "usage",
    "state",
    "attempts",
    "created_at",
)


def activity_with_runs(tenant: str, activity_id: int) -> ActivityWithRuns:
    """An activity of one of the tenant's cycles, and how far the bill runs are that it began. Raises NotFound."""
    found = get_activity(tenant, activity_id)
    runs = BillRun.objects.filter(activity_id=activity_id, cycle__tenant_id=tenant_of(tenant).id)
    progress = runs_progress(list(runs.order_by("pk").values_list("pk", flat=True)))
    return ActivityWithRuns(
        **asdict(found),
        runs=tuple(
            RunView(
                run.run_id,
                run.state,
                run.chunks,
                run.chunks_done,
                run.chunks_failed,
                run.accounts,
                run.accounts_done,
                run.bills,
                run.total_micros,
            )
            for run in progress
        ),
    )


def get_activity(tenant: str, activity_id: int) -> ActivityView:
    """An activity of one of the tenant's cycles. Raises NotFound."""
    row = _activities(tenant).filter(pk=activity_id).values_list(*_ACTIVITY).first()
    if row is None:
        raise NotFound(f"there is no activity {activity_id}", where="id")
    return _activity(row)


def list_activities(
    tenant: str,
    *,
    status: int | None = None,
    type: int = 0,  # noqa: A002 - the field's name
    before_id: int = 0,
    limit: int = 100,
) -> list[ActivityView]:
    """Activities of the tenant's cycles, newest first; at most 1,000. Raises InvalidInput (type, status, limit)."""
    checked_not_negative(before_id=before_id)
    rows = _activities(tenant)
    if type:
        if type not in Activity.Type.values:
            raise InvalidInput(f"{type} is not a type of activity", where="type")
        rows = rows.filter(type=type)
    if status is not None:
        if status not in Activity.Status.values:
            raise InvalidInput(f"{status} is not a status of activities", where="status")
        rows = rows.filter(status=status)
    if before_id:
        rows = rows.filter(pk__lt=before_id)
    found = rows.order_by("-pk").values_list(*_ACTIVITY)[: checked_limit(limit)]
    return [_activity(row) for row in found]


def _activity(row: tuple[Any, ...]) -> ActivityView:
    pk, kind, payload, *rest = row
    return ActivityView(pk, kind, *ActivityParameters.from_json(payload).as_texts(), *rest)


def get_notification(tenant: str, notification_id: int) -> NotificationView:
    """A piece of news of the tenant's. Raises NotFound."""
    row = _news(tenant).filter(pk=notification_id).first()
    if row is None:
        raise NotFound(f"there is no notification {notification_id}", where="id")
    return _notification(row)


def list_notifications(
    tenant: str, *, unacknowledged_only: bool = False, after_id: int = 0, limit: int = 100
) -> list[NotificationView]:
    """News of the tenant's in the order of their ids, after ``after_id``; at most 1,000.

    News of no tenant (a file that was refused) is for the operator, that is the tenant ``default``.
    """
    checked_not_negative(after_id=after_id)
    rows = _news(tenant).filter(pk__gt=after_id)
    if unacknowledged_only:
        rows = rows.filter(acknowledged_at=None)
    return [_notification(row) for row in rows.order_by("pk")[: checked_limit(limit)]]


def unacknowledged(tenant: str, *, now: datetime) -> int:
    """How many notifications are not acknowledged."""
    return _news(tenant).filter(acknowledged_at=None, at__lte=now).count()


def get_suspended(tenant: str, record_id: int) -> SuspendedView:
    """A record in suspense. Raises NotFound, also if it is another tenant's."""
    row = own_suspense(tenant).filter(pk=record_id).values_list(*_SUSPENDED).first()
    if row is None:
        raise NotFound(f"there is no suspended record {record_id}", where="id")
    return SuspendedView(*row)


def list_suspense(
    tenant: str, *, reason: str = "", state: str = "open", after_id: int = 0, limit: int = 100
) -> list[SuspendedView]:
    """Suspended records of the tenant in the order of their ids; at most 1,000. An empty ``state`` is any.

    A record belongs to the tenant in whose pool its MSISDN is; one whose MSISDN is in no pool (or cannot be read)
    belongs to the operator, that is the tenant ``default``.
    """
    checked_not_negative(after_id=after_id)
    checked_choice(state, SuspendedRecord.State.values, "state")
    rows = own_suspense(tenant).filter(pk__gt=after_id)
    if reason:
        rows = rows.filter(reason=reason)
    if state:
        rows = rows.filter(state=state)
    return [
        SuspendedView(*row) for row in rows.order_by("pk").values_list(*_SUSPENDED)[: checked_limit(limit)]
    ]


def own_suspense(tenant: str) -> QuerySet[SuspendedRecord]:
    """The tenant's records in suspense."""
    owner = tenant_of(tenant)
    numbers = Resource.objects.filter(kind=Resource.Kind.MSISDN, value=OuterRef("msisdn"))
    if owner.code == DEFAULT_TENANT:
        return SuspendedRecord.objects.filter(~Exists(numbers.exclude(tenant_id=owner.id)))
    return SuspendedRecord.objects.filter(Exists(numbers.filter(tenant_id=owner.id)))


def _activities(tenant: str) -> QuerySet[Activity]:
    return Activity.objects.filter(cycle__tenant_id=tenant_of(tenant).id)


def _news(tenant: str) -> QuerySet[Notification]:
    owner = tenant_of(tenant)
    rows = Notification.objects.filter(tenant_id=owner.id)
    if owner.code == DEFAULT_TENANT:
        rows = rows | Notification.objects.filter(tenant=None)
    return rows


def _notification(row: Notification) -> NotificationView:
    return NotificationView(
        row.pk,
        row.at,
        row.level,
        row.text,
        row.activity_id or 0,
        row.bill_id or 0,
        row.acknowledged_at,
        row.acknowledged_by,
    )
