"""The operator's books: rows that are made once for a tenant and currency, and remembered by the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.models import BookPosting, LedgerBook
from apps.kernel.errors import Conflict, InvalidInput
from apps.rating.models import Tenant
from apps.rating.selectors.views import TENANTS
from apps.storage.upserts import select


class BookKey(NamedTuple):
    """Names a book: the tenant's code, the currency and the book's code."""

    tenant: str
    currency: str
    code: str


_known: dict[BookKey, int] = {}


def book_ids(connection: BaseDatabaseWrapper, keys: Collection[BookKey]) -> Mapping[BookKey, int]:
    """The rows of these books (and of others), inside the caller's transaction; those that are missing are made.

    The process remembers only rows that are committed: another batch may find what this one makes rolled back.
    """
    missing = [key for key in keys if key not in _known]
    if not missing:
        return _known
    found = _stored(connection, missing)
    committed = dict(found)
    if len(found) < len(missing):
        make_books(connection, {(key.tenant, key.currency) for key in missing}, {key.code for key in missing})
        found = _stored(connection, missing)
    if connection.in_atomic_block:
        transaction.on_commit(lambda: _known.update(found), using=connection.alias)
    else:
        # The executor commits by itself: what it has just made is read, and remembered, by its next batch.
        _known.update(committed)
    return {**_known, **found}


def make_books(
    connection: BaseDatabaseWrapper,
    owners: Collection[tuple[str, str]],
    codes: Collection[str] = (),
) -> None:
    """Make the standard books, and those of ``codes``, for each (tenant's code, currency); existing ones stay."""
    tenants = dict(Tenant.objects.filter(code__in={code for code, _ in owners}).values_list("code", "id"))
    wanted = sorted({*LedgerBook.Code.values, *codes})
    LedgerBook.objects.using(connection.alias).bulk_create(
        [
            LedgerBook(tenant_id=tenants[tenant], currency=currency, code=code)
            for tenant, currency in sorted(owners)
            for code in wanted
        ],
        ignore_conflicts=True,
    )


def forget_books() -> None:
    """Read every book again: for a process whose database has been exchanged."""
    _known.clear()


def post_between(
    debit: LedgerBook, credit: LedgerBook, amount_micros: int, *, cause: str, at: datetime, note: str = ""
) -> BookPosting:
    """Take ``amount_micros`` from ``debit`` and add it to ``credit``; no balance is moved.

    Raises InvalidInput unless the amount is above zero and both are different books of one tenant and currency, and
    Conflict where ``cause`` has moved money before.
    """
    if amount_micros <= 0:
        raise InvalidInput("post an amount above zero; to reverse a posting, exchange the books")
    if debit.pk == credit.pk:
        raise InvalidInput("a book cannot be posted against itself")
    if (debit.tenant_id, debit.currency) != (credit.tenant_id, credit.currency):
        raise InvalidInput("both books must be of the same tenant and currency")
    try:
        with transaction.atomic():
            return BookPosting.objects.create(
                debit=debit, credit=credit, at=at, amount_micros=amount_micros, cause=cause, note=note
            )
    except IntegrityError as error:
        if BookPosting.objects.filter(cause=cause).exists():
            raise Conflict(f"“{cause}” has moved money before", code="already_posted") from error
        raise


def _stored(connection: BaseDatabaseWrapper, keys: Collection[BookKey]) -> dict[BookKey, int]:
    """Those of the books that have rows."""
    wanted = set(keys)
    rows = select(
        connection,
        f"SELECT t.code, b.currency, b.code, b.id FROM charging_ledgerbook b JOIN {TENANTS} t ON t.id = b.tenant_id"
        " WHERE t.code IN ({values})",
        sorted({key.tenant for key in wanted}),
    )
    return {key: row[3] for row in rows if (key := BookKey(*row[:3])) in wanted}
