"""Plans, bundles and numbers in subscribers' hands: never two at once, never lost in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.subscribers.models import Resource, Subscriber
from apps.subscribers.services.assignments import (
    assign_bundle,
    assign_plan,
    assign_resource,
    end_bundle,
    release_resource,
)
from apps.subscribers.services.lifecycle import (
    reactivate_subscriber,
    suspend_subscriber,
    terminate_subscriber,
)
from apps.subscribers.services.resources import add_resources, free_resource
from tests.factories import make_bundle, make_plan, make_subscriber, make_tenant

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def periods(assignments) -> list[tuple[str, datetime, datetime | None]]:
    return [(row.price_plan.code, row.start, row.end) for row in assignments.order_by("start")]


def test_a_new_plan_ends_the_former_at_its_own_start():
    subscriber = make_subscriber(plan=make_plan("OLD"))
    assign_plan(subscriber.pk, make_plan("NEW").pk, MAY)
    (_, _, first_end), (code, second_start, second_end) = periods(subscriber.plans)
    assert (first_end, code, second_start, second_end) == (MAY, "NEW", MAY, None)


def test_the_current_plan_of_a_subscriber_is_not_assigned_again():
    plan = make_plan()
    subscriber = make_subscriber(plan=plan)
    assign_plan(subscriber.pk, plan.pk, MAY)
    assert subscriber.plans.count() == 1


def test_a_plan_before_one_that_was_decided_for_later_is_refused():
    subscriber = make_subscriber(plan=make_plan("OLD"))
    assign_plan(subscriber.pk, make_plan("LATER").pk, JUNE)
    with pytest.raises(Conflict) as refused:
        assign_plan(subscriber.pk, make_plan("NOW").pk, MAY)
    assert refused.value.code == "later_assignment"


def test_a_retired_plan_or_one_of_another_tenant_is_refused():
    subscriber = make_subscriber(plan=make_plan("OLD"))
    retired = make_plan("RETIRED")
    retired.retired_at = MAY
    retired.save()
    with pytest.raises(Conflict):
        assign_plan(subscriber.pk, retired.pk, JUNE)
    with pytest.raises(InvalidInput):
        assign_plan(subscriber.pk, make_plan("FOREIGN", tenant=make_tenant("other")).pk, JUNE)
    with pytest.raises(NotFound):
        assign_plan(subscriber.pk, 0, JUNE)


def test_a_bundle_runs_once_at_a_time_and_again_after_it_has_ended():
    subscriber, bundle = make_subscriber(plan=make_plan()), make_bundle(data=100)
    first = assign_bundle(subscriber.pk, bundle.pk, MAY)
    with pytest.raises(Conflict):
        assign_bundle(subscriber.pk, bundle.pk, MAY + timedelta(days=3))
    end_bundle(first.pk, JUNE)
    assert assign_bundle(subscriber.pk, bundle.pk, JUNE).start == JUNE


def test_a_number_goes_from_the_pool_to_a_subscriber_into_quarantine_and_back():
    subscriber = make_subscriber(plan=make_plan())
    assert add_resources("default", "msisdn", ["4915559999999", "4915559999999"]) == 1
    number = Resource.objects.get(value="4915559999999")
    held = assign_resource(subscriber.pk, number.pk, MAY)
    with pytest.raises(Conflict):
        assign_resource(make_subscriber(2).pk, number.pk, MAY)
    release_resource(held.pk, JUNE)
    number.refresh_from_db()
    assert number.status == Resource.Status.QUARANTINED
    assert free_resource(number.pk).status == Resource.Status.FREE


def test_a_terminated_subscriber_has_no_plan_and_no_number_any_more():
    subscriber = make_subscriber(plan=make_plan(), imsi="262990000000001")
    terminate_subscriber(subscriber.pk, JUNE)
    assert [end for _, _, end in periods(subscriber.plans)] == [JUNE]
    assert set(subscriber.resources.values_list("end", "resource__status")) == {(JUNE, "quarantined")}
    with pytest.raises(Conflict):
        assign_plan(subscriber.pk, make_plan("NEW").pk, JUNE)
    with pytest.raises(Conflict):
        terminate_subscriber(subscriber.pk, JUNE)


def test_suspension_is_for_a_time_and_only_an_active_one_can_be_suspended():
    subscriber = make_subscriber(plan=make_plan())
    assert suspend_subscriber(subscriber.pk, MAY).suspended_at == MAY
    with pytest.raises(Conflict):
        suspend_subscriber(subscriber.pk, MAY)
    assert reactivate_subscriber(subscriber.pk, JUNE).status == Subscriber.Status.ACTIVE
