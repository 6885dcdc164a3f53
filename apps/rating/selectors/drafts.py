"""Drafts read and priced: what a tariff would cost before it is live."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from django.conf import settings

from apps.kernel.errors import InvalidInputs, NotFound
from apps.rating.domain import source as src
from apps.rating.domain.drafts import changed_ids, ids_of, plan_of, with_folder
from apps.rating.domain.history_files import plan_path
from apps.rating.domain.rater import Rater
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff import Tariff, compile_tariff
from apps.rating.domain.tariff_files import (
    FILES,
    FOLDER_TABLES,
    KnownIds,
    TariffFiles,
    check_references,
    read_tariff_files,
    unpacked,
)
from apps.rating.models import TariffDraft, TariffVersion
from apps.rating.selectors.tariff_source import known_ids, tariff_source, tenant_zones, zones_of_tenants
from apps.rating.selectors.tariffs import version_source, version_terms

_KEPT_DRAFTS = 2


class DraftTariff(NamedTuple):
    """A draft compiled over the tariff that is live; ``based_on`` is that version (None: there is none yet)."""

    draft_id: int
    based_on: int | None
    source: src.TariffSource
    tariff: Tariff
    rater: Rater


class Meanwhile(NamedTuple):
    """What has become live since a draft was checked: by file, the ids that differ.

    ``clashing`` are those among them that the draft would write over.
    """

    version_id: int | None
    changed: dict[str, list[str]]
    clashing: dict[str, list[str]]


def draft_tariff(draft_id: int) -> DraftTariff:
    """A draft as a tariff of its own, with the Rater that prices by it; what is live elsewhere is not touched.

    Raises NotFound, and InvalidInputs if the draft has errors.
    """
    content_hash = TariffDraft.objects.filter(pk=draft_id).values_list("content_hash", flat=True).first()
    if content_hash is None:
        raise NotFound(f"there is no tariff draft {draft_id}")
    live = _newest()
    return _compiled(draft_id, content_hash, live, tuple(sorted(tenant_zones().items())))


def draft_files(draft: TariffDraft) -> TariffFiles:
    """The values of a draft's tables of prices, and their faults and warnings by themselves."""
    contents = draft_contents(draft)
    return read_tariff_files(
        {name: contents[name] for name in FILES if name in contents},
        plan_code=draft.plan_code,
        tenant=owner_of(draft),
        zones=zones_of_tenants(),
    )


def draft_contents(draft: TariffDraft) -> dict[str, bytes]:
    """All tables of a draft, by name without ``.csv``."""
    files = unpacked(bytes(draft.archive))
    return {name.removesuffix(".csv"): data for name, data in files.items()}


def owner_of(draft: TariffDraft) -> str | None:
    """The tenant whose own the draft is; None: it is shared."""
    return None if draft.plan_code == SHARED_TARIFF_PLAN else draft.plan_code


def live_source() -> src.TariffSource:
    """The source of the newest version; of the rows as long as there is none."""
    newest = _newest()
    return version_source(newest[0]) if newest is not None else tariff_source()


def changed_meanwhile(draft: TariffDraft) -> Meanwhile:
    """What has changed in the draft's tariff plan since the draft was checked."""
    newest = _newest()
    version_id = newest[0] if newest is not None else None
    if version_id == draft.base_version_id or version_id is None:
        return Meanwhile(version_id, {}, {})
    base = version_source(draft.base_version_id) if draft.base_version_id is not None else src.TariffSource()
    before = plan_of(base, draft.plan_code)
    after = plan_of(version_source(version_id), draft.plan_code)
    changed = changed_ids(before, after)
    own = ids_of(draft_files(draft).plan)
    clashing = {
        file: {name for name in ids if draft.flush or name in own[file] or _within(name, draft.scope)}
        for file, ids in changed.items()
    }
    for table, ids in _other_tables_changed(draft, version_id).items():
        changed[table] = clashing[table] = ids
    return Meanwhile(version_id, _listed(changed), _listed(clashing))


def _other_tables_changed(draft: TariffDraft, version_id: int) -> dict[str, set[str]]:
    """Of the draft's tables beside prices, what their changed rows belong to."""
    base = version_terms(draft.base_version_id) if draft.base_version_id is not None else {}
    live = version_terms(version_id)
    result = {}
    for table in draft_contents(draft).keys() & FOLDER_TABLES.keys():
        path = plan_path(draft.plan_code, table)
        before, after = ({tuple(row.items()) for row in terms.get(path, ())} for terms in (base, live))
        result[table] = {
            "/".join(str(dict(row).get(column, "")) for column in FOLDER_TABLES[table].key)
            for row in before ^ after
        }
    return result


def _within(name: str, scope: str) -> bool:
    return bool(scope) and name.startswith(scope)


def _listed(ids: dict[str, set[str]]) -> dict[str, list[str]]:
    return {file: sorted(names) for file, names in ids.items() if names}


def _newest() -> tuple[int, str] | None:
    return TariffVersion.objects.order_by("-id").values_list("id", "content_hash").first()


@lru_cache(maxsize=_KEPT_DRAFTS)
def _compiled(
    draft_id: int, content_hash: str, live: tuple[int, str] | None, zones: tuple[tuple[str, str], ...]
) -> DraftTariff:
    draft = TariffDraft.objects.get(pk=draft_id)
    files = check_references(draft_files(draft), KnownIds() if draft.flush else known_ids(draft.plan_code))
    if files.faults:
        raise InvalidInputs(files.problems)
    source = with_folder(live_source(), files, dict(zones), flush=draft.flush)
    tariff = compile_tariff(source)
    rater = Rater(tariff, settings.RATING_FALLBACK_DEPTH)
    return DraftTariff(draft_id, live[0] if live is not None else None, source, tariff, rater)
