"""A bill while its rules are applied: what it is made of (terms), and the lines that it has so far (draft)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.billing.domain.periods import Window
from apps.billing.domain.values import (
    Credit,
    DiscountTerms,
    Fee,
    OneOff,
    OnlineCharge,
    PrepaidFunds,
    Taxes,
    TaxTreatment,
    UsageTotal,
)

RECURRING = "recurring"
USAGE = "usage"
ONE_OFF = "one_off"
ONLINE = "online"
DISCOUNT = "discount"
TAX = "tax"
# The lines whose amounts taxes are added to (EN 16931, BR-CO-10 to 13).
TAXED = (RECURRING, USAGE, ONE_OFF, DISCOUNT)

# Units of quantities, UN/ECE Recommendation 20 (EN 16931, BT-130).
ONE, SECOND, OCTET, DAY, MONTH = "C62", "SEC", "AD", "DAY", "MON"
UNIT_OF_RECORD = {"voice": SECOND, "data": OCTET}


class BillLine(NamedTuple):
    """One line; as the row ``BillLine``. ``amount_micros`` has the currency's decimals (EN 16931, BR-DEC-23)."""

    kind: str
    amount_micros: int
    exact_micros: int
    """What the amount was rounded from, once."""
    tax: TaxTreatment
    origin: str = ""
    """What it comes from: ``plan:7``, ``bundle:7``, ``charge:7``, ``one_off:7``, ``discount:7``, ``online``."""
    description: str = ""
    """Empty on usage, which is called by its service and destination."""
    subscriber_id: int | None = None
    service_id: int | None = None
    destination_id: int | None = None
    unit: str = ONE
    quantity: int = 0
    free_quantity: int = 0
    records: int = 0
    period_start: datetime | None = None
    period_end: datetime | None = None
    rate_millionths: int | None = None
    base_micros: int | None = None
    corrects_id: int | None = None
    """The line of a cancelled bill that this one takes back."""


class Terms(NamedTuple):
    """What one bill is made of; ``unit_micros`` is the smallest payable amount of its currency."""

    window: Window
    unit_micros: int
    taxes: Taxes
    usage: Sequence[UsageTotal] = ()
    fees: Sequence[Fee] = ()
    one_offs: Sequence[OneOff] = ()
    online: Sequence[OnlineCharge] = ()
    discounts: Sequence[DiscountTerms] = ()
    credits: Sequence[Credit] = ()
    prepaid: PrepaidFunds | None = None
    """Makes it a statement of a prepaid account."""
    unit_of_service: Mapping[int, str] = {}


class Draft(NamedTuple):
    """The lines so far, and what the rules found besides."""

    lines: tuple[BillLine, ...] = ()
    taken_over_micros: int = 0
    """What the balance owes no longer, because this bill has it."""
    carried_over_micros: int = 0
    """What a prepaid balance could not bear, charged with the next statement."""
    credits: tuple[Credit, ...] = ()
    """What this bill takes of former credits: no line of it, but a payment on it (EN 16931, BT-113)."""
