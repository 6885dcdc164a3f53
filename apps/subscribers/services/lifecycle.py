"""The life of a subscriber: active, suspended, terminated (which is final)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from apps.events.services.publishing import publish
from apps.kernel.errors import Conflict
from apps.subscribers.domain.published import STATUS_CHANGED
from apps.subscribers.models import Resource, Subscriber
from apps.subscribers.services.assignments import locked_subscriber, release_resource

# What must happen in the same transaction (close the account, queue the last bill); all else follows the event.
on_terminate: list[Callable[[Subscriber, datetime], None]] = []


@transaction.atomic
def suspend_subscriber(subscriber_id: int, at: datetime) -> Subscriber:
    """Stop a subscriber's service for a time; plans and numbers stay."""
    subscriber = locked_subscriber(subscriber_id)
    _require(subscriber, Subscriber.Status.ACTIVE)
    subscriber.status = Subscriber.Status.SUSPENDED
    subscriber.suspended_at = at
    subscriber.save(update_fields=["status", "suspended_at"])
    _tell(subscriber, at)
    return subscriber


@transaction.atomic
def reactivate_subscriber(subscriber_id: int, at: datetime) -> Subscriber:
    """End a suspension."""
    subscriber = locked_subscriber(subscriber_id)
    _require(subscriber, Subscriber.Status.SUSPENDED)
    subscriber.status = Subscriber.Status.ACTIVE
    subscriber.suspended_at = None
    subscriber.save(update_fields=["status", "suspended_at"])
    _tell(subscriber, at)
    return subscriber


@transaction.atomic
def terminate_subscriber(subscriber_id: int, at: datetime) -> Subscriber:
    """End a subscriber for good: plans and bundles end, numbers and devices go into quarantine.

    Upper rooms close its account, unless it pays for others, and queue the last bill (``on_terminate``).
    """
    subscriber = locked_subscriber(subscriber_id)
    if subscriber.status == Subscriber.Status.TERMINATED:
        raise Conflict(f"subscriber {subscriber} is terminated already", code="terminated")
    subscriber.status = Subscriber.Status.TERMINATED
    subscriber.terminated_at = at
    subscriber.save(update_fields=["status", "terminated_at"])
    for assignments in (subscriber.plans, subscriber.bundles):
        for assignment in assignments.select_for_update().filter(Q(end__isnull=True) | Q(end__gt=at)):
            # One that was to begin later never holds: it ends at its start.
            assignment.end = max(at, assignment.start)
            assignment.save(update_fields=["end"])
    for held in subscriber.resources.filter(end__isnull=True):
        release_resource(held.pk, at, Resource.Status.QUARANTINED)
    for hook in on_terminate:
        hook(subscriber, at)
    _tell(subscriber, at)
    return subscriber


def _tell(subscriber: Subscriber, at: datetime) -> None:
    publish(
        [
            STATUS_CHANGED.event(
                subscriber.pk,
                at,
                tenant=subscriber.tenant.code,
                subscriber_id=subscriber.pk,
                status=subscriber.status,
            )
        ]
    )


def _require(subscriber: Subscriber, status: str) -> None:
    if subscriber.status != status:
        raise Conflict(
            f"subscriber {subscriber} is {subscriber.get_status_display().lower()}", code="wrong_status"
        )
