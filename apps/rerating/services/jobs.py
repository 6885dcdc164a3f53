"""Re-rating jobs: made, simulated, applied and reversed by any number of workers, each step resumable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from apps.charging.models import Account
from apps.charging.services.terms import Terms, terms_of_version
from apps.events.services.publishing import publish
from apps.kernel.errors import BssError, Conflict, InvalidInput, NotFound
from apps.mediation.models import RatedDestination, Source
from apps.mediation.services.batches import DestinationIds
from apps.rating.models import PricePlan, TariffVersion, Tenant
from apps.rating.selectors.differences import product_terms_of
from apps.rerating.domain.published import FINISHED
from apps.rerating.models import RerateAccount, RerateJob
from apps.rerating.selectors import left_to_apply
from apps.rerating.services import applying, simulating
from apps.rerating.services.simulating import collect_accounts
from apps.storage.retry import is_rolled_back, may_have_committed, retrying

log = logging.getLogger(__name__)

State = RerateJob.State
Rows = RerateAccount.State
WORKING = (State.NEW, State.SIMULATING, State.APPLYING, State.REVERSING)
TASK = "apps.rerating.tasks.work_on_job"


def make_job(
    tenant: Tenant,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    by: str,
    account: Account | None = None,
    price_plan: PricePlan | None = None,
    destination: RatedDestination | None = None,
    source: Source | None = None,
    version: TariffVersion | None = None,
    note: str = "",
) -> RerateJob:
    """A job for the records that keep all of these conditions, by ``version`` (None: the newest tariff version).

    Workers simulate it at once. Raises InvalidInput, NotFound if there is no tariff.
    """
    if end <= start:
        raise InvalidInput("the period ends before it begins", where="end")
    if account is not None and account.tenant_id != tenant.pk:
        raise InvalidInput(f"account {account} is not of tenant {tenant.code}", where="account")
    if price_plan is not None and price_plan.tenant_id != tenant.pk:
        raise InvalidInput(f"price plan {price_plan.code} is not of tenant {tenant.code}", where="price_plan")
    version = version or TariffVersion.objects.only("pk").order_by("-pk").first()
    if version is None:
        raise NotFound("no tariff has been published yet", code="no_tariff")
    with transaction.atomic():
        job = RerateJob.objects.create(
            tenant=tenant,
            start=start,
            end=end,
            account=account,
            price_plan=price_plan,
            destination=destination,
            source=source,
            tariff_version_id=version.pk,
            note=note[:200],
            created_by=by[:150],
            created_at=now,
        )
        _send(job, now)
    return job


def apply_job(job_id: int, *, now: datetime, by: str) -> RerateJob:
    """Have workers apply a simulated job: to all of its accounts that are not done, with what was simulated last.

    Raises NotFound, Conflict (``not_simulated``, ``nothing_changes``, ``second_person``).
    """
    with transaction.atomic():
        job = _locked(job_id)
        if job.state not in (State.SIMULATED, State.APPLIED):
            raise Conflict(
                f"{job} is {job.get_state_display().lower()}; it cannot be applied now", code="not_simulated"
            )
        if settings.RERATING_MAKER_CHECKER and job.created_by == by:
            raise Conflict(f"{by} made {job}; another person has to apply it", code="second_person")
        if not left_to_apply(job.pk).update(state=Rows.SIMULATED):
            raise Conflict(f"nothing of {job} is left to apply", code="nothing_changes")
        job.state, job.applied_by, job.applied_at = State.APPLYING, by[:150], now
        job.save(update_fields=["state", "applied_by", "applied_at"])
        _send(job, now)
    return job


def reverse_job(job_id: int, *, now: datetime, by: str) -> RerateJob:
    """Have workers take an applied job back as a whole.

    Raises NotFound, Conflict (``not_applied``).
    """
    with transaction.atomic():
        job = _locked(job_id)
        if job.state != State.APPLIED:
            raise Conflict(
                f"{job} is {job.get_state_display().lower()}; it cannot be reversed", code="not_applied"
            )
        job.account_rows.filter(state=Rows.STUCK).update(state=Rows.APPLIED, reason="")
        job.state, job.reversed_by, job.reversed_at = State.REVERSING, by[:150], now
        job.save(update_fields=["state", "reversed_by", "reversed_at"])
        _send(job, now)
    return job


def work(job_id: int, now: Callable[[], datetime], seconds: float = float("inf")) -> bool:
    """Go on with a job for so many seconds; whether there is still something to do. Any number of workers may."""
    deadline = time.monotonic() + seconds
    destinations = DestinationIds()
    job = RerateJob.objects.get(pk=job_id)
    terms = terms_of_version(product_terms_of(job.tariff_version_id))
    while job.state in WORKING:
        if time.monotonic() >= deadline:
            return True
        if job.state == State.NEW:
            collect_accounts(job_id)
        elif not _step(job, terms, destinations, now()) and not _finish(job_id, now()):
            # Others have the last accounts in hand; beat comes back if they die.
            return False
        job.refresh_from_db()
    return False


def continue_jobs(now: datetime) -> int:
    """Send jobs again that stand still, since a worker may have died; how many."""
    patience = timedelta(seconds=settings.RERATING_RESEND_AFTER_S)
    sent = 0
    for job in RerateJob.objects.filter(state__in=WORKING):
        moved = job.account_rows.aggregate(last=Max("finished_at"))["last"]
        last = max(filter(None, (job.sent_at, moved)), default=None)
        if last is None or now - last >= patience:
            with transaction.atomic():
                _send(job, now)
            sent += 1
    return sent


def send_again(job_id: int) -> None:
    """The message that one more portion of the job is to be worked on."""
    from apps.runtime.tasks import current_app

    current_app.send_task(TASK, args=[job_id], queue="mediation")


def _send(job: RerateJob, now: datetime) -> None:
    RerateJob.objects.filter(pk=job.pk).update(sent_at=now)
    for _ in range(settings.RERATING_WORKERS):
        transaction.on_commit(partial(send_again, job.pk), robust=True)


def _locked(job_id: int) -> RerateJob:
    job = RerateJob.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"there is no re-rating {job_id}")
    return job


def _step(job: RerateJob, terms: Terms, destinations: DestinationIds, now: datetime) -> bool:
    """One portion of what the job's state asks for; False if none is left that no other worker has in hand.

    If a portion fails, its first account is tried alone, and has the fault written to its row.
    """
    if job.state == State.SIMULATING:
        state, at_once = Rows.PENDING, simulating.ACCOUNTS_AT_ONCE
        do = partial(simulating.simulate_some, job, terms, now)
    elif job.state == State.APPLYING:
        state, at_once = Rows.SIMULATED, applying.ACCOUNTS_AT_ONCE
        do = partial(applying.apply_some, job, terms, destinations, now)
    else:
        state, at_once = Rows.APPLIED, applying.ACCOUNTS_AT_ONCE
        do = partial(applying.reverse_some, job, destinations, now)
    try:
        return retrying(partial(do, at_once), repeatable=True) > 0
    except Exception as error:
        _raise_if_passing(error)
    try:
        retrying(partial(do, 1), repeatable=True)
    except Exception as error:
        _raise_if_passing(error)
        if not (isinstance(error, BssError) and error.code == "busy"):
            log.exception("%s failed", job)
            _note_fault(job, state, error, now)
    return True


def _raise_if_passing(error: Exception) -> None:
    if is_rolled_back(error) or may_have_committed(error):
        raise error


@transaction.atomic
def _note_fault(job: RerateJob, state: str, error: Exception, now: datetime) -> None:
    """Write what failed to the first account that is in ``state``: the one that was tried alone."""
    for row in simulating.due_rows(job.pk, state, 1):
        row.state = Rows.STUCK if state == Rows.APPLIED else Rows.FAILED
        row.reason, row.finished_at = f"{type(error).__name__}: {error}"[:300], now
        row.save(update_fields=["state", "reason", "finished_at"])


_AFTER = {
    State.SIMULATING: (Rows.PENDING, State.SIMULATED),
    State.APPLYING: (Rows.SIMULATED, State.APPLIED),
    State.REVERSING: (Rows.APPLIED, State.REVERSED),
}


@transaction.atomic
def _finish(job_id: int, now: datetime) -> bool:
    """Move a job on whose accounts are all done; whether it was, or another worker was quicker."""
    job = _locked(job_id)
    if job.state not in _AFTER:
        return True
    due, following = _AFTER[State(job.state)]
    if job.account_rows.filter(state=due).exists():
        return False
    if job.state == State.REVERSING and job.account_rows.filter(state=Rows.STUCK).exists():
        following = State.APPLIED
    job.state = following
    job.save(update_fields=["state"])
    left = job.account_rows.filter(state__in=(Rows.CHANGED, Rows.FAILED, Rows.STUCK)).count()
    publish(
        [
            FINISHED.event(
                job.pk,
                now,
                tenant=job.tenant.code,
                job_id=job.pk,
                state=str(following),
                accounts=job.accounts,
                left=left,
            )
        ]
    )
    return True
