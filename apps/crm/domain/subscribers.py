"""Subscribers as the doors of the CRM give and take them: plain values, money in micro-units, times aware UTC.

Values that are read thousands of times a second are NamedTuples: they take a tenth of a frozen dataclass's time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class Address(NamedTuple):
    """Where a customer lives and bills go. ``country`` is an ISO 3166 code of two capital letters."""

    street: str = ""
    address_line2: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


class Card(NamedTuple):
    """A payment card as the payment provider's vault knows it; never the card's own number (PAN) or code (CVC).

    ``token`` is the provider's; a text that looks like a card number is refused. It goes in and is never shown again:
    in answers it is empty.
    """

    token: str = ""
    brand: str = ""
    last_four: str = ""
    expiry_month: int = 0
    expiry_year: int = 0
    holder: str = ""


class CustomerDetails(NamedTuple):
    """Who has the contract. ``number`` names an existing customer, who is shared then; empty = a new one."""

    number: str = ""
    kind: str = "person"
    name: str = ""
    email: str = ""
    phone: str = ""
    tax_number: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscriber:
    """All that one call creates: customer, account, subscriber, numbers, plan, opening balance, cycle.

    The price plan is given by id or by code. Defaults of empty fields: ``number``, ``account_number`` and the
    customer's number are given out by the system; ``cycle`` is the tenant's first in the currency; ``currency`` is the
    tenant's; ``start`` is now. ``msisdn`` is digits, a leading “+” is allowed; numbers may come from the pool or be new
    to it. An ``account_number`` that exists is shared (then ``mode`` and ``currency`` must be its own).
    """

    msisdn: str
    mode: str
    """``prepaid`` or ``postpaid``."""
    customer: CustomerDetails = field(default_factory=CustomerDetails)
    address: Address = field(default_factory=Address)
    card: Card | None = None
    price_plan_id: int = 0
    price_plan: str = ""
    bundles: tuple[str, ...] = ()
    imsi: str = ""
    handset: str = ""
    currency: str = ""
    opening_balance_micros: int = 0
    cycle: int = 0
    number: str = ""
    account_number: str = ""
    name: str = ""
    start: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberChange:
    """The changes; None (or an empty tuple) leaves a field as it is, an empty text empties it.

    A new plan holds from ``plan_from`` (now when None), the former one until then. ``cycle`` takes over once the
    running period is billed. A new ``msisdn``, ``imsi`` or ``handset`` takes the place of the present one at once,
    which goes into quarantine; an empty ``imsi`` or ``handset`` takes it away.
    """

    name: str | None = None
    customer_name: str | None = None
    customer_kind: str | None = None
    email: str | None = None
    phone: str | None = None
    tax_number: str | None = None
    locale: str | None = None
    street: str | None = None
    address_line2: str | None = None
    postcode: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    card: Card | None = None
    remove_card: bool = False
    price_plan_id: int | None = None
    price_plan: str | None = None
    plan_from: datetime | None = None
    add_bundles: tuple[str, ...] = ()
    end_bundles: tuple[str, ...] = ()
    bundles_from: datetime | None = None
    """When bundles begin and end; now when None."""
    cycle: int | None = None
    msisdn: str | None = None
    imsi: str | None = None
    handset: str | None = None


class PlanHeld(NamedTuple):
    """A price plan of a subscriber, in ``[start, end)``."""

    id: int
    code: str
    name: str
    start: datetime
    end: datetime | None


class BundleHeld(NamedTuple):
    """A bundle of a subscriber, in ``[start, end)``."""

    id: int
    code: str
    name: str
    start: datetime
    end: datetime | None


class SubscriberView(NamedTuple):
    """A subscriber with what belongs to it now. Numbers, plan and bundles are those held at the asked instant.

    A terminated one has none any more, but shows its last plan. ``next_plan`` is one that begins later.
    ``balance_micros`` and ``reserved_micros`` (held for open sessions) are those of the account's default balance.
    """

    id: int
    number: str
    status: str
    name: str
    tenant: str
    activated_at: datetime
    suspended_at: datetime | None
    terminated_at: datetime | None
    customer_id: int
    customer: CustomerDetails
    address: Address
    card: Card | None
    msisdn: str
    imsi: str
    handset: str
    account_id: int
    account_number: str
    mode: str
    currency: str
    balance_micros: int
    reserved_micros: int
    cycle: int
    """The bill cycle's number; 0 = in none."""
    next_cycle: int
    """The number of the cycle that takes over; 0 = no move is under way."""
    plan: PlanHeld | None
    next_plan: PlanHeld | None
    bundles: tuple[BundleHeld, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFilter:
    """Which subscribers a list shows; empty fields do not narrow it."""

    mode: str = ""
    """``prepaid`` or ``postpaid``."""
    city: str = ""
    """As reference data lists it."""
    status: str = ""
    """``active``, ``suspended`` or ``terminated``."""
    price_plan_id: int = 0
    price_plan: str = ""
    customer_number: str = ""
    account_number: str = ""


@dataclass(frozen=True, slots=True)
class Terminated:
    """A subscriber's end: the released resources, and the activity that makes the last bill.

    ``activity_id`` is 0 if none is needed: the account pays for others too, and its next bill shows the rest.
    """

    subscriber: SubscriberView
    released: tuple[str, ...]
    activity_id: int


@dataclass(frozen=True, slots=True)
class FreeResource:
    """A free number or device of the pool: kind is ``msisdn``, ``imsi`` or ``handset``."""

    id: int
    kind: str
    value: str
