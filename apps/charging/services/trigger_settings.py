"""Making account triggers and sets of them, changing, switching, resetting and deleting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.charging.domain.triggers import COUNTERS
from apps.charging.models import DEFAULT_BALANCE, Account, BalanceTrigger, TriggerSet, TriggerState
from apps.charging.services.executor import forget_directory
from apps.charging.services.triggers import ACCOUNTS_AT_ONCE, locked_balances
from apps.kernel.errors import Conflict, InvalidInputs, NotFound, Problem
from apps.rating.models import Tenant


def make_trigger(tenant: Tenant, name: str, kind: str, **terms: object) -> BalanceTrigger:
    """A new trigger, with columns of its row as ``terms``; every process heeds it within CHARGING_DIRECTORY_REFRESH_S.

    Without ``currency``, it is for accounts in that of the account, of any for a set, else of the tenant. Without
    ``balance_tag`` it watches the default balance of money; counters, and units, are of all balances. Raises
    InvalidInputs with every fault found.
    """
    if terms.get("balance_tag") is None:
        is_of_all = kind in COUNTERS or terms.get("balance_kind", "monetary") != "monetary"
        terms["balance_tag"] = "" if is_of_all else DEFAULT_BALANCE
    trigger = BalanceTrigger(tenant=tenant, name=name, kind=kind, **terms)
    if not trigger.currency and trigger.trigger_set is None:
        trigger.currency = trigger.account.currency if trigger.account is not None else tenant.currency
    _save(trigger)
    return trigger


@transaction.atomic
def change_trigger(tenant: Tenant, trigger_id: int, changes: Mapping[str, object]) -> BalanceTrigger:
    """Change columns of a trigger by name. Raises NotFound, InvalidInputs with every fault found."""
    trigger = _locked(tenant, trigger_id)
    for column, value in changes.items():
        setattr(trigger, column, value)
    _save(trigger)
    return trigger


@transaction.atomic
def delete_trigger(tenant: Tenant, trigger_id: int) -> BalanceTrigger:
    """Delete a trigger that never fired. Raises NotFound, Conflict (code has_fired): its firings refer to it."""
    trigger = _locked(tenant, trigger_id)
    if trigger.firings.exists():
        raise Conflict(
            f"trigger {trigger} has fired, and what it did is kept; switch it off instead", code="has_fired"
        )
    trigger.states.all().delete()
    trigger.delete()
    transaction.on_commit(forget_directory)
    return trigger


def reset_trigger(tenant: Tenant, trigger_id: int, *, account: Account | None = None) -> int:
    """Let a trigger begin at zero and fire again, for one account or all; for how many it remembered something.

    Triggers of a crossing have nothing to reset. Raises NotFound.
    """
    with transaction.atomic():
        states = _locked(tenant, trigger_id).states.all()
    if account is not None:
        states = states.filter(account=account)
    whose = list(states.order_by("account_id").values_list("account_id", flat=True))
    for first in range(0, len(whose), ACCOUNTS_AT_ONCE):
        some = whose[first : first + ACCOUNTS_AT_ONCE]
        with transaction.atomic():
            locked_balances(some)
            TriggerState.objects.filter(trigger_id=trigger_id, account__in=some).delete()
    return len(whose)


def assign_trigger_set(
    tenant: Tenant, numbers: Sequence[str], code: str | None, *, make: bool = False
) -> TriggerSet | None:
    """Give the accounts with these numbers a set of triggers, or (None) none; what they counted under another is kept.

    Heeded within CHARGING_DIRECTORY_REFRESH_S. ``make`` makes a set that is not there. Raises NotFound.
    """
    with transaction.atomic():
        chosen = None
        if code is not None:
            chosen = TriggerSet.objects.filter(tenant=tenant, code=code).first()
            if chosen is None and make:
                chosen = TriggerSet.objects.create(tenant=tenant, code=code)
            if chosen is None:
                raise NotFound(f"tenant {tenant.code} has no set of triggers “{code}”", where="trigger_set")
        accounts = {
            account.number: account
            for account in Account.objects.select_for_update().filter(tenant=tenant, number__in=numbers)
        }
        missing = [number for number in numbers if number not in accounts]
        if missing:
            raise NotFound(f"tenant {tenant.code} has no account “{missing[0]}”", where="account")
        for account in accounts.values():
            account.trigger_set = chosen
            account.save(update_fields=["trigger_set"])
    transaction.on_commit(forget_directory)
    return chosen


def _locked(tenant: Tenant, trigger_id: int) -> BalanceTrigger:
    found = BalanceTrigger.objects.select_for_update().filter(tenant=tenant, pk=trigger_id).first()
    if found is None:
        raise NotFound(f"there is no trigger {trigger_id}", where="trigger_id")
    return found


def _save(trigger: BalanceTrigger) -> None:
    try:
        trigger.full_clean()
    except ValidationError as error:
        raise InvalidInputs(
            [Problem(field, text) for field, texts in error.message_dict.items() for text in texts]
        ) from error
    trigger.save()
    transaction.on_commit(forget_directory)


def switch_trigger(tenant: Tenant, name: str, *, enabled: bool) -> BalanceTrigger:
    """Switch a trigger on or off; one that was switched off stays with what it has done. Raises NotFound."""
    with transaction.atomic():
        trigger = BalanceTrigger.objects.select_for_update().filter(tenant=tenant, name=name).first()
        if trigger is None:
            raise NotFound(f"tenant {tenant.code} has no trigger “{name}”; triggers list names them")
        trigger.enabled = enabled
        trigger.save(update_fields=["enabled"])
    transaction.on_commit(forget_directory)
    return trigger
