"""What a statement is made of, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class UsageTotal(NamedTuple):
    """Rated records of one subscriber, service and destination, added up; usage in seconds, octets or events."""

    account_id: int
    subscriber_id: int
    service_id: int
    destination_id: int
    records: int
    usage: int
    free_usage: int
    cost_micros: int


class Fee(NamedTuple):
    """A monthly amount and the instants ``[start, end)`` for which it is due; no end = until further notice."""

    subscriber_id: int | None
    description: str
    monthly_micros: int
    start: datetime
    end: datetime | None


# Words of our own on lines of what gateways debited, beside the services' names; documents translate them.
PAID_FROM_BALANCE = "Paid from the balance"
OTHER_DEBITS = "Other debits of the balance"


class OneOff(NamedTuple):
    """An amount charged (or, if negative, credited) once; one that is not taxed has its taxes in it."""

    subscriber_id: int | None
    description: str
    amount_micros: int
    taxed: bool = True


class DiscountTerms(NamedTuple):
    """A share given back of usage (of one service, or of all), of fees, or of both."""

    description: str
    of_usage: bool
    of_fees: bool
    service_id: int | None
    rate_millionths: int
    start: datetime
    end: datetime | None


class TaxRate(NamedTuple):
    """A tax that holds at the tax point."""

    name: str
    rate_millionths: int


class Taxes(NamedTuple):
    """Taxes of a tenant at the tax point: by service, and in general for whatever has none of its own."""

    general: tuple[TaxRate, ...] = ()
    by_service: Mapping[int, tuple[TaxRate, ...]] = {}

    def of(self, service_id: int | None) -> tuple[TaxRate, ...]:
        if service_id is None:
            return self.general
        return self.by_service.get(service_id, self.general)


class PrepaidFunds(NamedTuple):
    """What a prepaid account holds when its statement is made, and whether it may go below zero."""

    available_micros: int
    may_overdraw: bool = False
