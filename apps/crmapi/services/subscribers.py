"""The life of a subscriber as the CRM drives it; every call is one transaction, for one tenant."""

from __future__ import annotations

from datetime import datetime

from apps.crmapi.domain.subscribers import NewSubscriber, SubscriberChange, SubscriberView, Terminated


def create_subscriber(tenant: str, new: NewSubscriber, *, now: datetime, by: str = "") -> SubscriberView:
    """Create a subscriber with customer, account, numbers, address, card, plan, opening balance and cycle, or nothing.

    Raises InvalidInputs whose problems are placed by field (``msisdn``, ``price_plan``, ``customer.name``,
    ``card.token``, …), or Conflict (code already_exists: the subscriber's number; not_free: a number or device is in use).
    """
    raise NotImplementedError


def modify_subscriber(
    tenant: str, subscriber_id: int, change: SubscriberChange, *, now: datetime, by: str = ""
) -> SubscriberView:
    """Change what is given and nothing else; all of it or nothing.

    Raises NotFound, InvalidInputs (problems by field), Conflict (terminated, retired plan, a later plan assignment,
    number not free, bundle held already).
    """
    raise NotImplementedError


def suspend_subscriber(tenant: str, subscriber_id: int, *, now: datetime, by: str = "") -> SubscriberView:
    """Stop service: the next request for credit is refused, live sessions are ended (ASR) within seconds.

    Raises NotFound, Conflict (code wrong_status: not active).
    """
    raise NotImplementedError


def reactivate_subscriber(tenant: str, subscriber_id: int, *, now: datetime, by: str = "") -> SubscriberView:
    """End a suspension. Raises NotFound, Conflict (code wrong_status: not suspended)."""
    raise NotImplementedError


def terminate_subscriber(tenant: str, subscriber_id: int, *, now: datetime, by: str = "") -> Terminated:
    """End a subscriber for good: live sessions end, plans and bundles end, numbers and devices go into quarantine.

    Where nobody else is on its account, the account closes and a last bill up to this moment is queued as an activity.
    Raises NotFound, Conflict (code terminated).
    """
    raise NotImplementedError
