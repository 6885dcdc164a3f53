"""Who renders what: bills are claimed a few at a time, for a while, and found again if the claimant has died."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.billing.models import Bill
from apps.billing.services.notifications import notify
from apps.invoicing.domain.attempts import MOST_ATTEMPTS
from apps.invoicing.models import BillRendering
from apps.invoicing.services.owners import has_ended, host
from apps.storage.retry import retrying

# Of so many concurrent claimants, each of whom takes what the next was about to, one gets nothing.
LOOKS = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """A bill that this process is to render; a re-issue where ``requested_at`` is set."""

    bill_id: int
    attempts: int
    """This one included."""
    requested_at: datetime | None = None
    requested_by: str = ""
    reason: str = ""


Chosen = TypeVar("Chosen", Bill, BillRendering)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which bills are meant: all, those of one cycle, or those named."""

    cycle_number: int | None = None
    bill_ids: Collection[int] | None = None

    def of_bills(self, bills: QuerySet[Chosen], prefix: str = "") -> QuerySet[Chosen]:
        if self.cycle_number is not None:
            bills = bills.filter(**{f"{prefix}cycle__number": self.cycle_number})
        if self.bill_ids is not None:
            bills = bills.filter(pk__in=self.bill_ids)
        return bills


EVERYTHING = Choice()


def _held(now: datetime) -> Q:
    """Renderings that are not to be touched now: in hand, waiting for their next attempt, or given up."""
    return Q(claimed_until__gt=now) | Q(retry_at__gt=now) | Q(given_up_at__isnull=False)


def due_bills(now: datetime, choice: Choice = EVERYTHING) -> QuerySet[Bill]:
    """NEW bills that no process has claimed."""
    held = BillRendering.objects.filter(_held(now), bill=OuterRef("pk"))
    return choice.of_bills(Bill.objects.filter(~Exists(held), status=Bill.Status.NEW))


def due_reissues(now: datetime, choice: Choice = EVERYTHING) -> QuerySet[BillRendering]:
    """Requested re-issues that no process has claimed."""
    found = BillRendering.objects.filter(requested_at__isnull=False).exclude(_held(now))
    return choice.of_bills(found, "bill__")


def due_count(now: datetime, choice: Choice = EVERYTHING, at_most: int | None = None) -> int:
    """How many documents are due; counted no further than ``at_most``."""
    bills, reissues = due_bills(now, choice), due_reissues(now, choice)
    if at_most is None:
        return bills.count() + reissues.count()
    return min(at_most, bills[:at_most].count() + reissues[:at_most].count())


def claim(owner: str, most: int, now: datetime, choice: Choice = EVERYTHING) -> list[Claim]:
    """Take up to ``most`` documents that are due; empty if there are none, or all had to be given up.

    One that was begun before and not finished is taken alone: should it be what kills the process, nothing else
    suffers from it. Concurrent claimants skip each other's rows (MySQL) or take turns (SQLite).
    """
    for _ in range(LOOKS):
        claimed = retrying(lambda: _claim(owner, most, now, choice))
        if claimed is not None:
            return claimed
    return []


@transaction.atomic
def _claim(owner: str, most: int, now: datetime, choice: Choice) -> list[Claim] | None:
    """None if others were quicker at all that was found; there may be more."""
    look_at = max(most, settings.INVOICE_BATCH)
    skip = connection.features.has_select_for_update_skip_locked
    ids = list(
        due_reissues(now, choice)
        .order_by("requested_at", "pk")
        .select_for_update(of=(), skip_locked=skip)
        .values_list("pk", flat=True)[:look_at]
    )
    if len(ids) < look_at:
        bills = due_bills(now, choice).order_by("pk").select_for_update(skip_locked=skip)
        ids += bills.values_list("pk", flat=True)[: look_at - len(ids)]
    if not ids:
        return []
    # The locking read may use an older snapshot: another's claim, just committed, is seen only now.
    renderings = BillRendering.objects.select_for_update().in_bulk(ids)
    held = set(BillRendering.objects.filter(_held(now), pk__in=ids).values_list("pk", flat=True))
    free = [pk for pk in ids if pk not in held]
    if not free:
        return None
    hopeless = [pk for pk in free if pk in renderings and renderings[pk].attempts >= MOST_ATTEMPTS]
    if hopeless:
        _give_up(hopeless, now)
        free = [pk for pk in free if pk not in hopeless]
    tried = [pk for pk in free if pk in renderings and renderings[pk].attempts]
    tried.sort(key=lambda pk: renderings[pk].attempts)
    chosen = [pk for pk in free if pk not in tried][:most] or tried[:1]
    until = now + timedelta(seconds=settings.INVOICE_CLAIM_S)
    BillRendering.objects.bulk_create(
        [
            BillRendering(pk=pk, owner=owner, claimed_until=until, attempts=1)
            for pk in chosen
            if pk not in renderings
        ]
    )
    BillRendering.objects.filter(pk__in=[pk for pk in chosen if pk in renderings]).update(
        owner=owner, claimed_until=until, attempts=F("attempts") + 1, retry_at=None
    )
    return [_claim_of(pk, renderings.get(pk)) for pk in chosen]


def _give_up(bill_ids: Sequence[int], now: datetime) -> None:
    """Bills whose last attempt ended with its process, without a word."""
    reason = (
        f"the process died each of the {MOST_ATTEMPTS} times it rendered this bill; is there enough memory?"
    )
    BillRendering.objects.filter(pk__in=bill_ids).update(
        owner="", claimed_until=None, given_up_at=now, error=reason
    )
    for bill in Bill.objects.filter(pk__in=bill_ids):
        notify(
            f"{bill} could not be rendered: {reason}", now, level="error", tenant_id=bill.tenant_id, bill=bill
        )


def _claim_of(bill_id: int, before: BillRendering | None) -> Claim:
    if before is None:
        return Claim(bill_id, 1)
    return Claim(bill_id, before.attempts + 1, before.requested_at, before.requested_by, before.reason)


def extend(owner: str, bill_ids: Sequence[int], until: datetime) -> None:
    """Keep a claim for longer: a document of many pages takes its time."""
    BillRendering.objects.filter(pk__in=bill_ids, owner=owner).update(claimed_until=until)


@transaction.atomic
def release(owner: str, bill_ids: Sequence[int]) -> None:
    """Give back claims that were not begun, or stopped for no fault of the bill; they are due again at once."""
    mine = BillRendering.objects.filter(pk__in=bill_ids, owner=owner)
    mine.filter(attempts__lte=1, requested_at=None, error="").delete()
    mine.update(owner="", claimed_until=None, attempts=F("attempts") - 1)


def release_of_dead(now: datetime) -> int:
    """Free what processes of this host had in hand when they died; how many. Other hosts' claims run out by themselves.

    The attempt stays counted: should the bill be what killed the process, it is given up after some.
    """
    owners = BillRendering.objects.filter(owner__startswith=f"{host()}:", claimed_until__gt=now)
    gone = [owner for owner in owners.values_list("owner", flat=True).distinct() if has_ended(owner)]
    return BillRendering.objects.filter(owner__in=gone).update(owner="", claimed_until=None) if gone else 0
