"""Bills and their documents, activities, notifications and suspense."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from apps.crmapi.domain.bills import ActivityView, BillFile, BillView, NotificationView, SuspendedView


def get_bill(tenant: str, bill_id: int, *, subscriber_id: int = 0) -> BillView:
    """A bill with its lines. With ``subscriber_id``: only where that subscriber's account got it. Raises NotFound."""
    raise NotImplementedError


def subscriber_bill(tenant: str, subscriber_id: int, *, year: int = 0, month: int = 0) -> BillView:
    """The bill of a subscriber's account for the period that begins in a month, or the newest one; with its lines.

    Raises NotFound (subscriber, or no such bill), InvalidInput (month).
    """
    raise NotImplementedError


def list_bills(
    tenant: str,
    *,
    subscriber_id: int = 0,
    account_id: int = 0,
    status: str = "",
    kind: str = "",
    before_id: int = 0,
    limit: int = 0,
) -> Iterator[BillView]:
    """Bills without lines, newest first (descending ids), a page at a time; of one subscriber's account, or of all.

    Raises NotFound (subscriber, account), InvalidInput (status, kind) at once.
    """
    raise NotImplementedError


def bill_file(tenant: str, bill_id: int, *, subscriber_id: int = 0) -> BillFile:
    """The current PDF of a bill. Raises NotFound (code not_found), Conflict (code no_document) where none is written yet."""
    raise NotImplementedError


def get_activity(tenant: str, activity_id: int) -> ActivityView:
    """An activity of one of the tenant's cycles. Raises NotFound."""
    raise NotImplementedError


def list_activities(
    tenant: str,
    *,
    status: int | None = None,
    type: int = 0,
    before_id: int = 0,
    limit: int = 100,  # noqa: A002
) -> list[ActivityView]:
    """Activities of the tenant's cycles, newest first; at most 1,000."""
    raise NotImplementedError


def list_notifications(
    tenant: str, *, unacknowledged_only: bool = False, after_id: int = 0, limit: int = 100
) -> list[NotificationView]:
    """News of the tenant's in the order of their ids, after ``after_id``; at most 1,000. Others' are left out."""
    raise NotImplementedError


def get_suspended(tenant: str, record_id: int) -> SuspendedView:
    """A record in suspense. Raises NotFound, also where it is another tenant's."""
    raise NotImplementedError


def list_suspense(
    tenant: str, *, reason: str = "", state: str = "open", after_id: int = 0, limit: int = 100
) -> list[SuspendedView]:
    """Suspended records of the tenant in the order of their ids; at most 1,000.

    A record belongs to the tenant in whose pool its MSISDN is; one whose MSISDN nobody has (or that cannot be read)
    belongs to the operator, that is the tenant ``default``.
    """
    raise NotImplementedError


def unacknowledged(tenant: str, *, now: datetime) -> int:
    """How many pieces of news wait for somebody to see them."""
    raise NotImplementedError
