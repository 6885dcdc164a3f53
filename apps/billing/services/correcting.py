"""Usage that changed its price after it was billed: an adjustment on the account's next bill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from apps.billing.domain.corrections import (
    BilledUsageChange,
    BillWindow,
    GivenDiscount,
    TaxOf,
    after_discounts,
    bill_of,
)
from apps.billing.domain.draft import DISCOUNT, USAGE
from apps.billing.models import Bill, BillingAccount, BillLine, Discount, OneOffCharge
from apps.rating.models import Service


def lock_billing(account_ids: Collection[int]) -> None:
    """Have no run bill the accounts until the caller's transaction ends; locked before anything that charging locks."""
    rows = BillingAccount.objects.select_for_update().filter(pk__in=account_ids).order_by("pk")
    list(rows.values_list("pk", flat=True))


def adjust_billed_usage(changes: Mapping[int, Sequence[BilledUsageChange]]) -> dict[int, int]:
    """Put changes of usage that is on postpaid bills onto the next bill, by account; the sums, without taxes.

    Inside the transaction that changes the records, after :func:`lock_billing`. Usage on no bill yet needs nothing: its
    bill is made of the records. There is one charge a bill and service until it is billed: the opposite change takes it
    back. It bears the service's taxes, and the bill's discounts are off it.
    """
    bills: dict[int, list[Bill]] = defaultdict(list)
    for bill in Bill.objects.filter(account_id__in=changes, current=True, kind=Bill.Kind.POSTPAID).order_by(
        "account_id", "period_end"
    ):
        bills[bill.account_id].append(bill)
    names = dict(Service.objects.values_list("pk", "name")) if bills else {}
    return {account_id: _adjust(changes[account_id], own, names) for account_id, own in bills.items()}


def _adjust(changes: Sequence[BilledUsageChange], bills: Sequence[Bill], names: Mapping[int, str]) -> int:
    windows = [BillWindow(bill.pk, bill.period_end, bill.usage_sequence) for bill in bills]
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for change in changes:
        bill_id = bill_of(change, windows)
        if bill_id is not None:
            sums[bill_id, change.service_id] += change.added_micros
    by_id = {bill.pk: bill for bill in bills}
    total = 0
    for (bill_id, service_id), added in sorted(sums.items()):
        taxes, discounts = _terms_of(bill_id)
        tax = taxes.get(service_id)
        amount = after_discounts(added, service_id, tax, discounts) if tax else added
        if amount:
            _charge(by_id[bill_id], service_id, names[service_id], amount, bills[-1])
            total += amount
    return total


def _charge(bill: Bill, service_id: int, name: str, amount: int, last: Bill) -> None:
    charge = (
        OneOffCharge.objects.select_for_update()
        .filter(account_id=bill.account_id, corrects=bill, service_id=service_id, bill=None)
        .first()
    )
    if charge is None:
        OneOffCharge.objects.create(
            account_id=bill.account_id,
            # The next bill begins where the last one ends.
            at=last.period_end,
            description=f"Correction of {name}, bill {bill.number}"[:160],
            amount_micros=amount,
            service_id=service_id,
            corrects=bill,
        )
        return
    charge.amount_micros += amount
    if charge.amount_micros:
        charge.save()
    else:
        charge.delete()


def _terms_of(bill_id: int) -> tuple[dict[int, TaxOf], list[GivenDiscount]]:
    """How a bill taxed the usage of each service, and what discounts it gave on usage, in their order."""
    taxes: dict[int, TaxOf] = {}
    discounts: list[GivenDiscount] = []
    of_fees = {
        f"discount:{pk}"
        for pk in Discount.objects.filter(account__bills=bill_id, scope=Discount.Scope.RECURRING).values_list(
            "pk", flat=True
        )
    }
    for kind, service_id, category, rate, exact, base, origin in (
        BillLine.objects.filter(bill_id=bill_id, kind__in=(USAGE, DISCOUNT))
        .order_by("number")
        .values_list(
            "kind",
            "service_id",
            "tax_category",
            "tax_rate_millionths",
            "exact_micros",
            "base_micros",
            "origin",
        )
    ):
        tax = TaxOf(category, rate)
        if kind == USAGE:
            taxes[service_id] = tax
        elif origin not in of_fees:
            discounts.append(GivenDiscount(service_id, tax, exact, base or 0))
    return taxes, discounts
