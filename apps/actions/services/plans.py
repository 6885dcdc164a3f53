"""Action plans: give them to accounts, reckon when they are due, and carry out what is due, exactly once.

``DueAction`` rows say what is due; beat looks for them. A row moves to its next time in the transaction that carries
out the actions, so a process may die at any step.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import F

from apps.actions.domain.due_times import INTERVALS, first_due, next_due
from apps.actions.models import AccountPlan, ActionPlan, ActionPlanEntry, DueAction, RanAtOnce, RefusedActions
from apps.actions.services.groups import check_owner, timings_of_plans
from apps.actions.services.running import Wanted, carry_out
from apps.charging.models import Account
from apps.charging.selectors import ACCOUNTS
from apps.kernel.errors import Conflict, NotFound
from apps.rating.domain.source import ANY, SHARED_TARIFF_PLAN, Timing
from apps.rating.domain.tariff_files.fields import ASAP
from apps.rating.models import Tenant
from apps.rating.selectors.views import TENANTS
from apps.runtime.garbage import without_garbage_collection
from apps.storage.bulk import database_instant
from apps.storage.dialect import for_update, named_lock
from apps.storage.reads import instant_read, select_in
from apps.storage.retry import is_rolled_back, may_have_committed, retrying
from apps.storage.upserts import run, update_rows

log = logging.getLogger(__name__)

AT_ONCE = 5_000
_MIDNIGHT = Timing(ANY)
# So many different next times are one UPDATE each; more go by row.
_FEW = 20


class Due(NamedTuple):
    """A due row with what its next time depends on."""

    due_id: int
    due_at: datetime
    account_id: int
    group_id: int
    timing: str
    tariff_plan_id: int
    assigned_at: datetime
    zone: str


# Joins of more tables would cost more than what they find: few entries, few tenants.
_DUE = (
    "SELECT d.id, CAST(d.due_at AS CHAR), p.account_id, d.entry_id, CAST(p.assigned_at AS CHAR)"
    " FROM actions_dueaction d JOIN actions_accountplan p ON p.id = d.assignment_id WHERE d.id IN ({values})"
)
_ZONES = f"SELECT a.id, t.time_zone FROM {ACCOUNTS} a JOIN {TENANTS} t ON t.id = a.tenant_id WHERE a.id IN ({{values}})"


class Overtaken(Exception):
    """Another process has carried out some of the batch."""


def find_plan(tenant: Tenant, code: str) -> ActionPlan:
    """The plan of this id in the tenant's own tariff plan, else in the shared one. Raises NotFound."""
    plans = ActionPlan.objects.filter(code=code, tariff_plan__code__in=(tenant.code, SHARED_TARIFF_PLAN))
    found = {plan.tariff_plan.code: plan for plan in plans.select_related("tariff_plan")}
    plan = found.get(tenant.code) or found.get(SHARED_TARIFF_PLAN)
    if plan is None:
        raise NotFound(f"tenant {tenant.code} has no action plan “{code}”", where="plan")
    return plan


def assign_plan(plan: ActionPlan, account_ids: Collection[int], now: datetime) -> int:
    """Give accounts a plan from ``now`` on; those that have it keep theirs. How many are new.

    Raises InvalidInput for accounts of another tenant than the plan's.
    """
    new = 0
    ordered = sorted(set(account_ids))
    check_owner(plan.tariff_plan, ordered)
    for first in range(0, len(ordered), AT_ONCE):
        new += retrying(partial(_assign, plan, ordered[first : first + AT_ONCE], now), conflicts=True)
    return new


@transaction.atomic
def _assign(plan: ActionPlan, account_ids: Sequence[int], now: datetime) -> int:
    have = set(
        AccountPlan.objects.filter(plan=plan, account__in=account_ids).values_list("account_id", flat=True)
    )
    rows = [AccountPlan(account_id=pk, plan=plan, assigned_at=now) for pk in account_ids if pk not in have]
    AccountPlan.objects.bulk_create(rows, batch_size=1_000)
    make_due_rows(plan, now, account_ids)
    return len(rows)


def remove_plan(plan: ActionPlan, account_ids: Collection[int]) -> int:
    """Take a plan from accounts; how many had it."""
    removed = 0
    ordered = sorted(set(account_ids))
    for first in range(0, len(ordered), AT_ONCE):
        rows = AccountPlan.objects.filter(plan=plan, account__in=ordered[first : first + AT_ONCE])
        removed += rows.delete()[1].get("actions.AccountPlan", 0)
    return removed


def make_due_rows(plan: ActionPlan, now: datetime, account_ids: Collection[int] | None = None) -> None:
    """Rows for entries of the plan that have none yet for an account; an entry that came later is due from now on."""
    entries = list(plan.entries.select_related("group").order_by("pk"))
    timings = _timings({plan.tariff_plan_id})
    for entry in entries:
        ran = RanAtOnce.objects.filter(assignment__plan=plan, group_code=entry.group.code)
        had = set(ran.values_list("assignment_id", flat=True)) if entry.timing == ASAP else ()
        missing = AccountPlan.objects.filter(plan=plan).exclude(due__entry=entry)
        if account_ids is not None:
            missing = missing.filter(account__in=account_ids)
        rows = []
        for pk, assigned_at, zone in missing.values_list(
            "pk", "assigned_at", "account__tenant__time_zone"
        ).order_by("pk"):
            due_at = None
            if pk not in had:
                due_at = _first(entry, timings, plan.tariff_plan_id, assigned_at, now, ZoneInfo(zone))
            rows.append(
                DueAction(assignment_id=pk, entry=entry, due_at=due_at, rank=-int(entry.weight * 10_000))
            )
        DueAction.objects.bulk_create(rows, batch_size=1_000)


def drop_entry(entry: ActionPlanEntry) -> None:
    """Take an entry out of its plan; what it did at once is remembered, should it come back."""
    if entry.timing == ASAP:
        done = DueAction.objects.filter(entry=entry, due_at=None).values_list("assignment_id", flat=True)
        RanAtOnce.objects.bulk_create(
            [RanAtOnce(assignment_id=pk, group_code=entry.group.code) for pk in done],
            batch_size=1_000,
            ignore_conflicts=True,
        )
    entry.delete()


def _first(
    entry: ActionPlanEntry,
    timings: Mapping[tuple[int, str], Timing],
    plan_id: int,
    assigned_at: datetime,
    now: datetime,
    zone: ZoneInfo,
) -> datetime | None:
    timing = _timing(timings, plan_id, entry.timing)
    if timing is None:
        return None
    if timing == ASAP or assigned_at >= now:
        return first_due(timing, max(assigned_at, now), zone)
    return next_due(timing, assigned_at, now, zone)


def reckon_again(plan: ActionPlan, now: datetime) -> int:
    """Move times to come to what the plan's timings say now; what is due already stays due. How many moved."""
    timings = _timings({plan.tariff_plan_id})
    moved = 0
    zones = set(
        AccountPlan.objects.filter(plan=plan).values_list("account__tenant__time_zone", flat=True).distinct()
    )
    for entry in plan.entries.all():
        timing = _timing(timings, plan.tariff_plan_id, entry.timing)
        # What ended with its account stays ended.
        rows = DueAction.objects.filter(entry=entry, assignment__account__closed_at=None)
        moved += rows.exclude(rank=-int(entry.weight * 10_000)).update(rank=-int(entry.weight * 10_000))
        if not isinstance(timing, Timing):
            continue
        for zone in zones:
            due_at = next_due(timing, now, now, ZoneInfo(zone))
            of_zone = rows.filter(assignment__account__tenant__time_zone=zone)
            ids = (
                of_zone.exclude(due_at__lte=now).exclude(due_at=due_at)
                if due_at
                else of_zone.filter(due_at__gt=now)
            )
            moved += DueAction.objects.filter(pk__in=list(ids.values_list("pk", flat=True))).update(
                due_at=due_at
            )
    return moved


def due_now(now: datetime) -> int:
    """How many actions are due."""
    return DueAction.objects.filter(due_at__lte=now).count()


def run_due_plans(now: datetime, report: Callable[[int], object] | None = None) -> int:
    """Carry out all that is due; how many groups were. One process does this at a time, others find it busy: 0.

    What was missed while no process ran is carried out once for each due time, in their order.
    """
    done, overtaken = 0, 0
    with named_lock("action-plans") as mine, without_garbage_collection():
        while mine and (batch := _next_batch(now)):
            try:
                done += _run_batch(batch, now)
            except Overtaken:
                overtaken += 1
                if overtaken > 10:
                    raise
                continue
            if report is not None:
                report(done)
    return done


def _next_batch(now: datetime) -> list[Due]:
    ids = DueAction.objects.filter(due_at__lte=now).order_by("due_at", "rank", "pk")
    listed = list(ids.values_list("pk", flat=True)[:AT_ONCE])
    found = [row for row in select_in(_DUE, listed) if row[1]]
    zones = dict(select_in(_ZONES, {row[2] for row in found}))
    entries = {
        entry.pk: entry
        for entry in ActionPlanEntry.objects.filter(pk__in={row[3] for row in found}).select_related("plan")
    }
    rows = {}
    for due_id, due_at, account_id, entry_id, assigned_at in found:
        entry = entries[entry_id]
        rows[due_id] = Due(
            due_id,
            instant_read(due_at),
            account_id,
            entry.group_id,
            entry.timing,
            entry.plan.tariff_plan_id,
            instant_read(assigned_at),
            zones[account_id],
        )
    return [rows[pk] for pk in listed if pk in rows]


def _run_batch(batch: Sequence[Due], now: datetime) -> int:
    """Carry out a batch in one transaction; one that cannot be is halved until the culprit is alone."""
    try:
        return retrying(partial(_carry_out, batch, now), repeatable=True)
    except Overtaken:
        raise
    except Exception as error:
        if is_rolled_back(error) or may_have_committed(error):
            raise
        if len(batch) > 1:
            middle = len(batch) // 2
            return _run_batch(batch[:middle], now) + _run_batch(batch[middle:], now)
        log.exception("due actions %s failed", batch[0])
        _set_aside(batch[0], error, now)
        return 0


@transaction.atomic
def _carry_out(batch: Sequence[Due], now: datetime) -> int:
    wanted = [Wanted(due.account_id, due.group_id, _key(due), due.due_at) for due in batch]
    try:
        answers = carry_out(wanted, now, remember=False)
    except Conflict as error:
        if len(batch) > 1 or not _is_still_due(batch):
            raise Overtaken from error
        raise
    # Behind the locks of the balances, as all rows of rooms above charging.
    if not _is_still_due(batch):
        raise Overtaken
    ended = {
        due.due_id for due, answer in zip(batch, answers, strict=True) if answer.reason == "account_closed"
    }
    _move_on(batch, ended)
    return len(batch)


def _key(due: Due) -> str:
    return f"plan:{due.due_id}:{int(due.due_at.timestamp())}"


def _is_still_due(batch: Sequence[Due]) -> bool:
    """Lock the rows, and see whether each is still due at the time that it was read with."""
    ids = [due.due_id for due in batch]
    sql = "SELECT id, CAST(due_at AS CHAR) FROM actions_dueaction WHERE id IN ({values}) ORDER BY id"
    found = {row_id: instant_read(text) for row_id, text in select_in(sql + for_update(), ids) if text}
    return all(found.get(due.due_id) == due.due_at for due in batch)


def _move_on(batch: Sequence[Due], ended: Collection[int] = ()) -> None:
    """To the next times; those in ``ended`` are never due again."""
    timings = _timings({due.tariff_plan_id for due in batch})
    rows_of: dict[tuple[datetime, datetime | None], list[int]] = defaultdict(list)
    for due in batch:
        timing = _timing(timings, due.tariff_plan_id, due.timing)
        after = (
            None
            if timing is None or due.due_id in ended
            else next_due(timing, due.assigned_at, due.due_at, ZoneInfo(due.zone))
        )
        rows_of[due.due_at, after].append(due.due_id)
    alike = {times: ids for times, ids in rows_of.items() if times[1] is None or len(rows_of) <= _FEW}
    connection = connections[DEFAULT_DB_ALIAS]
    for (due_at, after), ids in alike.items():
        to = "NULL" if after is None else f"'{database_instant(after)}'"
        run(
            connection,
            f"UPDATE actions_dueaction SET due_at = {to}, done_at = '{database_instant(due_at)}',"
            f" done_count = done_count + 1 WHERE id IN ({','.join(map(str, ids))})",
        )
    rows = [
        (pk, database_instant(after), database_instant(due_at))
        for (due_at, after), ids in rows_of.items()
        for pk in ids
        if after is not None and (due_at, after) not in alike
    ]
    for first in range(0, len(rows), 1_000):
        some = rows[first : first + 1_000]
        update_rows(connection, "actions_dueaction", ("due_at", "done_at"), some, where="due_at IS NOT NULL")
    DueAction.objects.filter(pk__in=[row[0] for row in rows]).update(done_count=F("done_count") + 1)


@transaction.atomic
def _set_aside(due: Due, error: Exception, now: datetime) -> None:
    """An error of ours: the row moves on, and staff see it among what was refused."""
    RefusedActions.objects.bulk_create(
        [
            RefusedActions(
                account_id=due.account_id,
                group_id=due.group_id,
                key=_key(due),
                at=due.due_at,
                reason="internal_error",
                message=f"{type(error).__name__}: {error}"[:300],
            )
        ],
        ignore_conflicts=True,
    )
    if _is_still_due([due]):
        _move_on([due])


def _timings(plan_ids: Collection[int]) -> Mapping[tuple[int, str], Timing]:
    return {
        (plan_id, code): timing
        for plan_id, timings in timings_of_plans(plan_ids).items()
        for code, timing in timings.items()
    }


def _timing(timings: Mapping[tuple[int, str], Timing], plan_id: int, code: str) -> Timing | str | None:
    """The timing, or the keyword; None, with a line in the log, for one that is not there any more."""
    if code in (ASAP, *INTERVALS):
        return code
    if code == ANY:
        return _MIDNIGHT
    found = timings.get((plan_id, code))
    if found is None:
        log.error("timing %s is named by an action plan and is not there: it is never due", code)
    return found


def accounts_by_number(tenant: Tenant, numbers: Collection[str]) -> list[int]:
    """Ids of a tenant's accounts in the order of the numbers. Raises NotFound for the first that is not there."""
    found = dict(Account.objects.filter(tenant=tenant, number__in=numbers).values_list("number", "pk"))
    for number in numbers:
        if number not in found:
            raise NotFound(f"tenant {tenant.code} has no account “{number}”", where="accounts")
    return [found[number] for number in numbers]
