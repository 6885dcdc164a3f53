"""What-ifs: begun, worked on by any number of workers in portions, cancelled. Only rows of their own are written.

A portion is claimed, priced without a transaction, and written with its end in one: a worker that dies leaves a claim
that another takes over, and of two that did the same portion the second writes nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from apps.charging.models import Account
from apps.insight.domain.what_if import in_sample
from apps.insight.models import WhatIf, WhatIfAccount, WhatIfGroup, WhatIfShard
from apps.insight.services.what_if_shards import ShardSums, other_tariff, simulate
from apps.kernel.errors import BssError, Conflict, InvalidInput, NotFound
from apps.rating.domain.runs import DEFAULT_RUN, LONGEST_RUN
from apps.rating.models import TariffVersion, Tenant
from apps.rating.selectors.drafts import draft_tariff
from apps.rating.selectors.tariffs import content_hash_of
from apps.storage.bulk import insert_rows
from apps.storage.retry import retrying

log = structlog.get_logger(__name__)

State = WhatIf.State
TASK = "apps.insight.tasks.work_on_what_if"
ACCOUNTS_A_SHARD = 1_000
# A worker that has not finished a portion by then is taken for dead.
CLAIM = timedelta(minutes=5)
_SUMS = ("records", "refused", "free_before", "free_after", "before_micros", "after_micros", "cost_micros")


def begin_what_if(
    tenant: Tenant,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    by: str,
    version_id: int | None = None,
    draft_id: int | None = None,
    sample_percent: int = 100,
    seed: str = "1",
    cost_run: str = "",
    note: str = "",
) -> WhatIf:
    """Begin to price the tenant's traffic of ``[start, end)`` by a version or a draft; workers go on with it.

    Raises InvalidInput, NotFound, and InvalidInputs if the draft has errors.
    """
    if end <= start:
        raise InvalidInput("the period ends before it begins", where="end")
    if not 1 <= sample_percent <= 100:
        raise InvalidInput("a sample has 1 to 100 per cent of the accounts", where="sample")
    if (version_id is None) == (draft_id is None):
        raise InvalidInput("choose a tariff version or a draft", where="tariff")
    if len(cost_run) > LONGEST_RUN or "'" in cost_run or cost_run == DEFAULT_RUN:
        raise InvalidInput(f"“{cost_run}” is no run of costs", where="cost_run")
    if draft_id is not None:
        content_hash = content_hash_of(draft_tariff(draft_id).source)
    else:
        version = TariffVersion.objects.filter(pk=version_id or 0).only("content_hash").first()
        if version is None:
            raise NotFound(f"there is no tariff version {version_id}")
        content_hash = version.content_hash
    with transaction.atomic():
        what_if = WhatIf.objects.create(
            tenant=tenant,
            start=start,
            end=end,
            sample_percent=sample_percent,
            seed=seed[:32],
            tariff_version_id=version_id,
            draft_id=draft_id,
            content_hash=content_hash,
            cost_run=cost_run,
            note=note[:200],
            created_by=by[:150],
            created_at=now,
        )
        WhatIfShard.objects.bulk_create(_shards(what_if), batch_size=1_000)
        _send(what_if.pk, now)
    return what_if


def _shards(what_if: WhatIf) -> Iterator[WhatIfShard]:
    ids = [
        pk
        for pk in Account.objects.filter(tenant_id=what_if.tenant_id)
        .order_by("pk")
        .values_list("pk", flat=True)
        if in_sample(pk, what_if.sample_percent, what_if.seed)
    ]
    for number, first in enumerate(range(0, len(ids), ACCOUNTS_A_SHARD)):
        portion = ids[first : first + ACCOUNTS_A_SHARD]
        yield WhatIfShard(what_if=what_if, number=number, first_account=portion[0], last_account=portion[-1])


def work(what_if_id: int, now: Callable[[], datetime], seconds: float = float("inf")) -> bool:
    """Go on for so many seconds, at least with one portion; whether there is more to do. Any number of workers may."""
    deadline = time.monotonic() + seconds
    what_if = WhatIf.objects.get(pk=what_if_id)
    try:
        prices = other_tariff(what_if) if what_if.state == State.RUNNING else None
        while prices is not None and _is_running(what_if_id):
            shard = retrying(partial(_claim, what_if_id, now()), repeatable=True)
            if shard is None:
                retrying(partial(_finish, what_if_id, now()), repeatable=True)
                return False
            with _without_collector():
                sums = simulate(what_if, shard, prices)
            retrying(partial(_write, shard, sums, now()), repeatable=True)
            if time.monotonic() >= deadline:
                return True
    except BssError as error:
        log.error("what_if.failed", what_if=what_if_id, error=str(error))
        WhatIf.objects.filter(pk=what_if_id, state=State.RUNNING).update(
            state=State.FAILED, message=str(error)[:300], finished_at=now()
        )
    return False


def cancel_what_if(what_if_id: int, now: datetime) -> WhatIf:
    """End it; what is done of it stays to be seen. Raises NotFound, Conflict if it has ended."""
    if not WhatIf.objects.filter(pk=what_if_id, state=State.RUNNING).update(
        state=State.CANCELLED, finished_at=now
    ):
        found = WhatIf.objects.filter(pk=what_if_id).first()
        if found is None:
            raise NotFound(f"there is no what-if {what_if_id}")
        raise Conflict(f"{found} is {found.get_state_display().lower()} already", code="ended")
    return WhatIf.objects.get(pk=what_if_id)


def continue_what_ifs(now: datetime) -> int:
    """Send those again that stand still, since a worker may have died; how many."""
    before = now - CLAIM
    still = (
        WhatIf.objects.filter(state=State.RUNNING)
        .filter(Q(sent_at=None) | Q(sent_at__lt=before))
        .exclude(shards__claimed_at__gte=before)
    )
    ids = list(still.values_list("pk", flat=True))
    for pk in ids:
        with transaction.atomic():
            _send(pk, now)
    return len(ids)


def send_again(what_if_id: int) -> None:
    """The message that one more portion is to be worked on."""
    from apps.runtime.tasks import current_app

    current_app.send_task(TASK, args=[what_if_id], queue="mediation")


def _send(what_if_id: int, now: datetime) -> None:
    WhatIf.objects.filter(pk=what_if_id).update(sent_at=now)
    for _ in range(settings.WHATIF_WORKERS):
        transaction.on_commit(partial(send_again, what_if_id), robust=True)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A portion makes no cycles, but rows by the ten thousand that the garbage collector would visit each time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _is_running(what_if_id: int) -> bool:
    return WhatIf.objects.filter(pk=what_if_id, state=State.RUNNING).exists()


@transaction.atomic
def _claim(what_if_id: int, now: datetime) -> WhatIfShard | None:
    skips = connection.features.has_select_for_update_skip_locked
    due = WhatIfShard.objects.select_for_update(skip_locked=skips).filter(
        Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM), what_if_id=what_if_id, finished_at=None
    )
    shard = due.order_by("number").first()
    if shard is not None:
        shard.claimed_at = now
        shard.save(update_fields=["claimed_at"])
    return shard


@transaction.atomic
def _write(shard: WhatIfShard, sums: ShardSums, now: datetime) -> None:
    row = WhatIfShard.objects.select_for_update().get(pk=shard.pk)
    if row.finished_at is not None:
        return
    insert_rows(
        WhatIfGroup._meta.db_table,
        ("shard_id", "service_id", "price_plan_id", "destination_id", "currency", *_SUMS),
        [(row.pk, *key, currency, *values) for (key, currency), values in sorted(sums.groups.items())],
    )
    insert_rows(
        WhatIfAccount._meta.db_table,
        ("shard_id", "account_id", *_SUMS),
        [(row.pk, account_id, *values) for account_id, values in sums.accounts.items()],
    )
    row.records, row.finished_at = sum(values[0] for values in sums.accounts.values()), now
    row.save(update_fields=["records", "finished_at"])


@transaction.atomic
def _finish(what_if_id: int, now: datetime) -> None:
    """It is done once its last portion is."""
    what_if = WhatIf.objects.select_for_update().get(pk=what_if_id)
    if what_if.state == State.RUNNING and not what_if.shards.filter(finished_at=None).exists():
        what_if.state, what_if.finished_at = State.DONE, now
        what_if.save(update_fields=["state", "finished_at"])
