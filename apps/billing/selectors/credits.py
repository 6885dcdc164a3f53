"""Credits: bills and credit notes that come to less than nothing, until the money is given back or taken over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from django.db.models import F, Sum

from apps.billing.domain import Credit
from apps.billing.models import Bill, Payment
from apps.billing.selectors.among import among


def open_credits(account_ids: Collection[int], *, lock: bool = False) -> dict[int, list[Credit]]:
    """Open credits of postpaid accounts, oldest first.

    With ``lock``, inside the caller's transaction: no other transaction pays them out until it ends.
    """
    found: dict[int, list[Credit]] = defaultdict(list)
    if not account_ids:
        return found
    negative = (
        Bill.objects.filter(account_id__among=among(account_ids), total_micros__lt=0)
        .exclude(kind=Bill.Kind.PREPAID)
        .exclude(status=Bill.Status.CANCELLED)
    )
    rows = list(negative.order_by("pk").values_list("pk", "account_id", "total_micros"))
    if not rows:
        return found
    ids = [row[0] for row in rows]
    if lock:
        # By primary key: a locking search by account would take the gaps between other accounts' bills too.
        list(Bill.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    paid = paid_of(ids)
    for pk, account_id, total in rows:
        if paid.get(pk, 0) > total:
            found[account_id].append(Credit(pk, paid.get(pk, 0) - total))
    return found


def paid_of(bill_ids: Collection[int]) -> dict[int, int]:
    """Payments of bills less refunds; bills without payments are left out."""
    return dict(
        Payment.objects.filter(bill_id__in=bill_ids)
        .values_list("bill_id")
        .annotate(paid=Sum("amount_micros"))
    )


def credits_used(bill_ids: Collection[int]) -> dict[int, int]:
    """What former credits pay of bills since they were made; bills that use none are left out."""
    used = Payment.objects.filter(bill_id__in=bill_ids, amount_micros__gt=0, at=F("bill__created_at"))
    return dict(used.exclude(other_bill=None).values_list("bill_id").annotate(used=Sum("amount_micros")))
