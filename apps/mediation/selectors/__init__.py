"""Reads of the mediation room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from apps.backoffice.exports import Sheet
from apps.kernel.currencies import decimals_of
from apps.kernel.errors import BssError
from apps.kernel.money import format_micros
from apps.mediation.domain.charges import Charge
from apps.mediation.models import Cdr, CdrCorrection, CdrFile, SessionRecord, SuspendedRecord
from apps.mediation.pb.billing_pb2 import CDR
from apps.rating.domain import Allowance, Usage, plan_subject
from apps.rating.domain.explain import Explanation, explain, prose
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.models import TariffVersion
from apps.rating.selectors import tariff_version

# Rows that other rooms may join in SQL of their own: ``FROM {RATED_RECORDS} c``.
RATED_RECORDS = (
    "(SELECT id, file_id, run, mode, account_id, subscriber_id, service_id, destination_id, price_plan_id, start,"
    " `usage`, free_usage, billed_usage, cost_micros, other_party, source_id, record_id FROM mediation_cdr)"
)
RUN_ACCOUNTS = "(SELECT account_id FROM mediation_runaccount)"
FILES = "(SELECT id, load_sequence FROM mediation_cdrfile)"
CORRECTIONS = (
    "(SELECT cause, taken_back_at, cost_after_micros - cost_before_micros AS added_micros"
    " FROM mediation_cdrcorrection)"
)


@dataclass(frozen=True, slots=True)
class CdrExplanation:
    """How a rated record came to its price. ``agrees``: pricing it again gives the stored price."""

    explanation: Explanation
    agrees: bool
    stored_cost_micros: int
    text: str


def pricing_version(cdr: Cdr) -> TariffVersion | None:
    """The tariff version that priced the record: that of its newest correction, or its file's."""
    corrections = cdr.corrections.filter(taken_back_at=None).order_by("-pk")
    version_id = corrections.values_list("tariff_version_id", flat=True).first() or cdr.file.tariff_version_id
    # Without its snapshot, which is large.
    return TariffVersion.objects.only("pk").filter(pk=version_id or 0).first()


class Corrected(NamedTuple):
    """A record of an account whose charge changed at a time, and what it had before."""

    at: datetime
    cdr_id: int
    before: Charge


def corrections_of(account_ids: Collection[int]) -> dict[int, list[Corrected]]:
    """Every change of charges of the accounts' records, the earliest first; accounts without any are left out.

    A record's charge at a time is what the first change after it found.
    """
    found: dict[int, list[Corrected]] = defaultdict(list)
    rows = CdrCorrection.objects.filter(account_id__in=account_ids).order_by("pk")
    for row in rows.select_related("destination_before", "destination_after"):
        before = Charge(
            row.destination_before.tag, row.free_before, row.billed_before, row.cost_before_micros
        )
        found[row.account_id].append(Corrected(row.at, row.cdr_id, before))
        if row.taken_back_at is not None:
            after = Charge(row.destination_after.tag, row.free_after, row.billed_after, row.cost_after_micros)
            found[row.account_id].append(Corrected(row.taken_back_at, row.cdr_id, after))
    for changes in found.values():
        changes.sort(key=lambda change: change.at)
    return dict(found)


def explain_cdr(cdr: Cdr) -> CdrExplanation:
    """Price a record again by the tariff version, price plan and free units of its time, and tell how.

    Raises NotFound if its tariff version is gone, RatingError if it can no longer be priced.
    """
    version = pricing_version(cdr)
    if version is None:
        raise BssError("the record's file names no tariff version", code="no_tariff")
    rater = tariff_version(version.pk).rater
    tenant = cdr.account.tenant
    category, subject = cdr.service.category, plan_subject(cdr.price_plan.code)
    if cdr.run != DEFAULT_RUN:
        terms = CDR.FromString(bytes(cdr.raw))
        category, subject = terms.category, terms.subject
    usage = Usage(
        tenant.code,
        category,
        subject,
        cdr.service.type_of_record,
        cdr.other_party,
        cdr.start,
        cdr.usage,
    )
    # Its free units stay free, although the counters have changed since.
    allowances = (Allowance("free units", cdr.free_usage),) if cdr.free_usage else ()
    explanation = explain(rater, usage, allowances=allowances)
    rated = explanation.rated
    agrees = (rated.cost_micros, rated.billed_usage, rated.free_usage) == (
        cdr.cost_micros,
        cdr.billed_usage,
        cdr.free_usage,
    )
    return CdrExplanation(explanation, agrees, cdr.cost_micros, prose(explanation, tenant.time_zone))


def open_suspense(
    reasons: list[str] | None = None, file: CdrFile | None = None, ids: list[int] | None = None
) -> QuerySet[SuspendedRecord]:
    """Open records in suspense, filtered by each argument that is given."""
    records = SuspendedRecord.objects.filter(state=SuspendedRecord.State.OPEN)
    if reasons:
        records = records.filter(reason__in=reasons)
    if file is not None:
        records = records.filter(file=file)
    if ids:
        records = records.filter(pk__in=ids)
    return records


SESSION_RECORD_COLUMNS = (
    *("tenant", "account", "record_id", "service", "start", "usage", "session", "charged_usage", "state"),
    *("difference", "currency", "settled_at", "settled_by"),
)


def session_record_sheet(records: QuerySet[SessionRecord]) -> Sheet:
    """Records of usage that was charged in real time, compared with it; money as decimal text."""
    return Sheet(SESSION_RECORD_COLUMNS, _session_record_cells(records))


def _session_record_cells(records: QuerySet[SessionRecord]) -> Iterator[tuple[object, ...]]:
    rows = records.select_related("account__tenant", "service", "session")
    for row in rows.order_by("pk").iterator(chunk_size=2_000):
        yield (
            row.account.tenant.code,
            row.account.number,
            row.record_id,
            row.service.code,
            f"{row.start:%Y-%m-%dT%H:%M:%SZ}",
            row.usage,
            row.session.session_id if row.session else row.event_cause,
            "" if row.charged_usage is None else row.charged_usage,
            row.state,
            format_micros(row.difference_micros, decimals_of(row.account.currency)),
            row.account.currency,
            f"{row.settled_at:%Y-%m-%dT%H:%M:%SZ}" if row.settled_at else "",
            row.settled_by,
        )
