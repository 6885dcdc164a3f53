"""What the operator does to balances: top up, adjust, transfer, and set the terms of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from django.db import transaction

from apps.charging.domain.balances import BalanceKind, free_increment
from apps.charging.domain.requests import BalanceOrder, ChargingAnswer, OnlineRequest, Operation, Result
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerBook, SharedGroup
from apps.charging.services.executor import charge_now, forget_directory
from apps.charging.services.rows import factors_of, part_text, timings_of, used_part_under, words
from apps.kernel.errors import Conflict, InvalidInput, NotFound


def top_up(
    account: Account,
    amount: int,
    now: datetime,
    *,
    key: str,
    book: str = LedgerBook.Code.CASH,
    tag: str = DEFAULT_BALANCE,
    kind: str = BalanceKind.MONETARY,
    expires_at: datetime | None = None,
    weight: int = 0,
    note: str = "",
) -> ChargingAnswer:
    """Add ``amount`` (micro-units, seconds, octets or events) to a balance, which is made if it has to be.

    ``key`` names this top-up: a second one under it changes nothing and gets the first one's answer. Raises
    Conflict or InvalidInput with the reason if it is refused.
    """
    order = BalanceOrder(account.pk, amount, book, tag, kind, note, expires_at, weight)
    return _carry_out(Operation.TOP_UP, order, f"top-up:{key}", now)


def adjust(
    account: Account,
    amount: int,
    now: datetime,
    *,
    key: str,
    book: str = LedgerBook.Code.CORRECTION,
    tag: str = DEFAULT_BALANCE,
    kind: str = BalanceKind.MONETARY,
    note: str = "",
    may_overdraw: bool = False,
) -> ChargingAnswer:
    """Correct a balance up or down; below zero only with ``may_overdraw``. Otherwise as :func:`top_up`."""
    order = BalanceOrder(account.pk, amount, book, tag, kind, note, may_overdraw=may_overdraw)
    return _carry_out(Operation.ADJUST, order, f"adjustment:{key}", now)


def transfer(
    account: Account,
    to_account: Account,
    amount: int,
    now: datetime,
    *,
    key: str,
    tag: str = DEFAULT_BALANCE,
    to_tag: str = DEFAULT_BALANCE,
    kind: str = BalanceKind.MONETARY,
    note: str = "",
) -> ChargingAnswer:
    """Move ``amount`` between balances of two accounts of one tenant. Otherwise as :func:`top_up`."""
    if account.tenant_id != to_account.tenant_id:
        raise InvalidInput(f"accounts {account} and {to_account} belong to different tenants")
    order = BalanceOrder(
        account.pk,
        amount,
        LedgerBook.Code.TRANSFER,
        tag,
        kind,
        note,
        to_account_id=to_account.pk,
        to_tag=to_tag,
    )
    return _carry_out(Operation.TRANSFER, order, f"transfer:{key}", now)


def set_terms(balance_id: int, **terms: object) -> Balance:
    """Change the terms of a balance: any of the fields in TERMS. Raises NotFound or InvalidInput.

    ``groups`` are codes of shared groups of its tenant, split by “;”, in place of those that it is in. Its amount is
    moved by orders alone.
    """
    unknown = set(terms) - TERMS
    if unknown:
        raise InvalidInput(
            f"{', '.join(sorted(unknown))} cannot be set; terms are {', '.join(sorted(TERMS))}"
        )
    timings_of(str(terms.get("timings", "")) or "[]")
    factors = factors_of(str(terms.get("factors", "")))
    free_increment(str(terms.get("rating_subject", "")))
    with transaction.atomic():
        balance = Balance.objects.select_for_update().filter(pk=balance_id).first()
        if balance is None:
            raise NotFound(f"there is no balance {balance_id}")
        groups = terms.pop("groups", None)
        if groups is not None:
            balance.groups.set(_groups(balance, words(str(groups))))
            transaction.on_commit(forget_directory)
        for name, value in terms.items():
            setattr(balance, name, value)
        if "factors" in terms and balance.used_part:
            balance.used_part = part_text(used_part_under(Fraction(balance.used_part), factors))
        balance.save(update_fields=[*sorted(terms), "used_part"])
    return balance


TERMS = frozenset(
    {
        "weight",
        "destinations",
        "categories",
        "timings",
        "active_from",
        "expires_at",
        "disabled",
        "blocker",
        "rating_subject",
        "factors",
        "groups",
    }
)


def _groups(balance: Balance, codes: Sequence[str]) -> list[SharedGroup]:
    tenant = balance.account.tenant
    found = {group.code: group for group in SharedGroup.objects.filter(tenant=tenant, code__in=codes)}
    if missing := [code for code in codes if code not in found]:
        raise InvalidInput(
            f"tenant {tenant.code} has no shared group “{missing[0]}”; load SharedGroups.csv, or add it in the admin"
        )
    return [found[code] for code in codes]


def _carry_out(operation: Operation, order: BalanceOrder, key: str, now: datetime) -> ChargingAnswer:
    answer = charge_now(OnlineRequest(operation, key, 0, now, order=order), now)
    if answer.result is Result.SUCCESS:
        return answer
    if answer.result in (Result.CREDIT_LIMIT_REACHED, Result.BARRED):
        raise Conflict(answer.message, code=answer.reason)
    raise InvalidInput(answer.message, code=answer.reason)
