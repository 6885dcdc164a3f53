"""PREPAID_RATING (developers): what a month of prepaid usage would cost by the tariff that holds now.

Every stored record of the month is charged again, in order of start and with free units as at the month's beginning,
in memory; nothing is written, and no money moves. The difference shows what a new tariff does to real traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from apps.billing.models import Activity, BillingAccount
from apps.billing.selectors.lookups import account_of_msisdn
from apps.charging.domain.usage_book import UsageBook
from apps.charging.models import Account
from apps.charging.services.usage import lock_usage_book
from apps.kernel.errors import BssError, InvalidInput
from apps.kernel.money import format_micros
from apps.kernel.periods import Period
from apps.mediation.models import Cdr
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.selectors import current_tariff
from apps.subscribers.models import Resource, ResourceAssignment
from apps.subscribers.selectors import in_portions

ACCOUNTS_AT_A_TIME = 500


class Record(NamedTuple):
    """A stored record, as far as it is charged again."""

    subscriber_id: int
    service_code: str
    other_party: str
    start: datetime
    usage: int
    cost_micros: int


def compare_prepaid_rating(activity: Activity, period: Period) -> str:
    """Charge the period's records of an MSISDN's account, or of a cycle's prepaid accounts, again; the outcome.

    Raises InvalidInput if the account is not prepaid.
    """
    version_id, _tariff, rater = current_tariff()
    records = stored = repriced = changed = 0
    refused: Counter[str] = Counter()
    for portion in in_portions(_accounts(activity, period), ACCOUNTS_AT_A_TIME):
        with transaction.atomic():
            book, numbers = _empty_book(portion, period)
            for record in _records(portion, period):
                records += 1
                stored += record.cost_micros
                try:
                    cost = book.charge(
                        rater,
                        _number_at(numbers, record.subscriber_id, record.start),
                        record.service_code,
                        record.other_party,
                        record.start,
                        record.usage,
                    ).cost_micros
                except BssError as error:
                    refused[error.code] += 1
                    cost = 0
                repriced += cost
                changed += cost != record.cost_micros
            # The locks of the book are not needed any longer, and nothing was written.
            transaction.set_rollback(True)
    difference = repriced - stored
    reasons = ", ".join(f"{code}: {count}" for code, count in sorted(refused.items()))
    return (
        f"{records} prepaid records, stored at {format_micros(stored, 2)}, cost {format_micros(repriced, 2)} by tariff "
        f"version {version_id} ({'+' if difference > 0 else ''}{format_micros(difference, 2)}); {changed} differ"
        + (f"; not rateable any more: {reasons}" if refused else "")
    )


def _accounts(activity: Activity, period: Period) -> list[int]:
    cycle = activity.cycle
    msisdn = activity.parameters.msisdn
    if msisdn:
        account = account_of_msisdn(msisdn, period.end)
        if account.mode != Account.Mode.PREPAID:
            raise InvalidInput(f"account {account} of MSISDN {msisdn} is not prepaid", where="MSISDN")
        return [account.pk]
    return list(
        BillingAccount.objects.filter(cycle=cycle, account__mode=Account.Mode.PREPAID).values_list(
            "pk", flat=True
        )
    )


def _records(account_ids: list[int], period: Period) -> Iterator[Record]:
    rows = (
        Cdr.objects.filter(
            account_id__in=account_ids, run=DEFAULT_RUN, start__gte=period.start, start__lt=period.end
        )
        .order_by("start", "pk")
        .values_list("subscriber_id", "service__code", "other_party", "start", "usage", "cost_micros")
    )
    return map(Record._make, rows.iterator(chunk_size=5_000))


Numbers = dict[int, list[tuple[datetime, datetime | None, str]]]


def _empty_book(account_ids: list[int], period: Period) -> tuple[UsageBook, Numbers]:
    """The subscribers' book with no free units used yet, and which MSISDN each held when."""
    numbers: Numbers = {}
    held = ResourceAssignment.objects.filter(
        resource__kind=Resource.Kind.MSISDN,
        subscriber__payer__account_id__in=account_ids,
        start__lt=period.end,
    ).values_list("subscriber_id", "start", "end", "resource__value")
    for subscriber_id, start, end, msisdn in held:
        numbers.setdefault(subscriber_id, []).append((start, end, msisdn))
    msisdns = {msisdn for rows in numbers.values() for _, _, msisdn in rows}
    book = lock_usage_book(msisdns, period.start, period.end)
    return UsageBook(services=book.services, holdings=book.holdings, counters={}), numbers


def _number_at(numbers: Numbers, subscriber_id: int, start: datetime) -> str:
    for begins, ends, msisdn in numbers.get(subscriber_id, ()):
        if begins <= start and (ends is None or start < ends):
            return msisdn
    return ""
