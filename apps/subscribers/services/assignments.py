"""Give plans, bundles, numbers and devices to subscribers, and take them back, from a given instant on."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from apps.events.services.publishing import publish
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.rating.models import Bundle, PricePlan
from apps.subscribers.domain.periods_of_use import Held, end_of_former
from apps.subscribers.domain.published import BUNDLE_CHANGED, PLAN_CHANGED
from apps.subscribers.models import (
    BundleAssignment,
    PlanAssignment,
    Resource,
    ResourceAssignment,
    Subscriber,
)


def locked_subscriber(subscriber_id: int) -> Subscriber:
    """The subscriber's row, locked until the transaction ends; changes of one subscriber go one after the other."""
    try:
        return Subscriber.objects.select_for_update().get(pk=subscriber_id)
    except Subscriber.DoesNotExist:
        raise NotFound(f"there is no subscriber {subscriber_id}") from None


@transaction.atomic
def assign_plan(subscriber_id: int, price_plan_id: int, start: datetime) -> PlanAssignment:
    """Put a subscriber on a price plan from ``start`` on; the former plan ends there.

    Raises NotFound, Conflict (terminated subscriber, retired plan, a later assignment) or InvalidInput
    (a plan of another tenant).
    """
    subscriber = locked_subscriber(subscriber_id)
    plan = PricePlan.objects.filter(pk=price_plan_id).first()
    if plan is None:
        raise NotFound(f"there is no price plan {price_plan_id}")
    _check_usable(subscriber, plan, plan.name)
    former = _former(subscriber.plans.all(), start)
    if former is not None:
        if former.price_plan_id == plan.pk:
            return former
        former.end = start
        former.save(update_fields=["end"])
    publish(
        [
            PLAN_CHANGED.event(
                subscriber_id,
                start,
                tenant=plan.tenant.code,
                subscriber_id=subscriber_id,
                price_plan_id=plan.pk,
                start=_iso(start),
            )
        ]
    )
    return PlanAssignment.objects.create(subscriber=subscriber, price_plan=plan, start=start)


@transaction.atomic
def assign_bundle(
    subscriber_id: int, bundle_id: int, start: datetime, end: datetime | None = None
) -> BundleAssignment:
    """Add a bundle from ``start`` (to ``end``); one bundle runs at most once at a time for a subscriber."""
    subscriber = locked_subscriber(subscriber_id)
    bundle = Bundle.objects.filter(pk=bundle_id).first()
    if bundle is None:
        raise NotFound(f"there is no bundle {bundle_id}")
    _check_usable(subscriber, bundle, bundle.name)
    if end is not None and end <= start:
        raise InvalidInput("a bundle cannot end before it starts", where="end")
    overlapping = subscriber.bundles.filter(Q(end__isnull=True) | Q(end__gt=start), bundle=bundle).exclude(
        end=F("start")
    )
    if end is not None:
        overlapping = overlapping.filter(start__lt=end)
    if overlapping.exists():
        raise Conflict(f"the subscriber has {bundle.name} in that time already", code="already_assigned")
    assignment = BundleAssignment.objects.create(subscriber=subscriber, bundle=bundle, start=start, end=end)
    _tell_of_bundle(assignment, start)
    return assignment


@transaction.atomic
def end_bundle(assignment_id: int, end: datetime) -> BundleAssignment:
    """End a bundle at ``end``; its fee is prorated to that day."""
    assignment = BundleAssignment.objects.select_for_update().filter(pk=assignment_id).first()
    if assignment is None:
        raise NotFound(f"there is no bundle assignment {assignment_id}")
    if assignment.end is not None and assignment.end <= end:
        raise Conflict("the bundle has ended already", code="already_ended")
    assignment.end = max(end, assignment.start)
    assignment.save(update_fields=["end"])
    _tell_of_bundle(assignment, assignment.end)
    return assignment


def _tell_of_bundle(assignment: BundleAssignment, at: datetime) -> None:
    publish(
        [
            BUNDLE_CHANGED.event(
                assignment.subscriber_id,
                at,
                tenant=assignment.bundle.tenant.code,
                subscriber_id=assignment.subscriber_id,
                bundle_id=assignment.bundle_id,
                start=_iso(assignment.start),
                end=None if assignment.end is None else _iso(assignment.end),
            )
        ]
    )


@transaction.atomic
def assign_resource(subscriber_id: int, resource_id: int, start: datetime) -> ResourceAssignment:
    """Give a free number or device to a subscriber; Conflict if it is not free."""
    subscriber = locked_subscriber(subscriber_id)
    if subscriber.status == Subscriber.Status.TERMINATED:
        raise Conflict(f"subscriber {subscriber} is terminated", code="terminated")
    resource = Resource.objects.select_for_update().filter(pk=resource_id).first()
    if resource is None or resource.tenant_id != subscriber.tenant_id:
        raise NotFound(f"there is no resource {resource_id}")
    if resource.status != Resource.Status.FREE:
        raise Conflict(f"{resource} is not free ({resource.get_status_display().lower()})", code="not_free")
    end_of_former([Held(held.start, held.end) for held in resource.assignments.all()], start)
    resource.status = Resource.Status.ASSIGNED
    resource.save(update_fields=["status"])
    return ResourceAssignment.objects.create(resource=resource, subscriber=subscriber, start=start)


@transaction.atomic
def release_resource(
    assignment_id: int, end: datetime, to: str = Resource.Status.QUARANTINED
) -> ResourceAssignment:
    """Take a number or device back at ``end``; it goes into quarantine unless it is freed at once."""
    assignment = (
        ResourceAssignment.objects.select_for_update()
        .select_related("resource")
        .filter(pk=assignment_id)
        .first()
    )
    if assignment is None:
        raise NotFound(f"there is no resource assignment {assignment_id}")
    if assignment.end is not None:
        raise Conflict(f"{assignment.resource} was taken back already", code="already_ended")
    assignment.end = max(end, assignment.start)
    assignment.save(update_fields=["end"])
    assignment.resource.status = to
    assignment.resource.save(update_fields=["status"])
    return assignment


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _check_usable(subscriber: Subscriber, product: PricePlan | Bundle, name: str) -> None:
    if subscriber.status == Subscriber.Status.TERMINATED:
        raise Conflict(f"subscriber {subscriber} is terminated", code="terminated")
    if product.tenant_id != subscriber.tenant_id:
        raise InvalidInput(f"{name} belongs to another tenant")
    if product.retired_at is not None:
        raise Conflict(f"{name} is retired", code="retired")


def _former(assignments: QuerySet[PlanAssignment], start: datetime) -> PlanAssignment | None:
    rows = list(assignments.select_for_update())
    former = end_of_former([Held(row.start, row.end) for row in rows], start)
    if former is None:
        return None
    return next(row for row in rows if (row.start, row.end) == former)
