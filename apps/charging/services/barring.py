"""Barring an account, and lifting that: by staff, by a trigger that suspects fraud, or for a spending cap."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from apps.charging.domain.published import ACCOUNT_BARRED
from apps.charging.models import Account, AccountBar
from apps.events.services.publishing import publish
from apps.kernel.errors import Conflict, InvalidInput
from apps.kernel.periods import month_of, month_period
from apps.rating.models import Tenant


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


def bar_for_cap(account_id: int, tenant: Tenant, at: datetime, now: datetime, *, by: str, note: str) -> None:
    """Bar an account until its month is over, for usage at ``at``: of an earlier month it came too late for that."""
    zone = ZoneInfo(tenant.time_zone)
    if month_of(at, zone) == month_of(now, zone):
        lift_bars(caps_before(tenant, now).filter(account=account_id), "a new month")
        bar_unless_barred(account_id, AccountBar.Reason.CAP, now, by=by, note=note)


def caps_before(tenant: Tenant, now: datetime) -> QuerySet[AccountBar]:
    """The bars that spending caps have set before the tenant's present month."""
    zone = ZoneInfo(tenant.time_zone)
    begin = month_period(month_of(now, zone), zone).start
    return AccountBar.objects.filter(
        account__tenant=tenant, reason=AccountBar.Reason.CAP, barred_at__lt=begin
    )


@transaction.atomic
def lift_bars(bars: QuerySet[AccountBar], why: str) -> int:
    """Lift those of the bars that are there still; how many."""
    found = list(bars.select_for_update().order_by("pk"))
    for bar in found:
        bar._change_reason = f"lifted by {why}"[:100]
        bar.delete()
    return len(found)


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
