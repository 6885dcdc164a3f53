"""Bills, activities, notifications and suspense as plain values; money in micro-units, times aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BillLineView:
    """One line; all lines of a bill add up to its total."""

    number: int
    kind: str
    description: str
    subscriber_id: int
    """0 = of the account as a whole."""
    service: str
    destination: str
    records: int
    usage: int
    free_usage: int
    amount_micros: int


@dataclass(frozen=True, slots=True)
class BillView:
    """A bill (postpaid), statement (prepaid) or credit note for ``[period_start, period_end)``.

    ``lines`` where asked for. A credit note has the id of the bill that it corrects, and why; a cancelled bill that of
    its credit note.
    """

    id: int
    number: str
    kind: str
    status: str
    """``new`` (no document yet), ``unpaid``, ``paid`` or ``cancelled``."""
    account_id: int
    account_number: str
    cycle: int
    period_start: datetime
    period_end: datetime
    year: int
    month: int
    """Of the period's beginning in the cycle's time zone."""
    issued_on: date
    due_on: date | None
    currency: str
    recurring_micros: int
    usage_micros: int
    one_off_micros: int
    discount_micros: int
    tax_micros: int
    rounding_micros: int
    total_micros: int
    paid_micros: int
    opening_balance_micros: int | None
    closing_balance_micros: int | None
    has_document: bool
    created_at: datetime
    corrects_id: int
    credit_note_id: int
    """0 = none, as above."""
    reason: str
    lines: tuple[BillLineView, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelledBill:
    """A bill that was cancelled, its credit note, and the bill that was issued instead, if any."""

    bill: BillView
    credit_note: BillView
    successor: BillView | None


@dataclass(frozen=True, slots=True)
class BillFile:
    """A bill's current PDF on disk; ``sha256`` is of its bytes."""

    bill_id: int
    file_name: str
    path: Path
    size_octets: int
    sha256: str
    revision: int

    def read(self) -> bytes:
        """The PDF's bytes. Raises OSError if the file is gone."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class FoundBill:
    """A bill with its lines, and its document if that was asked for."""

    bill: BillView
    file: BillFile | None = None


@dataclass(frozen=True, slots=True)
class ActivityView:
    """Something queued to be done (µBSS). Type 1 single billing, 2 full bill run, 3 prepaid rating;
    status 0 pending, 99 processing, 1 completed, 2 error."""

    id: int
    type: int
    param: str
    param2: str
    param3: str
    param4: str
    param5: str
    param6: str
    status: int
    error: str
    result: str
    cycle: int
    queued_by: str
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunView:
    """How far a bill run is."""

    run_id: int
    state: str
    chunks: int
    chunks_done: int
    chunks_failed: int
    accounts: int
    accounts_done: int
    bills: int
    total_micros: int
    """Of the bills so far."""


@dataclass(frozen=True, slots=True)
class ActivityWithRuns(ActivityView):
    """An activity and the bill runs that it began."""

    runs: tuple[RunView, ...] = ()


@dataclass(frozen=True, slots=True)
class NotificationView:
    """News for operators; ``level`` is ``info``, ``warning`` or ``error``; 0 if it is about no activity or bill."""

    id: int
    at: datetime
    level: str
    text: str
    activity_id: int
    bill_id: int
    acknowledged_at: datetime | None
    acknowledged_by: str


@dataclass(frozen=True, slots=True)
class Notifications:
    """A page of notifications, and how many are not acknowledged."""

    notifications: tuple[NotificationView, ...]
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class SuspendedView:
    """A record that could not be rated, with its reason and what could be read of it."""

    id: int
    file: str
    reason: str
    message: str
    record_id: str
    service: str
    msisdn: str
    other_party: str
    start: datetime | None
    usage: int | None
    state: str
    attempts: int
    created_at: datetime
