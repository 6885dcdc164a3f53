"""Accounts end with the last subscriber that they pay for."""

from __future__ import annotations

from datetime import datetime

from apps.charging.models import Account, Payer
from apps.subscribers.models import Subscriber
from apps.subscribers.services import lifecycle


def close_unused_account(subscriber: Subscriber, at: datetime) -> None:
    """Close the account of a subscriber that ends at ``at``, unless it pays for another active subscriber.

    Inside the transaction that ends the subscriber. A closed account grants nothing more; what its sessions report is
    still debited, and what it holds can be paid out by an adjustment.
    """
    account_id = Payer.objects.filter(subscriber=subscriber).values_list("account_id", flat=True).first()
    if account_id is None:
        return
    # Two last subscribers of one account that end at once: the second one sees the first one's end.
    account = Account.objects.select_for_update().get(pk=account_id)
    others = Payer.objects.filter(account=account).exclude(subscriber=subscriber)
    if (
        account.closed_at is None
        and not others.exclude(subscriber__status=Subscriber.Status.TERMINATED).exists()
    ):
        account.closed_at = at
        account.save(update_fields=["closed_at"])


def register() -> None:
    """Have it done whenever a subscriber ends."""
    if close_unused_account not in lifecycle.on_terminate:
        lifecycle.on_terminate.append(close_unused_account)
