"""Messages of RPCs about what subscribers used."""

from __future__ import annotations

from apps.crm.domain.asked import MonthAsked, UsageAsked
from apps.crm.domain.usage import UsageData, UsageRecord
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.values import instant_of, not_negative, one_of, seconds, units
from apps.mediation.pb import billing_pb2


def records_asked(request: crm_pb2.GetSubscriberUsageRequest) -> UsageAsked:
    return UsageAsked(
        subscriber_id=one_of(request.id, request.msisdn),
        msisdn=request.msisdn,
        start=instant_of(request.start, "start"),
        end=instant_of(request.end, "end"),
        service=request.service,
        limit=not_negative(request.limit, "limit"),
    )


def usage_message(record: UsageRecord) -> billing_pb2.RatedUsage:
    return billing_pb2.RatedUsage(
        id=record.id,
        subscriber_id=record.subscriber_id,
        service=record.service,
        type_of_record=record.type_of_record,
        start=seconds(record.start),
        other_party=record.other_party,
        destination=record.destination,
        usage=record.usage,
        free_usage=record.free_usage,
        billed_usage=record.billed_usage,
        cost=units(record.cost_micros),
        cost_micros=record.cost_micros,
        currency=record.currency,
        price_plan=record.price_plan,
    )


def month_asked(request: crm_pb2.GetUsageDataRequest) -> MonthAsked:
    return MonthAsked(
        subscriber_id=one_of(request.id, request.msisdn),
        msisdn=request.msisdn,
        year=not_negative(request.year, "year"),
        month=not_negative(request.month, "month"),
    )


def month_message(data: UsageData) -> crm_pb2.UsageData:
    return crm_pb2.UsageData(
        subscriber_id=data.subscriber_id,
        year=data.year,
        month=data.month,
        currency=data.currency,
        free_units=[
            billing_pb2.FreeUnits(
                service=free.service,
                type_of_record=free.type_of_record,
                origin=free.origin,
                product=free.product,
                granted=free.granted,
                used=free.used,
                left=free.left,
                unit_size=free.unit_size,
                unit_label=free.unit_label,
                destinations=free.destinations,
            )
            for free in data.free_units
        ],
        services=[
            billing_pb2.ServiceUsage(
                service=used.service,
                type_of_record=used.type_of_record,
                records=used.records,
                usage=used.usage,
                free_usage=used.free_usage,
                cost_micros=used.cost_micros,
            )
            for used in data.services
        ],
    )
