"""Accounts, what they hold and how it came to that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum

from apps.billing.models import Bill, Payment
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerEntry, Payer
from apps.crm.domain.accounts import AccountView, BalanceOfAccount, BalanceView, LedgerEntryView
from apps.crm.selectors.rows import checked_choice, checked_not_negative, paged
from apps.crm.selectors.tenants import tenant_of
from apps.kernel.errors import InvalidInput, NotFound
from apps.kernel.periods import as_utc

_BALANCE = (
    "pk",
    "tag",
    "kind",
    "amount_micros",
    "units",
    "reserved_micros",
    "reserved_units",
    "active_from",
    "expires_at",
    "disabled",
    "weight",
)
_ENTRY = ("pk", "at", "balance__tag", "kind", "book__code", "amount_micros", "units", "cause", "note")


def get_account(tenant: str, *, account_id: int = 0, number: str = "") -> AccountView:
    """An account by id or number, with its balances. Raises NotFound, InvalidInput (neither or both given)."""
    if bool(account_id) == bool(number):
        raise InvalidInput("give the account's id or its number, one of them", where="id")
    rows = Account.objects.filter(tenant_id=tenant_of(tenant).id)
    found = _views(rows.filter(pk=account_id) if account_id else rows.filter(number=number))
    if not found:
        raise NotFound(f"there is no account {account_id or number}", where="id" if account_id else "number")
    return found[0]


def list_accounts(
    tenant: str, *, mode: str = "", customer_number: str = "", after_id: int = 0, limit: int = 0
) -> Iterator[AccountView]:
    """Accounts in the order of their ids, a page at a time. Raises InvalidInput (mode) at once."""
    checked_not_negative(after_id=after_id, limit=limit)
    checked_choice(mode, Account.Mode.values, "mode")
    rows = Account.objects.filter(tenant_id=tenant_of(tenant).id)
    if mode:
        rows = rows.filter(mode=mode)
    if customer_number:
        rows = rows.filter(customer__number=customer_number)

    def page(after: int, count: int) -> list[AccountView]:
        return _views(rows.filter(pk__gt=after).order_by("pk")[:count])

    return paged(page, after_id, lambda account: account.id, limit)


def balances(tenant: str, account_id: int) -> list[BalanceView]:
    """What an account holds, the default balance first. Raises NotFound."""
    _require(tenant, account_id)
    return _balances([account_id]).get(account_id, [])


def get_balance(tenant: str, balance_id: int) -> BalanceOfAccount:
    """A balance and its account's id. Raises NotFound."""
    rows = Balance.objects.filter(pk=balance_id, account__tenant_id=tenant_of(tenant).id)
    row: tuple[Any, ...] | None = rows.values_list(*_BALANCE, "account_id").first()
    if row is None:
        raise NotFound(f"there is no balance {balance_id}", where="id")
    return BalanceOfAccount(*row)


def ledger(
    tenant: str,
    account_id: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    tag: str = "",
    after_id: int = 0,
    limit: int = 0,
) -> Iterator[LedgerEntryView]:
    """Movements of an account's balances (or of the one tagged ``tag``) in the order in which they were written.

    Those whose value date lies in ``[start, end)``, where given. Raises NotFound at once.
    """
    _require(tenant, account_id)
    checked_not_negative(after_id=after_id, limit=limit)
    of = Balance.objects.filter(account_id=account_id)
    if tag:
        of = of.filter(tag=tag)
    # By balance: the ledger's index begins with it.
    rows = LedgerEntry.objects.filter(balance_id__in=list(of.values_list("pk", flat=True)))
    if start is not None:
        rows = rows.filter(at__gte=as_utc(start))
    if end is not None:
        rows = rows.filter(at__lt=as_utc(end))

    def page(after: int, count: int) -> list[LedgerEntryView]:
        found = rows.filter(pk__gt=after).order_by("pk").values_list(*_ENTRY)[:count]
        return [LedgerEntryView(*row) for row in found]

    return paged(page, after_id, lambda entry: entry.id, limit)


def _require(tenant: str, account_id: int) -> None:
    if not Account.objects.filter(pk=account_id, tenant_id=tenant_of(tenant).id).exists():
        raise NotFound(f"there is no account {account_id}", where="account_id")


def _views(rows: QuerySet[Account]) -> list[AccountView]:
    found = list(
        rows.values_list(
            "pk",
            "number",
            "mode",
            "currency",
            "customer__number",
            "customer__name",
            "opened_at",
            "closed_at",
            "billing__cycle__number",
            "billing__next_cycle__number",
            "billing__billed_until",
        )
    )
    ids = [row[0] for row in found]
    held, unpaid = _balances(ids), _unpaid(ids)
    subscribers: dict[int, list[int]] = defaultdict(list)
    for account_id, subscriber_id in (
        Payer.objects.filter(account_id__in=ids).order_by("pk").values_list("account_id", "pk")
    ):
        subscribers[account_id].append(subscriber_id)
    return [
        AccountView(
            *row[:8],
            row[8] or 0,
            row[9] or 0,
            row[10],
            unpaid.get(row[0], 0),
            tuple(subscribers.get(row[0], ())),
            tuple(held.get(row[0], ())),
        )
        for row in found
    ]


def _balances(account_ids: Collection[int]) -> dict[int, list[BalanceView]]:
    found: dict[int, list[BalanceView]] = defaultdict(list)
    rows = Balance.objects.filter(account_id__in=account_ids).order_by("pk")
    for account_id, *row in rows.values_list("account_id", *_BALANCE):
        found[account_id].append(BalanceView(*row))
    for held in found.values():
        held.sort(key=lambda balance: (balance.tag != DEFAULT_BALANCE, balance.id))
    return dict(found)


def _unpaid(account_ids: Collection[int]) -> dict[int, int]:
    """The sum of unpaid bills less the payments on them."""
    bills = Bill.objects.filter(account_id__in=account_ids, status=Bill.Status.UNPAID)
    due: dict[int, int] = defaultdict(int)
    for account_id, total in bills.values_list("account_id").annotate(total=Sum("total_micros")):
        due[account_id] += total
    payments = Payment.objects.filter(bill__account_id__in=account_ids, bill__status=Bill.Status.UNPAID)
    for account_id, paid in payments.values_list("bill__account_id").annotate(paid=Sum("amount_micros")):
        due[account_id] -= paid
    return dict(due)
