"""From what people name (an MSISDN, an account's number) to rows."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from apps.billing.domain.activities import parse_cycle_number
from apps.billing.domain.periods import cycle_period, last_closed_period
from apps.billing.models import Bill, BillCycle, BillingAccount
from apps.charging.models import Account, Payer
from apps.kernel.errors import Conflict, InvalidInput, NotFound
from apps.kernel.periods import Month, Period
from apps.subscribers.models import Resource, ResourceAssignment


def account_of_msisdn(msisdn: str, at: datetime) -> Account:
    """The account that pays for who holds an MSISDN at ``at``, or held it last before.

    Raises NotFound if it was never assigned or no account pays.
    """
    held = ResourceAssignment.objects.filter(
        resource__kind=Resource.Kind.MSISDN, resource__value=msisdn, start__lte=at
    )
    row = held.filter(Q(end=None) | Q(end__gt=at)).first() or held.order_by("-start").first()
    if row is None:
        raise NotFound(f"no subscriber has or had the MSISDN {msisdn}", code="unknown_msisdn", where="MSISDN")
    payer = Payer.objects.select_related("account").filter(subscriber_id=row.subscriber_id).first()
    if payer is None:
        raise NotFound(f"no account pays for the subscriber with MSISDN {msisdn}", where="MSISDN")
    return payer.account


def cycle_of_account(account: Account) -> BillCycle:
    """The cycle that bills an account. Raises Conflict if it is in none."""
    row = BillingAccount.objects.select_related("cycle").filter(pk=account.pk).first()
    if row is None:
        raise Conflict(f"account {account} is in no bill cycle; put it into one first", code="no_cycle")
    return row.cycle


def cycle_by_number(text: str) -> BillCycle:
    """The bill cycle with a number. Raises InvalidInput, NotFound, or Conflict if it is retired."""
    number = parse_cycle_number(text)
    cycle = BillCycle.objects.filter(number=number).first()
    if cycle is None:
        known = ", ".join(str(n) for n in BillCycle.objects.values_list("number", flat=True)[:20])
        raise NotFound(
            f"there is no bill cycle {number}; there are {known or 'none yet'}", where="bill cycle"
        )
    if cycle.retired_at is not None:
        raise Conflict(f"{cycle} is retired", code="retired", where="bill cycle")
    return cycle


def closed_period(cycle: BillCycle, month: Month | None, now: datetime) -> Period:
    """The cycle's period that begins in ``month``, or its last closed one. Raises InvalidInput if it is not over."""
    if month is None:
        return last_closed_period(now, cycle.day, cycle.zone)
    period = cycle_period(month, cycle.day, cycle.zone)
    if period.end > now:
        ends = period.end.astimezone(cycle.zone)
        raise InvalidInput(
            f"the period of {cycle} that begins in {month} ends on {ends:%Y-%m-%d} and cannot be billed before",
            where="month",
        )
    return period


def bill_id_of(text: str) -> int:
    """The bill meant by its id or its printed number. Raises NotFound or, for a number of two tenants, Conflict."""
    if text.isascii() and text.isdigit() and Bill.objects.filter(pk=int(text)).exists():
        return int(text)
    found = list(Bill.objects.filter(number=text).values_list("pk", "tenant__code")[:20])
    if not found:
        raise NotFound(f"there is no bill with the id or number {text}")
    if len(found) > 1:
        choices = ", ".join(f"{pk} ({tenant})" for pk, tenant in found)
        raise Conflict(f"several tenants have a bill {text}; name it by its id: {choices}", code="ambiguous")
    return int(found[0][0])
