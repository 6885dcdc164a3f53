"""Everything that is printed on bills, read with a few queries for a batch and one or two for each bill's usage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet, Sum

from apps.billing.models import Bill, BillLine
from apps.billing.selectors.credits import credits_used
from apps.charging.models import DEFAULT_BALANCE, LedgerEntry
from apps.invoicing.domain.bill_data import (
    BillData,
    Issuer,
    Line,
    Movement,
    Recipient,
    ServiceInfo,
    UsageRecord,
)
from apps.invoicing.domain.history import UsageHistory
from apps.invoicing.domain.words import msisdn_text
from apps.invoicing.models import BillDocument
from apps.mediation.domain.charges import Charge
from apps.mediation.models import Cdr, CdrFile
from apps.mediation.selectors import corrections_of
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import Service
from apps.subscribers.models import Resource, ResourceAssignment, Subscriber

RECORDS_A_READ = 20_000

# The account's own usage, and what other runs have charged to it (derived charging).
_OWN = Q(run=DEFAULT_RUN, mode="")
_DERIVED = ~Q(run=DEFAULT_RUN) & Q(mode="")
_SUMS = {"records": Count("pk"), "cost_micros": Sum("cost_micros", default=0)}


class Batch:
    """Bills that are rendered together and what they share."""

    def __init__(self, bill_ids: Sequence[int]) -> None:
        self.bills: dict[int, Bill] = {
            bill.pk: bill
            for bill in Bill.objects.filter(pk__in=bill_ids).select_related(
                "tenant", "cycle", "account__customer", "corrects"
            )
        }
        self.revisions = _last_revisions(bill_ids)
        self._lines = _lines(bill_ids)
        self._credits = credits_used(bill_ids)
        self._services = {
            service.pk: ServiceInfo(
                service.code,
                service.name,
                service.type_of_record,
                service.unit_size,
                service.unit_label,
            )
            for service in Service.objects.all()
        }
        self._subscribers = _subscriber_texts(self.bills, self._lines)
        self._corrections = corrections_of({bill.account_id for bill in self.bills.values()})
        self._earliest_late: dict[tuple[int, int], datetime | None] = {}

    def bill_data(self, bill_id: int) -> BillData:
        """One bill without its usage records. Raises KeyError if there is none of that id."""
        bill = self.bills[bill_id]
        tenant, customer = bill.tenant, bill.account.customer
        return BillData(
            id=bill.pk,
            number=bill.number or "",
            kind=bill.kind,
            issuer=Issuer(
                tenant.legal_name or tenant.name or tenant.code,
                tenant.address,
                tenant.tax_number,
                tenant.contact,
                tenant.payment_details,
            ),
            recipient=Recipient(
                customer.number,
                customer.name,
                customer.street,
                customer.postcode,
                customer.city,
                customer.country,
                customer.tax_number,
            ),
            account_number=bill.account.number,
            currency=bill.currency,
            locale=customer.locale or tenant.locale,
            zone=tenant.zone,
            cycle_zone=bill.cycle.zone,
            period_start=bill.period_start,
            period_end=bill.period_end,
            issued_on=bill.issued_on,
            due_on=bill.due_on,
            total_micros=bill.total_micros,
            credit_micros=self._credits.get(bill_id, 0),
            corrects=(bill.corrects.number or "", bill.corrects.issued_on) if bill.corrects else None,
            lines=tuple(self._lines[bill_id]),
            opening_balance_micros=bill.opening_balance_micros,
            closing_balance_micros=bill.closing_balance_micros,
            movements=_movements(bill) if bill.kind == Bill.Kind.PREPAID else (),
            services=self._services,
            subscribers=self._subscribers[bill_id],
            revision=self.revisions.get(bill_id, 0) + 1,
        )

    def history(self, bill_id: int) -> UsageHistory:
        """The usage records that the bill covers, in order of time."""
        bill = self.bills[bill_id]
        history = UsageHistory(settings.INVOICE_ITEMISED_RECORDS, bill.tenant.zone)
        usage = [line for line in self._lines[bill_id] if line.kind == BillLine.Kind.USAGE]
        if bill.corrects_id is None and usage:
            as_billed = self._as_billed(bill)
            for rows in (self._late_records(bill), _records_from(bill)):
                for records in _in_portions(rows.filter(_OWN), as_billed):
                    history.add(records)
                if any(line.subscriber_id is None for line in usage):
                    history.add_sums(*rows.filter(_DERIVED).aggregate(**_SUMS).values())
        return history

    def _as_billed(self, bill: Bill) -> Mapping[int, Charge]:
        """What records that were corrected since the bill was made had been charged by then, by their ids."""
        found: dict[int, Charge] = {}
        for change in self._corrections.get(bill.account_id, ()):
            if change.at > bill.created_at:
                found.setdefault(change.cdr_id, change.before)
        return found

    def _late_records(self, bill: Bill) -> QuerySet[Cdr]:
        """Of earlier periods, in files loaded after the bill of these."""
        if not bill.usage_after_sequence:
            return Cdr.objects.none()
        key = bill.usage_after_sequence, bill.usage_sequence
        files = CdrFile.objects.filter(load_sequence__gt=key[0], load_sequence__lte=key[1])
        if key not in self._earliest_late:
            self._earliest_late[key] = files.aggregate(earliest=Min("first_start"))["earliest"]
        earliest = self._earliest_late[key]
        if earliest is None or earliest >= bill.usage_from:
            return Cdr.objects.none()
        return Cdr.objects.filter(
            account_id=bill.account_id, start__gte=earliest, start__lt=bill.usage_from, file__in=files
        )


def _records_from(bill: Bill) -> QuerySet[Cdr]:
    """Records of the account that started in the period (on a first bill: ever), in files that its run saw."""
    records = Cdr.objects.filter(account_id=bill.account_id, start__lt=bill.period_end)
    if bill.usage_after_sequence:
        records = records.filter(start__gte=bill.usage_from)
    # Nearly always none, so this costs less than joining every record with its file.
    return records.exclude(file__in=CdrFile.objects.filter(load_sequence__gt=bill.usage_sequence))


def _in_portions(records: QuerySet[Cdr], as_billed: Mapping[int, Charge]) -> Iterator[list[UsageRecord]]:
    """By start, so many at a time, so that an account with a million records needs no more memory than others."""
    ordered = records.order_by("start", "pk").values_list(
        "subscriber_id",
        "service_id",
        "start",
        "other_party",
        "destination__tag",
        "usage",
        "free_usage",
        "cost_micros",
        "pk",
    )
    portion = list(ordered[:RECORDS_A_READ])
    while portion:
        yield [_as_billed(UsageRecord._make(row[:8]), as_billed.get(row[8])) for row in portion]
        if len(portion) < RECORDS_A_READ:
            return
        start, pk = portion[-1][2], portion[-1][8]
        portion = list(ordered.filter(Q(start__gt=start) | Q(start=start, pk__gt=pk))[:RECORDS_A_READ])


def _as_billed(record: UsageRecord, charge: Charge | None) -> UsageRecord:
    if charge is None:
        return record
    return record._replace(
        destination=charge.destination, free_usage=charge.free_usage, cost_micros=charge.cost_micros
    )


def _lines(bill_ids: Sequence[int]) -> Mapping[int, list[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    rows = (
        BillLine.objects.filter(bill_id__in=bill_ids)
        .order_by("bill_id", "number")
        .values_list(
            "bill_id",
            "kind",
            "description",
            "amount_micros",
            "subscriber_id",
            "service_id",
            "destination__tag",
            "records",
            "quantity",
            "free_quantity",
            "period_start",
            "period_end",
            "rate_millionths",
            "base_micros",
            "exact_micros",
            "origin",
        )
    )
    for bill_id, *values in rows:
        line = Line._make(values)
        found[bill_id].append(line if line.destination is not None else line._replace(destination=""))
    return found


def _last_revisions(bill_ids: Sequence[int]) -> dict[int, int]:
    rows = BillDocument.objects.filter(bill_id__in=bill_ids).order_by("revision")
    return dict(rows.values_list("bill_id", "revision"))


def _subscriber_texts(
    bills: Mapping[int, Bill], lines: Mapping[int, Sequence[Line]]
) -> Mapping[int, dict[int, str]]:
    """For each bill its subscribers by the numbers they had in its period, and their names if they have one."""
    of_bill = {
        bill_id: {line.subscriber_id for line in found if line.subscriber_id is not None}
        for bill_id, found in lines.items()
    }
    wanted = set().union(*of_bill.values()) if of_bill else set()
    rows = Subscriber.objects.filter(pk__in=wanted).values_list("pk", "number", "name")
    names: dict[int, tuple[str, str]] = {pk: (number, name) for pk, number, name in rows}
    held: dict[int, list[tuple[str, datetime, datetime | None]]] = defaultdict(list)
    for subscriber_id, msisdn, start, end in (
        ResourceAssignment.objects.filter(subscriber_id__in=wanted, resource__kind=Resource.Kind.MSISDN)
        .order_by("start")
        .values_list("subscriber_id", "resource__value", "start", "end")
    ):
        held[subscriber_id].append((msisdn, start, end))
    texts: dict[int, dict[int, str]] = defaultdict(dict)
    for bill_id, subscribers in of_bill.items():
        bill = bills[bill_id]
        for subscriber_id in subscribers:
            number, name = names.get(subscriber_id, (str(subscriber_id), ""))
            msisdns = [
                msisdn
                for msisdn, start, end in held[subscriber_id]
                if start < bill.period_end and (end is None or end > bill.period_start)
            ] or [msisdn for msisdn, _, _ in held[subscriber_id][-1:]]
            numbers = ", ".join(msisdn_text(msisdn) for msisdn in dict.fromkeys(msisdns)) or number
            texts[bill_id][subscriber_id] = f"{numbers} {name}" if name else numbers
    return texts


def _movements(bill: Bill) -> tuple[Movement, ...]:
    """Entries that the statement saw: of its period, and older ones that came after the last statement."""
    rows: QuerySet[Any] = (
        LedgerEntry.objects.filter(
            Q(at__gte=bill.period_start) | Q(pk__gt=bill.ledger_after_entry),
            balance__account_id=bill.account_id,
            balance__tag=DEFAULT_BALANCE,
            pk__lte=bill.ledger_entry,
            at__lt=bill.period_end,
        )
        .order_by("at", "pk")
        .values_list("at", "kind", "note", "amount_micros")
    )
    return tuple(Movement._make(row) for row in rows)
