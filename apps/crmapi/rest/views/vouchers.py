"""Vouchers: generate, look at, block, redeem."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from rest_framework.response import Response

from apps.charging.models import Account
from apps.crm.selectors.accounts import get_account
from apps.crm.selectors.voucher_batches import get_batch, list_batches
from apps.crmapi.rest import examples
from apps.crmapi.rest.changes import REPLAYED, recorded
from apps.crmapi.rest.door import Door
from apps.crmapi.rest.fields import PageQuery
from apps.crmapi.rest.operations import Call, operation, page_shape
from apps.crmapi.rest.pagination import NEWEST, page_of
from apps.crmapi.rest.shapes.vouchers import (
    BatchShape,
    ChangedShape,
    ExtendBody,
    GeneratedBatchShape,
    NewBatchBody,
    ReasonBody,
    RedeemBody,
    RedemptionLockShape,
    RedemptionShape,
    VoucherQuery,
    VoucherShape,
)
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.models import Tenant
from apps.vouchers.domain.vouchers import VoucherAction
from apps.vouchers.models import RedemptionGuard
from apps.vouchers.selectors import VoucherFilter, select_voucher, select_vouchers
from apps.vouchers.services.batches import LONGEST_KEY, NewBatch, change_vouchers, generate_batch
from apps.vouchers.services.redemption import Redemption, lift_lock, redeem

TAG = "Vouchers"
SERIAL = {"serial": "The voucher's serial number."}
ACCOUNT = {"account_id": "The account's id."}
BATCH = {"batch_id": "The batch's id."}


def tenant_row(call: Call) -> Tenant:
    """The tenant's row, which vouchers are asked for by."""
    return Tenant.objects.get(pk=call.caller.tenant_id)


def _too_long(call: Call) -> InvalidInput:
    most = LONGEST_KEY - len(call.caller.owner_of_keys) - 1
    return InvalidInput(f"this key is too long for vouchers; up to {most} characters will do")


class Batches(Door):
    @operation(
        "voucher_batches_list",
        "Batches of vouchers, newest first",
        permission="vouchers.read",
        tag=TAG,
        query=PageQuery,
        answer=page_shape("VoucherBatchPage", BatchShape),
    )
    def get(self, call: Call) -> Response:
        """What was generated, and what each voucher is worth."""
        return page_of(
            call.request,
            "voucher-batches",
            call.query,
            fetch=lambda position, limit: list_batches(
                call.tenant, before_id=0 if position[0] == NEWEST else position[0], limit=limit
            ),
            position=lambda found: (found.pk,),
            first=(NEWEST,),
            shown=lambda found: BatchShape(found, many=True).data,
        )

    @operation(
        "voucher_batches_create",
        "Generate a batch of vouchers",
        permission="vouchers.create",
        tag=TAG,
        status=201,
        body=NewBatchBody,
        answer=GeneratedBatchShape,
        target="voucher batch",
        key="optional",
        kept=lambda answer: {
            **answer,
            "vouchers": [{**voucher, "pin": None} for voucher in answer["vouchers"]],
        },
        problems=(404, 409),
        request_example=examples.NEW_BATCH,
    )
    def post(self, call: Call) -> Any:
        """The PINs are in this answer and nowhere else: what is kept of them is a keyed hash.

        A repeat under the same `Idempotency-Key` is answered without them.
        """
        body = dict(call.body)
        value = body.pop("amount_micros", 0) + body.pop("units", 0)
        body["tag"] = body.pop("balance_tag", "")
        key = f"{call.caller.owner_of_keys}:{call.key or uuid4().hex}"
        if len(key) > LONGEST_KEY:
            raise _too_long(call)
        return generate_batch(
            tenant_row(call), NewBatch(value=value, **body), call.now, key=key, by=call.caller.actor
        )


class Batch(Door):
    @operation(
        "voucher_batches_get",
        "One batch",
        permission="vouchers.read",
        tag=TAG,
        path=BATCH,
        answer=BatchShape,
    )
    def get(self, call: Call, batch_id: int) -> Any:
        """Without its PINs, which are not kept."""
        return get_batch(call.tenant, batch_id)


class Vouchers(Door):
    @operation(
        "vouchers_list",
        "Vouchers, in the order of their ids",
        permission="vouchers.read",
        tag=TAG,
        query=VoucherQuery,
        answer=page_shape("VoucherPage", VoucherShape),
    )
    def get(self, call: Call) -> Response:
        """With their status now. There is no look-up by PIN."""
        names = ("batch_id", "status", "serial", "account_id", "msisdn")
        wanted = VoucherFilter(**{name: call.query[name] for name in names if name in call.query})
        tenant = tenant_row(call)
        return page_of(
            call.request,
            "vouchers",
            call.query,
            fetch=lambda position, limit: select_vouchers(
                tenant, wanted, call.now, after_id=position[0], limit=limit
            ),
            position=lambda found: (found.pk,),
            first=(0,),
            shown=lambda found: VoucherShape(found, many=True, context={"now": call.now}).data,
        )


class Voucher(Door):
    @operation(
        "vouchers_get",
        "One voucher",
        permission="vouchers.read",
        tag=TAG,
        path=SERIAL,
        answer=VoucherShape,
    )
    def get(self, call: Call, serial: str) -> Response:
        """By its serial number."""
        return _voucher(call, serial)


def _voucher(call: Call, serial: str) -> Response:
    found = select_voucher(tenant_row(call), serial)
    return Response(VoucherShape(found, context={"now": call.now}).data)


def _change(call: Call, serial: str, action: VoucherAction) -> Response:
    change_vouchers(
        tenant_row(call),
        action,
        call.now,
        serials=[serial],
        expires_at=call.body.get("expires_at"),
        reason=call.body.get("reason", ""),
        by=call.caller.actor,
    )
    return _voucher(call, serial)


def _changing(action: VoucherAction, summary: str, text: str, body: Any = ReasonBody) -> type[Door]:
    """The resource that does one thing to a voucher."""

    def post(self: Door, call: Call, serial: str) -> Response:
        return _change(call, serial, action)

    post.__doc__ = text
    described = operation(
        f"vouchers_{action}",
        summary,
        permission="vouchers.update",
        tag=TAG,
        path=SERIAL,
        body=body,
        answer=VoucherShape,
        target="voucher",
        key="optional",
        problems=(409,),
    )(post)
    return type(f"Voucher{action.title()}", (Door,), {"post": described})


VoucherBlock = _changing(
    VoucherAction.BLOCK, "Block a voucher", "It cannot be redeemed until it is unblocked."
)
VoucherUnblock = _changing(VoucherAction.UNBLOCK, "Unblock a voucher", "It can be redeemed again.")
VoucherVoid = _changing(VoucherAction.VOID, "Take a voucher out for good", "It can never be redeemed.")
VoucherExtend = _changing(
    VoucherAction.EXTEND,
    "Give a voucher another end",
    "Later than now; an expired one counts again.",
    ExtendBody,
)


class BatchActivate(Door):
    @operation(
        "voucher_batches_activate",
        "Activate a batch",
        permission="vouchers.update",
        tag=TAG,
        path=BATCH,
        body=ReasonBody,
        answer=ChangedShape,
        target="voucher batch",
        key="optional",
        problems=(409,),
    )
    def post(self, call: Call, batch_id: int) -> Any:
        """Its vouchers can be redeemed from now on (cards have arrived in the shops)."""
        return _change_batch(call, batch_id, VoucherAction.ACTIVATE)


class BatchVoid(Door):
    @operation(
        "voucher_batches_void",
        "Take a batch out for good",
        permission="vouchers.update",
        tag=TAG,
        path=BATCH,
        body=ReasonBody,
        answer=ChangedShape,
        target="voucher batch",
        key="optional",
        problems=(409,),
    )
    def post(self, call: Call, batch_id: int) -> Any:
        """What was not redeemed yet never can be (the cards were stolen)."""
        return _change_batch(call, batch_id, VoucherAction.VOID)


def _change_batch(call: Call, batch_id: int, action: VoucherAction) -> dict[str, int]:
    changed = change_vouchers(
        tenant_row(call),
        action,
        call.now,
        batch_id=batch_id,
        reason=call.body.get("reason", ""),
        by=call.caller.actor,
    )
    return {"changed": changed}


def redeem_once(call: Call, *, account: Account | None = None, msisdn: str = "", guarded: bool) -> Response:
    """Redeem the PIN of the call's body, and record it. The voucher's own key makes a repeat harmless.

    ``guarded``: the caller speaks for many customers, and its own wrong PINs are counted besides the account's.
    """

    def do() -> Redemption:
        # Keys of one client, and of one customer, mean nothing to another.
        key = f"{call.caller.owner_of_keys}:{call.key}" if call.key else ""
        if len(key) > LONGEST_KEY:
            raise _too_long(call)
        return redeem(
            tenant_row(call),
            call.body["pin"],
            call.now,
            account=account,
            msisdn=msisdn,
            key=key,
            caller=f"rest:{call.caller.client}"[:100] if guarded else "",
        )

    found = recorded(call, do, lambda done: f"voucher {done.serial}")
    response = Response(RedemptionShape(found).data)
    if found.replayed:
        response.headers[REPLAYED] = "true"
    return response


class Redeem(Door):
    @operation(
        "vouchers_redeem",
        "Redeem a voucher for a customer",
        permission="vouchers.redeem",
        tag=TAG,
        body=RedeemBody,
        answer=RedemptionShape,
        key="optional",
        problems=(404, 409),
        request_example={"pin": "1234 5678 9012 3456", "msisdn": "4915550000001"},
        answer_example=examples.REDEMPTION,
    )
    def post(self, call: Call) -> Response:
        """Credits the account once. A PIN that does not count is refused in one way, whatever the reason.

        Whoever gives wrong ones waits longer and longer (`redemption_wait`), and is locked in the end
        (`redemption_locked`).
        """
        account = None
        if "account_id" in call.body:
            account = Account.objects.filter(
                tenant_id=call.caller.tenant_id, pk=call.body["account_id"]
            ).first()
            if account is None:
                raise NotFound(f"there is no account {call.body['account_id']}", where="account_id")
        return redeem_once(
            call, account=account, msisdn=call.body.get("msisdn", "").lstrip("+"), guarded=True
        )


def _lock_of(call: Call, account_id: int) -> dict[str, Any]:
    guard = RedemptionGuard.objects.filter(
        tenant_id=call.caller.tenant_id, subject=f"account:{account_id}"
    ).first() or RedemptionGuard(subject="")
    return {
        "account_id": account_id,
        "locked": guard.locked_at is not None,
        "failures": guard.failures,
        "failed_at": guard.failed_at,
        "locked_at": guard.locked_at,
        "lifted_at": guard.lifted_at,
        "lifted_by": guard.lifted_by,
        "lift_reason": guard.lift_reason,
    }


class RedemptionLock(Door):
    @operation(
        "redemption_lock_get",
        "Whether an account may redeem vouchers",
        permission="vouchers.read",
        tag=TAG,
        path=ACCOUNT,
        answer=RedemptionLockShape,
    )
    def get(self, call: Call, account_id: int) -> Any:
        """Its wrong PINs, and whether they have locked it."""
        get_account(call.tenant, account_id=account_id)
        return _lock_of(call, account_id)


class RedemptionLockLift(Door):
    @operation(
        "redemption_lock_lift",
        "Let an account redeem vouchers again",
        permission="vouchers.update",
        tag=TAG,
        path=ACCOUNT,
        body=ReasonBody,
        answer=RedemptionLockShape,
        target="account",
        key="optional",
        request_example={"reason": "Identified by her date of birth"},
    )
    def post(self, call: Call, account_id: int) -> Any:
        """At once; its count of wrong PINs starts anew. 404 where no wrong PIN of it is remembered."""
        get_account(call.tenant, account_id=account_id)
        lift_lock(
            tenant_row(call),
            f"account:{account_id}",
            call.now,
            by=call.caller.actor,
            reason=call.body.get("reason", ""),
        )
        return _lock_of(call, account_id)
