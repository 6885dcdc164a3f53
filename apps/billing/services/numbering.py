"""Numbers of bills, statements and credit notes: without gaps within a tenant, kind and year of issue."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from django.db import connection

from apps.billing.models import Bill, BillNumberSeries
from apps.storage.dialect import joined, zero_padded

LETTER = {Bill.Kind.POSTPAID.value: "", Bill.Kind.PREPAID.value: "S", Bill.Kind.CREDIT.value: "C"}


def number_bills(tenant_id: int, year: int, kind: str, bill_ids: Collection[int]) -> None:
    """Give bills of one kind their numbers: the last step of a transaction, since it locks the series until its end."""
    if not bill_ids:
        return
    prefix = f"{LETTER[kind]}{year}-"
    series, _ = BillNumberSeries.objects.get_or_create(tenant_id=tenant_id, prefix=prefix)
    series = BillNumberSeries.objects.select_for_update().get(pk=series.pk)
    number = joined("%s", zero_padded("id - %s", digits=8))
    with connection.cursor() as cursor:
        for first, last in _ranges(sorted(bill_ids)):
            cursor.execute(
                f"UPDATE {Bill._meta.db_table} SET number = {number} WHERE id BETWEEN %s AND %s",
                [prefix, first - series.last - 1, first, last],
            )
            series.last += last - first + 1
    series.save(update_fields=["last"])


def _ranges(ordered: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges: 1 2 3 7 8 are 1–3 and 7–8."""
    first = previous = ordered[0]
    for number in ordered[1:]:
        if number != previous + 1:
            yield first, previous
            first = number
        previous = number
    yield first, previous
