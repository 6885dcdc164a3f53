"""Redeem vouchers: the credit and the voucher's mark in one transaction, once; wrong PINs are slowed and stopped.

Everything of one account goes through the lock on its balances, so that guesses made at once count one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    connections,
    transaction,
)
from django.db.models import F, Sum

from apps.charging.domain.charge import digest_of
from apps.charging.domain.requests import BalanceOrder, OnlineRequest, Operation, Result
from apps.charging.models import Account, Balance, Payer
from apps.charging.services.executor import charge_now
from apps.charging.services.rows import instant
from apps.kernel.errors import BssError, Conflict, InvalidInput, NotFound
from apps.rating.models import Tenant
from apps.storage.dialect import by_index, for_update
from apps.storage.retry import retrying
from apps.storage.upserts import select
from apps.subscribers.selectors import msisdn_holdings
from apps.subscribers.services.assignments import assign_bundle
from apps.vouchers.domain.vouchers import (
    NO_FAILURES,
    Guard,
    GuardPolicy,
    VoucherStatus,
    after_failure,
    hindrance,
    parse_pin,
    pin_digests,
    redeemable,
)
from apps.vouchers.models import RedemptionGuard, Voucher
from apps.vouchers.services.batches import LONGEST_KEY
from apps.vouchers.services.keys import key_ring

_LONGEST_WAIT_S = 3600
_LONGEST_SUBJECT = 100
# An account's wrong PINs are forgiven one in six hours, a caller's one a second: it speaks for many.
_ACCOUNT_FREE, _ACCOUNT_FORGIVE_S = 2, 6 * 3600
_CALLER_FREE, _CALLER_LONGEST_WAIT_S, _CALLER_FORGIVE_S = 100, 30, 1


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
    this very account), ``currency_differs``, ``account_closed``, ``not_prepaid``.
    """

    def __init__(self, message: str, *, code: str, wait_s: int = 0) -> None:
        super().__init__(message, code=code, where="pin" if code == "voucher_refused" else "")
        self.wait_s = wait_s


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

    ``key`` names the attempt: a repeat under it answers the same and credits nothing. ``caller`` is who asks on
    behalf of others (``crm:<client>``), slowed apart from the accounts. Must not be called within a transaction:
    a refusal is remembered. Raises InvalidInput (``pin_format``, ``idempotency_key_reused`` as Conflict), NotFound
    for the number, RedemptionRefused.
    """
    digits = parse_pin(pin)
    if len(key) > LONGEST_KEY:
        raise InvalidInput(f"a key has up to {LONGEST_KEY} characters", where="key")
    if len(caller) > _LONGEST_SUBJECT:
        raise InvalidInput(f"a caller's name has up to {_LONGEST_SUBJECT} characters", where="caller")
    payer = _account_of(tenant, account, msisdn, now)
    attempt = _Attempt(tenant, payer, msisdn, digits, key or f"own:{uuid4().hex}", caller, now)
    # What a commit did whose answer was lost is found by the key; a row that another has just made decides then.
    outcome = retrying(
        attempt.run, patience_s=float(settings.CHARGING_PATIENCE_S), repeatable=True, conflicts=True
    )
    if isinstance(outcome, BssError):
        raise outcome
    return outcome


def lift_lock(tenant: Tenant, subject: str, now: datetime, *, by: str, reason: str = "") -> RedemptionGuard:
    """Let a locked or waiting party (``account:<id>``, ``caller:<name>``) try again at once; its count starts anew.

    Raises NotFound where nothing is remembered of it.
    """
    with transaction.atomic():
        guard = RedemptionGuard.objects.select_for_update().filter(tenant=tenant, subject=subject).first()
        if guard is None:
            raise NotFound(f"no wrong PINs are remembered of {subject}")
        guard.failures, guard.failed_at, guard.locked_at = 0, None, None
        guard.lifted_at, guard.lifted_by, guard.lift_reason = now, by[:150], reason[:200]
        guard.save()
    return guard


class FoundVoucher(NamedTuple):
    """A voucher with what its batch says it is worth; the fields are the columns of FOUND_VOUCHERS."""

    voucher_id: int
    serial: str
    pin_hash: str
    status: str
    valid_from: datetime
    expires_at: datetime
    account_id: int | None
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
        return self.amount_micros if self.kind == Balance.Kind.MONETARY else self.units


FOUND_VOUCHERS = (
    "SELECT v.id, v.serial, v.pin_hash, v.status, v.valid_from, v.expires_at, v.account_id, v.redeemed_at,"
    " v.balance_micros, g.kind, g.amount_micros, g.units, g.currency, g.tag, g.book, g.balance_days, g.bundle_id,"
    " g.bundle_days, b.code FROM vouchers_voucher v JOIN vouchers_voucherbatch g ON g.id = v.batch_id"
    " LEFT JOIN rating_bundle b ON b.id = g.bundle_id WHERE"
)


class _Refused(Exception):
    """Undo what was done for the voucher and, if it ``counts``, remember a failure."""

    def __init__(self, error: BssError, *, counts: bool = True) -> None:
        super().__init__(error.code)
        self.error, self.counts = error, counts


class _Attempt:
    """One redemption: everything that it knows, and its steps in order."""

    def __init__(
        self,
        tenant: Tenant,
        account: Account,
        msisdn: str,
        pin: str,
        key: str,
        caller: str,
        now: datetime,
    ) -> None:
        self.tenant, self.account, self.msisdn, self.key, self.now = tenant, account, msisdn, key, now
        self.digests = list(pin_digests(key_ring().keys, tenant.pk, pin).values())
        self.policies = {f"account:{account.pk}": account_policy()}
        if caller:
            self.policies[f"caller:{caller}"] = caller_policy()

    def run(self) -> Redemption | BssError:
        """The redemption, or what is to be raised once the transaction, failures included, is committed."""
        with transaction.atomic(durable=True):
            self._lock_account()
            former = self._former()
            if former is not None:
                return former
            unsuitable = self._unsuitable()
            if unsuitable is not None:
                return unsuitable
            guards = self._guards()
            for subject, policy in self.policies.items():
                stopped = hindrance(guards.get(subject, NO_FAILURES), policy, self.now)
                if stopped is not None:
                    return _stopped(stopped.locked, stopped.wait_s)
            try:
                with transaction.atomic():
                    redemption = self._take()
            except _Refused as refused:
                if refused.counts:
                    self._remember(guards)
                return refused.error
            own = f"account:{self.account.pk}"
            if guards.get(own, NO_FAILURES).failures:
                RedemptionGuard.objects.filter(tenant=self.tenant, subject=own).update(
                    failures=0, failed_at=None
                )
            return redemption

    def _lock_account(self) -> None:
        if not self._locked_balances():
            Balance.objects.bulk_create([Balance(account=self.account)], ignore_conflicts=True)
            self._locked_balances()

    def _locked_balances(self) -> list[tuple[int]]:
        index = by_index(connections[DEFAULT_DB_ALIAS], "balance_tag_once_an_account")
        sql = f"SELECT id FROM charging_balance{index} WHERE account_id IN ({{values}}) ORDER BY id"
        return _select(sql, [self.account.pk], lock=True)

    def _former(self) -> Redemption | BssError | None:
        sql = f"SELECT id FROM vouchers_voucher WHERE tenant_id = {self.tenant.pk} AND redemption_key IN ({{values}})"
        rows = _select(sql, [self.key])
        if not rows:
            return None
        voucher = _voucher(rows[0][0])
        if voucher.account_id != self.account.pk or voucher.pin_hash not in self.digests:
            return Conflict(
                "this key was used for another redemption; take a new one", code="idempotency_key_reused"
            )
        return redemption_of(voucher, replayed=True)

    def _unsuitable(self) -> BssError | None:
        if self.account.closed_at is not None:
            return RedemptionRefused(f"account {self.account} is closed", code="account_closed")
        if self.account.mode != Account.Mode.PREPAID:
            return RedemptionRefused(
                f"account {self.account} is postpaid; vouchers are for prepaid ones", code="not_prepaid"
            )
        return None

    def _guards(self) -> dict[str, Guard]:
        sql = (
            "SELECT subject, failures, failed_at, locked_at FROM vouchers_redemptionguard"
            f" WHERE tenant_id = {self.tenant.pk} AND subject IN ({{values}})"
        )
        return {
            subject: Guard(failures, instant(failed_at), instant(locked_at))
            for subject, failures, failed_at, locked_at in _select(sql, list(self.policies))
        }

    def _take(self) -> Redemption:
        index = by_index(connections[DEFAULT_DB_ALIAS], "voucher_pin_once_a_tenant")
        sql = (
            f"SELECT id FROM vouchers_voucher{index}"
            f" WHERE tenant_id = {self.tenant.pk} AND pin_hash IN ({{values}})"
        )
        locked = _select(sql, self.digests, lock=True)
        voucher = _voucher(locked[0][0]) if locked else None
        if voucher is not None and voucher.account_id == self.account.pk:
            raise _Refused(
                RedemptionRefused("this account has redeemed this voucher before", code="already_redeemed"),
                counts=False,
            )
        if voucher is None or not redeemable(
            voucher.status, voucher.valid_from, voucher.expires_at, self.now
        ):
            raise _Refused(_wrong())
        if voucher.currency != self.account.currency:
            raise _Refused(
                RedemptionRefused(
                    f"the voucher is in {voucher.currency}, account {self.account} in {self.account.currency}",
                    code="currency_differs",
                )
            )
        balance_micros, cause = self._credit(voucher) if voucher.value else (self._money_left(), "")
        if voucher.bundle_id is not None:
            self._give_bundle(voucher)
        # Whoever comes second finds the status changed, whatever was read before.
        marked = Voucher.objects.filter(pk=voucher.voucher_id, status=VoucherStatus.ACTIVE.value).update(
            status=VoucherStatus.REDEEMED.value,
            account=self.account.pk,
            msisdn=self.msisdn,
            redeemed_at=self.now,
            redemption_key=self.key,
            balance_micros=balance_micros,
            cause=cause,
            changed_at=self.now,
        )
        if marked != 1:
            raise _Refused(_wrong())
        return redemption_of(
            voucher._replace(account_id=self.account.pk, redeemed_at=self.now, balance_micros=balance_micros)
        )

    def _credit(self, voucher: FoundVoucher) -> tuple[int, str]:
        """Carry out the top-up; what the account's money can buy after it, and the cause of its ledger entry."""
        request = top_up_request(self.account.pk, voucher, self.now)
        answer = charge_now(request, self.now)
        if answer.replayed:
            raise _Refused(_wrong())
        if answer.result is not Result.SUCCESS:
            raise _Refused(RedemptionRefused(answer.message, code=answer.reason or "refused"))
        return answer.balance_micros, cause_of(request)

    def _money_left(self) -> int:
        own = Balance.objects.filter(account=self.account, kind=Balance.Kind.MONETARY)
        return own.aggregate(left=Sum(F("amount_micros") - F("reserved_micros")))["left"] or 0

    def _give_bundle(self, voucher: FoundVoucher) -> None:
        assert voucher.bundle_id is not None
        holders = [payer.subscriber_id for payer in Payer.objects.filter(account=self.account)[:2]]
        holder = (
            _holder(self.msisdn, self.now) if self.msisdn else (holders[0] if len(holders) == 1 else None)
        )
        if holder is None:
            raise _Refused(
                RedemptionRefused(
                    f"account {self.account} pays for several subscribers; name the number",
                    code="msisdn_needed",
                )
            )
        try:
            assign_bundle(
                holder, voucher.bundle_id, self.now, self.now + timedelta(days=voucher.bundle_days or 0)
            )
        except BssError as error:
            raise _Refused(RedemptionRefused(error.message, code=error.code)) from None

    def _remember(self, known: dict[str, Guard]) -> None:
        """Count a failure for everybody concerned, in the order of their names so that nobody waits in a circle."""
        for subject in sorted(self.policies):
            if subject not in known:
                RedemptionGuard.objects.bulk_create(
                    [RedemptionGuard(tenant=self.tenant, subject=subject)], ignore_conflicts=True
                )
            row = RedemptionGuard.objects.select_for_update().get(tenant=self.tenant, subject=subject)
            before = Guard(row.failures, row.failed_at, row.locked_at)
            after = after_failure(before, self.policies[subject], self.now)
            row.failures, row.failed_at, row.locked_at = after
            row.save(update_fields=["failures", "failed_at", "locked_at"])


def _account_of(tenant: Tenant, account: Account | None, msisdn: str, now: datetime) -> Account:
    if account is not None:
        if account.tenant_id != tenant.pk:
            raise NotFound(f"there is no account {account} of {tenant.code}")
        return account
    if not msisdn:
        raise InvalidInput("name the account or the number that the voucher is for", where="msisdn")
    holder = _holder(msisdn, now)
    found = (
        Payer.objects.select_related("account").filter(subscriber_id=holder, account__tenant=tenant).first()
        if holder is not None
        else None
    )
    if found is None:
        raise NotFound(f"no subscriber has the number {msisdn}", where="msisdn")
    return found.account


def _holder(msisdn: str, now: datetime) -> int | None:
    """The subscriber that has the number at this instant."""
    for _, subscriber_id, start, end in msisdn_holdings([msisdn], now, now):
        if start <= now and (end is None or now < end):
            return subscriber_id
    return None


def _voucher(voucher_id: int) -> FoundVoucher:
    (row,) = _select(f"{FOUND_VOUCHERS} v.id IN ({{values}})", [voucher_id])
    return found_voucher(row)


def found_voucher(row: Sequence[Any]) -> FoundVoucher:
    """A row of FOUND_VOUCHERS."""
    found = FoundVoucher(*row)
    return found._replace(
        valid_from=instant(found.valid_from),
        expires_at=instant(found.expires_at),
        redeemed_at=instant(found.redeemed_at),
    )


def top_up_request(account_id: int, voucher: FoundVoucher, now: datetime) -> OnlineRequest:
    """The credit of a voucher, whose identity makes sure that it is given once."""
    days = voucher.balance_days
    order = BalanceOrder(
        account_id,
        voucher.value,
        voucher.book,
        voucher.tag,
        voucher.kind,
        f"Voucher {voucher.serial}",
        now + timedelta(days=days) if days else None,
    )
    return OnlineRequest(Operation.TOP_UP, f"voucher:{voucher.voucher_id}", 0, now, order=order)


def cause_of(request: OnlineRequest) -> str:
    """The cause of a credit's ledger entry."""
    return f"event:{digest_of(request)}:0"


def _select(sql: str, values: Sequence[int | str], *, lock: bool = False) -> list[Any]:
    """Past the ORM, which takes longer than the database for statements as small as these."""
    database = connections[DEFAULT_DB_ALIAS]
    return select(database, sql + (for_update(database) if lock else ""), values)


def redemption_of(voucher: FoundVoucher, *, replayed: bool = False) -> Redemption:
    assert voucher.account_id is not None
    assert voucher.redeemed_at is not None
    return Redemption(
        voucher.serial,
        voucher.account_id,
        voucher.kind,
        voucher.value,
        voucher.currency,
        voucher.tag,
        voucher.bundle or "",
        voucher.balance_micros or 0,
        voucher.redeemed_at,
        replayed,
    )


def _wrong() -> RedemptionRefused:
    """The one answer to a PIN that cannot be redeemed, whatever the reason."""
    return RedemptionRefused(
        "this PIN cannot be redeemed; check its digits, or ask for help with the voucher's serial number",
        code="voucher_refused",
    )


def _stopped(locked: bool, wait_s: int) -> RedemptionRefused:
    if locked:
        return RedemptionRefused(
            "too many wrong PINs: redeeming is locked until customer service lifts the lock",
            code="redemption_locked",
        )
    return RedemptionRefused(
        f"too many wrong PINs: try again in {wait_s} s", code="redemption_wait", wait_s=wait_s
    )


def account_policy() -> GuardPolicy:
    return GuardPolicy(
        _ACCOUNT_FREE,
        settings.VOUCHER_FIRST_WAIT_S,
        _LONGEST_WAIT_S,
        settings.VOUCHER_ACCOUNT_TRIES,
        _ACCOUNT_FORGIVE_S,
    )


def caller_policy() -> GuardPolicy:
    return GuardPolicy(
        _CALLER_FREE, 1, _CALLER_LONGEST_WAIT_S, settings.VOUCHER_CALLER_TRIES, _CALLER_FORGIVE_S
    )
