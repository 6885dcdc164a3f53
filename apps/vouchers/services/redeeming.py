"""The transaction in which vouchers are redeemed: locks, decisions, credits and marks, for one order or for many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.models import F, QuerySet, Sum

from apps.charging.domain.charge import digest_of
from apps.charging.domain.requests import BalanceOrder, ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.models import Account, Balance, Payer
from apps.charging.selectors import lock_balances
from apps.charging.services.executor import charge_all
from apps.kernel.errors import BssError, Conflict
from apps.storage.bulk import database_instant
from apps.storage.dialect import by_index, for_update
from apps.storage.upserts import select, update_rows
from apps.subscribers.selectors import msisdn_holdings
from apps.subscribers.services.assignments import assign_bundle
from apps.vouchers.domain.guessing import NO_FAILURES, Guard, after_failure
from apps.vouchers.domain.redemption import (
    Attempt,
    FoundVoucher,
    PayingAccount,
    Redemption,
    Refusal,
    decide,
    refused_by,
    wrong_pin,
)
from apps.vouchers.domain.vouchers import VoucherStatus
from apps.vouchers.models import Voucher
from apps.vouchers.services.guards import count_failures, forgive, read_guards

Outcome: TypeAlias = Redemption | Exception
Wanted: TypeAlias = dict[int, tuple[Attempt, FoundVoucher]]
Also: TypeAlias = Callable[[Mapping[int, Redemption]], object]

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
# In the order of FoundVoucher's fields.
_FOUND = (
    "pk",
    "serial",
    "pin_hash",
    "status",
    "valid_from",
    "expires_at",
    "account_id",
    "redemption_key",
    "redeemed_at",
    "balance_micros",
    "batch__kind",
    "batch__amount_micros",
    "batch__units",
    "batch__currency",
    "batch__tag",
    "batch__book",
    "batch__balance_days",
    "batch__bundle_id",
    "batch__bundle_days",
    "batch__bundle__code",
)


class _Undo(Exception):
    """Credits have to be undone because some of them were refused, by their attempts' places."""

    def __init__(self, refusals: Mapping[int, Refusal]) -> None:
        super().__init__(f"{len(refusals)} refused")
        self.refusals = refusals


class Transaction:
    """The redemptions of one transaction, and its steps in order. No two have an account, a key or a PIN in common."""

    def __init__(self, tenant_id: int, attempts: Sequence[Attempt], now: datetime, also: Also) -> None:
        self.tenant_id, self.attempts, self.now, self.also = tenant_id, attempts, now, also
        self.policies = {
            subject: policy for attempt in attempts for subject, policy in attempt.policies.items()
        }
        self.outcomes: dict[int, Outcome] = {}
        self.failures: Counter[str] = Counter()
        self.guards: dict[str, Guard] = {}
        # What an earlier run had done when its commit was lost.
        self._perhaps_committed: frozenset[int] = frozenset()

    def run(self) -> dict[int, Outcome]:
        """The outcomes by place, committed together with the failures that they were. May be run again."""
        self.outcomes, self.failures = {}, Counter()
        with transaction.atomic(durable=True):
            self._lock()
            wanted = self._decide()
            self._take(wanted)
            count_failures(self.tenant_id, self.failures, self.policies, self.now)
            subjects = [attempt.own_subject for attempt, _ in wanted.values()]
            forgive(
                self.tenant_id,
                [subject for subject in subjects if self.guards.get(subject, NO_FAILURES).failures],
            )
            # Commits of an earlier run were written down with it; redemptions of this one were not.
            self.also(
                {
                    place: outcome
                    for place, outcome in self.outcomes.items()
                    if isinstance(outcome, Redemption)
                    and (place in wanted or place not in self._perhaps_committed)
                }
            )
            self._perhaps_committed |= frozenset(wanted)
        return self.outcomes

    def _lock(self) -> None:
        """Accounts by their balances, in the order of the accounts; then vouchers, in the order of their hashes."""
        account_ids = sorted({attempt.account_id for attempt in self.attempts})
        without = set(account_ids) - lock_balances(account_ids)
        if without:
            there = Account.objects.filter(pk__in=without, tenant=self.tenant_id)
            Balance.objects.bulk_create(
                [Balance(account=account) for account in there], ignore_conflicts=True
            )
            lock_balances(account_ids)
        database = connections[DEFAULT_DB_ALIAS]
        index = by_index(database, "voucher_pin_once_a_tenant")
        select(
            database,
            f"SELECT id FROM vouchers_voucher{index} WHERE tenant_id = {self.tenant_id:d}"
            f" AND pin_hash IN ({{values}}) ORDER BY pin_hash{for_update(database)}",
            sorted({digest for attempt in self.attempts for digest in attempt.digests}),
        )

    def _decide(self) -> Wanted:
        """The vouchers to be taken, by place, decided from rows read after the locks; sets all other outcomes."""
        of_tenant = Voucher.objects.filter(tenant=self.tenant_id)
        digests = [digest for attempt in self.attempts for digest in attempt.digests]
        keys = [attempt.key for attempt in self.attempts]
        vouchers = {voucher.pin_hash: voucher for voucher in _found(of_tenant.filter(pin_hash__in=digests))}
        former = {
            voucher.redemption_key: voucher for voucher in _found(of_tenant.filter(redemption_key__in=keys))
        }
        accounts = self._accounts()
        self.guards = read_guards(self.tenant_id, list(self.policies))
        wanted: Wanted = {}
        for attempt in self.attempts:
            account, earlier = accounts.get(attempt.account_id), former.get(attempt.key)
            try:
                found = decide(attempt, account, earlier, vouchers, self.guards, self.now)
            except Refusal as refusal:
                self._refuse(attempt, refusal)
                continue
            if isinstance(found, FoundVoucher):
                wanted[attempt.place] = (attempt, found)
            else:
                own = attempt.place in self._perhaps_committed
                self.outcomes[attempt.place] = found._replace(replayed=not own)
        return wanted

    def _accounts(self) -> dict[int, PayingAccount]:
        found = Account.objects.filter(
            tenant=self.tenant_id, pk__in=[attempt.account_id for attempt in self.attempts]
        )
        return {
            account.pk: PayingAccount(
                str(account),
                account.currency,
                account.mode == Account.Mode.PREPAID,
                account.closed_at is not None,
            )
            for account in found
        }

    def _refuse(self, attempt: Attempt, refusal: Refusal) -> None:
        self.outcomes[attempt.place] = refusal.error
        if refusal.counts:
            # Those that come after it in this transaction see it as well.
            for subject, policy in attempt.policies.items():
                self.failures[subject] += 1
                self.guards[subject] = after_failure(self.guards.get(subject, NO_FAILURES), policy, self.now)

    def _take(self, wanted: Wanted) -> None:
        """Credit and mark these. One whose credit is refused leaves ``wanted``, and the others are credited again."""
        while wanted:
            try:
                with transaction.atomic():
                    credited = self._credit(wanted)
            except _Undo as undo:
                for place, refusal in undo.refusals.items():
                    self._refuse(wanted.pop(place)[0], refusal)
            else:
                self._mark(wanted, credited)
                return

    def _credit(self, wanted: Wanted) -> dict[int, tuple[int, str]]:
        """By place: what the account's money can buy after the credit, and the cause of the credit's ledger entry."""
        requests = {
            place: _top_up(attempt.account_id, voucher, self.now)
            for place, (attempt, voucher) in wanted.items()
            if voucher.value
        }
        answers = dict(zip(requests, charge_all(list(requests.values()), self.now), strict=True))
        refusals = {
            place: _credit_refused(answer)
            for place, answer in answers.items()
            if answer.replayed or answer.result is not Result.SUCCESS
        }
        for place, (attempt, voucher) in wanted.items():
            if voucher.bundle_id is not None and place not in refusals:
                try:
                    self._give_bundle(attempt, voucher.bundle_id, voucher.bundle_days or 0)
                except BssError as error:
                    refusals[place] = refused_by(error)
        if refusals:
            raise _Undo(refusals)
        return {
            place: (answers[place].balance_micros, f"event:{digest_of(requests[place])}:0")
            if place in answers
            else (_money_left(attempt.account_id), "")
            for place, (attempt, _) in wanted.items()
        }

    def _give_bundle(self, attempt: Attempt, bundle_id: int, days: int) -> None:
        if attempt.msisdn:
            holder = holder_of(attempt.msisdn, self.now)
        else:
            payers = Payer.objects.filter(account=attempt.account_id).values_list("subscriber_id", flat=True)
            holder = payers[0] if len(payers[:2]) == 1 else None
        if holder is None:
            raise Conflict(
                f"account {Account.objects.get(pk=attempt.account_id)} pays for several subscribers; name the number",
                code="msisdn_needed",
            )
        assign_bundle(holder, bundle_id, self.now, self.now + timedelta(days=days))

    def _mark(self, wanted: Wanted, credited: Mapping[int, tuple[int, str]]) -> None:
        at, redeemed = database_instant(self.now), VoucherStatus.REDEEMED.value
        rows = []
        for place, (attempt, voucher) in wanted.items():
            balance_micros, cause = credited[place]
            own = (attempt.account_id, attempt.msisdn, at, attempt.key, balance_micros, cause, at)
            rows.append((voucher.voucher_id, redeemed, *own))
            marked = voucher._replace(
                account_id=attempt.account_id, redeemed_at=self.now, balance_micros=balance_micros
            )
            self.outcomes[place] = marked.redemption()
        active = f"status = '{VoucherStatus.ACTIVE.value}'"
        database, table = connections[DEFAULT_DB_ALIAS], Voucher._meta.db_table
        if update_rows(database, table, _MARKED, rows, where=active) != len(rows):
            raise OperationalError("a voucher has changed behind its lock")


def holder_of(msisdn: str, now: datetime) -> int | None:
    """The subscriber that has the number at this instant."""
    for _, subscriber_id, start, end in msisdn_holdings([msisdn], now, now):
        if start <= now and (end is None or now < end):
            return subscriber_id
    return None


def _found(vouchers: QuerySet[Voucher]) -> list[FoundVoucher]:
    return [FoundVoucher(*row) for row in vouchers.values_list(*_FOUND)]


def _top_up(account_id: int, voucher: FoundVoucher, now: datetime) -> OnlineRequest:
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


def _credit_refused(answer: ChargingAnswer) -> Refusal:
    if answer.replayed:
        # It was credited before, although it is not marked.
        return wrong_pin()
    return refused_by(Conflict(answer.message, code=answer.reason or "refused"))


def _money_left(account_id: int) -> int:
    own = Balance.objects.filter(account=account_id, kind=Balance.Kind.MONETARY)
    return own.aggregate(left=Sum(F("amount_micros") - F("reserved_micros")))["left"] or 0
