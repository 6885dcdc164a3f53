"""Carry out groups of actions on accounts; what is refused is kept for staff to look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from apps.actions.models import ActionGroup, RefusedActions
from apps.actions.services.groups import ACCOUNTS_AT_ONCE, check_owner, compiled_groups
from apps.charging.domain.requests import ChargingAnswer, Result
from apps.charging.models import Account
from apps.charging.selectors import ACCOUNTS
from apps.charging.services.balance_actions import ActionOrder, carry_out_actions
from apps.kernel.errors import Conflict, InvalidInput
from apps.storage.reads import select_in

LONGEST_RUN_KEY = 50


class Wanted(NamedTuple):
    """A group to be carried out on an account, as of ``at``; ``key`` as in ActionOrder."""

    account_id: int
    group_id: int
    key: str
    at: datetime


class Ran(NamedTuple):
    """On how many accounts a group was carried out, was refused, and had been carried out before under the key."""

    done: int
    refused: int
    repeated: int


def carry_out(wanted: Sequence[Wanted], now: datetime, *, remember: bool = True) -> list[ChargingAnswer]:
    """Carry them out in their order, in one transaction or the caller's; refusals are kept (RefusedActions)."""
    tenants = dict(
        select_in(
            f"SELECT a.id, a.tenant_id FROM {ACCOUNTS} a WHERE a.id IN ({{values}})",
            {one.account_id for one in wanted},
        )
    )
    compiled = compiled_groups({one.group_id for one in wanted}, set(tenants.values()))
    orders: list[ActionOrder] = []
    answers: list[ChargingAnswer | None] = []
    for one in wanted:
        actions = compiled.get((one.group_id, tenants.get(one.account_id, 0)), ())
        if isinstance(actions, InvalidInput):
            answers.append(
                ChargingAnswer(
                    Result.UNABLE_TO_COMPLY,
                    account_id=one.account_id,
                    reason="group_unreadable",
                    message=actions.message,
                )
            )
            continue
        answers.append(None)
        orders.append(ActionOrder(one.account_id, actions, one.key, one.at))
    with transaction.atomic():
        carried = iter(carry_out_actions(orders, now, remember=remember))
        given = [answer if answer is not None else next(carried) for answer in answers]
        _keep_refusals(wanted, given)
    return given


def _keep_refusals(wanted: Sequence[Wanted], answers: Sequence[ChargingAnswer]) -> None:
    refused = [
        RefusedActions(
            account_id=one.account_id,
            group_id=one.group_id,
            key=one.key,
            at=one.at,
            reason=answer.reason[:64],
            message=answer.message[:300],
        )
        for one, answer in zip(wanted, answers, strict=True)
        if answer.result is not Result.SUCCESS and answer.reason != "no_account"
    ]
    if refused:
        RefusedActions.objects.bulk_create(refused, batch_size=1_000, ignore_conflicts=True)


def run_group(
    group: ActionGroup,
    account_ids: Collection[int],
    now: datetime,
    *,
    key: str,
    report: Callable[[int], object] | None = None,
) -> Ran:
    """Carry a group out on accounts now, in portions that commit one by one; ``report`` is told how many are done.

    ``key`` names the run of this group: a repeat of it carries out what is missing. Raises InvalidInput for a key or
    accounts that are not fit.
    """
    if not 0 < len(key) <= LONGEST_RUN_KEY:
        raise InvalidInput(f"a key has 1 to {LONGEST_RUN_KEY} characters, not {len(key)}", where="key")
    ordered = sorted(set(account_ids))
    if not ordered:
        raise InvalidInput("name at least one account", where="accounts")
    check_owner(group.tariff_plan, ordered)
    done = refused = repeated = 0
    for first in range(0, len(ordered), ACCOUNTS_AT_ONCE):
        some = ordered[first : first + ACCOUNTS_AT_ONCE]
        wanted = [Wanted(pk, group.pk, f"run:{group.pk}:{key}:{pk}", now) for pk in some]
        for answer in carry_out(wanted, now):
            if answer.result is not Result.SUCCESS:
                refused += 1
            elif answer.replayed:
                repeated += 1
            else:
                done += 1
        if report is not None:
            report(first + len(some))
    return Ran(done, refused, repeated)


def run_again(refusal: RefusedActions, now: datetime) -> None:
    """Carry out what was refused, with the group as it is now. Raises Conflict if it is refused again, or settled."""
    with transaction.atomic():
        row = RefusedActions.objects.select_for_update().get(pk=refusal.pk)
        if row.settled_at is not None:
            raise Conflict(f"{row} was settled at {row.settled_at:%Y-%m-%d %H:%M} UTC", code="settled")
        (answer,) = _carry_out_again(row, now)
        if answer.result is not Result.SUCCESS:
            raise Conflict(answer.message, code=answer.reason)
        row.settled_at = now
        row.save(update_fields=["settled_at"])


def _carry_out_again(row: RefusedActions, now: datetime) -> list[ChargingAnswer]:
    """Under a key of its own, since the refusal is the answer of the first one; settling the row makes it once."""
    tenant_id = Account.objects.values_list("tenant_id", flat=True).get(pk=row.account_id)
    actions = compiled_groups([row.group_id], [tenant_id])[row.group_id, tenant_id]
    if isinstance(actions, InvalidInput):
        raise actions
    return carry_out_actions(
        [ActionOrder(row.account_id, actions, f"again:{row.pk}", now)], now, remember=False
    )


def drop(refusal: RefusedActions, now: datetime) -> None:
    """Settle it without carrying it out. Raises Conflict if it is settled."""
    if not RefusedActions.objects.filter(pk=refusal.pk, settled_at=None).update(settled_at=now):
        raise Conflict(f"{refusal} is settled already", code="settled")
