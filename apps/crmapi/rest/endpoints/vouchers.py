"""Vouchers: generate, look at, block, redeem."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from apps.crm.domain.asked import VoucherChangeAsked
from apps.crm.operations import table as does
from apps.crmapi.rest import examples
from apps.crmapi.rest.endpoint import ASCENDING, NEWEST_FIRST, Endpoint, Values
from apps.crmapi.rest.fields import PageQuery
from apps.crmapi.rest.shapes.vouchers import (
    BatchShape,
    ChangedShape,
    ExtendBody,
    GeneratedBatchShape,
    NewBatchBody,
    ReasonBody,
    RedeemBody,
    RedemptionShape,
    VoucherQuery,
    VoucherShape,
)

BATCH = "voucher-batches/<int:batch_id>"
ONE = "vouchers/<str:serial>"
endpoint = partial(Endpoint, tag="Vouchers")


def _to_do(action: str) -> Callable[[Values], VoucherChangeAsked]:
    def read(values: Values) -> VoucherChangeAsked:
        serials = (values.pop("serial"),) if "serial" in values else ()
        return VoucherChangeAsked(action=action, serials=serials, **values)

    return read


def _changing(action: str, summary: str, text: str, body: Any = ReasonBody) -> Endpoint:
    return endpoint(
        at=f"POST {ONE}/{action}",
        operation=does.CHANGE_VOUCHER,
        id=f"vouchers_{action}",
        summary=summary,
        text=text,
        body=body,
        answer=VoucherShape,
        read=_to_do(action),
    )


def _changing_batch(action: str, summary: str, text: str) -> Endpoint:
    return endpoint(
        at=f"POST {BATCH}/{action}",
        operation=does.CHANGE_VOUCHERS,
        id=f"voucher_batches_{action}",
        summary=summary,
        text=text,
        body=ReasonBody,
        answer=ChangedShape,
        read=_to_do(action),
    )


ENDPOINTS = (
    endpoint(
        at="GET voucher-batches",
        operation=does.VOUCHER_BATCHES,
        summary="Batches of vouchers, newest first",
        text="With the value of each voucher.",
        query=PageQuery,
        answer=BatchShape,
        pages=NEWEST_FIRST,
    ),
    endpoint(
        at="POST voucher-batches",
        operation=does.GENERATE_VOUCHERS,
        summary="Generate a batch of vouchers",
        text="The PINs are in this answer and nowhere else: only a keyed hash of them is kept.\n\n"
        "A repeat under the same `Idempotency-Key` is answered without them.",
        status=201,
        body=NewBatchBody,
        answer=GeneratedBatchShape,
        problems=(404,),
        request_example=examples.NEW_BATCH,
    ),
    endpoint(
        at=f"GET {BATCH}",
        operation=does.VOUCHER_BATCH,
        summary="One batch",
        text="Without its PINs, which are not kept.",
        answer=BatchShape,
    ),
    _changing_batch(
        "activate",
        "Activate a batch",
        "Its vouchers can be redeemed from now on (cards have arrived in the shops).",
    ),
    _changing_batch(
        "void",
        "Take a batch out for good",
        "Vouchers that are not redeemed yet never can be (the cards were stolen).",
    ),
    endpoint(
        at="GET vouchers",
        operation=does.VOUCHERS,
        summary="Vouchers, in the order of their ids",
        text="With their status now. There is no look-up by PIN.",
        query=VoucherQuery,
        answer=VoucherShape,
        pages=ASCENDING,
    ),
    endpoint(
        at="POST vouchers/redeem",
        operation=does.REDEEM_VOUCHER,
        summary="Redeem a voucher for a customer",
        text="Credits the account once. Every refusal of a PIN looks the same.\n\n"
        "After wrong PINs the caller waits longer and longer (`redemption_wait`), and is locked in the end "
        "(`redemption_locked`).",
        body=RedeemBody,
        answer=RedemptionShape,
        problems=(404,),
        request_example={"pin": "1234 5678 9012 3456", "msisdn": "4915550000001"},
        answer_example=examples.REDEMPTION,
    ),
    endpoint(
        at=f"GET {ONE}",
        operation=does.VOUCHER,
        summary="One voucher",
        text="By its serial number.",
        answer=VoucherShape,
    ),
    _changing("block", "Block a voucher", "It cannot be redeemed until it is unblocked."),
    _changing("unblock", "Unblock a voucher", "It can be redeemed again."),
    _changing(
        "extend", "Give a voucher another end", "Later than now; an expired one counts again.", ExtendBody
    ),
    _changing("void", "Take a voucher out for good", "It can never be redeemed."),
)
