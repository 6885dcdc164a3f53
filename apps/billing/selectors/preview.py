"""Bills that are made but not written: what an account would be billed now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.billing.domain import BillValue, Window, cycle_period, last_closed_period
from apps.billing.domain.draft import UNIT_OF_RECORD
from apps.billing.domain.periods import next_period
from apps.billing.models import BillCycle, BillingAccount
from apps.billing.selectors.charged_online import accounts_charged_online
from apps.billing.selectors.due import DueAccount, due_accounts, last_load_sequence, unbilled_ids
from apps.billing.selectors.inputs import UsageNames, read_inputs, statements, usage_names
from apps.billing.selectors.lookups import cycle_of_account
from apps.charging.models import Account
from apps.kernel.errors import BssError, Conflict
from apps.kernel.periods import Month, Period
from apps.kernel.units import TypeOfRecord
from apps.subscribers.models import Subscriber
from apps.subscribers.selectors import in_portions

ACCOUNTS_AT_A_TIME = 1_000

_RECORD_OF_UNIT = {unit: name for name, unit in UNIT_OF_RECORD.items()}


class PreviewLine(NamedTuple):
    """A line as the bill would show it; ``kind`` as in the row ``BillLine``, ``subscriber`` by number."""

    kind: str
    subscriber: str
    description: str
    records: int
    quantity: int
    free_quantity: int
    unit: str
    period_start: datetime | None
    period_end: datetime | None
    rate_millionths: int | None
    base_micros: int | None
    exact_micros: int
    amount_micros: int

    @property
    def type_of_record(self) -> str:
        """What ``quantity`` counts, for showing it."""
        return _RECORD_OF_UNIT.get(self.unit, TypeOfRecord.GENERIC)


class PreviewedBill(NamedTuple):
    """A bill as it would be, or (``problem``) why there can be none."""

    account: str
    prepaid: bool
    currency: str
    period_start: datetime
    period_end: datetime
    lines: tuple[PreviewLine, ...]
    total_micros: int
    credit_micros: int = 0
    """What former credits pay of it."""
    problem: str = ""


def preview_account(account_id: int, now: datetime, month: Month | None = None) -> PreviewedBill:
    """The account's next bill: of the last closed period, or of the running one if that is billed.

    ``month`` names the period that begins in it instead. Raises Conflict if the account is in no cycle, or is billed
    until then already.
    """
    account = Account.objects.get(pk=account_id)
    cycle = cycle_of_account(account)
    period = cycle_period(month, cycle.day, cycle.zone) if month else _next_unbilled(cycle, account_id, now)
    found = list(preview(cycle, [account_id], period))
    if not found:
        raise Conflict(
            f"account {account} is billed until {period.end:%Y-%m-%d} already", code="already_billed"
        )
    return found[0]


def preview_cycle(cycle: BillCycle, period: Period) -> Iterator[PreviewedBill]:
    """Every bill that a run of the cycle for the period would make now."""
    yield from preview(cycle, unbilled_ids(cycle, period.end), period)


def preview(cycle: BillCycle, account_ids: Sequence[int], period: Period) -> Iterator[PreviewedBill]:
    """Bills of those accounts that the cycle has not billed until the end of the period."""
    for portion in in_portions(account_ids, ACCOUNTS_AT_A_TIME):
        accounts = due_accounts(cycle, portion, period, lock=False)
        inputs = read_inputs(
            cycle, accounts, period.end, last_load_sequence(), accounts_charged_online(accounts)
        )
        names = usage_names(inputs)
        made = list(statements(cycle, accounts, inputs, period.end))
        subscribers = _subscriber_numbers(made)
        for account, window, value in made:
            if isinstance(value, BssError):
                yield _head(account, window)._replace(problem=value.message)
            else:
                lines = tuple(_lines(value, names, subscribers))
                credit = value.total_micros - value.due_micros
                yield _head(account, window)._replace(
                    lines=lines, total_micros=value.total_micros, credit_micros=credit
                )


def _next_unbilled(cycle: BillCycle, account_id: int, now: datetime) -> Period:
    period = last_closed_period(now, cycle.day, cycle.zone)
    billed_until = BillingAccount.objects.values_list("billed_until", flat=True).get(pk=account_id)
    if billed_until is not None and billed_until >= period.end:
        return next_period(period, cycle.day, cycle.zone)
    return period


def _head(account: DueAccount, window: Window) -> PreviewedBill:
    return PreviewedBill(account.number, account.prepaid, account.currency, window.start, window.end, (), 0)


def _lines(value: BillValue, names: UsageNames, subscribers: dict[int | None, str]) -> Iterator[PreviewLine]:
    for line in value.lines:
        description = line.description
        if line.service_id is not None and line.destination_id is not None:
            description = names[line.service_id, line.destination_id]
        yield PreviewLine(
            line.kind,
            subscribers.get(line.subscriber_id, ""),
            description,
            line.records,
            line.quantity,
            line.free_quantity,
            line.unit,
            line.period_start,
            line.period_end,
            line.rate_millionths,
            line.base_micros,
            line.exact_micros,
            line.amount_micros,
        )


def _subscriber_numbers(
    made: Sequence[tuple[DueAccount, Window, BillValue | BssError]],
) -> dict[int | None, str]:
    ids: set[int] = set()
    for _, _, value in made:
        if isinstance(value, BillValue):
            ids.update(line.subscriber_id for line in value.lines if line.subscriber_id is not None)
    found: dict[int | None, str] = {}
    for portion in in_portions(ids):
        found.update(Subscriber.objects.filter(pk__in=portion).values_list("pk", "number"))
    return found
