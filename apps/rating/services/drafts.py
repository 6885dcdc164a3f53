"""Drafts: made, checked, scheduled, published once, discarded; and the way back to an earlier tariff.

With ``RATING_MAKER_CHECKER`` the maker of a draft may neither publish nor schedule it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from apps.events.services.publishing import publish as publish_events
from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs, NotFound, Problem
from apps.rating.domain.drafts import with_folder
from apps.rating.domain.published import TARIFF_DRAFT_HELD
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff import compile_tariff
from apps.rating.domain.tariff_files import MAX_ARCHIVE_BYTES, TariffFiles, packed, sorted_out, write_table
from apps.rating.models import TariffDraft, TariffLoad, TariffPlan, TariffVersion
from apps.rating.selectors import tariffs as selectors
from apps.rating.selectors.drafts import changed_meanwhile, draft_contents, live_source, owner_of
from apps.rating.selectors.tariff_source import tenant_zones
from apps.rating.services.folder_checking import check_folder, read_folder, review_folder
from apps.rating.services.folder_parts import folder_files, parts
from apps.rating.services.publishing import OF_CUSTOMERS
from apps.rating.services.tariff_export import export_folder
from apps.rating.services.tariff_loading import Loaded, store_tariff_plan

logger = logging.getLogger(__name__)

_PROBLEMS_KEPT = 1_000
_NAMED = 10
State = TariffDraft.State
UNDECIDED = (State.OPEN, State.SCHEDULED, State.HELD)


@transaction.atomic
def make_draft(
    tables: Mapping[str, bytes],
    now: datetime,
    *,
    plan_code: str = SHARED_TARIFF_PLAN,
    flush: bool = False,
    by: str = "",
    origin: str = "",
    note: str = "",
    unknown: tuple[str, ...] = (),
    findings: Sequence[Problem] = (),
    scope: str = "",
) -> TariffDraft:
    """Keep a folder's tables (by name without ``.csv``) as a draft, and check it. Errors are kept with it.

    ``plan_code`` is ``*shared``, or the tenant whose own the folder is; ``findings`` are warnings of what made
    the tables, and ``scope`` the beginning of all ids that they were made of. Raises InvalidInput if there is no table.
    """
    if not tables:
        raise InvalidInput("this has none of the files of a tariff folder", code="no_files")
    archive = packed(tables)
    if len(archive) > MAX_ARCHIVE_BYTES:
        raise InvalidInput(
            f"packed, the folder has {len(archive):,} octets; a draft holds at most {MAX_ARCHIVE_BYTES:,}",
            code="too_large",
        )
    draft = TariffDraft(
        plan_code=plan_code,
        made_at=now,
        made_by=by[:150],
        origin=origin[-255:],
        note=note[:200],
        flush=flush,
        archive=archive,
        content_hash=hashlib.sha256(archive).hexdigest(),
        scope=scope,
        findings=_listed_problems(findings[:_PROBLEMS_KEPT]),
        unknown_files=sorted(unknown)[:_PROBLEMS_KEPT],
    )
    _check(draft, now)
    draft.save()
    return draft


@transaction.atomic
def check_draft(draft_id: int, now: datetime) -> TariffDraft:
    """Check a draft against what is live now; from here on that is what it is based on."""
    draft = _undecided(draft_id)
    _check(draft, now)
    draft.save()
    return draft


@transaction.atomic
def schedule_draft(draft_id: int, at: datetime, now: datetime, by: str = "") -> TariffDraft:
    """Have a draft go live at a time. Raises Conflict, InvalidInput (the time is past), InvalidInputs (its errors)."""
    draft = _undecided(draft_id)
    _demand_second_person(draft, by)
    if at <= now:
        raise InvalidInput("this time is past; publish the draft now, or give a later time", where="time")
    if draft.error_count:
        raise InvalidInputs(problems_of(draft))
    draft.state, draft.publish_at, draft.message = State.SCHEDULED, at, ""
    draft.decided_at, draft.decided_by = now, by[:150]
    draft.save()
    return draft


@transaction.atomic
def discard_draft(draft_id: int, now: datetime, by: str = "") -> TariffDraft:
    """Give a draft up; it stays on record. Raises Conflict if it is published or discarded already."""
    draft = _undecided(draft_id)
    draft.state, draft.decided_at, draft.decided_by = State.DISCARDED, now, by[:150]
    draft.save()
    return draft


@transaction.atomic
def publish_draft(draft_id: int, now: datetime, by: str = "", *, accept_changes: bool = False) -> Loaded:
    """Load a draft and publish the tariff, once: it cannot be published again.

    It is checked against what is live now. Raises InvalidInputs with its errors; Conflict of code ``live_changed`` if
    it would write over what has changed since it was checked, unless ``accept_changes``; of code ``same_person``
    if a second person is wanted.
    """
    draft = _undecided(draft_id)
    _demand_second_person(draft, by)
    return _publish(draft, now, by, accept_changes=accept_changes)


def publish_due_drafts(now: datetime) -> int:
    """Publish each scheduled draft whose time has come, earliest first; returns how many.

    One that cannot go live as it is becomes ``held``, which an event tells. Any number of processes may do so at once.
    """
    due = TariffDraft.objects.filter(state=State.SCHEDULED, publish_at__lte=now).order_by("publish_at", "id")
    return sum(_publish_due(draft_id, now) for draft_id in due.values_list("id", flat=True))


def go_back(
    version_id: int, now: datetime, *, plan_code: str = SHARED_TARIFF_PLAN, by: str = ""
) -> TariffDraft:
    """Make a tariff plan what it was in an earlier version: a draft of that content, published at once.

    With ``RATING_MAKER_CHECKER`` the draft waits for a second person. Raises NotFound, InvalidInputs.
    """
    files, _ = export_folder(plan_code, version_id)
    for part in parts():
        # An empty table in the folder has a flush remove what has come since.
        if (
            part.name not in files
            and part.name not in OF_CUSTOMERS
            and any(True for _ in part.export(plan_code))
        ):
            files[part.name] = write_table(part.columns.columns, ())
    with transaction.atomic():
        draft = make_draft(
            {name: text.encode() for name, text in files.items()},
            now,
            plan_code=plan_code,
            flush=True,
            by=by,
            origin=f"tariff version {version_id}",
            note=f"Back to tariff version {version_id}",
        )
        if not settings.RATING_MAKER_CHECKER:
            _publish(draft, now, by, accept_changes=True)
    return draft


def version_before(load: TariffLoad) -> int:
    """The version that a load took the place of. Raises Conflict if it changed nothing, or there was none."""
    if not load.is_new_version:
        raise Conflict("this load changed nothing that prices depend on", code="nothing_changed")
    before = selectors.version_before(load.version_id)
    if before is None:
        raise Conflict("there was no tariff before this load", code="nothing_before")
    return before


def problems_of(draft: TariffDraft) -> list[Problem]:
    """The errors that the last check of a draft found."""
    return [Problem(where, message, code) for where, message, code in draft.problems[: draft.error_count]]


def _publish_due(draft_id: int, now: datetime) -> bool:
    try:
        with transaction.atomic():
            draft = TariffDraft.objects.select_for_update().get(pk=draft_id)
            if draft.state != State.SCHEDULED or draft.publish_at is None or draft.publish_at > now:
                return False
            _publish(draft, now, draft.decided_by)
            return True
    except BssError as error:
        _hold(draft_id, now, str(error))
    except Exception:
        # It is tried again at the next tick; the others need not wait for it.
        logger.exception("Tariff draft %s could not be published", draft_id)
    return False


@transaction.atomic
def _hold(draft_id: int, now: datetime, why: str) -> None:
    draft = TariffDraft.objects.select_for_update().get(pk=draft_id)
    if draft.state != State.SCHEDULED:
        return
    logger.error("Tariff draft %s was due and is held: %s", draft_id, why)
    draft.state, draft.message = State.HELD, why[:500]
    draft.save(update_fields=["state", "message"])
    publish_events([TARIFF_DRAFT_HELD.event(draft_id, now, draft_id=draft_id, reason=draft.message)])


def _publish(draft: TariffDraft, now: datetime, by: str, *, accept_changes: bool = False) -> Loaded:
    # The lock of a load: what is live of the plan stays as it is until this commits.
    TariffPlan.objects.get_or_create(code=draft.plan_code)
    TariffPlan.objects.select_for_update().get(code=draft.plan_code)
    meanwhile = changed_meanwhile(draft)
    if meanwhile.clashing and not accept_changes:
        then = (
            "upload its deck again"
            if draft.scope
            else "look at the difference, check it again, and publish it then"
        )
        raise Conflict(
            f"since the draft was checked, {listed(meanwhile.clashing)} changed, and it would write over them; {then}",
            code="live_changed",
        )
    findings = [
        Problem(
            f"{file}.csv", f"{', '.join(ids[:_NAMED])} changed since the draft was checked", "live_changed"
        )
        for file, ids in meanwhile.changed.items()
    ]
    loaded = store_tariff_plan(
        _folder(draft),
        now,
        flush=draft.flush,
        by=by,
        origin=f"draft {draft.pk}: {draft.origin}",
        findings=findings,
        why=f"draft {draft.pk}: {draft.note or draft.origin}",
    )
    draft.state, draft.load_id, draft.message = State.PUBLISHED, loaded.load_id, ""
    draft.decided_at, draft.decided_by = now, by[:150]
    draft.save()
    return loaded


def listed(ids: Mapping[str, list[str]]) -> str:
    """``Rates RT_A, RT_B; Timings PEAK``: some of the ids by file, and how many more there are."""
    return "; ".join(
        f"{file} {', '.join(names[:_NAMED])}"
        + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
        for file, names in ids.items()
    )


def _undecided(draft_id: int) -> TariffDraft:
    draft = TariffDraft.objects.select_for_update().filter(pk=draft_id).first()
    if draft is None:
        raise NotFound(f"there is no tariff draft {draft_id}")
    if draft.state not in UNDECIDED:
        raise Conflict(f"{draft} is {draft.state} already", code=f"draft_{draft.state}")
    return draft


def _demand_second_person(draft: TariffDraft, by: str) -> None:
    if settings.RATING_MAKER_CHECKER and (not by or by == draft.made_by):
        raise Conflict(
            f"{draft.made_by or 'a process'} made this draft; another person has to publish it",
            code="same_person",
        )


def tables_of(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Of a folder's files by name: the tables without ``.csv``, and the names of the others."""
    names, unknown = sorted_out(files, folder_files())
    return {name: files[f"{name}.csv"] for name in names}, tuple(unknown)


def _folder(draft: TariffDraft) -> TariffFiles:
    return read_folder(draft_contents(draft), tenant=owner_of(draft), unknown=tuple(draft.unknown_files))


def _listed_problems(problems: Sequence[Problem]) -> list[list[str]]:
    return [[problem.where, problem.message, problem.code] for problem in problems]


def _check(draft: TariffDraft, now: datetime) -> None:
    """Read the draft's files, and note what is wrong or odd about them over what is live now."""
    checked = check_folder(_folder(draft), now, flush=draft.flush, every=True)
    files = checked.files
    made_with = [Problem(where, message, code) for where, message, code in draft.findings]
    errors, warnings = list(files.problems), [*made_with, *files.warnings]
    if not errors:
        try:
            compile_tariff(with_folder(live_source(), files, tenant_zones(), flush=draft.flush))
        except InvalidInputs as error:
            errors = error.problems
        else:
            warnings += review_folder(checked, now.date(), flush=draft.flush)
    draft.files = files.rows | files.others.counts
    kept = [*errors[:_PROBLEMS_KEPT], *warnings[:_PROBLEMS_KEPT]]
    draft.problems = _listed_problems(kept)
    draft.error_count, draft.warning_count = len(errors), len(warnings)
    draft.checked_at = now
    newest = TariffVersion.objects.order_by("-id").values_list("id", flat=True).first()
    # What was made of live prices stays based on those.
    if draft.pk is None or not draft.scope:
        draft.base_version_id = newest
