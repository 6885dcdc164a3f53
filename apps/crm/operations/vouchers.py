"""Operations about vouchers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from apps.crm.domain.asked import (
    AccountRef,
    BatchesAsked,
    BatchRef,
    LockLiftAsked,
    NewBatchAsked,
    RedemptionAsked,
    VoucherChangeAsked,
    VoucherRef,
    VouchersAsked,
)
from apps.crm.domain.operations import Call, Done
from apps.crm.domain.vouchers import BatchView, ChangedVouchers, NewVouchers, RedemptionLock, VoucherView
from apps.crm.operations.accounts import own_account
from apps.crm.operations.subscribers import find as find_subscriber
from apps.crm.selectors import vouchers as reads
from apps.crm.selectors.accounts import get_account
from apps.crm.selectors.subscribers import SubscriberKey, get_subscribers
from apps.crm.services import vouchers as changes
from apps.crm.services.vouchers import Redemption, RedemptionCall
from apps.kernel.errors import InvalidInput
from apps.vouchers.selectors import VoucherFilter

ABOUT_REDEMPTION = "account {found.account_id}, voucher {found.serial}"


def batches(call: Call, asked: BatchesAsked) -> list[BatchView]:
    return reads.list_batches(call.tenant, before_id=asked.before_id, limit=asked.limit)


def batch(call: Call, asked: BatchRef) -> BatchView:
    return reads.get_batch(call.tenant, asked.batch_id)


def find_all(call: Call, asked: VouchersAsked) -> list[VoucherView]:
    wanted = VoucherFilter(
        batch_id=asked.batch_id or None,
        status=asked.status,
        serial=asked.serial,
        account_id=asked.account_id or None,
        msisdn=asked.msisdn,
    )
    return reads.list_vouchers(call.tenant, wanted, now=call.now, after_id=asked.after_id, limit=asked.limit)


def find(call: Call, asked: VoucherRef) -> VoucherView:
    if bool(asked.voucher_id) == bool(asked.serial):
        raise InvalidInput("give the voucher's id or its serial, one of them", where="id")
    return reads.get_voucher(call.tenant, now=call.now, voucher_id=asked.voucher_id, serial=asked.serial)


def generate(call: Call, asked: NewBatchAsked) -> NewVouchers:
    return changes.generate(call.tenant, asked, now=call.now, key=call.key, caller=call.caller)


def change(call: Call, asked: VoucherChangeAsked) -> ChangedVouchers:
    return ChangedVouchers(changes.change(call.tenant, asked, now=call.now, by=call.by))


def change_one(call: Call, asked: VoucherChangeAsked) -> VoucherView:
    changes.change(call.tenant, asked, now=call.now, by=call.by)
    return reads.get_voucher(call.tenant, now=call.now, serial=asked.serials[0])


def redeem(call: Call, asked: RedemptionAsked) -> Redemption:
    """Credit an account once. Every refusal of a PIN looks the same."""
    if asked.account_id:
        if asked.subscriber_id or asked.msisdn:
            raise InvalidInput("give an account, a subscriber or an MSISDN, one of them", where="account_id")
        account_id, msisdn = own_account(call, asked.account_id), ""
    else:
        subscriber = find_subscriber(call, asked)
        account_id, msisdn = subscriber.account_id, subscriber.msisdn
    redemption = RedemptionCall(call.caller, account_id, msisdn, asked.pin, call.key)
    return changes.redeem_one(call.tenant, redemption, now=call.now)


def redeem_many(
    calls: Sequence[tuple[Call, RedemptionAsked]],
    record: Callable[[Sequence[tuple[int, Done]]], object],
) -> list[Redemption | Exception | None]:
    """Each call's redemption or the error that it ends with; None for one whose subscriber or account is not found.

    ``record`` writes the audit record of those that were redeemed, by their places in ``calls``, in the same
    transaction. The calls name a subscriber by id or MSISDN, and are not of customers' own tokens.
    """
    now = calls[-1][0].now
    keys = [SubscriberKey(call.tenant, asked.subscriber_id, asked.msisdn) for call, asked in calls]
    views = get_subscribers(keys, now=now).views()
    answers: list[Redemption | Exception | None] = [None] * len(calls)
    for tenant_id in {call.caller.tenant_id for call, _ in calls}:
        places: list[int] = []
        together: list[RedemptionCall] = []
        for place, ((call, asked), view) in enumerate(zip(calls, views, strict=True)):
            if call.caller.tenant_id == tenant_id and view is not None and view.account_id:
                places.append(place)
                together.append(
                    RedemptionCall(call.caller, view.account_id, view.msisdn, asked.pin, call.key)
                )

        def recorded(done: Mapping[int, Redemption], places: list[int] = places) -> None:
            record(
                [
                    (places[index], Done(ABOUT_REDEMPTION.format(found=found), found.replayed))
                    for index, found in done.items()
                ]
            )

        outcomes = changes.redeem_many(tenant_id, together, now=now, also=recorded)
        for place, outcome in zip(places, outcomes, strict=True):
            answers[place] = outcome
    return answers


def lock(call: Call, asked: AccountRef) -> RedemptionLock:
    get_account(call.tenant, account_id=asked.account_id)
    return reads.redemption_lock(call.tenant, asked.account_id)


def lift_lock(call: Call, asked: LockLiftAsked) -> RedemptionLock:
    get_account(call.tenant, account_id=asked.account_id)
    return changes.lift(call.tenant, asked.account_id, now=call.now, by=call.by, reason=asked.reason)
