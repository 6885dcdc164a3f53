"""Bill some accounts of a cycle until a time: load, state, save, in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.billing.models import Bill, BillCycle
from apps.billing.selectors.among import among
from apps.billing.selectors.charged_online import accounts_charged_online
from apps.billing.selectors.due import DueAccount, due_accounts, last_load_sequence
from apps.billing.selectors.inputs import read_inputs, statements
from apps.billing.services.context import Billed, BillingContext
from apps.billing.services.inserting import move_on, write_bills
from apps.billing.services.numbering import number_bills
from apps.billing.services.settling import balances_shown, settle
from apps.charging.models import DEFAULT_BALANCE, Balance
from apps.kernel.errors import BssError
from apps.kernel.periods import Period
from apps.runtime.garbage import without_garbage_collection
from apps.subscribers.selectors import in_portions


@dataclass(frozen=True, slots=True)
class BilledAccounts:
    """What came of it: bill ids by account id, their sum, and accounts that could not be billed with the reason."""

    bills: dict[int, int]
    total_micros: int
    problems: tuple[str, ...]


@without_garbage_collection()
@transaction.atomic
def bill_accounts(
    cycle: BillCycle, account_ids: Collection[int], period: Period, at: datetime, run_id: int | None = None
) -> BilledAccounts:
    """Bill those of ``account_ids`` that the cycle has not billed until the end of ``period`` yet.

    Their rows are locked in id order first, so that a second transaction finds them billed and does nothing. Balances
    of prepaid accounts, and of those that were charged online, are locked next: nothing is taken from them until the
    statement is committed, and then the load sequence is read. An account that cannot be billed is left as it is, with
    a reason; the others are billed.
    """
    until = period.end
    accounts = due_accounts(cycle, account_ids, period, lock=True)
    online = accounts_charged_online(accounts)
    _lock_balances(sorted([*(account for account in accounts if account.prepaid), *online]))
    sequence = last_load_sequence()
    inputs = read_inputs(cycle, accounts, until, sequence, online, lock=True)
    bills: list[Billed] = []
    settled: list[DueAccount] = []
    problems: list[str] = []
    total = 0
    for account, window, value in statements(cycle, accounts, inputs, until):
        if isinstance(value, BssError):
            problems.append(f"account {account.number}: {value.message}")
            continue
        settled.append(account)
        if not value.lines and account.closed_at is not None and account.closed_at <= account.begins:
            continue
        bills.append((account, window, value))
        total += value.total_micros
    context = BillingContext(cycle, until, sequence, run_id, at)
    ids = write_bills(context, bills, inputs, balances_shown(context, bills))
    settle(context, bills, ids)
    move_on(context, settled)
    for kind, prepaid in ((Bill.Kind.POSTPAID, False), (Bill.Kind.PREPAID, True)):
        numbered = [ids[account.account_id] for account, _, _ in bills if account.prepaid is prepaid]
        number_bills(cycle.tenant_id, context.issued_on.year, kind.value, numbered)
    return BilledAccounts(ids, total, tuple(problems))


def _lock_balances(accounts: list[DueAccount]) -> None:
    """Lock the accounts' balances; one that was never used is opened, since a missing row cannot be locked."""
    for portion in in_portions([account.account_id for account in accounts]):
        default = Balance.objects.filter(account_id__among=among(portion), tag=DEFAULT_BALANCE)
        missing = set(portion).difference(default.values_list("account_id", flat=True))
        Balance.objects.bulk_create([Balance(account_id=pk) for pk in sorted(missing)], ignore_conflicts=True)
        list(default.select_for_update().order_by("account_id").values_list("pk", flat=True))
