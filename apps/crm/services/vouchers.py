"""Vouchers as front ends generate, change and redeem them; for one tenant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from apps.charging.models import Account
from apps.crm.domain.access import Caller
from apps.crm.domain.asked import NewBatchAsked, VoucherChangeAsked
from apps.crm.domain.vouchers import NewVoucher, NewVouchers, RedemptionLock
from apps.crm.selectors.tenants import tenant_of
from apps.crm.selectors.vouchers import batch_view, redemption_lock, tenant_row
from apps.crm.services.together import Together
from apps.kernel.errors import InvalidInput, NotFound
from apps.vouchers.domain.redemption import Redemption as Redemption
from apps.vouchers.domain.vouchers import VoucherAction
from apps.vouchers.services.batches import NewBatch, generate_batch
from apps.vouchers.services.changes import change_vouchers
from apps.vouchers.services.guards import lift_lock
from apps.vouchers.services.redemption import RedeemOrder
from apps.vouchers.services.redemption import redeem_many as redeem_together

MOST_VOUCHERS_A_CALL = 20_000
MOST_SERIALS_A_CALL = 1_000


class RedemptionCall(NamedTuple):
    """One redemption among others; ``account_id`` pays for ``msisdn``."""

    caller: Caller
    account_id: int
    msisdn: str
    pin: str
    key: str


def generate(tenant: str, asked: NewBatchAsked, *, now: datetime, key: str, caller: Caller) -> NewVouchers:
    """Generate a batch; its PINs are in the answer and nowhere else. Raises InvalidInput, NotFound, Conflict."""
    if asked.count > MOST_VOUCHERS_A_CALL:
        raise InvalidInput(
            f"a call makes {MOST_VOUCHERS_A_CALL} vouchers at most; the admin and manage.py make larger batches",
            where="count",
        )
    money = asked.kind == "monetary"
    if asked.units if money else asked.amount_micros:
        raise InvalidInput("vouchers for money have an amount, others have units; not both", where="units")
    if asked.expires_at is None:
        raise InvalidInput("say when the vouchers expire", where="expires_at")
    new = NewBatch(
        name=asked.name,
        count=asked.count,
        value=asked.amount_micros if money else asked.units,
        expires_at=asked.expires_at,
        valid_from=asked.valid_from,
        kind=asked.kind,
        currency=asked.currency,
        tag=asked.balance_tag,
        balance_days=asked.balance_days,
        bundle=asked.bundle,
        bundle_days=asked.bundle_days,
        book=asked.book,
        active=asked.active,
    )
    made = generate_batch(tenant_row(tenant), new, now, key=_own_key(caller, key), by=caller.actor)
    return NewVouchers(
        batch_view(made.batch), tuple(NewVoucher(one.serial, one.pin) for one in made.vouchers)
    )


def change(tenant: str, asked: VoucherChangeAsked, *, now: datetime, by: str) -> int:
    """Do something to vouchers; how many were changed. Raises InvalidInput, NotFound, Conflict (wrong_status)."""
    if asked.action not in set(VoucherAction):
        raise InvalidInput(f"say what to do: {', '.join(VoucherAction)}", where="action")
    if len(asked.serials) > MOST_SERIALS_A_CALL:
        raise InvalidInput(f"name {MOST_SERIALS_A_CALL} vouchers at most, or their batch", where="serials")
    return change_vouchers(
        tenant_row(tenant),
        VoucherAction(asked.action),
        now,
        serials=asked.serials,
        batch_id=asked.batch_id or None,
        expires_at=asked.expires_at,
        reason=asked.reason,
        by=by,
    )


class _Waiting(NamedTuple):
    """A redemption that waits for its turn in a process; ``now`` is when it was let in."""

    tenant_id: int
    order: RedeemOrder
    now: datetime


def _redeem_waiting(waiting: Sequence[_Waiting]) -> list[Redemption | Exception]:
    """The outcome of each, in transactions that those of a tenant share."""
    found: dict[int, Redemption | Exception] = {}
    for tenant_id in {one.tenant_id for one in waiting}:
        places = [place for place, one in enumerate(waiting) if one.tenant_id == tenant_id]
        orders = [waiting[place].order for place in places]
        now = max(waiting[place].now for place in places)
        found.update(zip(places, redeem_together(tenant_id, orders, now), strict=True))
    return [found[place] for place in range(len(waiting))]


_TOGETHER = Together(_redeem_waiting)


def redeem_one(tenant: str, asked: RedemptionCall, *, now: datetime) -> Redemption:
    """Credit an account once, together with what other threads redeem at this moment.

    Raises NotFound, RedemptionRefused. Remembers wrong PINs, in transactions of its own.
    """
    owner = tenant_of(tenant)
    if not Account.objects.filter(pk=asked.account_id, tenant_id=owner.id).exists():
        raise NotFound(f"there is no account {asked.account_id}", where="account_id")
    outcome = _TOGETHER.ask(_Waiting(owner.id, _order(asked), now))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def redeem_many(
    tenant_id: int,
    asked: Sequence[RedemptionCall],
    *,
    now: datetime,
    also: Callable[[Mapping[int, Redemption]], None],
) -> list[Redemption | Exception]:
    """Each one's redemption or the error that it ends with, in transactions that they share.

    ``also`` runs in a transaction with what it redeemed, by place.
    """
    return redeem_together(tenant_id, [_order(one) for one in asked], now, also=also)


def lift(tenant: str, account_id: int, *, now: datetime, by: str, reason: str) -> RedemptionLock:
    """Let an account redeem again at once. Raises NotFound if no wrong PIN of it is stored."""
    lift_lock(tenant_row(tenant), f"account:{account_id}", now, by=by, reason=reason)
    return redemption_lock(tenant, account_id)


def _order(asked: RedemptionCall) -> RedeemOrder:
    caller = asked.caller
    return RedeemOrder(
        asked.account_id, asked.pin, asked.msisdn, _own_key(caller, asked.key), _guarded(caller)
    )


def _own_key(caller: Caller, key: str) -> str:
    """The key among all keys of the tenant's vouchers: two clients may choose the same."""
    return f"api:{sha256(f'{caller.owner_of_keys}:{key}'.encode()).hexdigest()}" if key else ""


def _guarded(caller: Caller) -> str:
    """Against whom wrong PINs count beside the account: not a customer's own token, but a client speaks for many."""
    return "" if caller.only_own else f"api:{caller.client}"
