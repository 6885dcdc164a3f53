"""Redeem vouchers: one credit for one PIN; wrong PINs are slowed and stopped.

Many calls that come at once share a transaction, and each is decided as it would be alone: all locks are taken before
anything is looked at (accounts, vouchers, then wrong PINs, each in one order), so guesses made at once count one
after the other, and no two transactions wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction

from apps.charging.models import Account, Payer
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.rating.models import Tenant
from apps.storage.retry import may_have_committed, retrying
from apps.vouchers.domain.redemption import Attempt, Redemption
from apps.vouchers.domain.vouchers import parse_pin, pin_digests
from apps.vouchers.services.batches import LONGEST_KEY
from apps.vouchers.services.guards import policies_of
from apps.vouchers.services.keys import key_ring
from apps.vouchers.services.redeeming import Also, Outcome, Transaction, holder_of

_LONGEST_SUBJECT = 100

log = structlog.get_logger(__name__)


class RedeemOrder(NamedTuple):
    """A redemption that is asked for.

    ``key`` names it: a repeat under its key gets the first answer and credits nothing. ``caller`` is who asks on behalf
    of many (``api:<client>``), slowed apart from the accounts. ``msisdn`` is the number that a bundle is for.
    """

    account_id: int
    pin: str
    msisdn: str = ""
    key: str = ""
    caller: str = ""


def redeem(
    tenant: Tenant,
    pin: str,
    now: datetime,
    *,
    account: Account | None = None,
    msisdn: str = "",
    key: str = "",
    caller: str = "",
) -> Redemption:
    """RedeemVoucher: credit the account (or the one that pays for ``msisdn``) and mark the voucher as redeemed.

    As :func:`redeem_many` for one order. Raises InvalidInput (``pin_format``), Conflict (``idempotency_key_reused``),
    NotFound for the number or account, RedemptionRefused.
    """
    parse_pin(pin)
    account_id = account.pk if account is not None else _payer_of(tenant, msisdn, now)
    (outcome,) = redeem_many(tenant.pk, [RedeemOrder(account_id, pin, msisdn, key, caller)], now)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def redeem_many(
    tenant_id: int,
    orders: Sequence[RedeemOrder],
    now: datetime,
    *,
    also: Also = lambda done: None,
) -> list[Outcome]:
    """The outcome of each order, in their order: a Redemption, or the error that :func:`redeem` would raise.

    Orders share transactions; two of one account, of one key or with one PIN do not, they go one after the other.
    ``also`` is called in each transaction with its redemptions by their place in ``orders``, to write audit records
    with them. A transaction that breaks is undone and halved until the order that breaks it is alone; that one's
    outcome is the exception; if the connection is lost for good, that of all. Must not be called within a transaction,
    because a wrong PIN must be counted.
    """
    outcomes: dict[int, Outcome] = {}
    waiting = []
    for place, order in enumerate(orders):
        try:
            waiting.append(_attempt(place, order, tenant_id))
        except InvalidInput as error:
            outcomes[place] = error
    while waiting:
        together, waiting = _apart(waiting)
        _carry_out(tenant_id, together, now, also, outcomes)
    return [outcomes[place] for place in range(len(orders))]


def _attempt(place: int, order: RedeemOrder, tenant_id: int) -> Attempt:
    pin = parse_pin(order.pin)
    if len(order.key) > LONGEST_KEY:
        raise InvalidInput(f"a key has up to {LONGEST_KEY} characters", where="key")
    if len(order.caller) > _LONGEST_SUBJECT:
        raise InvalidInput(f"a caller's name has up to {_LONGEST_SUBJECT} characters", where="caller")
    digests = tuple(pin_digests(key_ring().keys, tenant_id, pin).values())
    # A key of its own lets an order without one be repeated after a lost commit.
    key = order.key or f"own:{uuid4().hex}"
    policies = policies_of(order.account_id, order.caller)
    return Attempt(place, order.account_id, digests, order.msisdn, key, policies)


def _apart(waiting: list[Attempt]) -> tuple[list[Attempt], list[Attempt]]:
    """Those that can share a transaction, and those whose account, key or PIN one of these has."""
    taken: set[int | str] = set()
    together: list[Attempt] = []
    rest: list[Attempt] = []
    for attempt in waiting:
        marks: set[int | str] = {attempt.account_id, f"key {attempt.key}", *attempt.digests}
        (rest if marks & taken else together).append(attempt)
        taken |= marks
    return together, rest


def _carry_out(
    tenant_id: int,
    attempts: list[Attempt],
    now: datetime,
    also: Also,
    outcomes: dict[int, Outcome],
) -> None:
    try:
        # After a lost commit redemptions are found by their keys; after a conflict the other's row counts.
        done = retrying(
            Transaction(tenant_id, attempts, now, also).run,
            patience_s=float(settings.CHARGING_PATIENCE_S),
            repeatable=True,
            conflicts=True,
        )
        outcomes.update(done)
    except Exception as error:
        if transaction.get_connection().in_atomic_block:
            raise
        # Without a database each half would only wait as long again.
        if len(attempts) == 1 or may_have_committed(error):
            if not isinstance(error, BssError):
                log.exception("redemption_failed", account_ids=[attempt.account_id for attempt in attempts])
            outcomes.update({attempt.place: error for attempt in attempts})
            return
        middle = len(attempts) // 2
        for half in (attempts[:middle], attempts[middle:]):
            _carry_out(tenant_id, half, now, also, outcomes)


def _payer_of(tenant: Tenant, msisdn: str, now: datetime) -> int:
    if not msisdn:
        raise InvalidInput("name the account or the number that the voucher is for", where="msisdn")
    holder = holder_of(msisdn, now)
    found = Payer.objects.filter(subscriber_id=holder, account__tenant=tenant).first() if holder else None
    if found is None:
        raise NotFound(f"no subscriber has the number {msisdn}", where="msisdn")
    return found.account_id
