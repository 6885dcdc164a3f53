"""RPCs about vouchers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from apps.charging.models import Account, LedgerEntry
from apps.crm.domain.errors import Forbidden
from apps.crm.selectors.rows import checked_limit
from apps.crm.selectors.subscribers import SubscriberKey, get_subscribers
from apps.crm.services.money import subscriber_account
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.rpc import Outcome, RpcCall
from apps.crmapi.grpc.servicers.subscriber_messages import enum_name
from apps.crmapi.grpc.servicers.subscribers import acknowledged
from apps.crmapi.grpc.servicers.values import (
    instant_of,
    micros_of,
    named_subscriber,
    not_negative,
    seconds,
    units,
)
from apps.kernel.errors import InvalidInput, NotFound
from apps.mediation.pb import billing_pb2
from apps.rating.models import Tenant
from apps.vouchers.domain.vouchers import VoucherAction, VoucherStatus
from apps.vouchers.models import Voucher
from apps.vouchers.selectors import VoucherFilter
from apps.vouchers.selectors import select_voucher as voucher_by_serial
from apps.vouchers.selectors import select_vouchers as vouchers_of
from apps.vouchers.services.batches import NewBatch, change_vouchers, generate_batch
from apps.vouchers.services.groups import Asked, redeem_together
from apps.vouchers.services.redemption import Redemption, redeem

MOST_VOUCHERS_A_CALL = 20_000
MOST_SERIALS_A_CALL = 1_000
STATUS_OF = {
    status.value: billing_pb2.VoucherStatus.Value(f"VOUCHER_STATUS_{status.name}") for status in VoucherStatus
}
STATUS_NAMES = {number: name for name, number in STATUS_OF.items()} | {0: ""}
ACTIONS = {crm_pb2.VoucherAction.Value(f"VOUCHER_ACTION_{action.name}"): action for action in VoucherAction}


def select_vouchers(call: RpcCall, request: crm_pb2.SelectVouchersRequest) -> crm_pb2.SelectVouchersResponse:
    found = vouchers_of(
        _tenant(call),
        VoucherFilter(
            batch_id=not_negative(request.batch_id, "batch_id") or None,
            status=enum_name(STATUS_NAMES, request.status, "status"),
            account_id=not_negative(request.account_id, "account_id") or None,
        ),
        call.now,
        after_id=not_negative(request.after_id, "after_id"),
        limit=checked_limit(request.limit or 100),
    )
    return crm_pb2.SelectVouchersResponse(vouchers=[voucher_message(call, voucher) for voucher in found])


def select_voucher(call: RpcCall, request: crm_pb2.SelectVoucherRequest) -> billing_pb2.Voucher:
    not_negative(request.id, "id")
    if bool(request.id) == bool(request.serial):
        raise InvalidInput("give the voucher's id or its serial, one of them", where="id")
    if request.id:
        # The one that follows the id before it, if it is this one.
        found = vouchers_of(_tenant(call), VoucherFilter(), call.now, after_id=request.id - 1, limit=1)
        if not found or found[0].pk != request.id:
            raise NotFound(f"there is no voucher {request.id}", where="id")
        return voucher_message(call, found[0])
    return voucher_message(call, voucher_by_serial(_tenant(call), request.serial))


def update_voucher(call: RpcCall, request: crm_pb2.UpdateVoucherRequest) -> Outcome:
    action = ACTIONS.get(request.action)
    if action is None:
        raise InvalidInput(f"say what to do: {', '.join(VoucherAction)}", where="action")
    if len(request.serials) > MOST_SERIALS_A_CALL:
        raise InvalidInput(f"name {MOST_SERIALS_A_CALL} vouchers at most, or their batch", where="serials")
    changed = change_vouchers(
        _tenant(call),
        action,
        call.now,
        serials=list(request.serials),
        batch_id=not_negative(request.batch_id, "batch_id") or None,
        expires_at=instant_of(request.expires_at, "expires_at"),
        reason=request.reason,
        by=call.by,
    )
    target = f"voucher batch {request.batch_id}" if request.batch_id else f"voucher {request.serials[0]}"
    return Outcome(
        crm_pb2.UpdateVoucherResponse(changed=changed), f"{target}{' …' if len(request.serials) > 1 else ''}"
    )


def insert_voucher(call: RpcCall, request: crm_pb2.InsertVoucherRequest) -> Outcome:
    """The order is kept by its key, its PINs are not: a repeat is refused rather than answered again."""
    if not call.key:
        raise InvalidInput(
            "an order of vouchers needs an idempotency key, so that a repeat does not make another batch",
            where="idempotency-key",
        )
    if request.count > MOST_VOUCHERS_A_CALL:
        raise InvalidInput(
            f"a call makes {MOST_VOUCHERS_A_CALL} vouchers at most; the admin and manage.py make larger batches",
            where="count",
        )
    kind = request.kind or "monetary"
    amount_micros = micros_of(request.amount, request.amount_micros, "amount")
    if (kind == "monetary" and request.units) or (kind != "monetary" and amount_micros):
        raise InvalidInput("vouchers for money have an amount, others have units; not both", where="units")
    expires_at = instant_of(request.expires_at, "expires_at")
    if expires_at is None:
        raise InvalidInput("say when the vouchers expire", where="expires_at")
    new = NewBatch(
        name=request.name,
        count=request.count,
        value=amount_micros if kind == "monetary" else request.units,
        expires_at=expires_at,
        valid_from=instant_of(request.valid_from, "valid_from"),
        kind=kind,
        currency=request.currency,
        tag=request.tag,
        balance_days=not_negative(request.balance_days, "balance_days") or None,
        bundle=request.bundle,
        bundle_days=not_negative(request.bundle_days, "bundle_days") or None,
        book=(LedgerEntry.Book.PROMOTION if request.promotion else LedgerEntry.Book.CASH).value,
        active=not request.inactive,
    )
    made = generate_batch(_tenant(call), new, call.now, key=_key(call), by=call.by)
    message = crm_pb2.InsertVoucherResponse(
        batch_id=made.batch.pk,
        vouchers=[crm_pb2.PrintedVoucher(serial=one.serial, pin=one.pin) for one in made.vouchers],
    )
    return Outcome(message, f"voucher batch {made.batch.pk}")


def redeem_voucher(call: RpcCall, request: crm_pb2.RedeemVoucherRequest) -> Outcome:
    redemption = _redeemed(call, request)
    return Outcome(_redemption_message(redemption), _target(redemption))


class RedeemCall(NamedTuple):
    """A RedeemVoucher call among others: the call and its message."""

    call: RpcCall
    request: crm_pb2.RedeemVoucherRequest


def redeem_vouchers(
    calls: Sequence[RedeemCall], record: Callable[[Sequence[tuple[int, str]]], object]
) -> list[crm_pb2.RedeemVoucherResponse | None]:
    """What can be redeemed together; None, place by place, for a call that has to be done by itself.

    ``record`` writes the audit record of those that were redeemed (their places in ``calls``, and what each was
    about), in the same transaction. The calls name a subscriber by id or MSISDN, and are of callers who speak for many.
    """
    now = calls[-1].call.now
    keys = [SubscriberKey(call.tenant, request.id, request.msisdn) for call, request in calls]
    views = get_subscribers(keys, now=now).views()
    answers: list[crm_pb2.RedeemVoucherResponse | None] = [None] * len(calls)
    for tenant_id in {call.caller.tenant_id for call, _ in calls}:
        places = [
            place
            for place, ((call, _), view) in enumerate(zip(calls, views, strict=True))
            if call.caller.tenant_id == tenant_id and view is not None and view.account_id
        ]
        asked = [
            Asked(view.account_id, request.pin, view.msisdn, _key(call) if call.key else "", _speaker(call))
            for (call, request), view in ((calls[place], views[place]) for place in places)
            if view is not None
        ]

        def recorded(done: Mapping[int, Redemption], places: list[int] = places) -> None:
            record([(places[index], _target(redemption)) for index, redemption in done.items()])

        redeemed = redeem_together(tenant_id, asked, now, also=recorded)
        for place, redemption in zip(places, redeemed, strict=True):
            if redemption is not None:
                answers[place] = _redemption_message(redemption)
    return answers


def _target(redemption: Redemption) -> str:
    return f"account {redemption.account_id}"


def _redemption_message(redemption: Redemption) -> crm_pb2.RedeemVoucherResponse:
    money = redemption.kind == "monetary"
    return crm_pb2.RedeemVoucherResponse(
        serial=redemption.serial,
        account_id=redemption.account_id,
        kind=redemption.kind,
        amount=units(redemption.value) if money else 0.0,
        amount_micros=redemption.value if money else 0,
        units=0 if money else redemption.value,
        currency=redemption.currency,
        balance_micros=redemption.balance_micros,
        bundle=redemption.bundle,
        repeated=redemption.replayed,
    )


def top_up_voucher(call: RpcCall, request: crm_pb2.RedeemVoucherRequest) -> Outcome:
    redemption = _redeemed(call, request)
    return Outcome(
        acknowledged(f"voucher {redemption.serial} is redeemed", redemption.account_id),
        _target(redemption),
    )


def _redeemed(call: RpcCall, request: crm_pb2.RedeemVoucherRequest) -> Redemption:
    tenant = _tenant(call)
    msisdn = request.msisdn
    not_negative(request.account_id, "account_id")
    if request.account_id:
        if request.id or msisdn:
            raise InvalidInput("give an account, a subscriber or an MSISDN, one of them", where="account_id")
        own = call.caller.subscriber_id
        if own is not None and subscriber_account(call.tenant, own) != request.account_id:
            # The same whether there is such an account or not.
            raise Forbidden("a self-care token is for its own account alone", where="account_id")
        account = Account.objects.filter(pk=request.account_id, tenant=tenant).first()
    else:
        subscriber = named_subscriber(call, request.id, msisdn)
        msisdn = subscriber.msisdn
        account = Account.objects.filter(pk=subscriber.account_id, tenant=tenant).first()
    if account is None:
        raise NotFound(f"there is no account {request.account_id}", where="account_id")
    return redeem(
        tenant,
        request.pin,
        call.now,
        account=account,
        msisdn=msisdn,
        key=_key(call) if call.key else "",
        caller=_speaker(call),
    )


def _speaker(call: RpcCall) -> str:
    """Against whom wrong PINs count beside the account: a customer's own do not, a client speaks for many."""
    return "" if call.caller.only_own else f"api:{call.caller.client}"


def _key(call: RpcCall) -> str:
    """The call's key among all keys of the tenant's vouchers: two clients may choose the same."""
    return f"api:{sha256(f'{call.caller.owner_of_keys}:{call.key}'.encode()).hexdigest()}"


def _tenant(call: RpcCall) -> Tenant:
    return Tenant.objects.get(pk=call.caller.tenant_id)


def voucher_message(call: RpcCall, voucher: Voucher) -> billing_pb2.Voucher:
    batch = voucher.batch
    return billing_pb2.Voucher(
        id=voucher.pk,
        serial=voucher.serial,
        batch_id=voucher.batch_id,
        status=STATUS_OF[voucher.status_at(call.now).value],
        kind=batch.kind,
        amount=units(batch.amount_micros),
        amount_micros=batch.amount_micros,
        units=batch.units,
        currency=batch.currency,
        bundle=batch.bundle.code if batch.bundle_id else "",
        bundle_days=batch.bundle_days or 0,
        valid_from=seconds(voucher.valid_from),
        expires_at=seconds(voucher.expires_at),
        redeemed_at=seconds(voucher.redeemed_at),
        account_id=voucher.account_id or 0,
        msisdn=voucher.msisdn,
        reason=voucher.reason,
    )
