"""Itemised usage as rows, and as lines of fixed-width text that a page of a bill lays out quickly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.invoicing.domain.bill_data import BillData, UsageRecord
from apps.invoicing.domain.context import HistoryContext, HistoryGroup, HistoryRow
from apps.invoicing.domain.formats import DURATION_TYPES, VOLUME_TYPES, Formats, digits_needed
from apps.invoicing.domain.history import GroupOfRecords, UsageHistory
from apps.invoicing.domain.labels import service_name
from apps.invoicing.domain.text_lines import GAP, LINE_WIDTH, blocks, left, right, widest
from apps.invoicing.domain.words import destination_name, subscriber_text

OTHER_PARTY_WIDTH = 28


def history_context(
    bill: BillData, history: UsageHistory, formats: Formats, labels: Mapping[str, str], language: str
) -> HistoryContext:
    """Every group of the history, subscribers by their number and services in the operator's order."""
    keys = sorted(history.groups, key=lambda key: (subscriber_text(bill, key[0]), key[1]))
    notes = [labels["exact_note"]] if keys else []
    if history.is_cut:
        notes.append(labels["further_note"].format(limit=formats.whole(history.limit)))
    return {
        "groups": [_group(bill, key, history.groups[key], formats, labels, language) for key in keys],
        "notes": notes,
    }


def _group(
    bill: BillData,
    key: tuple[int, int],
    group: GroupOfRecords,
    formats: Formats,
    labels: Mapping[str, str],
    language: str,
) -> HistoryGroup:
    service = bill.services[key[1]]
    further_micros = group.cost_micros - group.shown_cost_micros
    digits = digits_needed(
        [*(record.cost_micros for record in group.records), further_micros], formats.currency_digits
    )
    tor, unit_size = service.type_of_record, service.unit_size
    rows = [_row(record, tor, unit_size, digits, formats, language) for record in group.records]
    further = labels["further_records"].format(count=formats.whole(group.left_out)) if group.left_out else ""
    further_amount = formats.decimal(further_micros, digits) if group.left_out else ""
    total = formats.decimal(group.cost_micros, digits)
    total_label = labels["group_total"].format(count=formats.whole(group.count))
    heads: HistoryRow = {
        "when": labels["when"],
        "other_party": labels["other_party"],
        "destination": labels["destination"],
        "usage": _usage_head(tor, service.unit_label, labels),
        "free": labels["free"],
        "amount": bill.currency,
    }
    columns = _Columns(heads, rows, [total, further_amount])
    return {
        "line": subscriber_text(bill, key[0]),
        "service": service_name(service.name, language),
        "rows": rows,
        "further": further,
        "further_amount": further_amount,
        "total_label": total_label,
        "total": total,
        "text_head": columns.line(heads),
        "text_blocks": blocks([columns.line(row) for row in rows]),
        "text_further": columns.sum_line(further, further_amount) if further else "",
        "text_total": columns.sum_line(total_label, total),
    }


def _row(
    record: UsageRecord, type_of_record: str, unit_size: int, digits: int, formats: Formats, language: str
) -> HistoryRow:
    free = record.free_usage
    return {
        "when": formats.instant(record.start),
        "other_party": record.other_party,
        "destination": destination_name(record.destination, language),
        "usage": formats.usage(record.usage, type_of_record, unit_size),
        "free": formats.usage(free, type_of_record, unit_size) if free else "",
        "amount": formats.decimal(record.cost_micros, digits),
    }


def _usage_head(type_of_record: str, unit_label: str, labels: Mapping[str, str]) -> str:
    if type_of_record in DURATION_TYPES:
        return labels["duration"]
    head = labels["volume"] if type_of_record in VOLUME_TYPES else labels["quantity"]
    return f"{head} {unit_label}" if type_of_record in VOLUME_TYPES and unit_label else head


class _Columns:
    """Widths of the columns of one group. The destination gets what the others leave of the line."""

    def __init__(self, heads: HistoryRow, rows: Sequence[HistoryRow], sums: Sequence[str]) -> None:
        self._when = widest([heads["when"], *(row["when"] for row in rows)])
        self._party = min(
            widest([heads["other_party"], *(row["other_party"] for row in rows)]), OTHER_PARTY_WIDTH
        )
        self._usage = widest([heads["usage"], *(row["usage"] for row in rows)])
        self._free = (
            widest([heads["free"], *(row["free"] for row in rows)]) if any(row["free"] for row in rows) else 0
        )
        self._amount = widest([heads["amount"], *(row["amount"] for row in rows), *sums])
        figures = self._usage + self._amount + 2 * len(GAP) + (self._free + len(GAP) if self._free else 0)
        self._destination = max(8, LINE_WIDTH - self._when - self._party - 2 * len(GAP) - figures)

    def line(self, row: HistoryRow) -> str:
        """One row as text."""
        free = (GAP + right(row["free"], self._free)) if self._free else ""
        return (
            f"{left(row['when'], self._when)}{GAP}{left(row['other_party'], self._party)}{GAP}"
            f"{left(row['destination'], self._destination)}{GAP}{right(row['usage'], self._usage)}{free}"
            f"{GAP}{right(row['amount'], self._amount)}"
        )

    def sum_line(self, label: str, amount: str) -> str:
        return left(label, LINE_WIDTH - self._amount - len(GAP)) + GAP + right(amount, self._amount)
