"""New customers as plain values, and their CSV form."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from apps.kernel.errors import InvalidInput, Problem
from apps.kernel.money import parse_micros
from apps.kernel.periods import as_utc
from apps.subscribers.domain.numbers import problem_with_resource

MODES = ("prepaid", "postpaid")


@dataclass(frozen=True, slots=True)
class NewLine:
    """One line to be created with all it needs; a customer or account that exists or repeats is shared.

    Times are aware; money is micro-units of the bill cycle's currency.
    """

    tenant: str
    customer_number: str
    customer_name: str
    subscriber_number: str
    msisdn: str
    mode: str
    price_plan: str
    cycle: int
    start: datetime
    account_number: str = ""
    imsi: str = ""
    handset: str = ""
    bundles: tuple[str, ...] = ()
    opening_balance_micros: int = 0
    kind: str = "person"
    street: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""
    email: str = ""
    locale: str = ""
    billing_from: datetime | None = None

    @property
    def account(self) -> str:
        """The account's number: as given, else one account a customer."""
        return self.account_number or self.customer_number


REQUIRED = (
    "customer_number",
    "customer_name",
    "subscriber_number",
    "msisdn",
    "mode",
    "price_plan",
    "cycle",
    "start",
)
COLUMNS = (
    "tenant",
    *REQUIRED,
    "account_number",
    "imsi",
    "handset",
    "bundles",
    "opening_balance",
    "kind",
    "street",
    "postcode",
    "city",
    "country",
    "email",
    "locale",
    "billing_from",
)


def read_lines(text: Iterable[str], name: str, default_tenant: str) -> Iterator[NewLine | Problem]:
    """New lines of a CSV file with a header (COLUMNS; some optional), or its faults by line and column."""
    reader = csv.DictReader(text)
    header = [column.strip() for column in reader.fieldnames or ()]
    reader.fieldnames = header
    missing = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    if missing or unknown:
        if missing:
            yield Problem(f"{name}, line 1", f"columns missing: {', '.join(missing)}")
        if unknown:
            yield Problem(
                f"{name}, line 1", f"unknown columns: {', '.join(unknown)}; known: {', '.join(COLUMNS)}"
            )
        return
    for row in reader:
        where = f"{name}, line {reader.line_num}"
        if None in row or None in row.values():
            yield Problem(where, f"expected {len(header)} columns")
            continue
        yield from _read_row({key: value.strip() for key, value in row.items()}, where, default_tenant)


def _read_row(row: dict[str, str], where: str, default_tenant: str) -> Iterator[NewLine | Problem]:
    values: dict[str, object] = {}
    text_columns = {field.name for field in fields(NewLine)} - {"cycle", "start", "bundles", "billing_from"}
    values.update({column: row[column] for column in text_columns if column in row})
    values["tenant"] = row.get("tenant") or default_tenant
    values["kind"] = row.get("kind") or "person"
    problems = [
        Problem(f"{where}, column {column}", "must not be empty") for column in REQUIRED if not row[column]
    ]
    readers = (
        ("cycle", "cycle", int),
        ("start", "start", lambda value: as_utc(datetime.fromisoformat(value))),
        (
            "billing_from",
            "billing_from",
            lambda value: as_utc(datetime.fromisoformat(value)) if value else None,
        ),
        ("opening_balance", "opening_balance_micros", lambda value: parse_micros(value or "0")),
        (
            "bundles",
            "bundles",
            lambda value: tuple(name.strip() for name in value.split(";") if name.strip()),
        ),
    )
    for column, target, reader in readers:
        if column in row and (row[column] or column not in REQUIRED):
            try:
                values[target] = reader(row[column])
            except (ValueError, InvalidInput) as error:
                problems.append(
                    Problem(f"{where}, column {column}", f"“{row[column]}” cannot be read: {error}")
                )
    if problems:
        yield from problems
        return
    line = NewLine(**values)  # type: ignore[arg-type]
    found = problems_with(line, where)
    if found:
        yield from found
    else:
        yield line


def problems_with(line: NewLine, where: str) -> list[Problem]:
    """The faults of a line by itself, before anything is looked up."""
    problems = []

    def wrong(column: str, message: str) -> None:
        problems.append(Problem(f"{where}, column {column}", message, field=column))

    if line.mode not in MODES:
        wrong("mode", f"“{line.mode}” is not one of {', '.join(MODES)}")
    if line.kind not in ("person", "company"):
        wrong("kind", f"“{line.kind}” is not person or company")
    if line.opening_balance_micros and line.mode != "prepaid":
        wrong("opening_balance", "only a prepaid account opens with a balance")
    if line.opening_balance_micros < 0:
        wrong("opening_balance", "must not be negative")
    for kind, value in (("msisdn", line.msisdn), ("imsi", line.imsi), ("handset", line.handset)):
        if value and (problem := problem_with_resource(kind, value)):
            wrong(kind, problem)
    return problems
