"""What a rated record was charged, and a change of that, as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Charge(NamedTuple):
    """The part of a record that rating decides; usage in seconds, octets or events."""

    destination: str
    free_usage: int
    billed_usage: int
    cost_micros: int


class ChargeChange(NamedTuple):
    """A stored record whose charge is to be another, with what sums over records are kept by."""

    cdr_id: int
    account_id: int
    file_id: int
    subscriber_id: int
    service_id: int
    price_plan_id: int
    start: datetime
    before: Charge
    after: Charge

    @property
    def added_micros(self) -> int:
        return self.after.cost_micros - self.before.cost_micros
