"""What a bill is made of, as plain values. Money is micro-units, times are aware."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class UsageTotal(NamedTuple):
    """Rated records of one subscriber, service and destination, added up; usage in seconds, octets or events.

    Without a subscriber: what other runs than the default one charged the account, such as a reseller's wholesale.
    """

    account_id: int
    subscriber_id: int | None
    service_id: int
    destination_id: int
    records: int
    usage: int
    free_usage: int
    cost_micros: int


class Fee(NamedTuple):
    """A monthly amount and the time ``[start, end)`` for which it is due; no end = until further notice."""

    subscriber_id: int | None
    description: str
    monthly_micros: int
    start: datetime
    end: datetime | None
    origin: str = ""


class OneOff(NamedTuple):
    """An amount charged (or, if negative, credited) once, without its taxes."""

    subscriber_id: int | None
    description: str
    amount_micros: int
    origin: str = ""
    service_id: int | None = None
    """Whose taxes it bears; None: the general ones."""


# Words of our own on lines of what gateways debited, beside the services' names; documents translate them.
PAID_FROM_BALANCE = "Paid from the balance"
OTHER_DEBITS = "Other debits of the balance"


class OnlineCharge(NamedTuple):
    """What gateways debited for a service, its taxes included; without a service, another movement of the balance."""

    service_id: int | None
    description: str
    gross_micros: int


class DiscountTerms(NamedTuple):
    """A share given back of usage (of one service, or of all), of fees, or of both."""

    description: str
    of_usage: bool
    of_fees: bool
    service_id: int | None
    rate_millionths: int
    start: datetime
    end: datetime | None
    origin: str = ""


class Credit(NamedTuple):
    """What the operator owes the customer from a former bill or credit note (a positive amount)."""

    bill_id: int
    open_micros: int


class TaxRate(NamedTuple):
    """A tax that holds at the tax point."""

    name: str
    rate_millionths: int


class TaxTreatment(NamedTuple):
    """How a line is taxed: its category (UNCL 5305, EN 16931 BT-151), its taxes, and their rates together.

    Categories: S taxed, Z taxed at a rate of zero, O outside the scope of any tax; empty if taxes are in the price.
    """

    category: str
    rates: tuple[TaxRate, ...] = ()
    rate_millionths: int = 0


UNTAXED = TaxTreatment("O")
PRICE_CONTAINS_TAXES = TaxTreatment("")


def treatment(rates: tuple[TaxRate, ...]) -> TaxTreatment:
    """The treatment by these taxes."""
    if not rates:
        return UNTAXED
    together = sum(rate.rate_millionths for rate in rates)
    return TaxTreatment("S" if together else "Z", rates, together)


class Taxes(NamedTuple):
    """Taxes of a tenant at the tax point: by service, and in general for anything without its own."""

    general: TaxTreatment = UNTAXED
    by_service: Mapping[int, TaxTreatment] = {}

    def of(self, service_id: int | None) -> TaxTreatment:
        if service_id is None:
            return self.general
        return self.by_service.get(service_id, self.general)


class PrepaidFunds(NamedTuple):
    """What a prepaid account holds when its statement is made, and whether it may go below zero."""

    available_micros: int
    may_overdraw: bool = False
