"""What an order to redeem a PIN leads to: the voucher is taken, the first answer repeated, or it is refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from apps.kernel.errors import BssError, Conflict, NotFound
from apps.vouchers.domain.guessing import NO_FAILURES, Guard, GuardPolicy, hindrance
from apps.vouchers.domain.vouchers import redeemable


class Redemption(NamedTuple):
    """What a redemption did; a repeat under its key gets the same with ``replayed``.

    ``value`` is micro-units for ``monetary``, else seconds, octets or events. ``balance_micros`` is what the account's
    money could buy right afterwards.
    """

    serial: str
    account_id: int
    kind: str
    value: int
    currency: str
    tag: str
    bundle: str
    balance_micros: int
    redeemed_at: datetime
    replayed: bool = False


class RedemptionRefused(Conflict):
    """The PIN was not taken. Codes: ``voucher_refused`` (wrong, used, blocked or expired: it never says which),
    ``redemption_wait`` (``wait_s`` seconds), ``redemption_locked`` (until staff lift it), ``already_redeemed`` (by
    this very account), ``currency_differs``, ``account_closed``, ``not_prepaid``, ``msisdn_needed``.
    """

    def __init__(self, message: str, *, code: str, wait_s: int = 0) -> None:
        super().__init__(message, code=code, where="pin" if code == "voucher_refused" else "")
        self.wait_s = wait_s


class Refusal(Exception):
    """The order is refused with ``error`` and the voucher stays good; it is counted as a wrong PIN if it ``counts``."""

    def __init__(self, error: BssError, *, counts: bool) -> None:
        super().__init__(error.code)
        self.error, self.counts = error, counts


class Attempt(NamedTuple):
    """An order whose PIN can be one: its place among the orders of a call, and the PIN's digests under every key.

    ``policies`` are those of the parties against whom a wrong PIN counts, by subject, the account's first.
    """

    place: int
    account_id: int
    digests: tuple[str, ...]
    msisdn: str
    key: str
    policies: Mapping[str, GuardPolicy]

    @property
    def own_subject(self) -> str:
        return next(iter(self.policies))


class PayingAccount(NamedTuple):
    """The facts about an account that decide: its number, currency, whether it is prepaid and whether it is closed."""

    number: str
    currency: str
    prepaid: bool
    closed: bool


class FoundVoucher(NamedTuple):
    """A voucher with what its batch says it is worth; ``value`` as in :class:`Redemption`."""

    voucher_id: int
    serial: str
    pin_hash: str
    status: str
    valid_from: datetime
    expires_at: datetime
    account_id: int | None
    redemption_key: str | None
    redeemed_at: datetime | None
    balance_micros: int | None
    kind: str
    amount_micros: int
    units: int
    currency: str
    tag: str
    book: str
    balance_days: int | None
    bundle_id: int | None
    bundle_days: int | None
    bundle: str | None

    @property
    def value(self) -> int:
        # A check constraint of the batch: one of the two is zero.
        return self.amount_micros or self.units

    def redemption(self, *, replayed: bool = False) -> Redemption:
        """The answer for a voucher that is redeemed."""
        assert self.account_id is not None
        assert self.redeemed_at is not None
        return Redemption(
            self.serial,
            self.account_id,
            self.kind,
            self.value,
            self.currency,
            self.tag,
            self.bundle or "",
            self.balance_micros or 0,
            self.redeemed_at,
            replayed,
        )


def decide(
    attempt: Attempt,
    account: PayingAccount | None,
    former: FoundVoucher | None,
    vouchers: Mapping[str, FoundVoucher],
    guards: Mapping[str, Guard],
    now: datetime,
) -> FoundVoucher | Redemption:
    """The voucher to be credited, or the redemption that a former attempt under this key made. Raises Refusal.

    ``former`` is the voucher that was redeemed under the attempt's key, ``vouchers`` those that were found, by digest.
    While a party waits or is locked, the PIN is not looked at.
    """
    if account is None:
        raise Refusal(NotFound(f"there is no account {attempt.account_id}", where="account_id"), counts=False)
    if former is not None:
        if former.account_id != attempt.account_id or former.pin_hash not in attempt.digests:
            used = "this key was used for another redemption; take a new one"
            raise Refusal(Conflict(used, code="idempotency_key_reused"), counts=False)
        return former.redemption(replayed=True)
    if account.closed:
        raise _refusal(f"account {account.number} is closed", "account_closed", counts=False)
    if not account.prepaid:
        what = f"account {account.number} is postpaid; vouchers are for prepaid ones"
        raise _refusal(what, "not_prepaid", counts=False)
    for subject, policy in attempt.policies.items():
        stopped = hindrance(guards.get(subject, NO_FAILURES), policy, now)
        if stopped is not None:
            raise Refusal(_stopped(stopped.locked, stopped.wait_s), counts=False)
    voucher = next((vouchers[digest] for digest in attempt.digests if digest in vouchers), None)
    if voucher is not None and voucher.account_id == attempt.account_id:
        raise _refusal("this account has redeemed this voucher before", "already_redeemed", counts=False)
    if voucher is None or not redeemable(voucher.status, voucher.valid_from, voucher.expires_at, now):
        raise wrong_pin()
    if voucher.currency != account.currency:
        raise _refusal(
            f"the voucher is in {voucher.currency}, account {account.number} in {account.currency}",
            "currency_differs",
        )
    return voucher


def wrong_pin() -> Refusal:
    """The same answer to every PIN that cannot be redeemed."""
    return _refusal(
        "this PIN cannot be redeemed; check its digits, or ask for help with the voucher's serial number",
        "voucher_refused",
    )


def refused_by(error: BssError) -> Refusal:
    """The refusal of a good PIN's credit or bundle; it counts, to limit further attempts."""
    return _refusal(error.message, error.code)


def _refusal(message: str, code: str, *, counts: bool = True) -> Refusal:
    return Refusal(RedemptionRefused(message, code=code), counts=counts)


def _stopped(locked: bool, wait_s: int) -> RedemptionRefused:
    if locked:
        return RedemptionRefused(
            "too many wrong PINs: redeeming is locked until customer service lifts the lock",
            code="redemption_locked",
        )
    return RedemptionRefused(
        f"too many wrong PINs: try again in {wait_s} s", code="redemption_wait", wait_s=wait_s
    )
