"""From a bill's plain values to the one context of the templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from apps.invoicing.domain.balance import balance_context
from apps.invoicing.domain.bill_data import POSTPAID, PREPAID, BillData, Line
from apps.invoicing.domain.chart import days_between, stacked_bars
from apps.invoicing.domain.context import (
    BillContext,
    ChargesContext,
    ChartContext,
    LineUsageContext,
    SummaryContext,
    SummaryRow,
    TaxesContext,
    UsageContext,
    UsageRow,
)
from apps.invoicing.domain.formats import Formats, first_and_last_day, formats_for
from apps.invoicing.domain.history import UsageHistory
from apps.invoicing.domain.itemisation import history_context
from apps.invoicing.domain.labels import labels_for, language_of, service_name
from apps.invoicing.domain.words import destination_name, online_text, quantity, subscriber_text
from apps.kernel.currencies import minor_unit_micros
from apps.kernel.errors import Conflict

RECURRING, USAGE, ONE_OFF, DISCOUNT = "recurring", "usage", "one_off", "discount"
ONLINE, TAX = "online", "tax"
BEFORE_TAX = (RECURRING, USAGE, ONE_OFF, DISCOUNT, ONLINE)


class BillDoesNotAddUp(Conflict):
    """What would be printed does not lead to the bill's own sums; such a document must not reach a customer."""

    code = "bill_does_not_add_up"


def build_context(bill: BillData, history: UsageHistory) -> BillContext:
    """The context of a bill. Raises BillDoesNotAddUp if lines, records or movements miss the bill's sums."""
    formats = formats_for(bill.locale, bill.currency, bill.zone)
    language = language_of(formats.locale.language)
    if language != formats.locale.language:
        # Words and formats of one document are of one language: English words, the country's habits.
        formats = formats_for("en_GB", bill.currency, bill.zone)
    labels = labels_for(language)
    check_sums(bill, history)
    lines = _by_kind(bill.lines)
    first, last = first_and_last_day(bill.period_start, bill.period_end, bill.cycle_zone)
    return {
        "language": language,
        "title": labels[f"{bill.kind}_title"].format(month=formats.month_and_year(first)),
        "bill_id": str(bill.id),
        "bill_number": bill.number,
        "number_label": labels[f"{bill.kind}_number"],
        "revision_note": labels["revision"].format(revision=bill.revision) if bill.revision > 1 else "",
        "correction_note": labels["cancels"].format(
            number=bill.corrects[0], day=formats.long_day(bill.corrects[1])
        )
        if bill.corrects
        else "",
        "year": first.year,
        "month": first.month,
        "month_name": formats.month_name(first),
        "period": {
            "start": formats.day(first),
            "end": formats.day(last),
            "text": formats.days(bill.period_start, bill.period_end, bill.cycle_zone),
        },
        "issued_on": formats.long_day(bill.issued_on),
        "due_on": formats.long_day(bill.due_on) if bill.due_on and _due(bill) > 0 else "",
        "currency": bill.currency,
        "amount_head": f"{labels['amount']} ({bill.currency})",
        "letterhead": {
            "name": bill.issuer.name,
            "address": _text_lines(bill.issuer.address),
            "tax_number": bill.issuer.tax_number,
            "contact": _text_lines(bill.issuer.contact),
            "payment_details": _text_lines(bill.issuer.payment_details),
        },
        "customer": {
            "number": bill.recipient.number,
            "name": bill.recipient.name,
            "address": _address(bill, formats),
            "tax_number": bill.recipient.tax_number,
        },
        "account": {"number": bill.account_number, "kind": PREPAID if bill.kind == PREPAID else POSTPAID},
        "summary": _summary(bill, lines, formats, labels),
        "recurring": _charges(bill, RECURRING, lines, formats, labels),
        "usage": _usage(bill, lines[USAGE], formats, language),
        "one_offs": _charges(bill, ONE_OFF, lines, formats, labels),
        "online": _charges(bill, ONLINE, lines, formats, labels),
        "discounts": _charges(bill, DISCOUNT, lines, formats, labels),
        "taxes": _taxes(lines[TAX], formats, labels),
        "history": history_context(bill, history, formats, labels, language),
        "balance": balance_context(bill, formats, labels) if bill.kind == PREPAID else None,
        "chart": _chart(bill, history, formats, labels, language),
        "labels": dict(labels),
        "created": bill.issued_on.isoformat(),
    }


def check_sums(bill: BillData, history: UsageHistory) -> None:
    """Raise BillDoesNotAddUp unless lines make the total, records the usage lines, and movements the balance."""
    total = sum(line.amount_micros for line in bill.lines)
    unit = minor_unit_micros(bill.currency)
    for line in bill.lines:
        if line.amount_micros % unit:
            raise BillDoesNotAddUp(
                f"the line “{line.description}” of {line.amount_micros} micro-units is finer than {bill.currency}",
                where=f"bill {bill.id}",
            )
    if total != bill.total_micros:
        raise BillDoesNotAddUp(
            f"the lines make {total} micro-units and the total is {bill.total_micros}",
            where=f"bill {bill.id}",
        )
    usage = [line for line in bill.lines if line.kind == USAGE]
    records, cost = sum(line.records for line in usage), sum(line.exact for line in usage)
    # A credit note takes back the lines; the records are on the bill that it cancels.
    found, found_cost = history.count + history.unlisted, history.cost_micros + history.unlisted_micros
    if bill.corrects is None and (records, cost) != (found, found_cost):
        raise BillDoesNotAddUp(
            f"the usage lines count {records} records of {cost} micro-units, but {found} records of "
            f"{found_cost} micro-units were found",
            where=f"bill {bill.id}",
        )
    if bill.opening_balance_micros is not None and bill.closing_balance_micros is not None:
        reached = bill.opening_balance_micros + sum(movement.amount_micros for movement in bill.movements)
        if reached != bill.closing_balance_micros:
            raise BillDoesNotAddUp(
                f"the movements lead to a balance of {reached} micro-units and the bill says "
                f"{bill.closing_balance_micros}",
                where=f"bill {bill.id}",
            )


def _by_kind(lines: Iterable[Line]) -> Mapping[str, list[Line]]:
    found: dict[str, list[Line]] = {kind: [] for kind in (*BEFORE_TAX, TAX)}
    for line in lines:
        found[line.kind].append(line)
    return found


def _text_lines(text: str) -> list[str]:
    return [part.strip() for line in text.splitlines() for part in line.split(" · ") if part.strip()]


def _address(bill: BillData, formats: Formats) -> list[str]:
    to = bill.recipient
    town = f"{to.postcode} {to.city}".strip()
    return [part for part in (to.street, town, formats.country(to.country) if to.country else "") if part]


def _summary(
    bill: BillData, lines: Mapping[str, Sequence[Line]], formats: Formats, labels: Mapping[str, str]
) -> SummaryContext:
    sums = {kind: sum(line.amount_micros for line in found) for kind, found in lines.items()}
    net = sum(sums[kind] for kind in BEFORE_TAX)
    rows: list[SummaryRow] = [
        {"kind": kind, "label": labels[kind], "amount": formats.amount(sums[kind])}
        for kind in BEFORE_TAX
        if lines[kind]
    ]
    if lines[TAX]:
        rows.append({"kind": "net", "label": labels["net"], "amount": formats.amount(net)})
        rows.append({"kind": TAX, "label": labels[TAX], "amount": formats.amount(sums[TAX])})
    due = _due(bill)
    money = formats.money(due)
    if bill.kind == PREPAID:
        due_label, note = labels["charged"], labels["prepaid_note"]
    elif due < 0:
        money = formats.money(-due)
        due_label, note = labels["credit"], labels["nothing_to_pay"]
    elif due == 0:
        due_label, note = labels["amount_due"], labels["nothing_to_pay"]
    else:
        due_label = labels["amount_due"]
        sentence = labels["pay_by"] if bill.due_on else labels["pay"]
        day = formats.long_day(bill.due_on) if bill.due_on else ""
        note = sentence.format(amount=money, day=day, number=bill.number)
    return {
        "rows": rows,
        "total": formats.amount(bill.total_micros),
        "credit": formats.amount(-bill.credit_micros) if bill.credit_micros else "",
        "due": formats.amount(due),
        "due_with_currency": money,
        "due_label": due_label,
        "note": note,
    }


def _due(bill: BillData) -> int:
    """The amount due for payment (EN 16931, BT-115): the total less what former credits pay."""
    return bill.total_micros - bill.credit_micros


def _charges(
    bill: BillData,
    kind: str,
    lines: Mapping[str, Sequence[Line]],
    formats: Formats,
    labels: Mapping[str, str],
) -> ChargesContext:
    found = lines[kind]
    total = sum(line.amount_micros for line in found)
    return {
        "kind": kind,
        "title": labels[kind],
        "rows": [
            {
                "description": _description(line, formats, labels),
                "line": subscriber_text(bill, line.subscriber_id),
                "period": formats.days(line.period_start, line.period_end, bill.cycle_zone)
                if line.period_start and line.period_end
                else "",
                "amount": formats.amount(line.amount_micros),
            }
            for line in found
        ],
        "total": formats.amount(total),
    }


def _description(line: Line, formats: Formats, labels: Mapping[str, str]) -> str:
    if line.kind == ONLINE:
        name = online_text(line.description, labels, language_of(formats.locale.language))
        if line.base_micros in (None, line.amount_micros):
            return name
        return labels["gross"].format(name=name, amount=formats.amount(line.base_micros or 0))
    if line.kind != DISCOUNT or line.rate_millionths is None or line.base_micros is None:
        return line.description
    rate, base = formats.percent(line.rate_millionths), formats.amount(line.base_micros)
    return f"{line.description} ({rate} × {base})"


def _usage(bill: BillData, lines: Sequence[Line], formats: Formats, language: str) -> UsageContext:
    total = sum(line.amount_micros for line in lines)
    by_subscriber: dict[int | None, list[Line]] = {}
    for line in lines:
        by_subscriber.setdefault(line.subscriber_id, []).append(line)
    sums = {key: sum(line.amount_micros for line in found) for key, found in by_subscriber.items()}
    groups: list[LineUsageContext] = []
    for key in sorted(by_subscriber, key=lambda subscriber: subscriber_text(bill, subscriber)):
        rows: list[UsageRow] = []
        before: int | None = None
        for line in by_subscriber[key]:
            service = bill.services[line.service_id or 0]
            rows.append(
                {
                    "service": service_name(service.name, language) if line.service_id != before else "",
                    "destination": destination_name(line.destination, language),
                    "records": formats.whole(line.records),
                    "usage": quantity(line.quantity, service, formats),
                    "free": quantity(line.free_quantity, service, formats) if line.free_quantity else "",
                    "amount": formats.amount(line.amount_micros),
                }
            )
            before = line.service_id
        groups.append({"line": subscriber_text(bill, key), "rows": rows, "total": formats.amount(sums[key])})
    return {"lines": groups, "total": formats.amount(total)}


def _taxes(lines: Sequence[Line], formats: Formats, labels: Mapping[str, str]) -> TaxesContext:
    total = sum(line.amount_micros for line in lines)
    return {
        "rows": [
            {
                "name": labels["contained_tax"].format(name=line.description)
                if line.origin == ONLINE
                else line.description,
                "rate": formats.percent(line.rate_millionths) if line.rate_millionths is not None else "",
                "base": formats.amount(line.base_micros) if line.base_micros is not None else "",
                "amount": formats.amount(line.amount_micros),
            }
            for line in lines
        ],
        "total": formats.amount(total),
    }


def _chart(
    bill: BillData, history: UsageHistory, formats: Formats, labels: Mapping[str, str], language: str
) -> ChartContext:
    """Charges by day and service; where everything was free, numbers of records."""
    first, last = first_and_last_day(bill.period_start, bill.period_end, bill.zone)
    # Late records of an earlier period are in the first bar of the days they belong to only if these are near.
    days = days_between(min([first, *history.daily]), max([last, *history.daily]))
    by_cost = history.cost_micros > 0
    services = sorted({service for sums in history.daily.values() for service in sums})
    series = [
        (
            service_name(bill.services[service].name, language),
            [history.daily.get(day, {}).get(service, (0, 0))[1 if by_cost else 0] for day in days],
        )
        for service in services
    ]
    return {
        "title": labels["chart_cost"] if by_cost else labels["chart_records"],
        "svg": stacked_bars(
            days, series, formats.money if by_cost else formats.whole, lambda day: str(day.day)
        ),
    }
