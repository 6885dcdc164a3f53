from apps.mediation.pb import billing_pb2 as _billing_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoucherAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOUCHER_ACTION_UNSPECIFIED: _ClassVar[VoucherAction]
    VOUCHER_ACTION_ACTIVATE: _ClassVar[VoucherAction]
    VOUCHER_ACTION_BLOCK: _ClassVar[VoucherAction]
    VOUCHER_ACTION_UNBLOCK: _ClassVar[VoucherAction]
    VOUCHER_ACTION_EXTEND: _ClassVar[VoucherAction]
    VOUCHER_ACTION_VOID: _ClassVar[VoucherAction]

class CRMStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACK_OK: _ClassVar[CRMStatus]
VOUCHER_ACTION_UNSPECIFIED: VoucherAction
VOUCHER_ACTION_ACTIVATE: VoucherAction
VOUCHER_ACTION_BLOCK: VoucherAction
VOUCHER_ACTION_UNBLOCK: VoucherAction
VOUCHER_ACTION_EXTEND: VoucherAction
VOUCHER_ACTION_VOID: VoucherAction
ACK_OK: CRMStatus

class GetSubscribersRequest(_message.Message):
    __slots__ = ("mode", "city", "status", "price_plan_id", "price_plan", "limit", "offset", "after_id", "customer_number", "account_number")
    MODE_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    mode: _billing_pb2.PaymentMode
    city: str
    status: _billing_pb2.SubscriberStatus
    price_plan_id: int
    price_plan: str
    limit: int
    offset: int
    after_id: int
    customer_number: str
    account_number: str
    def __init__(self, mode: _Optional[_Union[_billing_pb2.PaymentMode, str]] = ..., city: _Optional[str] = ..., status: _Optional[_Union[_billing_pb2.SubscriberStatus, str]] = ..., price_plan_id: _Optional[int] = ..., price_plan: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., after_id: _Optional[int] = ..., customer_number: _Optional[str] = ..., account_number: _Optional[str] = ...) -> None: ...

class GetSubscriberRequest(_message.Message):
    __slots__ = ("id", "msisdn")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ...) -> None: ...

class ModifySubscriberRequest(_message.Message):
    __slots__ = ("subscriber", "update_mask", "msisdn", "plan_from", "add_bundles", "end_bundles", "bundles_from")
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    PLAN_FROM_FIELD_NUMBER: _ClassVar[int]
    ADD_BUNDLES_FIELD_NUMBER: _ClassVar[int]
    END_BUNDLES_FIELD_NUMBER: _ClassVar[int]
    BUNDLES_FROM_FIELD_NUMBER: _ClassVar[int]
    subscriber: _billing_pb2.Subscriber
    update_mask: _field_mask_pb2.FieldMask
    msisdn: str
    plan_from: int
    add_bundles: _containers.RepeatedScalarFieldContainer[str]
    end_bundles: _containers.RepeatedScalarFieldContainer[str]
    bundles_from: int
    def __init__(self, subscriber: _Optional[_Union[_billing_pb2.Subscriber, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., msisdn: _Optional[str] = ..., plan_from: _Optional[int] = ..., add_bundles: _Optional[_Iterable[str]] = ..., end_bundles: _Optional[_Iterable[str]] = ..., bundles_from: _Optional[int] = ...) -> None: ...

class SuspendSubscriberRequest(_message.Message):
    __slots__ = ("id", "msisdn")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ...) -> None: ...

class ReactivateSubscriberRequest(_message.Message):
    __slots__ = ("id", "msisdn")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ...) -> None: ...

class TerminateSubscriberRequest(_message.Message):
    __slots__ = ("id", "msisdn")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ...) -> None: ...

class TerminateSubscriberResponse(_message.Message):
    __slots__ = ("subscriber", "released", "activity_id")
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    subscriber: _billing_pb2.Subscriber
    released: _containers.RepeatedScalarFieldContainer[str]
    activity_id: int
    def __init__(self, subscriber: _Optional[_Union[_billing_pb2.Subscriber, _Mapping]] = ..., released: _Optional[_Iterable[str]] = ..., activity_id: _Optional[int] = ...) -> None: ...

class GetSubscriberUsageRequest(_message.Message):
    __slots__ = ("id", "msisdn", "start", "end", "service", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    start: int
    end: int
    service: str
    limit: int
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., service: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class GetUsageDataRequest(_message.Message):
    __slots__ = ("id", "msisdn", "year", "month")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    year: int
    month: int
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ..., year: _Optional[int] = ..., month: _Optional[int] = ...) -> None: ...

class UsageData(_message.Message):
    __slots__ = ("subscriber_id", "year", "month", "currency", "free_units", "services")
    SUBSCRIBER_ID_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    subscriber_id: int
    year: int
    month: int
    currency: str
    free_units: _containers.RepeatedCompositeFieldContainer[_billing_pb2.FreeUnits]
    services: _containers.RepeatedCompositeFieldContainer[_billing_pb2.ServiceUsage]
    def __init__(self, subscriber_id: _Optional[int] = ..., year: _Optional[int] = ..., month: _Optional[int] = ..., currency: _Optional[str] = ..., free_units: _Optional[_Iterable[_Union[_billing_pb2.FreeUnits, _Mapping]]] = ..., services: _Optional[_Iterable[_Union[_billing_pb2.ServiceUsage, _Mapping]]] = ...) -> None: ...

class GetSubscriberBillRequest(_message.Message):
    __slots__ = ("bill_id", "id", "msisdn", "year", "month", "with_document")
    BILL_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    WITH_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    bill_id: int
    id: int
    msisdn: str
    year: int
    month: int
    with_document: bool
    def __init__(self, bill_id: _Optional[int] = ..., id: _Optional[int] = ..., msisdn: _Optional[str] = ..., year: _Optional[int] = ..., month: _Optional[int] = ..., with_document: _Optional[bool] = ...) -> None: ...

class GetSubscriberBillResponse(_message.Message):
    __slots__ = ("bill", "document", "file_name")
    BILL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    bill: _billing_pb2.Bill
    document: bytes
    file_name: str
    def __init__(self, bill: _Optional[_Union[_billing_pb2.Bill, _Mapping]] = ..., document: _Optional[bytes] = ..., file_name: _Optional[str] = ...) -> None: ...

class GetSubscriberBillsRequest(_message.Message):
    __slots__ = ("id", "msisdn", "status", "limit", "before_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    msisdn: str
    status: _billing_pb2.BillStatus
    limit: int
    before_id: int
    def __init__(self, id: _Optional[int] = ..., msisdn: _Optional[str] = ..., status: _Optional[_Union[_billing_pb2.BillStatus, str]] = ..., limit: _Optional[int] = ..., before_id: _Optional[int] = ...) -> None: ...

class ExecuteBillingRequest(_message.Message):
    __slots__ = ("msisdn", "id", "month", "year")
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    msisdn: str
    id: int
    month: int
    year: int
    def __init__(self, msisdn: _Optional[str] = ..., id: _Optional[int] = ..., month: _Optional[int] = ..., year: _Optional[int] = ...) -> None: ...

class ExecuteBillCycleRequest(_message.Message):
    __slots__ = ("bill_cycle", "month", "year")
    BILL_CYCLE_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    bill_cycle: int
    month: int
    year: int
    def __init__(self, bill_cycle: _Optional[int] = ..., month: _Optional[int] = ..., year: _Optional[int] = ...) -> None: ...

class ReformatBillRequest(_message.Message):
    __slots__ = ("bill_id", "reason")
    BILL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    bill_id: int
    reason: str
    def __init__(self, bill_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelBillRequest(_message.Message):
    __slots__ = ("bill_id", "reason", "again")
    BILL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    bill_id: int
    reason: str
    again: bool
    def __init__(self, bill_id: _Optional[int] = ..., reason: _Optional[str] = ..., again: _Optional[bool] = ...) -> None: ...

class CancelBillResponse(_message.Message):
    __slots__ = ("bill", "credit_note", "successor")
    BILL_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_FIELD_NUMBER: _ClassVar[int]
    bill: _billing_pb2.Bill
    credit_note: _billing_pb2.Bill
    successor: _billing_pb2.Bill
    def __init__(self, bill: _Optional[_Union[_billing_pb2.Bill, _Mapping]] = ..., credit_note: _Optional[_Union[_billing_pb2.Bill, _Mapping]] = ..., successor: _Optional[_Union[_billing_pb2.Bill, _Mapping]] = ...) -> None: ...

class GetStatisticsRequest(_message.Message):
    __slots__ = ("first", "last", "service", "price_plan")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    first: str
    last: str
    service: str
    price_plan: str
    def __init__(self, first: _Optional[str] = ..., last: _Optional[str] = ..., service: _Optional[str] = ..., price_plan: _Optional[str] = ...) -> None: ...

class Statistics(_message.Message):
    __slots__ = ("first", "last", "collected_at", "usage", "subscribers", "top_ups")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    TOP_UPS_FIELD_NUMBER: _ClassVar[int]
    first: str
    last: str
    collected_at: int
    usage: _containers.RepeatedCompositeFieldContainer[UsageStatistics]
    subscribers: _containers.RepeatedCompositeFieldContainer[SubscriberStatistics]
    top_ups: _containers.RepeatedCompositeFieldContainer[TopUpStatistics]
    def __init__(self, first: _Optional[str] = ..., last: _Optional[str] = ..., collected_at: _Optional[int] = ..., usage: _Optional[_Iterable[_Union[UsageStatistics, _Mapping]]] = ..., subscribers: _Optional[_Iterable[_Union[SubscriberStatistics, _Mapping]]] = ..., top_ups: _Optional[_Iterable[_Union[TopUpStatistics, _Mapping]]] = ...) -> None: ...

class UsageStatistics(_message.Message):
    __slots__ = ("day", "service", "price_plan", "currency", "records", "usage", "free_usage", "revenue_micros")
    DAY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FREE_USAGE_FIELD_NUMBER: _ClassVar[int]
    REVENUE_MICROS_FIELD_NUMBER: _ClassVar[int]
    day: str
    service: str
    price_plan: str
    currency: str
    records: int
    usage: int
    free_usage: int
    revenue_micros: int
    def __init__(self, day: _Optional[str] = ..., service: _Optional[str] = ..., price_plan: _Optional[str] = ..., currency: _Optional[str] = ..., records: _Optional[int] = ..., usage: _Optional[int] = ..., free_usage: _Optional[int] = ..., revenue_micros: _Optional[int] = ...) -> None: ...

class SubscriberStatistics(_message.Message):
    __slots__ = ("day", "price_plan", "active", "new", "terminated")
    DAY_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FIELD_NUMBER: _ClassVar[int]
    day: str
    price_plan: str
    active: int
    new: int
    terminated: int
    def __init__(self, day: _Optional[str] = ..., price_plan: _Optional[str] = ..., active: _Optional[int] = ..., new: _Optional[int] = ..., terminated: _Optional[int] = ...) -> None: ...

class TopUpStatistics(_message.Message):
    __slots__ = ("day", "currency", "count", "amount_micros")
    DAY_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    day: str
    currency: str
    count: int
    amount_micros: int
    def __init__(self, day: _Optional[str] = ..., currency: _Optional[str] = ..., count: _Optional[int] = ..., amount_micros: _Optional[int] = ...) -> None: ...

class GetRefDataRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefData(_message.Message):
    __slots__ = ("tenant", "tenant_name", "time_zone", "currency", "locale", "services", "price_plans", "bundles", "bill_cycles", "currencies", "cities", "read_at")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    TENANT_NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLANS_FIELD_NUMBER: _ClassVar[int]
    BUNDLES_FIELD_NUMBER: _ClassVar[int]
    BILL_CYCLES_FIELD_NUMBER: _ClassVar[int]
    CURRENCIES_FIELD_NUMBER: _ClassVar[int]
    CITIES_FIELD_NUMBER: _ClassVar[int]
    READ_AT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    tenant_name: str
    time_zone: str
    currency: str
    locale: str
    services: _containers.RepeatedCompositeFieldContainer[_billing_pb2.REF_Service]
    price_plans: _containers.RepeatedCompositeFieldContainer[_billing_pb2.REF_Price_plan]
    bundles: _containers.RepeatedCompositeFieldContainer[_billing_pb2.REF_Bundle]
    bill_cycles: _containers.RepeatedCompositeFieldContainer[_billing_pb2.REF_Bill_cycle]
    currencies: _containers.RepeatedCompositeFieldContainer[_billing_pb2.REF_Currency]
    cities: _containers.RepeatedScalarFieldContainer[str]
    read_at: int
    def __init__(self, tenant: _Optional[str] = ..., tenant_name: _Optional[str] = ..., time_zone: _Optional[str] = ..., currency: _Optional[str] = ..., locale: _Optional[str] = ..., services: _Optional[_Iterable[_Union[_billing_pb2.REF_Service, _Mapping]]] = ..., price_plans: _Optional[_Iterable[_Union[_billing_pb2.REF_Price_plan, _Mapping]]] = ..., bundles: _Optional[_Iterable[_Union[_billing_pb2.REF_Bundle, _Mapping]]] = ..., bill_cycles: _Optional[_Iterable[_Union[_billing_pb2.REF_Bill_cycle, _Mapping]]] = ..., currencies: _Optional[_Iterable[_Union[_billing_pb2.REF_Currency, _Mapping]]] = ..., cities: _Optional[_Iterable[str]] = ..., read_at: _Optional[int] = ...) -> None: ...

class GetAvailableResourcesRequest(_message.Message):
    __slots__ = ("kind", "prefix", "after", "limit")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    prefix: str
    after: str
    limit: int
    def __init__(self, kind: _Optional[str] = ..., prefix: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class GetAvailableResourcesResponse(_message.Message):
    __slots__ = ("resources",)
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.RepeatedCompositeFieldContainer[_billing_pb2.AvailableResource]
    def __init__(self, resources: _Optional[_Iterable[_Union[_billing_pb2.AvailableResource, _Mapping]]] = ...) -> None: ...

class GetNotificationsRequest(_message.Message):
    __slots__ = ("unacknowledged_only", "after_id", "limit")
    UNACKNOWLEDGED_ONLY_FIELD_NUMBER: _ClassVar[int]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    unacknowledged_only: bool
    after_id: int
    limit: int
    def __init__(self, unacknowledged_only: _Optional[bool] = ..., after_id: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class GetNotificationsResponse(_message.Message):
    __slots__ = ("notifications", "unacknowledged")
    NOTIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    UNACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    notifications: _containers.RepeatedCompositeFieldContainer[_billing_pb2.Notification]
    unacknowledged: int
    def __init__(self, notifications: _Optional[_Iterable[_Union[_billing_pb2.Notification, _Mapping]]] = ..., unacknowledged: _Optional[int] = ...) -> None: ...

class AckNotificationRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class SelectVouchersRequest(_message.Message):
    __slots__ = ("batch_id", "status", "account_id", "after_id", "limit")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    status: _billing_pb2.VoucherStatus
    account_id: int
    after_id: int
    limit: int
    def __init__(self, batch_id: _Optional[int] = ..., status: _Optional[_Union[_billing_pb2.VoucherStatus, str]] = ..., account_id: _Optional[int] = ..., after_id: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class SelectVouchersResponse(_message.Message):
    __slots__ = ("vouchers",)
    VOUCHERS_FIELD_NUMBER: _ClassVar[int]
    vouchers: _containers.RepeatedCompositeFieldContainer[_billing_pb2.Voucher]
    def __init__(self, vouchers: _Optional[_Iterable[_Union[_billing_pb2.Voucher, _Mapping]]] = ...) -> None: ...

class SelectVoucherRequest(_message.Message):
    __slots__ = ("id", "serial")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    id: int
    serial: str
    def __init__(self, id: _Optional[int] = ..., serial: _Optional[str] = ...) -> None: ...

class UpdateVoucherRequest(_message.Message):
    __slots__ = ("action", "serials", "batch_id", "expires_at", "reason")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SERIALS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    action: VoucherAction
    serials: _containers.RepeatedScalarFieldContainer[str]
    batch_id: int
    expires_at: int
    reason: str
    def __init__(self, action: _Optional[_Union[VoucherAction, str]] = ..., serials: _Optional[_Iterable[str]] = ..., batch_id: _Optional[int] = ..., expires_at: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class UpdateVoucherResponse(_message.Message):
    __slots__ = ("changed",)
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    changed: int
    def __init__(self, changed: _Optional[int] = ...) -> None: ...

class InsertVoucherRequest(_message.Message):
    __slots__ = ("name", "count", "amount", "amount_micros", "units", "kind", "currency", "valid_from", "expires_at", "tag", "balance_days", "bundle", "bundle_days", "promotion", "inactive")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    BALANCE_DAYS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_DAYS_FIELD_NUMBER: _ClassVar[int]
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    INACTIVE_FIELD_NUMBER: _ClassVar[int]
    name: str
    count: int
    amount: float
    amount_micros: int
    units: int
    kind: str
    currency: str
    valid_from: int
    expires_at: int
    tag: str
    balance_days: int
    bundle: str
    bundle_days: int
    promotion: bool
    inactive: bool
    def __init__(self, name: _Optional[str] = ..., count: _Optional[int] = ..., amount: _Optional[float] = ..., amount_micros: _Optional[int] = ..., units: _Optional[int] = ..., kind: _Optional[str] = ..., currency: _Optional[str] = ..., valid_from: _Optional[int] = ..., expires_at: _Optional[int] = ..., tag: _Optional[str] = ..., balance_days: _Optional[int] = ..., bundle: _Optional[str] = ..., bundle_days: _Optional[int] = ..., promotion: _Optional[bool] = ..., inactive: _Optional[bool] = ...) -> None: ...

class InsertVoucherResponse(_message.Message):
    __slots__ = ("batch_id", "vouchers")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    VOUCHERS_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    vouchers: _containers.RepeatedCompositeFieldContainer[PrintedVoucher]
    def __init__(self, batch_id: _Optional[int] = ..., vouchers: _Optional[_Iterable[_Union[PrintedVoucher, _Mapping]]] = ...) -> None: ...

class PrintedVoucher(_message.Message):
    __slots__ = ("serial", "pin")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    PIN_FIELD_NUMBER: _ClassVar[int]
    serial: str
    pin: str
    def __init__(self, serial: _Optional[str] = ..., pin: _Optional[str] = ...) -> None: ...

class RedeemVoucherRequest(_message.Message):
    __slots__ = ("pin", "msisdn", "id", "account_id")
    PIN_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    pin: str
    msisdn: str
    id: int
    account_id: int
    def __init__(self, pin: _Optional[str] = ..., msisdn: _Optional[str] = ..., id: _Optional[int] = ..., account_id: _Optional[int] = ...) -> None: ...

class RedeemVoucherResponse(_message.Message):
    __slots__ = ("serial", "account_id", "kind", "amount", "amount_micros", "units", "currency", "balance_micros", "bundle", "repeated")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    BALANCE_MICROS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    serial: str
    account_id: int
    kind: str
    amount: float
    amount_micros: int
    units: int
    currency: str
    balance_micros: int
    bundle: str
    repeated: bool
    def __init__(self, serial: _Optional[str] = ..., account_id: _Optional[int] = ..., kind: _Optional[str] = ..., amount: _Optional[float] = ..., amount_micros: _Optional[int] = ..., units: _Optional[int] = ..., currency: _Optional[str] = ..., balance_micros: _Optional[int] = ..., bundle: _Optional[str] = ..., repeated: _Optional[bool] = ...) -> None: ...

class CRMResponse(_message.Message):
    __slots__ = ("status", "message", "id")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    status: CRMStatus
    message: str
    id: int
    def __init__(self, status: _Optional[_Union[CRMStatus, str]] = ..., message: _Optional[str] = ..., id: _Optional[int] = ...) -> None: ...

class Trigger(_message.Message):
    __slots__ = ("id", "name", "disabled", "kind", "threshold_micros", "window_s", "currency", "balance_tag", "price_plan", "account_id", "action", "quiet", "balance_kind", "threshold_units", "destinations", "categories", "recurrent", "min_sleep_s", "monthly", "active_from", "expires_at", "trigger_set", "actions")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    BALANCE_TAG_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    BALANCE_KIND_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_UNITS_FIELD_NUMBER: _ClassVar[int]
    DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    RECURRENT_FIELD_NUMBER: _ClassVar[int]
    MIN_SLEEP_S_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FROM_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_SET_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    id: int
    name: str
    disabled: bool
    kind: str
    threshold_micros: int
    window_s: int
    currency: str
    balance_tag: str
    price_plan: str
    account_id: int
    action: str
    quiet: bool
    balance_kind: str
    threshold_units: int
    destinations: str
    categories: str
    recurrent: bool
    min_sleep_s: int
    monthly: bool
    active_from: int
    expires_at: int
    trigger_set: str
    actions: str
    def __init__(self, id: _Optional[int] = ..., name: _Optional[str] = ..., disabled: _Optional[bool] = ..., kind: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., window_s: _Optional[int] = ..., currency: _Optional[str] = ..., balance_tag: _Optional[str] = ..., price_plan: _Optional[str] = ..., account_id: _Optional[int] = ..., action: _Optional[str] = ..., quiet: _Optional[bool] = ..., balance_kind: _Optional[str] = ..., threshold_units: _Optional[int] = ..., destinations: _Optional[str] = ..., categories: _Optional[str] = ..., recurrent: _Optional[bool] = ..., min_sleep_s: _Optional[int] = ..., monthly: _Optional[bool] = ..., active_from: _Optional[int] = ..., expires_at: _Optional[int] = ..., trigger_set: _Optional[str] = ..., actions: _Optional[str] = ...) -> None: ...

class GetTriggersRequest(_message.Message):
    __slots__ = ("account_id", "after_id", "limit")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    after_id: int
    limit: int
    def __init__(self, account_id: _Optional[int] = ..., after_id: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class GetTriggersResponse(_message.Message):
    __slots__ = ("triggers",)
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    triggers: _containers.RepeatedCompositeFieldContainer[Trigger]
    def __init__(self, triggers: _Optional[_Iterable[_Union[Trigger, _Mapping]]] = ...) -> None: ...

class ModifyTriggerRequest(_message.Message):
    __slots__ = ("trigger", "update_mask")
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    trigger: Trigger
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, trigger: _Optional[_Union[Trigger, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class DeleteTriggerRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class ResetTriggerRequest(_message.Message):
    __slots__ = ("id", "account_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    account_id: int
    def __init__(self, id: _Optional[int] = ..., account_id: _Optional[int] = ...) -> None: ...

class ResetTriggerResponse(_message.Message):
    __slots__ = ("accounts",)
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    accounts: int
    def __init__(self, accounts: _Optional[int] = ...) -> None: ...

class GetTriggerFiringsRequest(_message.Message):
    __slots__ = ("trigger_id", "account_id", "before_id", "limit")
    TRIGGER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    trigger_id: int
    account_id: int
    before_id: int
    limit: int
    def __init__(self, trigger_id: _Optional[int] = ..., account_id: _Optional[int] = ..., before_id: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class GetTriggerFiringsResponse(_message.Message):
    __slots__ = ("firings",)
    FIRINGS_FIELD_NUMBER: _ClassVar[int]
    firings: _containers.RepeatedCompositeFieldContainer[TriggerFiring]
    def __init__(self, firings: _Optional[_Iterable[_Union[TriggerFiring, _Mapping]]] = ...) -> None: ...

class TriggerFiring(_message.Message):
    __slots__ = ("id", "at", "trigger_id", "trigger", "account_id", "account_number", "kind", "action", "threshold_micros", "value_micros", "currency", "cause", "text", "balance_kind", "threshold_units", "value_units", "actions")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_ID_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    VALUE_MICROS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_KIND_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_UNITS_FIELD_NUMBER: _ClassVar[int]
    VALUE_UNITS_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    id: int
    at: int
    trigger_id: int
    trigger: str
    account_id: int
    account_number: str
    kind: str
    action: str
    threshold_micros: int
    value_micros: int
    currency: str
    cause: str
    text: str
    balance_kind: str
    threshold_units: int
    value_units: int
    actions: str
    def __init__(self, id: _Optional[int] = ..., at: _Optional[int] = ..., trigger_id: _Optional[int] = ..., trigger: _Optional[str] = ..., account_id: _Optional[int] = ..., account_number: _Optional[str] = ..., kind: _Optional[str] = ..., action: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., value_micros: _Optional[int] = ..., currency: _Optional[str] = ..., cause: _Optional[str] = ..., text: _Optional[str] = ..., balance_kind: _Optional[str] = ..., threshold_units: _Optional[int] = ..., value_units: _Optional[int] = ..., actions: _Optional[str] = ...) -> None: ...

class GetActionGroupsRequest(_message.Message):
    __slots__ = ("after_id", "limit")
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after_id: int
    limit: int
    def __init__(self, after_id: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class GetActionGroupsResponse(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[ActionGroup]
    def __init__(self, groups: _Optional[_Iterable[_Union[ActionGroup, _Mapping]]] = ...) -> None: ...

class ActionGroup(_message.Message):
    __slots__ = ("id", "code", "tariff_plan", "actions")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TARIFF_PLAN_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    tariff_plan: str
    actions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ..., tariff_plan: _Optional[str] = ..., actions: _Optional[_Iterable[str]] = ...) -> None: ...

class ExecuteActionsRequest(_message.Message):
    __slots__ = ("account_id", "group")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    group: str
    def __init__(self, account_id: _Optional[int] = ..., group: _Optional[str] = ...) -> None: ...

class ExecuteActionsResponse(_message.Message):
    __slots__ = ("account_id", "group", "cause")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    group: str
    cause: str
    def __init__(self, account_id: _Optional[int] = ..., group: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class GetAccountPlansRequest(_message.Message):
    __slots__ = ("account_id",)
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    def __init__(self, account_id: _Optional[int] = ...) -> None: ...

class GetAccountPlansResponse(_message.Message):
    __slots__ = ("plans",)
    PLANS_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[AccountPlan]
    def __init__(self, plans: _Optional[_Iterable[_Union[AccountPlan, _Mapping]]] = ...) -> None: ...

class GetSpendingCapRequest(_message.Message):
    __slots__ = ("account_id",)
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    def __init__(self, account_id: _Optional[int] = ...) -> None: ...

class SetSpendingCapRequest(_message.Message):
    __slots__ = ("account_id", "limit_micros")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    limit_micros: int
    def __init__(self, account_id: _Optional[int] = ..., limit_micros: _Optional[int] = ...) -> None: ...

class ClearSpendingCapRequest(_message.Message):
    __slots__ = ("account_id",)
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    def __init__(self, account_id: _Optional[int] = ...) -> None: ...

class SpendingCap(_message.Message):
    __slots__ = ("account_id", "currency", "limit_micros", "spent_micros", "is_warned", "is_barred")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    SPENT_MICROS_FIELD_NUMBER: _ClassVar[int]
    IS_WARNED_FIELD_NUMBER: _ClassVar[int]
    IS_BARRED_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    currency: str
    limit_micros: int
    spent_micros: int
    is_warned: bool
    is_barred: bool
    def __init__(self, account_id: _Optional[int] = ..., currency: _Optional[str] = ..., limit_micros: _Optional[int] = ..., spent_micros: _Optional[int] = ..., is_warned: _Optional[bool] = ..., is_barred: _Optional[bool] = ...) -> None: ...

class GetSharedLimitsRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class GetSharedLimitsResponse(_message.Message):
    __slots__ = ("limits",)
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _containers.RepeatedCompositeFieldContainer[SharedLimit]
    def __init__(self, limits: _Optional[_Iterable[_Union[SharedLimit, _Mapping]]] = ...) -> None: ...

class ClearSharedLimitRequest(_message.Message):
    __slots__ = ("group", "account_id", "kind")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    group: str
    account_id: int
    kind: str
    def __init__(self, group: _Optional[str] = ..., account_id: _Optional[int] = ..., kind: _Optional[str] = ...) -> None: ...

class SharedLimit(_message.Message):
    __slots__ = ("group", "account_id", "kind", "limit", "used")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    group: str
    account_id: int
    kind: str
    limit: int
    used: int
    def __init__(self, group: _Optional[str] = ..., account_id: _Optional[int] = ..., kind: _Optional[str] = ..., limit: _Optional[int] = ..., used: _Optional[int] = ...) -> None: ...

class AccountPlanRequest(_message.Message):
    __slots__ = ("account_id", "plan")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    plan: str
    def __init__(self, account_id: _Optional[int] = ..., plan: _Optional[str] = ...) -> None: ...

class AccountPlan(_message.Message):
    __slots__ = ("account_id", "plan", "due")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    plan: str
    due: _containers.RepeatedCompositeFieldContainer[DueAction]
    def __init__(self, account_id: _Optional[int] = ..., plan: _Optional[str] = ..., due: _Optional[_Iterable[_Union[DueAction, _Mapping]]] = ...) -> None: ...

class DueAction(_message.Message):
    __slots__ = ("group", "timing", "assigned_at", "due_at", "done_at", "done_count")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    DONE_AT_FIELD_NUMBER: _ClassVar[int]
    DONE_COUNT_FIELD_NUMBER: _ClassVar[int]
    group: str
    timing: str
    assigned_at: int
    due_at: int
    done_at: int
    done_count: int
    def __init__(self, group: _Optional[str] = ..., timing: _Optional[str] = ..., assigned_at: _Optional[int] = ..., due_at: _Optional[int] = ..., done_at: _Optional[int] = ..., done_count: _Optional[int] = ...) -> None: ...
