"""How many subscribers there are, come and go, by day and price plan."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Q

from apps.insight.domain.days import days_to_look_at
from apps.insight.models import SubscriberDay
from apps.insight.services.marks import locked_mark, mark_of
from apps.kernel.periods import local_midnight
from apps.rating.models import Tenant
from apps.subscribers.models import PlanAssignment, Subscriber

AGAIN_AFTER = timedelta(minutes=5)
MOST_DAYS = 31


def collect_subscribers(now: datetime, again_after: timedelta = AGAIN_AFTER) -> int:
    """Count each tenant's subscribers today, and on days that ended since the last look; returns how many days.

    Today's figures are looked at every few minutes, a day that has ended once more. Days missed for longer than a month
    stay empty.
    """
    days = 0
    for tenant in Tenant.objects.all():
        source = f"subscribers:{tenant.pk}"
        mark = mark_of(source)
        today = now.astimezone(tenant.zone).date()
        finished = date.fromordinal(mark.last) if mark.last else None
        ended = finished is None or (today - finished).days > 1
        if mark.at is not None and now - mark.at < again_after and not ended:
            continue
        for day in days_to_look_at(finished, today, MOST_DAYS):
            with transaction.atomic():
                current = locked_mark(source)
                _count(tenant, day, now)
                if day < today:
                    current.last = max(current.last, day.toordinal())
                current.at = now
                current.save(update_fields=["last", "at"])
            days += 1
    return days


def _count(tenant: Tenant, day: date, now: datetime) -> None:
    """Write the day's figures in place of those there are."""
    begin, end = local_midnight(day, tenant.zone), local_midnight(day + timedelta(days=1), tenant.zone)
    until = min(end, now + timedelta(microseconds=1))
    plans: dict[int, SubscriberDay] = defaultdict(lambda: SubscriberDay(tenant=tenant, day=day))
    ours = PlanAssignment.objects.filter(subscriber__tenant=tenant).order_by()
    there = ours.filter(
        Q(end__isnull=True) | Q(end__gte=until),
        Q(subscriber__terminated_at__isnull=True) | Q(subscriber__terminated_at__gte=until),
        start__lt=until,
        subscriber__activated_at__lt=until,
    ).exclude(end=F("start"))
    barred = Q(subscriber__status=Subscriber.Status.SUSPENDED, subscriber__suspended_at__lt=until)
    for plan_id, held, suspended in there.values_list("price_plan_id").annotate(
        held=Count("pk"), suspended=Count("pk", filter=barred)
    ):
        plans[plan_id].active, plans[plan_id].suspended = held - suspended, suspended
    came = ours.filter(
        Q(end__isnull=True) | Q(end__gt=F("subscriber__activated_at")),
        subscriber__activated_at__gte=begin,
        subscriber__activated_at__lt=until,
        start__lte=F("subscriber__activated_at"),
    )
    for plan_id, new in came.values_list("price_plan_id").annotate(new=Count("pk")):
        plans[plan_id].new = new
    went = ours.filter(
        subscriber__terminated_at__gte=begin,
        subscriber__terminated_at__lt=until,
        end=F("subscriber__terminated_at"),
    ).exclude(end=F("start"))
    for plan_id, terminated in went.values_list("price_plan_id").annotate(terminated=Count("pk")):
        plans[plan_id].terminated = terminated
    SubscriberDay.objects.filter(tenant=tenant, day=day).delete()
    for plan_id, row in plans.items():
        row.price_plan_id = plan_id
    SubscriberDay.objects.bulk_create(plans.values())
