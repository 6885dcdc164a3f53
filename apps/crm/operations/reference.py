"""Operations about products, statistics, notifications, records in suspense, and the audit record."""

from __future__ import annotations

from dataclasses import replace

from apps.crm.domain.asked import (
    CallsAsked,
    CorrectionAsked,
    Nothing,
    NotificationRef,
    NotificationsAsked,
    ProductRef,
    StatisticsAsked,
    SuspendedRef,
    SuspendedRefs,
    SuspenseAsked,
)
from apps.crm.domain.audit import CallView
from apps.crm.domain.bills import Notifications, NotificationView, SuspendedView
from apps.crm.domain.operations import Call
from apps.crm.domain.reference import BundleView, PricePlanView, ReferenceData, Statistics
from apps.crm.selectors import audit, news
from apps.crm.selectors import reference as reads
from apps.crm.services import billing, suspense
from apps.crm.services.suspense import Discarded, RecycledRecords


def everything(call: Call, asked: Nothing) -> ReferenceData:
    """Where other customers live is none of a customer's business."""
    found = reads.reference_data(call.tenant, now=call.now)
    return replace(found, cities=()) if call.caller.only_own else found


def price_plan(call: Call, asked: ProductRef) -> PricePlanView:
    return reads.get_price_plan(call.tenant, now=call.now, price_plan_id=asked.product_id)


def bundle(call: Call, asked: ProductRef) -> BundleView:
    return reads.get_bundle(call.tenant, now=call.now, bundle_id=asked.product_id)


def statistics(call: Call, asked: StatisticsAsked) -> Statistics:
    return reads.get_statistics(
        call.tenant,
        now=call.now,
        first=asked.first,
        last=asked.last,
        service=asked.service,
        price_plan=asked.price_plan,
    )


def notifications(call: Call, asked: NotificationsAsked) -> Notifications:
    found = news.list_notifications(
        call.tenant,
        unacknowledged_only=asked.unacknowledged_only,
        after_id=asked.after_id,
        limit=asked.limit,
    )
    return Notifications(tuple(found), news.unacknowledged(call.tenant, now=call.now))


def acknowledge(call: Call, asked: NotificationRef) -> NotificationView:
    return billing.acknowledge_notification(call.tenant, asked.notification_id, now=call.now, by=call.by)


def suspended(call: Call, asked: SuspenseAsked) -> list[SuspendedView]:
    return news.list_suspense(
        call.tenant, reason=asked.reason, state=asked.state, after_id=asked.after_id, limit=asked.limit
    )


def suspended_record(call: Call, asked: SuspendedRef) -> SuspendedView:
    return news.get_suspended(call.tenant, asked.record_id)


def correct(call: Call, asked: CorrectionAsked) -> SuspendedView:
    return suspense.correct_suspended(call.tenant, asked.record_id, asked.corrections, now=call.now)


def recycle(call: Call, asked: SuspendedRefs) -> RecycledRecords:
    return suspense.recycle_suspended(call.tenant, asked.ids, now=call.now, by=call.by)


def discard(call: Call, asked: SuspendedRefs) -> Discarded:
    return Discarded(suspense.discard_suspended(call.tenant, asked.ids, now=call.now, by=call.by))


def calls(call: Call, asked: CallsAsked) -> list[CallView]:
    return audit.list_calls(
        call.caller.tenant_id,
        subject=asked.subject,
        target=asked.target,
        outcome=asked.outcome,
        before_id=asked.before_id,
        limit=asked.limit,
    )
