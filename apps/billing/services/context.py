"""Values that all bills of one transaction share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from apps.billing.domain import BillValue, Window
from apps.billing.models import BillCycle
from apps.billing.selectors.due import DueAccount

Billed = tuple[DueAccount, Window, BillValue]


@dataclass(frozen=True)
class BillingContext:
    """Bills of a cycle until ``until``, which see files up to the load sequence; made ``at`` that time."""

    cycle: BillCycle
    until: datetime
    sequence: int
    run_id: int | None
    at: datetime

    @property
    def issued_on(self) -> date:
        return self.at.astimezone(self.cycle.zone).date()
