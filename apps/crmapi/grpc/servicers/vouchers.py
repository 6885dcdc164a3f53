"""Messages of RPCs about vouchers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.crm.domain.asked import (
    NewBatchAsked,
    RedemptionAsked,
    VoucherChangeAsked,
    VoucherRef,
    VouchersAsked,
)
from apps.crm.domain.vouchers import ChangedVouchers, NewVouchers, VoucherView
from apps.crm.services.vouchers import Redemption
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.subscriber_messages import enum_name
from apps.crmapi.grpc.servicers.values import (
    acknowledged,
    instant_of,
    micros_of,
    not_negative,
    one_of,
    seconds,
    units,
)
from apps.kernel.errors import InvalidInput
from apps.mediation.pb import billing_pb2

# The enums have one number for each of the product's words, and none for UNSPECIFIED.
STATUS_NAMES = {
    number: name.removeprefix("VOUCHER_STATUS_").lower() if number else ""
    for name, number in billing_pb2.VoucherStatus.items()
}
STATUS_OF: dict[str, Any] = {name: number for number, name in STATUS_NAMES.items()}
ACTION_NAMES = {
    number: name.removeprefix("VOUCHER_ACTION_").lower() if number else ""
    for name, number in crm_pb2.VoucherAction.items()
}


def vouchers_asked(request: crm_pb2.SelectVouchersRequest) -> VouchersAsked:
    return VouchersAsked(
        batch_id=not_negative(request.batch_id, "batch_id"),
        status=enum_name(STATUS_NAMES, request.status, "status"),
        account_id=not_negative(request.account_id, "account_id"),
        after_id=not_negative(request.after_id, "after_id"),
        limit=request.limit or 100,
    )


def vouchers_message(found: Sequence[VoucherView]) -> crm_pb2.SelectVouchersResponse:
    return crm_pb2.SelectVouchersResponse(vouchers=[voucher_message(voucher) for voucher in found])


def voucher_asked(request: crm_pb2.SelectVoucherRequest) -> VoucherRef:
    return VoucherRef(voucher_id=not_negative(request.id, "id"), serial=request.serial)


def voucher_message(voucher: VoucherView) -> billing_pb2.Voucher:
    return billing_pb2.Voucher(
        id=voucher.id,
        serial=voucher.serial,
        batch_id=voucher.batch_id,
        status=STATUS_OF[voucher.status],
        kind=voucher.kind,
        amount=units(voucher.amount_micros),
        amount_micros=voucher.amount_micros,
        units=voucher.units,
        currency=voucher.currency,
        bundle=voucher.bundle,
        bundle_days=voucher.bundle_days or 0,
        valid_from=seconds(voucher.valid_from),
        expires_at=seconds(voucher.expires_at),
        redeemed_at=seconds(voucher.redeemed_at),
        account_id=voucher.account_id or 0,
        msisdn=voucher.msisdn,
        reason=voucher.reason,
    )


def change_asked(request: crm_pb2.UpdateVoucherRequest) -> VoucherChangeAsked:
    return VoucherChangeAsked(
        action=enum_name(ACTION_NAMES, request.action, "action"),
        serials=tuple(request.serials),
        batch_id=not_negative(request.batch_id, "batch_id"),
        expires_at=instant_of(request.expires_at, "expires_at"),
        reason=request.reason,
    )


def changed_message(found: ChangedVouchers) -> crm_pb2.UpdateVoucherResponse:
    return crm_pb2.UpdateVoucherResponse(changed=found.changed)


def batch_asked(request: crm_pb2.InsertVoucherRequest) -> NewBatchAsked:
    return NewBatchAsked(
        name=request.name,
        count=request.count,
        kind=request.kind or "monetary",
        amount_micros=micros_of(request.amount, request.amount_micros, "amount"),
        units=request.units,
        currency=request.currency,
        balance_tag=request.tag,
        balance_days=not_negative(request.balance_days, "balance_days") or None,
        bundle=request.bundle,
        bundle_days=not_negative(request.bundle_days, "bundle_days") or None,
        expires_at=instant_of(request.expires_at, "expires_at"),
        valid_from=instant_of(request.valid_from, "valid_from"),
        book="promotion" if request.promotion else "cash",
        active=not request.inactive,
    )


def batch_message(found: NewVouchers) -> crm_pb2.InsertVoucherResponse:
    return crm_pb2.InsertVoucherResponse(
        batch_id=found.batch.id,
        vouchers=[crm_pb2.PrintedVoucher(serial=one.serial, pin=one.pin) for one in found.vouchers],
    )


def redemption_asked(request: crm_pb2.RedeemVoucherRequest) -> RedemptionAsked:
    account_id = not_negative(request.account_id, "account_id")
    if account_id and (request.id or request.msisdn):
        raise InvalidInput("give an account, a subscriber or an MSISDN, one of them", where="account_id")
    return RedemptionAsked(
        pin=request.pin,
        account_id=account_id,
        subscriber_id=one_of(request.id, request.msisdn),
        msisdn=request.msisdn,
    )


def redemption_message(found: Redemption) -> crm_pb2.RedeemVoucherResponse:
    money = found.kind == "monetary"
    return crm_pb2.RedeemVoucherResponse(
        serial=found.serial,
        account_id=found.account_id,
        kind=found.kind,
        amount=units(found.value) if money else 0.0,
        amount_micros=found.value if money else 0,
        units=0 if money else found.value,
        currency=found.currency,
        balance_micros=found.balance_micros,
        bundle=found.bundle,
        repeated=found.replayed,
    )


def topped_up(found: Redemption) -> crm_pb2.CRMResponse:
    return acknowledged(f"voucher {found.serial} is redeemed", found.account_id)
