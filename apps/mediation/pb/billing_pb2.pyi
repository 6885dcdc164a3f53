from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubscriberStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBSCRIBER_STATUS_UNSPECIFIED: _ClassVar[SubscriberStatus]
    SUBSCRIBER_STATUS_ACTIVE: _ClassVar[SubscriberStatus]
    SUBSCRIBER_STATUS_SUSPENDED: _ClassVar[SubscriberStatus]
    SUBSCRIBER_STATUS_TERMINATED: _ClassVar[SubscriberStatus]

class PaymentMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_MODE_UNSPECIFIED: _ClassVar[PaymentMode]
    PAYMENT_MODE_PREPAID: _ClassVar[PaymentMode]
    PAYMENT_MODE_POSTPAID: _ClassVar[PaymentMode]

class BillStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILL_STATUS_UNSPECIFIED: _ClassVar[BillStatus]
    BILL_STATUS_NEW: _ClassVar[BillStatus]
    BILL_STATUS_UNPAID: _ClassVar[BillStatus]
    BILL_STATUS_PAID: _ClassVar[BillStatus]
    BILL_STATUS_CANCELLED: _ClassVar[BillStatus]

class ActivityType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVITY_TYPE_UNSPECIFIED: _ClassVar[ActivityType]
    ACTIVITY_TYPE_SINGLE_BILLING: _ClassVar[ActivityType]
    ACTIVITY_TYPE_FULL_BILLRUN: _ClassVar[ActivityType]
    ACTIVITY_TYPE_PREPAID_RATING: _ClassVar[ActivityType]

class VoucherStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOUCHER_STATUS_UNSPECIFIED: _ClassVar[VoucherStatus]
    VOUCHER_STATUS_GENERATED: _ClassVar[VoucherStatus]
    VOUCHER_STATUS_ACTIVE: _ClassVar[VoucherStatus]
    VOUCHER_STATUS_BLOCKED: _ClassVar[VoucherStatus]
    VOUCHER_STATUS_REDEEMED: _ClassVar[VoucherStatus]
    VOUCHER_STATUS_EXPIRED: _ClassVar[VoucherStatus]
    VOUCHER_STATUS_VOID: _ClassVar[VoucherStatus]
SUBSCRIBER_STATUS_UNSPECIFIED: SubscriberStatus
SUBSCRIBER_STATUS_ACTIVE: SubscriberStatus
SUBSCRIBER_STATUS_SUSPENDED: SubscriberStatus
SUBSCRIBER_STATUS_TERMINATED: SubscriberStatus
PAYMENT_MODE_UNSPECIFIED: PaymentMode
PAYMENT_MODE_PREPAID: PaymentMode
PAYMENT_MODE_POSTPAID: PaymentMode
BILL_STATUS_UNSPECIFIED: BillStatus
BILL_STATUS_NEW: BillStatus
BILL_STATUS_UNPAID: BillStatus
BILL_STATUS_PAID: BillStatus
BILL_STATUS_CANCELLED: BillStatus
ACTIVITY_TYPE_UNSPECIFIED: ActivityType
ACTIVITY_TYPE_SINGLE_BILLING: ActivityType
ACTIVITY_TYPE_FULL_BILLRUN: ActivityType
ACTIVITY_TYPE_PREPAID_RATING: ActivityType
VOUCHER_STATUS_UNSPECIFIED: VoucherStatus
VOUCHER_STATUS_GENERATED: VoucherStatus
VOUCHER_STATUS_ACTIVE: VoucherStatus
VOUCHER_STATUS_BLOCKED: VoucherStatus
VOUCHER_STATUS_REDEEMED: VoucherStatus
VOUCHER_STATUS_EXPIRED: VoucherStatus
VOUCHER_STATUS_VOID: VoucherStatus

class CDR(_message.Message):
    __slots__ = ("record_id", "source", "service", "msisdn", "imsi", "imei", "other_party", "start", "duration_s", "octets_up", "octets_down", "events", "cell", "roaming_network", "cause", "session_id", "part", "rating_group", "radio_access", "trunk", "request_type", "category", "subject")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    IMSI_FIELD_NUMBER: _ClassVar[int]
    IMEI_FIELD_NUMBER: _ClassVar[int]
    OTHER_PARTY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    OCTETS_UP_FIELD_NUMBER: _ClassVar[int]
    OCTETS_DOWN_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    ROAMING_NETWORK_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    RATING_GROUP_FIELD_NUMBER: _ClassVar[int]
    RADIO_ACCESS_FIELD_NUMBER: _ClassVar[int]
    TRUNK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TYPE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    record_id: str
    source: str
    service: str
    msisdn: str
    imsi: str
    imei: str
    other_party: str
    start: int
    duration_s: int
    octets_up: int
    octets_down: int
    events: int
    cell: str
    roaming_network: str
    cause: int
    session_id: str
    part: int
    rating_group: int
    radio_access: int
    trunk: str
    request_type: str
    category: str
    subject: str
    def __init__(self, record_id: _Optional[str] = ..., source: _Optional[str] = ..., service: _Optional[str] = ..., msisdn: _Optional[str] = ..., imsi: _Optional[str] = ..., imei: _Optional[str] = ..., other_party: _Optional[str] = ..., start: _Optional[int] = ..., duration_s: _Optional[int] = ..., octets_up: _Optional[int] = ..., octets_down: _Optional[int] = ..., events: _Optional[int] = ..., cell: _Optional[str] = ..., roaming_network: _Optional[str] = ..., cause: _Optional[int] = ..., session_id: _Optional[str] = ..., part: _Optional[int] = ..., rating_group: _Optional[int] = ..., radio_access: _Optional[int] = ..., trunk: _Optional[str] = ..., request_type: _Optional[str] = ..., category: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...

class CDRFileHeader(_message.Message):
    __slots__ = ("magic", "source", "sequence", "count", "created")
    MAGIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    magic: str
    source: str
    sequence: int
    count: int
    created: int
    def __init__(self, magic: _Optional[str] = ..., source: _Optional[str] = ..., sequence: _Optional[int] = ..., count: _Optional[int] = ..., created: _Optional[int] = ...) -> None: ...

class Resource(_message.Message):
    __slots__ = ("msisdn", "imsi", "handset")
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    IMSI_FIELD_NUMBER: _ClassVar[int]
    HANDSET_FIELD_NUMBER: _ClassVar[int]
    msisdn: str
    imsi: str
    handset: str
    def __init__(self, msisdn: _Optional[str] = ..., imsi: _Optional[str] = ..., handset: _Optional[str] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("street", "address_line2", "postcode", "city", "region", "country")
    STREET_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_LINE2_FIELD_NUMBER: _ClassVar[int]
    POSTCODE_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    street: str
    address_line2: str
    postcode: str
    city: str
    region: str
    country: str
    def __init__(self, street: _Optional[str] = ..., address_line2: _Optional[str] = ..., postcode: _Optional[str] = ..., city: _Optional[str] = ..., region: _Optional[str] = ..., country: _Optional[str] = ...) -> None: ...

class Card(_message.Message):
    __slots__ = ("token", "brand", "last_four", "expiry_month", "expiry_year", "holder")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    LAST_FOUR_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_MONTH_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_YEAR_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    token: str
    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int
    holder: str
    def __init__(self, token: _Optional[str] = ..., brand: _Optional[str] = ..., last_four: _Optional[str] = ..., expiry_month: _Optional[int] = ..., expiry_year: _Optional[int] = ..., holder: _Optional[str] = ...) -> None: ...

class Balance(_message.Message):
    __slots__ = ("tag", "amount", "amount_micros", "reserved_micros")
    TAG_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_MICROS_FIELD_NUMBER: _ClassVar[int]
    tag: str
    amount: float
    amount_micros: int
    reserved_micros: int
    def __init__(self, tag: _Optional[str] = ..., amount: _Optional[float] = ..., amount_micros: _Optional[int] = ..., reserved_micros: _Optional[int] = ...) -> None: ...

class Customer(_message.Message):
    __slots__ = ("id", "number", "kind", "name", "email", "phone", "tax_number", "locale")
    ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    TAX_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    id: int
    number: str
    kind: str
    name: str
    email: str
    phone: str
    tax_number: str
    locale: str
    def __init__(self, id: _Optional[int] = ..., number: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., tax_number: _Optional[str] = ..., locale: _Optional[str] = ...) -> None: ...

class PlanAssignment(_message.Message):
    __slots__ = ("price_plan_id", "code", "name", "start", "end")
    PRICE_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    price_plan_id: int
    code: str
    name: str
    start: int
    end: int
    def __init__(self, price_plan_id: _Optional[int] = ..., code: _Optional[str] = ..., name: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class BundleAssignment(_message.Message):
    __slots__ = ("bundle_id", "code", "name", "start", "end")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    bundle_id: int
    code: str
    name: str
    start: int
    end: int
    def __init__(self, bundle_id: _Optional[int] = ..., code: _Optional[str] = ..., name: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Subscriber(_message.Message):
    __slots__ = ("id", "number", "status", "mode", "name", "customer", "resource", "address", "card", "balance", "currency_id", "currency", "price_plan_id", "price_plan", "plan", "next_plan", "bundles", "bundle_assignments", "bill_cycle", "next_bill_cycle", "account_id", "account_number", "activated_at", "suspended_at", "terminated_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    NEXT_PLAN_FIELD_NUMBER: _ClassVar[int]
    BUNDLES_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    BILL_CYCLE_FIELD_NUMBER: _ClassVar[int]
    NEXT_BILL_CYCLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_AT_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_AT_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: int
    number: str
    status: SubscriberStatus
    mode: PaymentMode
    name: str
    customer: Customer
    resource: Resource
    address: Address
    card: Card
    balance: Balance
    currency_id: int
    currency: str
    price_plan_id: int
    price_plan: str
    plan: PlanAssignment
    next_plan: PlanAssignment
    bundles: _containers.RepeatedScalarFieldContainer[str]
    bundle_assignments: _containers.RepeatedCompositeFieldContainer[BundleAssignment]
    bill_cycle: int
    next_bill_cycle: int
    account_id: int
    account_number: str
    activated_at: int
    suspended_at: int
    terminated_at: int
    def __init__(self, id: _Optional[int] = ..., number: _Optional[str] = ..., status: _Optional[_Union[SubscriberStatus, str]] = ..., mode: _Optional[_Union[PaymentMode, str]] = ..., name: _Optional[str] = ..., customer: _Optional[_Union[Customer, _Mapping]] = ..., resource: _Optional[_Union[Resource, _Mapping]] = ..., address: _Optional[_Union[Address, _Mapping]] = ..., card: _Optional[_Union[Card, _Mapping]] = ..., balance: _Optional[_Union[Balance, _Mapping]] = ..., currency_id: _Optional[int] = ..., currency: _Optional[str] = ..., price_plan_id: _Optional[int] = ..., price_plan: _Optional[str] = ..., plan: _Optional[_Union[PlanAssignment, _Mapping]] = ..., next_plan: _Optional[_Union[PlanAssignment, _Mapping]] = ..., bundles: _Optional[_Iterable[str]] = ..., bundle_assignments: _Optional[_Iterable[_Union[BundleAssignment, _Mapping]]] = ..., bill_cycle: _Optional[int] = ..., next_bill_cycle: _Optional[int] = ..., account_id: _Optional[int] = ..., account_number: _Optional[str] = ..., activated_at: _Optional[int] = ..., suspended_at: _Optional[int] = ..., terminated_at: _Optional[int] = ...) -> None: ...

class AvailableResource(_message.Message):
    __slots__ = ("id", "kind", "value")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    id: int
    kind: str
    value: str
    def __init__(self, id: _Optional[int] = ..., kind: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class RatedUsage(_message.Message):
    __slots__ = ("id", "subscriber_id", "service", "type_of_record", "start", "other_party", "destination", "usage", "free_usage", "billed_usage", "cost", "cost_micros", "currency", "price_plan")
    ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBER_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TYPE_OF_RECORD_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    OTHER_PARTY_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FREE_USAGE_FIELD_NUMBER: _ClassVar[int]
    BILLED_USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    PRICE_PLAN_FIELD_NUMBER: _ClassVar[int]
    id: int
    subscriber_id: int
    service: str
    type_of_record: str
    start: int
    other_party: str
    destination: str
    usage: int
    free_usage: int
    billed_usage: int
    cost: float
    cost_micros: int
    currency: str
    price_plan: str
    def __init__(self, id: _Optional[int] = ..., subscriber_id: _Optional[int] = ..., service: _Optional[str] = ..., type_of_record: _Optional[str] = ..., start: _Optional[int] = ..., other_party: _Optional[str] = ..., destination: _Optional[str] = ..., usage: _Optional[int] = ..., free_usage: _Optional[int] = ..., billed_usage: _Optional[int] = ..., cost: _Optional[float] = ..., cost_micros: _Optional[int] = ..., currency: _Optional[str] = ..., price_plan: _Optional[str] = ...) -> None: ...

class FreeUnits(_message.Message):
    __slots__ = ("service", "type_of_record", "origin", "product", "granted", "used", "left", "unit_size", "unit_label", "destinations")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TYPE_OF_RECORD_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    UNIT_SIZE_FIELD_NUMBER: _ClassVar[int]
    UNIT_LABEL_FIELD_NUMBER: _ClassVar[int]
    DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    service: str
    type_of_record: str
    origin: str
    product: str
    granted: int
    used: int
    left: int
    unit_size: int
    unit_label: str
    destinations: str
    def __init__(self, service: _Optional[str] = ..., type_of_record: _Optional[str] = ..., origin: _Optional[str] = ..., product: _Optional[str] = ..., granted: _Optional[int] = ..., used: _Optional[int] = ..., left: _Optional[int] = ..., unit_size: _Optional[int] = ..., unit_label: _Optional[str] = ..., destinations: _Optional[str] = ...) -> None: ...

class ServiceUsage(_message.Message):
    __slots__ = ("service", "type_of_record", "records", "usage", "free_usage", "cost_micros")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TYPE_OF_RECORD_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FREE_USAGE_FIELD_NUMBER: _ClassVar[int]
    COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    service: str
    type_of_record: str
    records: int
    usage: int
    free_usage: int
    cost_micros: int
    def __init__(self, service: _Optional[str] = ..., type_of_record: _Optional[str] = ..., records: _Optional[int] = ..., usage: _Optional[int] = ..., free_usage: _Optional[int] = ..., cost_micros: _Optional[int] = ...) -> None: ...

class BillLine(_message.Message):
    __slots__ = ("number", "kind", "description", "subscriber_id", "service", "destination", "records", "usage", "free_usage", "amount", "amount_micros")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBER_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FREE_USAGE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: str
    description: str
    subscriber_id: int
    service: str
    destination: str
    records: int
    usage: int
    free_usage: int
    amount: float
    amount_micros: int
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[str] = ..., description: _Optional[str] = ..., subscriber_id: _Optional[int] = ..., service: _Optional[str] = ..., destination: _Optional[str] = ..., records: _Optional[int] = ..., usage: _Optional[int] = ..., free_usage: _Optional[int] = ..., amount: _Optional[float] = ..., amount_micros: _Optional[int] = ...) -> None: ...

class Bill(_message.Message):
    __slots__ = ("id", "number", "kind", "status", "account_id", "account_number", "bill_cycle", "period_start", "period_end", "year", "month", "issued_on", "due_on", "currency", "total", "total_micros", "recurring_micros", "usage_micros", "one_off_micros", "discount_micros", "tax_micros", "rounding_micros", "paid_micros", "opening_balance_micros", "closing_balance_micros", "has_document", "created_at", "lines", "corrects_id", "credit_note_id", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BILL_CYCLE_FIELD_NUMBER: _ClassVar[int]
    PERIOD_START_FIELD_NUMBER: _ClassVar[int]
    PERIOD_END_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    ISSUED_ON_FIELD_NUMBER: _ClassVar[int]
    DUE_ON_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MICROS_FIELD_NUMBER: _ClassVar[int]
    RECURRING_MICROS_FIELD_NUMBER: _ClassVar[int]
    USAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    ONE_OFF_MICROS_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    TAX_MICROS_FIELD_NUMBER: _ClassVar[int]
    ROUNDING_MICROS_FIELD_NUMBER: _ClassVar[int]
    PAID_MICROS_FIELD_NUMBER: _ClassVar[int]
    OPENING_BALANCE_MICROS_FIELD_NUMBER: _ClassVar[int]
    CLOSING_BALANCE_MICROS_FIELD_NUMBER: _ClassVar[int]
    HAS_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: int
    number: str
    kind: str
    status: BillStatus
    account_id: int
    account_number: str
    bill_cycle: int
    period_start: int
    period_end: int
    year: int
    month: int
    issued_on: str
    due_on: str
    currency: str
    total: float
    total_micros: int
    recurring_micros: int
    usage_micros: int
    one_off_micros: int
    discount_micros: int
    tax_micros: int
    rounding_micros: int
    paid_micros: int
    opening_balance_micros: int
    closing_balance_micros: int
    has_document: bool
    created_at: int
    lines: _containers.RepeatedCompositeFieldContainer[BillLine]
    corrects_id: int
    credit_note_id: int
    reason: str
    def __init__(self, id: _Optional[int] = ..., number: _Optional[str] = ..., kind: _Optional[str] = ..., status: _Optional[_Union[BillStatus, str]] = ..., account_id: _Optional[int] = ..., account_number: _Optional[str] = ..., bill_cycle: _Optional[int] = ..., period_start: _Optional[int] = ..., period_end: _Optional[int] = ..., year: _Optional[int] = ..., month: _Optional[int] = ..., issued_on: _Optional[str] = ..., due_on: _Optional[str] = ..., currency: _Optional[str] = ..., total: _Optional[float] = ..., total_micros: _Optional[int] = ..., recurring_micros: _Optional[int] = ..., usage_micros: _Optional[int] = ..., one_off_micros: _Optional[int] = ..., discount_micros: _Optional[int] = ..., tax_micros: _Optional[int] = ..., rounding_micros: _Optional[int] = ..., paid_micros: _Optional[int] = ..., opening_balance_micros: _Optional[int] = ..., closing_balance_micros: _Optional[int] = ..., has_document: _Optional[bool] = ..., created_at: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[BillLine, _Mapping]]] = ..., corrects_id: _Optional[int] = ..., credit_note_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("id", "type", "param", "param2", "param3", "param4", "param5", "param6", "status", "error", "result", "bill_cycle", "queued_by", "queued_at", "started_at", "finished_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    PARAM2_FIELD_NUMBER: _ClassVar[int]
    PARAM3_FIELD_NUMBER: _ClassVar[int]
    PARAM4_FIELD_NUMBER: _ClassVar[int]
    PARAM5_FIELD_NUMBER: _ClassVar[int]
    PARAM6_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    BILL_CYCLE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_BY_FIELD_NUMBER: _ClassVar[int]
    QUEUED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    id: int
    type: int
    param: str
    param2: str
    param3: str
    param4: str
    param5: str
    param6: str
    status: int
    error: str
    result: str
    bill_cycle: int
    queued_by: str
    queued_at: int
    started_at: int
    finished_at: int
    def __init__(self, id: _Optional[int] = ..., type: _Optional[int] = ..., param: _Optional[str] = ..., param2: _Optional[str] = ..., param3: _Optional[str] = ..., param4: _Optional[str] = ..., param5: _Optional[str] = ..., param6: _Optional[str] = ..., status: _Optional[int] = ..., error: _Optional[str] = ..., result: _Optional[str] = ..., bill_cycle: _Optional[int] = ..., queued_by: _Optional[str] = ..., queued_at: _Optional[int] = ..., started_at: _Optional[int] = ..., finished_at: _Optional[int] = ...) -> None: ...

class REF_Price_plan(_message.Message):
    __slots__ = ("id", "operator_id", "name", "svc1_price", "svc2_price", "svc3_price", "svc4_price", "svc1_free_units", "svc2_free_units", "svc3_free_units", "svc4_free_units", "monthly_fee", "expiration_date", "svc1_price_micros", "svc2_price_micros", "svc3_price_micros", "svc4_price_micros", "monthly_fee_micros", "code", "currency", "services", "retired", "rating_subject")
    ID_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SVC1_PRICE_FIELD_NUMBER: _ClassVar[int]
    SVC2_PRICE_FIELD_NUMBER: _ClassVar[int]
    SVC3_PRICE_FIELD_NUMBER: _ClassVar[int]
    SVC4_PRICE_FIELD_NUMBER: _ClassVar[int]
    SVC1_FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    SVC2_FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    SVC3_FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    SVC4_FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_FEE_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_DATE_FIELD_NUMBER: _ClassVar[int]
    SVC1_PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    SVC2_PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    SVC3_PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    SVC4_PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_FEE_MICROS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    RATING_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    id: int
    operator_id: int
    name: str
    svc1_price: float
    svc2_price: float
    svc3_price: float
    svc4_price: float
    svc1_free_units: int
    svc2_free_units: int
    svc3_free_units: int
    svc4_free_units: int
    monthly_fee: float
    expiration_date: str
    svc1_price_micros: int
    svc2_price_micros: int
    svc3_price_micros: int
    svc4_price_micros: int
    monthly_fee_micros: int
    code: str
    currency: str
    services: _containers.RepeatedCompositeFieldContainer[ServiceTerms]
    retired: bool
    rating_subject: str
    def __init__(self, id: _Optional[int] = ..., operator_id: _Optional[int] = ..., name: _Optional[str] = ..., svc1_price: _Optional[float] = ..., svc2_price: _Optional[float] = ..., svc3_price: _Optional[float] = ..., svc4_price: _Optional[float] = ..., svc1_free_units: _Optional[int] = ..., svc2_free_units: _Optional[int] = ..., svc3_free_units: _Optional[int] = ..., svc4_free_units: _Optional[int] = ..., monthly_fee: _Optional[float] = ..., expiration_date: _Optional[str] = ..., svc1_price_micros: _Optional[int] = ..., svc2_price_micros: _Optional[int] = ..., svc3_price_micros: _Optional[int] = ..., svc4_price_micros: _Optional[int] = ..., monthly_fee_micros: _Optional[int] = ..., code: _Optional[str] = ..., currency: _Optional[str] = ..., services: _Optional[_Iterable[_Union[ServiceTerms, _Mapping]]] = ..., retired: _Optional[bool] = ..., rating_subject: _Optional[str] = ...) -> None: ...

class ServiceTerms(_message.Message):
    __slots__ = ("service_id", "service", "has_price", "price_micros", "free_units")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    HAS_PRICE_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    service_id: int
    service: str
    has_price: bool
    price_micros: int
    free_units: int
    def __init__(self, service_id: _Optional[int] = ..., service: _Optional[str] = ..., has_price: _Optional[bool] = ..., price_micros: _Optional[int] = ..., free_units: _Optional[int] = ...) -> None: ...

class REF_Bundle(_message.Message):
    __slots__ = ("id", "code", "name", "currency", "monthly_fee_micros", "retired", "services")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_FEE_MICROS_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    name: str
    currency: str
    monthly_fee_micros: int
    retired: bool
    services: _containers.RepeatedCompositeFieldContainer[ServiceTerms]
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ..., name: _Optional[str] = ..., currency: _Optional[str] = ..., monthly_fee_micros: _Optional[int] = ..., retired: _Optional[bool] = ..., services: _Optional[_Iterable[_Union[ServiceTerms, _Mapping]]] = ...) -> None: ...

class REF_Service(_message.Message):
    __slots__ = ("id", "code", "name", "type_of_record", "unit_size", "unit_label", "retired")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_OF_RECORD_FIELD_NUMBER: _ClassVar[int]
    UNIT_SIZE_FIELD_NUMBER: _ClassVar[int]
    UNIT_LABEL_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    name: str
    type_of_record: str
    unit_size: int
    unit_label: str
    retired: bool
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ..., name: _Optional[str] = ..., type_of_record: _Optional[str] = ..., unit_size: _Optional[int] = ..., unit_label: _Optional[str] = ..., retired: _Optional[bool] = ...) -> None: ...

class REF_Bill_cycle(_message.Message):
    __slots__ = ("number", "name", "day", "time_zone", "currency", "retired")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    number: int
    name: str
    day: int
    time_zone: str
    currency: str
    retired: bool
    def __init__(self, number: _Optional[int] = ..., name: _Optional[str] = ..., day: _Optional[int] = ..., time_zone: _Optional[str] = ..., currency: _Optional[str] = ..., retired: _Optional[bool] = ...) -> None: ...

class REF_Currency(_message.Message):
    __slots__ = ("id", "code")
    ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    id: int
    code: str
    def __init__(self, id: _Optional[int] = ..., code: _Optional[str] = ...) -> None: ...

class Notification(_message.Message):
    __slots__ = ("id", "at", "level", "text", "activity_id", "bill_id", "acknowledged_at", "acknowledged_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    BILL_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_AT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    id: int
    at: int
    level: str
    text: str
    activity_id: int
    bill_id: int
    acknowledged_at: int
    acknowledged_by: str
    def __init__(self, id: _Optional[int] = ..., at: _Optional[int] = ..., level: _Optional[str] = ..., text: _Optional[str] = ..., activity_id: _Optional[int] = ..., bill_id: _Optional[int] = ..., acknowledged_at: _Optional[int] = ..., acknowledged_by: _Optional[str] = ...) -> None: ...

class Voucher(_message.Message):
    __slots__ = ("id", "serial", "batch_id", "status", "kind", "amount", "amount_micros", "units", "currency", "bundle", "bundle_days", "valid_from", "expires_at", "redeemed_at", "account_id", "msisdn", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_DAYS_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REDEEMED_AT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    MSISDN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: int
    serial: str
    batch_id: int
    status: VoucherStatus
    kind: str
    amount: float
    amount_micros: int
    units: int
    currency: str
    bundle: str
    bundle_days: int
    valid_from: int
    expires_at: int
    redeemed_at: int
    account_id: int
    msisdn: str
    reason: str
    def __init__(self, id: _Optional[int] = ..., serial: _Optional[str] = ..., batch_id: _Optional[int] = ..., status: _Optional[_Union[VoucherStatus, str]] = ..., kind: _Optional[str] = ..., amount: _Optional[float] = ..., amount_micros: _Optional[int] = ..., units: _Optional[int] = ..., currency: _Optional[str] = ..., bundle: _Optional[str] = ..., bundle_days: _Optional[int] = ..., valid_from: _Optional[int] = ..., expires_at: _Optional[int] = ..., redeemed_at: _Optional[int] = ..., account_id: _Optional[int] = ..., msisdn: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
