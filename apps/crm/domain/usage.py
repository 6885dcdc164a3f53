"""Usage, free units and prices as plain values; money in micro-units, usage in seconds, octets or events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """A rated record (CDR). ``usage`` counts seconds, octets or events, as ``type_of_record`` says."""

    id: int
    subscriber_id: int
    service: str
    type_of_record: str
    start: datetime
    other_party: str
    destination: str
    usage: int
    free_usage: int
    billed_usage: int
    cost_micros: int
    currency: str
    price_plan: str


@dataclass(frozen=True, slots=True)
class FreeUnits:
    """Free units of one service in one month, from the plan or one bundle.

    ``granted`` is in seconds, octets or events and −1 for unlimited, where ``left`` is −1 too. ``unit_size`` is how
    many of them the service's unit of sale has.
    """

    service: str
    type_of_record: str
    origin: str
    """``plan`` or ``bundle``."""
    product: str
    """The plan's or bundle's code."""
    granted: int
    used: int
    left: int
    unit_size: int
    unit_label: str
    destinations: str


@dataclass(frozen=True, slots=True)
class ServiceUsage:
    """What a subscriber used of one service in a month, by rated records."""

    service: str
    type_of_record: str
    records: int
    usage: int
    free_usage: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class UsageData:
    """A subscriber's month: free units granted, used and left, and usage by service (month of the tenant's zone)."""

    subscriber_id: int
    year: int
    month: int
    currency: str
    free_units: tuple[FreeUnits, ...]
    services: tuple[ServiceUsage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEnquiry:
    """“What would this cost?” Priced for a subscriber (its plan), for a plan, or for a rating subject.

    ``service`` is a service's code; ``usage`` is in seconds, octets or events; ``start`` None = now; ``position`` is
    usage of the same session that was priced before.
    """

    service: str
    usage: int
    destination: str = ""
    start: datetime | None = None
    position: int = 0
    msisdn: str = ""
    price_plan: str = ""
    subject: str = "*any"


@dataclass(frozen=True, slots=True)
class PriceLine:
    """A run of increments at one rate; with the connect fee the lines add up to the price."""

    start: datetime
    usage: int
    units: int
    increment: int
    rate: str
    rate_unit: int
    rating_plan: str
    destination: str
    prefix: str
    timing: str
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Price:
    """A price and how it comes about: lines, and the whole explanation in sentences. Nothing was charged."""

    cost_micros: int
    connect_fee_micros: int
    billed_usage: int
    currency: str
    subject: str
    destination: str
    tariff_version: int
    lines: tuple[PriceLine, ...]
    explanation: str
