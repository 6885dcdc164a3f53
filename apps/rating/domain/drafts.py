"""What the tariff would be with a folder loaded: the same source that loading and publishing it would make."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from apps.rating.domain import source as src
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files import FILES, TariffFiles, merged

NEW_TENANT_ZONE = "UTC"


def with_fee_first(slots: tuple[src.RateSlot, ...]) -> tuple[src.RateSlot, ...]:
    """The slots by start; the first gets the connect fee of the file's first row."""
    first, *later = sorted(slots, key=lambda slot: slot.group_start)
    return (first._replace(connect_fee=slots[0].connect_fee), *later)


def plan_of(source: src.TariffSource, code: str) -> src.TariffPlan:
    """The tariff plan of this code; an empty one if the source has none."""
    return next((plan for plan in source.tariff_plans if plan.code == code), src.TariffPlan(code))


def with_folder(
    live: src.TariffSource, files: TariffFiles, zones: Mapping[str, str], *, flush: bool
) -> src.TariffSource:
    """The source after ``files`` are loaded over ``live``; ``zones`` are the time zones of all tenants by code.

    Each id of the folder takes the place of the live one; with ``flush`` nothing of its tariff plan is kept.
    """
    code = files.plan.code
    loaded = files if flush else merged(plan_of(live, code), files)
    named = {profile[:4] for profile in files.plan.rating_profiles}

    def stays(profile: src.RatingProfile) -> bool:
        """A profile of another tariff plan; flushing a tenant's own plan takes all profiles of the tenant."""
        return profile[:4] not in named and not (
            flush and code != SHARED_TARIFF_PLAN and profile.tenant == code
        )

    plans = {SHARED_TARIFF_PLAN: src.TariffPlan(SHARED_TARIFF_PLAN)}
    for plan in live.tariff_plans:
        plans[plan.code] = plan._replace(rating_profiles=tuple(filter(stays, plan.rating_profiles)))
    plans[code] = _as_stored(loaded.plan)
    tenants = dict.fromkeys(files.tenants(), NEW_TENANT_ZONE) | dict(zones)
    return src.TariffSource(
        tuple(sorted(tenants.items())), tuple(plans[name] for name in sorted(plans)), live.price_plans
    )


def changed_ids(before: src.TariffPlan, after: src.TariffPlan) -> dict[str, set[str]]:
    """By file, the ids whose rows differ between two states of a tariff plan; profiles by :func:`profile_id`."""
    old, new = _rows_by_id(before), _rows_by_id(after)
    return {
        file: {
            name for name in old[file].keys() | new[file].keys() if old[file].get(name) != new[file].get(name)
        }
        for file in FILES
    }


def ids_of(plan: src.TariffPlan) -> dict[str, set[str]]:
    """By file, the ids that the plan defines."""
    return {file: set(rows) for file, rows in _rows_by_id(plan).items()}


def profile_id(profile: src.RatingProfile) -> str:
    """How one activation of a rating profile is named: ``tenant/category/subject`` and its Unix second."""
    return f"{profile.tenant}/{profile.category}/{profile.subject}@{profile.activation_epoch}"


def _rows_by_id(plan: src.TariffPlan) -> dict[str, dict[str, list[tuple[object, ...]]]]:
    tables: dict[str, dict[str, list[tuple[object, ...]]]] = {}
    for file, rows in zip(FILES[:-1], plan[1:6], strict=True):
        table = tables[file] = {}
        for row in rows:
            table.setdefault(str(row[0]), []).append(row)
    tables[FILES[-1]] = {profile_id(profile): [profile] for profile in plan.rating_profiles}
    return tables


def _as_stored(plan: src.TariffPlan) -> src.TariffPlan:
    """The plan in the order and spelling of :func:`apps.rating.selectors.tariff_source.tariff_source`.

    Rows of one destination rate or rating plan keep their order, which decides between equal weights.
    """
    return src.TariffPlan(
        plan.code,
        tuple(sorted(plan.timings)),
        tuple(row._replace(prefixes=tuple(sorted(row.prefixes))) for row in sorted(plan.destinations)),
        tuple(
            row._replace(slots=with_fee_first(row.slots)) if row.slots else row
            for row in sorted(plan.rates, key=lambda row: row.id)
        ),
        tuple(sorted(plan.destination_rates, key=lambda row: row.id)),
        tuple(
            row._replace(weight=f"{Decimal(row.weight).normalize():f}")
            for row in sorted(plan.rating_plans, key=lambda row: row.id)
        ),
        tuple(sorted(plan.rating_profiles)),
    )
