"""Messages of RPCs about reference data, statistics and news for operators."""

from __future__ import annotations

from apps.crm.domain.asked import Nothing, NotificationRef, NotificationsAsked, StatisticsAsked
from apps.crm.domain.bills import Notifications, NotificationView
from apps.crm.domain.reference import PricePlanView, ReferenceData, ServiceTermsView, Statistics
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.values import day_of, not_negative, seconds, units
from apps.kernel.currencies import NUMBER_OF
from apps.mediation.pb import billing_pb2

# µBSS numbers its services: the fields of REF_Price_plan are for these.
NUMBERED_SERVICES = {1: "voice", 2: "sms", 3: "data", 4: "mms"}


def nothing_asked(request: crm_pb2.GetRefDataRequest) -> Nothing:
    return Nothing()


def data_message(data: ReferenceData) -> crm_pb2.RefData:
    return crm_pb2.RefData(
        tenant=data.tenant,
        tenant_name=data.tenant_name,
        time_zone=data.time_zone,
        currency=data.currency,
        locale=data.locale,
        services=[
            billing_pb2.REF_Service(
                id=service.id,
                code=service.code,
                name=service.name,
                type_of_record=service.type_of_record,
                unit_size=service.unit_size,
                unit_label=service.unit_label,
                retired=service.retired,
            )
            for service in data.services
        ],
        price_plans=[price_plan_message(plan, data.tenant_id) for plan in data.price_plans],
        bundles=[
            billing_pb2.REF_Bundle(
                id=bundle.id,
                code=bundle.code,
                name=bundle.name,
                currency=bundle.currency,
                monthly_fee_micros=bundle.monthly_fee_micros,
                retired=bundle.retired,
                services=[_terms(terms) for terms in bundle.services],
            )
            for bundle in data.bundles
        ],
        bill_cycles=[
            billing_pb2.REF_Bill_cycle(
                number=cycle.number,
                name=cycle.name,
                day=cycle.day,
                time_zone=cycle.time_zone,
                currency=cycle.currency,
                retired=cycle.retired,
            )
            for cycle in data.cycles
        ],
        currencies=[
            billing_pb2.REF_Currency(id=NUMBER_OF.get(code, 0), code=code) for code in data.currencies
        ],
        cities=data.cities,
        read_at=seconds(data.read_at),
    )


def price_plan_message(plan: PricePlanView, tenant_id: int) -> billing_pb2.REF_Price_plan:
    message = billing_pb2.REF_Price_plan(
        id=plan.id,
        operator_id=tenant_id,
        name=plan.name,
        monthly_fee=units(plan.monthly_fee_micros),
        monthly_fee_micros=plan.monthly_fee_micros,
        expiration_date=plan.expiration_date.isoformat() if plan.expiration_date else "",
        code=plan.code,
        currency=plan.currency,
        retired=plan.retired,
        rating_subject=plan.rating_subject,
        services=[_terms(terms) for terms in plan.services],
    )
    by_code = {terms.service: terms for terms in plan.services}
    for number, code in NUMBERED_SERVICES.items():
        terms = by_code.get(code)
        if terms is not None:
            setattr(message, f"svc{number}_price", units(terms.price_micros or 0))
            setattr(message, f"svc{number}_price_micros", terms.price_micros or 0)
            setattr(message, f"svc{number}_free_units", terms.free_units)
    return message


def _terms(terms: ServiceTermsView) -> billing_pb2.ServiceTerms:
    return billing_pb2.ServiceTerms(
        service_id=terms.service_id,
        service=terms.service,
        has_price=terms.price_micros is not None,
        price_micros=terms.price_micros or 0,
        free_units=terms.free_units,
    )


def statistics_asked(request: crm_pb2.GetStatisticsRequest) -> StatisticsAsked:
    return StatisticsAsked(
        first=day_of(request.first, "first"),
        last=day_of(request.last, "last"),
        service=request.service,
        price_plan=request.price_plan,
    )


def statistics_message(found: Statistics) -> crm_pb2.Statistics:
    return crm_pb2.Statistics(
        first=found.first.isoformat(),
        last=found.last.isoformat(),
        collected_at=seconds(found.collected_at),
        usage=[
            crm_pb2.UsageStatistics(
                day=row.day.isoformat(),
                service=row.service,
                price_plan=row.price_plan,
                currency=row.currency,
                records=row.records,
                usage=row.usage,
                free_usage=row.free_usage,
                revenue_micros=row.revenue_micros,
            )
            for row in found.usage
        ],
        subscribers=[
            crm_pb2.SubscriberStatistics(
                day=row.day.isoformat(),
                price_plan=row.price_plan,
                active=row.active,
                new=row.new,
                terminated=row.terminated,
            )
            for row in found.subscribers
        ],
        top_ups=[
            crm_pb2.TopUpStatistics(
                day=row.day.isoformat(),
                currency=row.currency,
                count=row.count,
                amount_micros=row.amount_micros,
            )
            for row in found.top_ups
        ],
    )


def notifications_asked(request: crm_pb2.GetNotificationsRequest) -> NotificationsAsked:
    return NotificationsAsked(
        unacknowledged_only=request.unacknowledged_only,
        after_id=not_negative(request.after_id, "after_id"),
        limit=request.limit or 100,
    )


def notifications_message(found: Notifications) -> crm_pb2.GetNotificationsResponse:
    return crm_pb2.GetNotificationsResponse(
        notifications=[notification_message(news) for news in found.notifications],
        unacknowledged=found.unacknowledged,
    )


def acknowledgement(request: crm_pb2.AckNotificationRequest) -> NotificationRef:
    return NotificationRef(notification_id=not_negative(request.id, "id"))


def notification_message(news: NotificationView) -> billing_pb2.Notification:
    return billing_pb2.Notification(
        id=news.id,
        at=seconds(news.at),
        level=news.level,
        text=news.text,
        activity_id=news.activity_id,
        bill_id=news.bill_id,
        acknowledged_at=seconds(news.acknowledged_at),
        acknowledged_by=news.acknowledged_by,
    )
