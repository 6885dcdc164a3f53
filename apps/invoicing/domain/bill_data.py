"""What a bill consists of, as plain values: the input of the context that templates get.

Instants are aware UTC, amounts micro-units, usage seconds, octets or events. Nothing here is formatted or translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

PREPAID, POSTPAID, CREDIT_NOTE = "prepaid", "postpaid", "credit"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who sends the bill: the tenant."""

    name: str
    address: str = ""
    tax_number: str = ""
    contact: str = ""
    payment_details: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom the bill is for: the customer, with the postal address."""

    number: str
    name: str
    street: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""
    tax_number: str = ""


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """How usage of a service is called and counted; ``unit_size`` seconds, octets or events make a unit of sale."""

    code: str
    name: str
    type_of_record: str
    unit_size: int = 1
    unit_label: str = ""


class Line(NamedTuple):
    """A line of the bill, as the billing room made it; ``kind`` is its BillLine.Kind.

    ``exact_micros`` is what the amount was rounded from; None = the amount itself.
    """

    kind: str
    description: str
    amount_micros: int
    subscriber_id: int | None = None
    service_id: int | None = None
    destination: str = ""
    records: int = 0
    quantity: int = 0
    free_quantity: int = 0
    period_start: datetime | None = None
    period_end: datetime | None = None
    rate_millionths: int | None = None
    base_micros: int | None = None
    exact_micros: int | None = None
    origin: str = ""

    @property
    def exact(self) -> int:
        return self.amount_micros if self.exact_micros is None else self.exact_micros


class UsageRecord(NamedTuple):
    """A rated record of the account that the bill covers."""

    subscriber_id: int
    service_id: int
    start: datetime
    other_party: str
    destination: str
    usage: int
    free_usage: int
    cost_micros: int


class Movement(NamedTuple):
    """A movement of a prepaid balance; ``kind`` is its LedgerEntry.Kind."""

    at: datetime
    kind: str
    note: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class BillData:
    """One bill with everything that is printed besides its usage records, which may be many and come apart."""

    id: int
    number: str
    """As printed."""
    kind: str
    issuer: Issuer
    recipient: Recipient
    account_number: str
    currency: str
    locale: str
    zone: ZoneInfo
    """The tenant's: of calls and movements."""
    cycle_zone: ZoneInfo
    """The bill cycle's: cuts the period."""
    period_start: datetime
    period_end: datetime
    issued_on: date
    due_on: date | None
    total_micros: int
    credit_micros: int = 0
    """What credits of former bills pay of it."""
    corrects: tuple[str, date] | None = None
    """Credit notes: number and date of the bill that is cancelled."""
    lines: tuple[Line, ...] = ()
    opening_balance_micros: int | None = None
    closing_balance_micros: int | None = None
    movements: tuple[Movement, ...] = ()
    services: Mapping[int, ServiceInfo] = field(default_factory=dict)
    subscribers: Mapping[int, str] = field(default_factory=dict)
    """How each subscriber is called on the bill: the number used (MSISDN) and the user's name, if any."""
    revision: int = 1
