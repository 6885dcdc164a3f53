"""Bills and their documents, for one tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet, Sum

from apps.billing.models import Bill, BillLine, Payment
from apps.charging.models import Account, Payer
from apps.crm.domain.bills import BillFile, BillLineView, BillView
from apps.crm.selectors.rows import checked_choice, checked_not_negative, paged
from apps.crm.selectors.subscribers import own_subscriber
from apps.crm.selectors.tenants import tenant_of
from apps.crm.selectors.usage import asked_month
from apps.invoicing.models import BillDocument
from apps.invoicing.selectors.documents import current_document
from apps.kernel.errors import Conflict, NotFound
from apps.kernel.periods import month_period


def get_bill(tenant: str, bill_id: int, *, subscriber_id: int = 0) -> BillView:
    """A bill with its lines. With ``subscriber_id``: only if that subscriber's account got it. Raises NotFound."""
    return _views(_own_bills(tenant, bill_id, subscriber_id), lines=True)[0]


def subscriber_bill(tenant: str, subscriber_id: int, *, year: int = 0, month: int = 0) -> BillView:
    """The bill of a subscriber's account for the period that begins in a month, or the newest one; with its lines.

    Of several that begin in it, the last; never a cancelled one or a credit note.
    Raises NotFound (subscriber, or no such bill), InvalidInput (month).
    """
    wanted = asked_month(year, month)
    rows = Bill.objects.filter(account_id=_account_id(tenant, subscriber_id), current=True).order_by(
        "-period_end"
    )
    if wanted is not None:
        period = month_period(wanted, tenant_of(tenant).zone)
        rows = rows.filter(period_start__gte=period.start, period_start__lt=period.end)
    found = _views(rows[:1], lines=True)
    if not found:
        when = f" for {wanted}" if wanted else ""
        raise NotFound(f"subscriber {subscriber_id} has no bill{when}", code="no_bill", where="month")
    return found[0]


def list_bills(
    tenant: str,
    *,
    subscriber_id: int = 0,
    account_id: int = 0,
    status: str = "",
    kind: str = "",
    before_id: int = 0,
    limit: int = 0,
) -> Iterator[BillView]:
    """Bills without lines, newest first (descending ids), a page at a time; of one subscriber's account, or of all.

    Raises NotFound (subscriber, account), InvalidInput (status, kind) at once.
    """
    checked_not_negative(before_id=before_id, limit=limit)
    checked_choice(status, Bill.Status.values, "status")
    checked_choice(kind, Bill.Kind.values, "kind")
    owner = tenant_of(tenant)
    rows = Bill.objects.filter(tenant_id=owner.id)
    if subscriber_id:
        rows = rows.filter(account_id=_account_id(tenant, subscriber_id))
    if account_id:
        if not Account.objects.filter(pk=account_id, tenant_id=owner.id).exists():
            raise NotFound(f"there is no account {account_id}", where="account_id")
        rows = rows.filter(account_id=account_id)
    if status:
        rows = rows.filter(status=status)
    if kind:
        rows = rows.filter(kind=kind)

    def page(before: int, count: int) -> list[BillView]:
        older = rows.filter(pk__lt=before) if before else rows
        return _views(older.order_by("-pk")[:count])

    return paged(page, before_id, lambda bill: bill.id, limit)


def bill_file(tenant: str, bill_id: int, *, subscriber_id: int = 0) -> BillFile:
    """The current PDF of a bill.

    Raises NotFound, Conflict (code no_document) if none is written yet or it is no longer on disk.
    """
    bill = _own_bills(tenant, bill_id, subscriber_id).get()
    document = current_document(bill.pk)
    path = Path(settings.INVOICES_DIR) / document.path if document and document.path else None
    if document is None or path is None or not path.is_file():
        raise Conflict(
            f"{bill} has no document yet; it is written within seconds of the bill, or have it re-issued",
            code="no_document",
        )
    name = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in bill.number or str(bill.pk))
    return BillFile(bill.pk, f"{name}.pdf", path, document.size_octets, document.sha256, document.revision)


def _account_id(tenant: str, subscriber_id: int) -> int:
    own_subscriber(tenant, subscriber_id)
    account_id = Payer.objects.filter(pk=subscriber_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound(f"no account pays for subscriber {subscriber_id}", where="id")
    return int(account_id)


def _own_bills(tenant: str, bill_id: int, subscriber_id: int) -> QuerySet[Bill]:
    rows = Bill.objects.filter(pk=bill_id, tenant_id=tenant_of(tenant).id)
    if subscriber_id:
        rows = rows.filter(account_id=_account_id(tenant, subscriber_id))
    if not rows.exists():
        raise NotFound(f"there is no bill {bill_id}", where="id")
    return rows


def _views(rows: QuerySet[Bill], *, lines: bool = False) -> list[BillView]:
    bills = list(rows.select_related("account", "cycle"))
    ids = [bill.pk for bill in bills]
    paid = dict(
        Payment.objects.filter(bill_id__in=ids).values_list("bill_id").annotate(paid=Sum("amount_micros"))
    )
    notes = dict(Bill.objects.filter(corrects_id__in=ids).values_list("corrects_id", "pk"))
    documents = set(BillDocument.objects.filter(bill_id__in=ids).values_list("bill_id", flat=True))
    itemised = _lines(ids) if lines else {}
    return [
        _view(
            bill,
            paid.get(bill.pk, 0),
            bill.pk in documents,
            notes.get(bill.pk, 0),
            itemised.get(bill.pk, ()),
        )
        for bill in bills
    ]


def _view(
    bill: Bill, paid: int, has_document: bool, credit_note_id: int, lines: tuple[BillLineView, ...]
) -> BillView:
    begins = bill.period_start.astimezone(ZoneInfo(bill.cycle.time_zone))
    return BillView(
        bill.pk,
        bill.number or "",
        bill.kind,
        bill.status,
        bill.account_id,
        bill.account.number,
        bill.cycle.number,
        bill.period_start,
        bill.period_end,
        begins.year,
        begins.month,
        bill.issued_on,
        bill.due_on,
        bill.currency,
        bill.recurring_micros,
        bill.usage_micros,
        bill.one_off_micros,
        bill.discount_micros,
        bill.tax_micros,
        bill.rounding_micros,
        bill.total_micros,
        paid,
        bill.opening_balance_micros,
        bill.closing_balance_micros,
        has_document,
        bill.created_at,
        bill.corrects_id or 0,
        credit_note_id,
        bill.reason,
        lines,
    )


def _lines(bill_ids: Collection[int]) -> dict[int, tuple[BillLineView, ...]]:
    found: dict[int, list[BillLineView]] = {}
    for bill_id, number, kind, text, subscriber_id, service, destination, *rest in (
        BillLine.objects.filter(bill_id__in=bill_ids)
        .order_by("bill_id", "number")
        .values_list(
            "bill_id",
            "number",
            "kind",
            "description",
            "subscriber_id",
            "service__code",
            "destination__tag",
            "records",
            "quantity",
            "free_quantity",
            "amount_micros",
        )
    ):
        records, quantity, free, amount = rest
        used = (quantity, free) if kind == BillLine.Kind.USAGE else (0, 0)
        line = BillLineView(
            number, kind, text, subscriber_id or 0, service or "", destination or "", records, *used, amount
        )
        found.setdefault(bill_id, []).append(line)
    return {bill_id: tuple(lines) for bill_id, lines in found.items()}
