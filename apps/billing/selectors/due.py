"""Which accounts a cycle has to bill until a time, and since when each is unbilled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Max, QuerySet
from django.db.models.functions import Coalesce

from apps.billing.models import BillCycle, BillingAccount
from apps.billing.selectors.among import among
from apps.billing.selectors.sql import aware, read, required, text
from apps.charging.selectors import ACCOUNTS
from apps.kernel.periods import Period
from apps.mediation.models import CdrFile
from apps.storage.dialect import for_update
from apps.subscribers.selectors import in_portions


class DueAccount(NamedTuple):
    """An account as a bill needs it; ``begins`` is where its bill begins."""

    account_id: int
    number: str
    tenant_id: int
    prepaid: bool
    currency: str
    may_overdraw: bool
    begins: datetime
    billed_before: bool
    closed_at: datetime | None
    billed_sequence: int
    billed_ledger_entry: int


def last_load_sequence() -> int:
    """Every record of files up to this load sequence is there to be read."""
    return CdrFile.objects.aggregate(last=Max("load_sequence"))["last"] or 0


def unbilled(cycle: BillCycle, until: datetime) -> QuerySet[BillingAccount]:
    """Accounts of the cycle that are not billed until ``until`` yet, and had been opened by then."""
    begins = Coalesce("billed_until", "billing_from", "account__opened_at")
    return (
        BillingAccount.objects.filter(cycle=cycle, account__opened_at__lt=until)
        .annotate(begins=begins)
        .filter(begins__lt=until)
    )


def unbilled_ids(cycle: BillCycle, until: datetime) -> list[int]:
    """Ids of those accounts, ascending."""
    return list(unbilled(cycle, until).order_by("pk").values_list("pk", flat=True))


def due_accounts(
    cycle: BillCycle, account_ids: Collection[int], period: Period, *, lock: bool
) -> list[DueAccount]:
    """Those of ``account_ids`` that the cycle has to bill until the end of ``period``, in id order.

    A bill begins where the last one ended; the first one where billing was told to begin, or else with the period or
    the account's opening, whichever is later.

    With ``lock``, inside the caller's transaction: their rows are locked in id order until it ends, so that no other
    transaction bills them meanwhile.
    """
    found: list[DueAccount] = []
    for portion in in_portions(account_ids):
        rows = read(
            f"SELECT account_id, {text('billing_from')}, {text('billed_until')}, billed_sequence, billed_ledger_entry "
            f"FROM billing_billingaccount WHERE account_id IN ({among(portion).sql}) AND cycle_id = {cycle.pk:d} "
            "ORDER BY account_id" + (for_update() if lock else "")
        )
        state = {row[0]: row for row in rows}
        for account_id, number, tenant_id, mode, currency, overdraw, opened_at, closed_at in read(
            f"SELECT id, number, tenant_id, mode, currency, allow_negative, {text('opened_at')}, {text('closed_at')} "
            f"FROM {ACCOUNTS} a WHERE id IN ({among(state).sql}) ORDER BY id"
        ):
            _, billing_from, billed_until, sequence, entry = state[account_id]
            opened = required(opened_at)
            begins = aware(billed_until or billing_from) or max(opened, period.start)
            if begins < period.end and opened < period.end:
                found.append(
                    DueAccount(
                        account_id,
                        number,
                        tenant_id,
                        mode == "prepaid",
                        currency,
                        bool(overdraw),
                        begins,
                        billed_until is not None,
                        aware(closed_at),
                        sequence,
                        entry,
                    )
                )
    return found


def ids_of(accounts: Sequence[DueAccount]) -> list[int]:
    return [account.account_id for account in accounts]
