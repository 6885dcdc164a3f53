"""Bill cycles, and which account belongs to which."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from apps.billing.models import Activity, BillCycle, BillingAccount, BillRun
from apps.billing.selectors.due import last_load_sequence
from apps.charging.models import Account
from apps.kernel.errors import Conflict, InvalidInput, InvalidInputs, NotFound, Problem
from apps.rating.models import Tenant

SHOWN = 5


@transaction.atomic
def create_cycle(
    number: int,
    tenant_id: int,
    *,
    name: str = "",
    day: int = 1,
    time_zone: str = "",
    currency: str = "",
    payment_term_days: int = 14,
) -> BillCycle:
    """A new cycle; zone and currency are the tenant's unless given. Raises InvalidInputs with every fault found."""
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise NotFound(f"there is no tenant {tenant_id}")
    cycle = BillCycle(
        number=number,
        tenant=tenant,
        name=name,
        day=day,
        time_zone=time_zone or tenant.time_zone,
        currency=currency or tenant.currency,
        payment_term_days=payment_term_days,
    )
    try:
        cycle.full_clean()
    except ValidationError as error:
        raise InvalidInputs(
            [Problem(field, text) for field, texts in error.message_dict.items() for text in texts]
        ) from error
    cycle.save()
    return cycle


@transaction.atomic
def retire_cycle(cycle_id: int, now: datetime) -> BillCycle:
    """Take a cycle out of use. Raises Conflict while something uses it, and says what."""
    cycle = _cycle(cycle_id, lock=True)
    users = _users_of(cycle)
    if users:
        raise Conflict(f"{cycle} is in use: {'; '.join(users)}", code="in_use")
    if cycle.retired_at is None:
        cycle.retired_at = now
        cycle.save(update_fields=["retired_at"])
    return cycle


@transaction.atomic
def join_cycle(account_id: int, cycle_id: int, billing_from: datetime | None = None) -> BillingAccount:
    """Put an account that is in no cycle yet into one; its first bill is for the period of the first run.

    ``billing_from`` lets it begin elsewhere: at its opening for a new account, or where another system's last bill
    ended; usage before it that is loaded by now is never billed here then. Raises NotFound, InvalidInput (other
    tenant or currency), Conflict (retired, or in a cycle already).
    """
    cycle = _cycle(cycle_id, lock=True)
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound(f"there is no account {account_id}")
    _require_fit(account, cycle)
    joined = BillingAccount.objects.filter(pk=account.pk).first()
    if joined is not None:
        raise Conflict(f"account {account} is in {joined.cycle} already; move it", code="already_in_cycle")
    return BillingAccount.objects.create(
        account=account,
        cycle=cycle,
        billing_from=billing_from,
        billed_sequence=last_load_sequence() if billing_from else 0,
    )


def enrol_accounts() -> int:
    """Put accounts in no cycle into their tenant's first one; how many.

    No account goes unbilled because a form, an import or an API forgot its cycle. Accounts of a tenant without a
    cycle in their currency are left until there is one.
    """
    return _enrol() if Account.objects.filter(billing=None).exists() else 0


@transaction.atomic
def _enrol() -> int:
    enrolled = 0
    outside = Account.objects.filter(billing=None)
    for tenant_id, currency in outside.values_list("tenant_id", "currency").distinct():
        cycle = BillCycle.objects.filter(tenant_id=tenant_id, currency=currency, retired_at=None).first()
        if cycle is None:
            continue
        ids = (
            outside.filter(tenant_id=tenant_id, currency=currency).order_by("pk").values_list("pk", flat=True)
        )
        rows = [BillingAccount(account_id=pk, cycle=cycle) for pk in ids]
        BillingAccount.objects.bulk_create(rows, batch_size=1_000, ignore_conflicts=True)
        enrolled += len(rows)
    return enrolled


@transaction.atomic
def move_account(account_id: int, cycle_id: int) -> BillingAccount:
    """Move an account to another cycle: its present cycle bills the running period, then the other takes over.

    The first bill of the other begins where the last one ended, so that nothing is left out or billed twice. Moving it
    to the cycle it is in calls off a move. Raises NotFound, InvalidInput (other tenant or currency), Conflict.
    """
    cycle = _cycle(cycle_id, lock=True)
    row = BillingAccount.objects.select_for_update().filter(pk=account_id).first()
    if row is None:
        raise NotFound(f"account {account_id} is in no bill cycle")
    _require_fit(row.account, cycle)
    row.next_cycle = None if row.cycle_id == cycle.pk else cycle
    row.save(update_fields=["next_cycle"])
    return row


def _cycle(cycle_id: int, *, lock: bool = False) -> BillCycle:
    rows = BillCycle.objects.select_for_update() if lock else BillCycle.objects.all()
    cycle = rows.filter(pk=cycle_id).first()
    if cycle is None:
        raise NotFound(f"there is no bill cycle with id {cycle_id}")
    return cycle


def _require_fit(account: Account, cycle: BillCycle) -> None:
    if cycle.retired_at is not None:
        raise Conflict(f"{cycle} is retired", code="retired")
    if account.tenant_id != cycle.tenant_id:
        raise InvalidInput(f"{cycle} belongs to another tenant than account {account}", where="cycle")
    if account.currency != cycle.currency:
        raise InvalidInput(
            f"account {account} is kept in {account.currency}, {cycle} bills in {cycle.currency}",
            where="cycle",
        )


def _users_of(cycle: BillCycle) -> list[str]:
    users = []
    accounts = BillingAccount.objects.filter(Q(cycle=cycle) | Q(next_cycle=cycle))
    count = accounts.count()
    if count:
        some = accounts.order_by("pk").values_list("account__number", flat=True)[:SHOWN]
        users.append(f"{count} accounts ({', '.join(some)}{', …' if count > SHOWN else ''}); move them first")
    activities = cycle.activities.filter(status__in=[Activity.Status.PENDING, Activity.Status.PROCESSING])
    if activities.exists():
        users.append(
            "activities " + ", ".join(str(pk) for pk in activities.values_list("pk", flat=True)[:SHOWN])
        )
    runs = cycle.runs.filter(state__in=[BillRun.State.RUNNING, BillRun.State.STOPPED])
    if runs.exists():
        users.append("bill runs " + ", ".join(str(pk) for pk in runs.values_list("pk", flat=True)[:SHOWN]))
    return users
