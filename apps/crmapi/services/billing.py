"""Bills on demand: through the activities queue, as the calendar's are."""

from __future__ import annotations

from datetime import datetime

from apps.crmapi.domain.bills import ActivityView, BillView, NotificationView


def execute_billing(
    tenant: str,
    *,
    now: datetime,
    msisdn: str = "",
    subscriber_id: int = 0,
    year: int = 0,
    month: int = 0,
    by: str = "",
) -> ActivityView:
    """Queue a bill for who holds (or held last) an MSISDN: the last closed period, or the one beginning in a month.

    Raises NotFound, InvalidInput (not closed yet), Conflict (already_queued, already_billed).
    """
    raise NotImplementedError


def execute_bill_cycle(
    tenant: str, cycle: int, *, now: datetime, year: int = 0, month: int = 0, by: str = ""
) -> ActivityView:
    """Queue a full run of one of the tenant's bill cycles.

    Raises NotFound (another tenant's too), InvalidInput, Conflict (already_queued, already_billed, already_running,
    stopped, retired, nothing_to_bill).
    """
    raise NotImplementedError


def reformat_bill(tenant: str, bill_id: int, *, now: datetime, reason: str = "", by: str = "") -> BillView:
    """Have a bill's document issued again; the former is kept, the new one is there within seconds. Raises NotFound."""
    raise NotImplementedError


def acknowledge_notification(
    tenant: str, notification_id: int, *, now: datetime, by: str
) -> NotificationView:
    """Somebody has seen it; doing it again keeps the first acknowledgement. Raises NotFound."""
    raise NotImplementedError


def record_payment(
    tenant: str,
    bill_id: int,
    amount_micros: int,
    reference: str,
    *,
    now: datetime,
    at: datetime | None = None,
    method: str = "",
    by: str = "",
) -> BillView:
    """Money received for a bill; the same reference again changes nothing. Answers the bill as it is then.

    Raises NotFound, InvalidInput (amount, reference, prepaid statement), Conflict (code already_recorded).
    """
    raise NotImplementedError
