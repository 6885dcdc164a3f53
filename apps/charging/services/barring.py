"""Barring an account, and lifting that: by staff, or by a trigger that suspects fraud."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.charging.domain.published import ACCOUNT_BARRED
from apps.charging.models import Account, AccountBar
from apps.events.services.publishing import publish
from apps.kernel.errors import Conflict, InvalidInput


def bar_account(account: Account, reason: str, now: datetime, *, by: str, note: str = "") -> AccountBar:
    """Bar an account: nothing is granted any more, and its open sessions are ended by their gateways (ASR).

    What sessions still report is debited, and top-ups arrive. Raises Conflict if it is barred or closed already,
    InvalidInput for an unknown ``reason``.
    """
    if reason not in AccountBar.Reason.values:
        raise InvalidInput(f"“{reason}” is not a reason; there are {', '.join(AccountBar.Reason.values)}")
    if account.closed_at is not None:
        raise Conflict(f"account {account} is closed", code="account_closed")
    bar, made = _bar(account.pk, reason, now, by, note)
    if not made:
        raise Conflict(
            f"account {account} is barred since {bar.barred_at:%Y-%m-%d %H:%M} UTC, by {bar.barred_by}",
            code="account_barred",
        )
    return bar


def bar_unless_barred(account_id: int, reason: str, now: datetime, *, by: str, note: str) -> bool:
    """As :func:`bar_account` within the caller's transaction; False if it was barred before."""
    return _bar(account_id, reason, now, by, note)[1]


def lift_bar(account: Account, *, by: str, reason: str = "") -> None:
    """Let the account's subscribers use services again; who did it and why is in the bar's history.

    Raises Conflict if the account is not barred.
    """
    with transaction.atomic():
        bar = AccountBar.objects.select_for_update().filter(account=account).first()
        if bar is None:
            raise Conflict(f"account {account} is not barred", code="account_not_barred")
        bar._change_reason = f"lifted by {by}{f': {reason}' if reason else ''}"[:100]
        bar.delete()


@transaction.atomic
def _bar(account_id: int, reason: str, now: datetime, by: str, note: str) -> tuple[AccountBar, bool]:
    bar, made = AccountBar.objects.get_or_create(
        account_id=account_id,
        defaults={"reason": reason, "barred_at": now, "barred_by": by[:150], "note": note[:200]},
    )
    if made:
        publish(
            [
                ACCOUNT_BARRED.event(
                    account_id,
                    now,
                    tenant=bar.account.tenant.code,
                    account_id=account_id,
                    reason=str(reason),
                )
            ]
        )
    return bar, made
