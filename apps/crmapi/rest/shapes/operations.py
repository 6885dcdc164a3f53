"""Suspense, statistics and news for operators, in JSON."""

from __future__ import annotations

from rest_framework import serializers

from apps.crmapi.rest.fields import (
    InstantField,
    MoneyField,
    NumberOrNull,
    PageQuery,
    Query,
    RequestBody,
    Shape,
    StrictInteger,
    StrictText,
)
from apps.crmapi.rest.shapes.choices import NOTIFICATION_LEVEL, SUSPENSE_STATE


class SuspendedShape(Shape):
    """A usage record that could not be rated: why, and what could be read of it."""

    id = serializers.IntegerField()
    file = serializers.CharField()
    reason = serializers.CharField(help_text="Stable code, such as `unknown_subscriber`.")
    message = serializers.CharField()
    record_id = serializers.CharField()
    service = serializers.CharField()
    msisdn = serializers.CharField()
    other_party = serializers.CharField()
    start = InstantField(allow_null=True)
    usage = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(SUSPENSE_STATE)
    attempts = serializers.IntegerField()
    created_at = InstantField()

    class Meta:
        ref_name = "SuspendedRecord"


class SuspenseQuery(PageQuery):
    reason = serializers.CharField(max_length=40, required=False)
    state = serializers.ChoiceField(SUSPENSE_STATE, default="open")


class CorrectionsBody(RequestBody):
    """Corrections of the values that were read, used when the record is recycled. Empty text takes one back."""

    record_id = StrictText(max_length=64, required=False, allow_blank=True)
    source = StrictText(max_length=64, required=False, allow_blank=True)  # type: ignore[assignment]
    service = StrictText(max_length=32, required=False, allow_blank=True)
    msisdn = StrictText(max_length=20, required=False, allow_blank=True)
    other_party = StrictText(max_length=64, required=False, allow_blank=True)
    start = StrictText(max_length=40, required=False, allow_blank=True)
    usage = StrictInteger(required=False)


class RecordIdsBody(RequestBody):
    ids = serializers.ListField(child=StrictInteger(min_value=1), min_length=1, max_length=1_000)


class RecycledShape(Shape):
    """What came of rating records again; refused ones stay in suspense, by `reasons`."""

    rated = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    refused = serializers.IntegerField()
    reasons = serializers.DictField(child=serializers.IntegerField())


class DiscardedShape(Shape):
    discarded = serializers.IntegerField()


class NotificationShape(Shape):
    id = serializers.IntegerField()
    at = InstantField()
    level = serializers.ChoiceField(NOTIFICATION_LEVEL)
    text = serializers.CharField()
    activity_id = NumberOrNull()
    bill_id = NumberOrNull()
    acknowledged_at = InstantField(allow_null=True)
    acknowledged_by = serializers.CharField()


class NotificationQuery(PageQuery):
    unacknowledged = serializers.BooleanField(
        default=False, help_text="Only those that are not acknowledged."
    )


class UsageStatisticsShape(Shape):
    day = serializers.DateField()
    service = serializers.CharField()
    price_plan = serializers.CharField()
    currency = serializers.CharField()
    records = serializers.IntegerField()
    usage = serializers.IntegerField(help_text="Seconds, octets, messages or events of the service.")
    free_usage = serializers.IntegerField()
    revenue = MoneyField(source="revenue_micros")
    revenue_micros = serializers.IntegerField()


class SubscriberStatisticsShape(Shape):
    day = serializers.DateField()
    price_plan = serializers.CharField()
    active = serializers.IntegerField()
    new = serializers.IntegerField()
    terminated = serializers.IntegerField()


class TopUpStatisticsShape(Shape):
    day = serializers.DateField()
    currency = serializers.CharField()
    count = serializers.IntegerField()
    amount = MoneyField(source="amount_micros")
    amount_micros = serializers.IntegerField()


class StatisticsShape(Shape):
    """Days of the tenant's time zone from `first` to `last`, both included."""

    first = serializers.DateField()
    last = serializers.DateField()
    collected_at = InstantField(allow_null=True)
    usage = UsageStatisticsShape(many=True)
    subscribers = SubscriberStatisticsShape(many=True)
    top_ups = TopUpStatisticsShape(many=True)


class StatisticsQuery(Query):
    first = serializers.DateField(required=False, help_text="Left out: 31 days ago.")
    last = serializers.DateField(required=False)
    service = serializers.CharField(max_length=32, required=False)
    price_plan = serializers.CharField(max_length=64, required=False)


class AuditedCallShape(Shape):
    """One call: who asked for what, and what came of it."""

    id = serializers.IntegerField()
    at = InstantField()
    door = serializers.CharField(help_text="`rest` or `grpc`.")
    operation = serializers.CharField(help_text="The RPC, or method and route.")
    client = serializers.CharField()
    subject = serializers.CharField()
    roles = serializers.CharField()
    target = serializers.CharField(help_text="What it was about, such as `subscriber 12`.")
    outcome = serializers.CharField(help_text="`ok`, or the error's code.")
    detail = serializers.CharField()
    remote = serializers.CharField()
    request_id = serializers.CharField()
    repeated = serializers.BooleanField(help_text="Answered from an earlier call with this key.")


class AuditQuery(PageQuery):
    subject = serializers.CharField(max_length=120, required=False)
    target = serializers.CharField(max_length=120, required=False, help_text="Such as `subscriber 12`.")
    outcome = serializers.CharField(max_length=40, required=False)
