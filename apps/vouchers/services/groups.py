"""Redeem many vouchers of many accounts in one transaction, where nothing about them is unusual.

A redemption by itself costs a transaction, a commit and a dozen statements, and a process does a hundred a second of
them. What comes at once is done together here, by the same rules; whatever is not the plain case is left to
:func:`apps.vouchers.services.redemption.redeem`, which refuses, counts, waits and gives bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)

from apps.charging.domain.requests import Result
from apps.charging.models import Account
from apps.charging.services.executor import ChargingUnavailable, charge_all
from apps.charging.services.rows import instant
from apps.kernel.errors import InvalidInput
from apps.storage.bulk import database_instant
from apps.storage.dialect import by_index, for_update
from apps.storage.upserts import select_many, update_rows
from apps.vouchers.domain.vouchers import (
    NO_FAILURES,
    Guard,
    VoucherStatus,
    hindrance,
    parse_pin,
    pin_digests,
    redeemable,
)
from apps.vouchers.models import Voucher
from apps.vouchers.services.batches import LONGEST_KEY
from apps.vouchers.services.keys import key_ring
from apps.vouchers.services.redemption import (
    FOUND_VOUCHERS,
    FoundVoucher,
    Redemption,
    caller_policy,
    cause_of,
    found_voucher,
    redemption_of,
    top_up_request,
)

_MARKED = (
    "status",
    "account_id",
    "msisdn",
    "redeemed_at",
    "redemption_key",
    "balance_micros",
    "cause",
    "changed_at",
)


class Asked(NamedTuple):
    """A redemption that is asked for; ``msisdn``, ``key`` and ``caller`` as :func:`redeem` takes them."""

    account_id: int
    pin: str
    msisdn: str = ""
    key: str = ""
    caller: str = ""


def redeem_together(
    tenant_id: int,
    asked: Sequence[Asked],
    now: datetime,
    *,
    also: Callable[[Mapping[int, Redemption]], object] = lambda done: None,
) -> list[Redemption | None]:
    """Redeem what can be redeemed plainly, all of it or none; None, place by place, for what was left alone.

    ``also`` is called in the same transaction with the redemptions by their place in ``asked``: what has to be
    written down with them. Must not be called within a transaction. Raises OperationalError where the connection was
    lost during the commit, so that nobody knows whether it went through.
    """
    wanted = _wanted(tenant_id, asked)
    nothing: list[Redemption | None] = [None] * len(asked)
    if not wanted:
        return nothing
    group = _Group(tenant_id, wanted, now)
    try:
        done = group.run(also)
    except (_NotTogether, ChargingUnavailable, IntegrityError, OperationalError, InterfaceError):
        if group.committing:
            raise
        # It was rolled back. Each by itself finds out what is the matter, and is more patient.
        return nothing
    return [done.get(place) for place in range(len(asked))]


class _NotTogether(Exception):
    """Something unusual turned up when some of the work was done: undo it."""


class _Wanted(NamedTuple):
    place: int
    asked: Asked
    key: str
    digests: list[str]


def _wanted(tenant_id: int, asked: Sequence[Asked]) -> list[_Wanted]:
    """Those whose PIN can be one; of several for one account, under one key or with one PIN, the first.

    Guesses for one account have to count one after the other.
    """
    keys = key_ring().keys
    taken: set[tuple[str, int | str]] = set()
    wanted = []
    for place, one in enumerate(asked):
        try:
            pin = parse_pin(one.pin)
        except InvalidInput:
            continue
        key = one.key or f"own:{uuid4().hex}"
        marks: set[tuple[str, int | str]] = {("account", one.account_id), ("key", key), ("pin", pin)}
        if len(key) > LONGEST_KEY or marks & taken:
            continue
        taken |= marks
        wanted.append(_Wanted(place, one, key, list(pin_digests(keys, tenant_id, pin).values())))
    return wanted


class _Group:
    """The redemptions of one transaction, and its steps in order."""

    def __init__(self, tenant_id: int, wanted: list[_Wanted], now: datetime) -> None:
        self.tenant_id, self.wanted, self.now = tenant_id, wanted, now
        self.committing = False

    def run(self, also: Callable[[Mapping[int, Redemption]], object]) -> dict[int, Redemption]:
        with transaction.atomic(durable=True):
            plain = self._plain(self._read())
            done = self._take(plain) if plain else {}
            if done:
                also(done)
            self.committing = True
        return done

    def _read(self) -> list[list[tuple[Any, ...]]]:
        """Lock the accounts by their balances, in their order, then the vouchers; and read what decides."""
        database = connections[DEFAULT_DB_ALIAS]
        locking = for_update(database)
        balances = by_index(database, "balance_tag_once_an_account")
        vouchers = by_index(database, "voucher_pin_once_a_tenant")
        accounts = sorted(one.asked.account_id for one in self.wanted)
        digests = sorted(digest for one in self.wanted for digest in one.digests)
        subjects = {subject for one in self.wanted for subject in _subjects(one.asked)}
        of_tenant = f"tenant_id = {self.tenant_id:d}"
        return select_many(
            database,
            [
                (
                    f"SELECT account_id FROM charging_balance{balances} WHERE account_id IN ({{values}})"
                    f" ORDER BY account_id, id{locking}",
                    accounts,
                ),
                (
                    f"SELECT id FROM vouchers_voucher{vouchers} WHERE {of_tenant} AND pin_hash IN ({{values}})"
                    f" ORDER BY pin_hash{locking}",
                    digests,
                ),
                (f"{FOUND_VOUCHERS} v.{of_tenant} AND v.pin_hash IN ({{values}})", digests),
                (
                    f"SELECT id, currency, mode FROM charging_account WHERE {of_tenant} AND closed_at IS NULL"
                    " AND id IN ({values})",
                    accounts,
                ),
                (
                    f"SELECT redemption_key FROM vouchers_voucher WHERE {of_tenant} AND redemption_key IN ({{values}})",
                    [one.key for one in self.wanted if one.asked.key],
                ),
                (
                    "SELECT subject, failures, failed_at, locked_at FROM vouchers_redemptionguard"
                    f" WHERE {of_tenant} AND subject IN ({{values}})",
                    sorted(subjects),
                ),
            ],
        )

    def _plain(self, read: list[list[tuple[Any, ...]]]) -> list[tuple[_Wanted, FoundVoucher]]:
        """Those that nothing speaks against."""
        locked, _, vouchers, accounts, keys, guarded = read
        with_balance = {account_id for (account_id,) in locked}
        by_hash = {voucher.pin_hash: voucher for voucher in map(found_voucher, vouchers)}
        currencies = {pk: currency for pk, currency, mode in accounts if mode == Account.Mode.PREPAID}
        used = {key for (key,) in keys}
        guards = {
            subject: Guard(failures, instant(failed_at), instant(locked_at))
            for subject, failures, failed_at, locked_at in guarded
        }
        plain = []
        for one in self.wanted:
            account_id = one.asked.account_id
            voucher = next((by_hash[digest] for digest in one.digests if digest in by_hash), None)
            if (
                voucher is None
                or not redeemable(voucher.status, voucher.valid_from, voucher.expires_at, self.now)
                or not voucher.value
                or voucher.bundle_id is not None
                or currencies.get(account_id) != voucher.currency
                or account_id not in with_balance
                or one.key in used
                or self._hindered(one.asked, guards)
            ):
                continue
            plain.append((one, voucher))
        return plain

    def _hindered(self, asked: Asked, guards: Mapping[str, Guard]) -> bool:
        own, *callers = _subjects(asked)
        # An account with wrong PINs behind it is forgiven them, or waits: one by one.
        return guards.get(own, NO_FAILURES) != NO_FAILURES or any(
            hindrance(guards.get(subject, NO_FAILURES), caller_policy(), self.now) is not None
            for subject in callers
        )

    def _take(self, plain: list[tuple[_Wanted, FoundVoucher]]) -> dict[int, Redemption]:
        requests = [top_up_request(one.asked.account_id, voucher, self.now) for one, voucher in plain]
        answers = charge_all(requests, self.now)
        if any(answer.replayed or answer.result is not Result.SUCCESS for answer in answers):
            raise _NotTogether
        at = database_instant(self.now)
        rows = [
            (
                voucher.voucher_id,
                VoucherStatus.REDEEMED.value,
                one.asked.account_id,
                one.asked.msisdn,
                at,
                one.key,
                answer.balance_micros,
                cause_of(request),
                at,
            )
            for (one, voucher), request, answer in zip(plain, requests, answers, strict=True)
        ]
        marked = update_rows(
            connections[DEFAULT_DB_ALIAS],
            Voucher._meta.db_table,
            _MARKED,
            rows,
            where=f"status = '{VoucherStatus.ACTIVE.value}'",
        )
        if marked != len(rows):
            raise _NotTogether
        return {
            one.place: redemption_of(
                voucher._replace(
                    account_id=one.asked.account_id,
                    redeemed_at=self.now,
                    balance_micros=answer.balance_micros,
                )
            )
            for (one, voucher), answer in zip(plain, answers, strict=True)
        }


def _subjects(asked: Asked) -> list[str]:
    own = f"account:{asked.account_id}"
    return [own, f"caller:{asked.caller}"] if asked.caller else [own]
