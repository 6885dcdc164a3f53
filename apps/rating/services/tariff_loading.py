"""Loading a folder of tariff files into rows, in one transaction that ends with a published version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import models, transaction

from apps.kernel.errors import Conflict, InvalidInputs, Problem
from apps.rating.domain.drafts import with_fee_first
from apps.rating.domain.source import ANY, SHARED_TARIFF_PLAN
from apps.rating.domain.tariff_files import (
    FILES,
    TariffFiles,
)
from apps.rating.models import (
    Destination,
    DestinationPrefix,
    DestinationRate,
    DestinationRateEntry,
    Rate,
    RateSlot,
    RatingPlan,
    RatingPlanEntry,
    RatingProfile,
    TariffLoad,
    TariffPlan,
    TariffVersion,
    Tenant,
    Timing,
)
from apps.rating.services.folder_checking import Checked, check_folder
from apps.rating.services.folder_parts import (
    PartChange,
    parts,
)
from apps.rating.services.publishing import publish
from apps.storage.bulk import insert_in_batches

_BATCH = 500


# Warnings that a load keeps; the rest is counted.
_WARNINGS_KEPT = 1_000


class Changes(NamedTuple):
    """How many ids of a file were new, replaced and removed by a load."""

    new: int
    replaced: int
    removed: int


class Loaded(NamedTuple):
    """What a load left: the tariff version in force, whether it is new, the tenants that it created, the changes,
    and the load's record."""

    version_id: int
    is_new: bool
    new_tenants: tuple[str, ...]
    changes: Mapping[str, Changes]
    load_id: int


@transaction.atomic
def load_tariff_plan(
    files: TariffFiles,
    now: datetime,
    *,
    flush: bool = False,
    by: str = "",
    origin: str = "",
    findings: Sequence[Problem] = (),
) -> Loaded:
    """Store the files, publish, and keep a record of the load (TariffLoad).

    Each id that the folder defines takes the place of its former rows. ``by`` and ``origin`` say who loaded it and
    from where; ``findings`` are warnings of a review, kept with the load's own.

    ``flush`` first removes the rows of this tariff plan (and, of one tenant's own plan, all the tenant's
    rating profiles). Raises InvalidInputs with every problem; then nothing is changed. Raises Conflict if a
    second person is to publish (``RATING_MAKER_CHECKER``), unless there is no tariff yet.
    """
    if settings.RATING_MAKER_CHECKER and TariffVersion.objects.exists():
        raise Conflict(
            "here a second person publishes tariffs; make a draft of the folder (loadtariffplan --draft)",
            code="second_person",
        )
    return store_tariff_plan(files, now, flush=flush, by=by, origin=origin, findings=findings)


@transaction.atomic
def store_tariff_plan(
    files: TariffFiles,
    now: datetime,
    *,
    flush: bool,
    by: str,
    origin: str,
    findings: Sequence[Problem],
    why: str = "",
) -> Loaded:
    """:func:`load_tariff_plan` without asking who may; the version's note is ``why``."""
    plan, _ = TariffPlan.objects.get_or_create(code=files.plan.code)
    TariffPlan.objects.select_for_update().get(pk=plan.pk)
    checked = check_folder(files, now, flush=flush)
    files = checked.files
    if files.faults:
        raise InvalidInputs(files.problems)
    changes = changes_of(checked, flush=flush)
    if flush:
        _remove(plan)
    served = (code for change in checked.changes.values() for code in change.tenants)
    new_tenants = _create_tenants(dict.fromkeys((*files.tenants(), *served)))
    _Writer(plan, files).write()
    _load_parts(checked.changes)
    published = publish(now, why or f"loadtariffplan {plan.code}", by)
    warnings = [*files.warnings, *findings]
    load = TariffLoad.objects.create(
        loaded_at=now,
        loaded_by=by[:150],
        plan_code=plan.code,
        origin=origin[-255:],
        flushed=flush,
        files=files.rows | files.others.counts,
        changes={file: change._asdict() for file, change in changes.items()},
        warnings=[[w.where, w.message, w.code] for w in warnings[:_WARNINGS_KEPT]],
        warning_count=len(warnings),
        version_id=published.version_id,
        is_new_version=published.is_new,
    )
    return Loaded(published.version_id, published.is_new, new_tenants, changes, load.pk)


def _load_parts(changes: Mapping[str, PartChange]) -> None:
    loaded = [part for part in parts() if part.name in changes]
    for part in loaded:
        part.load(changes[part.name])
    for part in reversed(loaded):
        if changes[part.name].removed:
            part.remove(changes[part.name])


def changes_of(checked: Checked, *, flush: bool) -> dict[str, Changes]:
    """By file with ids, what a load does to the ids that are stored."""
    values, known = checked.files.plan, checked.known
    tables: tuple[tuple[Any, ...], ...] = values[1:6]
    result = {}
    for file, rows, there in zip(FILES, tables, known, strict=False):
        own = {row.id for row in rows}
        result[file] = Changes(len(own - there), len(own & there), len(there - own) if flush else 0)
    others = checked.files.others
    for name, change in checked.changes.items():
        table = others.tables[name]
        keys, stored = others.keys(name), {row.key(table) for row in checked.stored[name]}
        result[name] = Changes(len(keys - stored), len(keys & stored), len(change.removed))
    return result


def _remove(plan: TariffPlan) -> None:
    """Delete a tariff plan's rows straight in the database; signals for 170,000 of them would take minutes."""
    profiles = models.Q(rating_plan__in=RatingPlan.objects.filter(tariff_plan=plan))
    if plan.code != SHARED_TARIFF_PLAN:
        profiles |= models.Q(tenant__in=Tenant.objects.filter(code=plan.code))
    _delete(RatingProfile.objects.filter(profiles))
    for child, parent, field in (
        (RatingPlanEntry, RatingPlan, "rating_plan"),
        (DestinationRateEntry, DestinationRate, "destination_rate"),
        (RateSlot, Rate, "rate"),
        (DestinationPrefix, Destination, "destination"),
    ):
        parents: models.QuerySet[Any] = parent._default_manager.filter(tariff_plan=plan)
        _delete(child._default_manager.filter(**{f"{field}__in": parents}))
        _delete(parents)
    _delete(Timing.objects.filter(tariff_plan=plan))


def _delete(rows: models.QuerySet[Any]) -> None:
    rows.order_by()._raw_delete(rows.db)


def _create_tenants(codes: Iterable[str]) -> tuple[str, ...]:
    there = set(Tenant.objects.values_list("code", flat=True))
    new = tuple(code for code in codes if code not in there)
    for code in new:
        Tenant.objects.create(code=code)
    return new


class _Writer:
    """Writes the values of one folder under a tariff plan."""

    def __init__(self, plan: TariffPlan, files: TariffFiles) -> None:
        self.plan = plan
        self.values = files.plan

    def write(self) -> None:
        timings = self._timings()
        destinations = self._destinations()
        rates = self._rates()
        groups = self._destination_rates(destinations, rates)
        self._rating_profiles(self._rating_plans(groups, timings))

    def _named(self, model: type[Any], codes: Iterable[str]) -> dict[str, int]:
        """The primary keys of all rows of the plan by code, after those missing were made."""
        rows = model._default_manager.filter(tariff_plan=self.plan).order_by()
        there = set(rows.values_list("code", flat=True))
        missing = [code for code in dict.fromkeys(codes) if code not in there]
        model._default_manager.bulk_create(
            [model(tariff_plan=self.plan, code=code) for code in missing], batch_size=2_000
        )
        return dict(rows.values_list("code", "id"))

    def _replace(
        self,
        model: type[Any],
        parent: str,
        parents: Iterable[int],
        columns: tuple[str, ...],
        rows: Iterable[Any],
    ) -> None:
        """Put ``rows`` in the place of all children of ``parents``."""
        for some in _chunks(list(dict.fromkeys(parents))):
            _delete(model._default_manager.filter(**{f"{parent}__in": some}))
        insert_in_batches(model._meta.db_table, (f"{parent}_id", *columns), rows)

    def _timings(self) -> dict[str, int]:
        ids = self._named(Timing, (timing.id for timing in self.values.timings))
        changed = [
            Timing(
                pk=ids[timing.id],
                years=_text(timing.years),
                months=_text(timing.months),
                month_days=_text(timing.month_days),
                weekdays=_text(timing.weekdays),
                start_s=timing.start_s,
                end_s=timing.end_s,
            )
            for timing in self.values.timings
        ]
        columns = ["years", "months", "month_days", "weekdays", "start_s", "end_s"]
        Timing.objects.bulk_update(changed, columns, batch_size=_BATCH)
        return ids

    def _destinations(self) -> dict[str, int]:
        own = self.values.destinations
        ids = self._named(Destination, (destination.id for destination in own))
        self._replace(
            DestinationPrefix,
            "destination",
            (ids[destination.id] for destination in own),
            ("prefix",),
            ((ids[destination.id], prefix) for destination in own for prefix in destination.prefixes),
        )
        return ids

    def _rates(self) -> dict[str, int]:
        own = self.values.rates
        ids = self._named(Rate, (rate.id for rate in own))
        for finely in (False, True):
            changed = [ids[rate.id] for rate in own if rate.nanoseconds is finely]
            for some in _chunks(changed):
                Rate.objects.filter(pk__in=some, nanoseconds=not finely).update(nanoseconds=finely)
        self._replace(
            RateSlot,
            "rate",
            (ids[rate.id] for rate in own),
            ("group_start", "connect_fee", "price", "unit", "increment"),
            ((ids[rate.id], *slot) for rate in own for slot in with_fee_first(rate.slots)),
        )
        return ids

    def _destination_rates(self, destinations: dict[str, int], rates: dict[str, int]) -> dict[str, int]:
        own = self.values.destination_rates
        ids = self._named(DestinationRate, (row.id for row in own))
        self._replace(
            DestinationRateEntry,
            "destination_rate",
            (ids[row.id] for row in own),
            (
                "destination_id",
                "rate_id",
                "rounding_method",
                "rounding_decimals",
                "max_cost",
                "max_cost_strategy",
            ),
            (
                (
                    ids[row.id],
                    None if row.destination_id == ANY else destinations[row.destination_id],
                    rates[row.rate_id],
                    row.rounding_method,
                    row.rounding_decimals,
                    row.max_cost,
                    row.max_cost_strategy,
                )
                for row in own
            ),
        )
        return ids

    def _rating_plans(self, groups: dict[str, int], timings: dict[str, int]) -> dict[str, int]:
        own = self.values.rating_plans
        ids = self._named(RatingPlan, (entry.id for entry in own))
        for some in _chunks(list({ids[entry.id] for entry in own})):
            _delete(RatingPlanEntry.objects.filter(rating_plan__in=some))
        RatingPlanEntry.objects.bulk_create(
            [
                RatingPlanEntry(
                    rating_plan_id=ids[entry.id],
                    destination_rate_id=groups[entry.destination_rates_id],
                    timing_id=None if entry.timing_id == ANY else timings[entry.timing_id],
                    weight=Decimal(entry.weight),
                )
                for entry in own
            ],
            batch_size=2_000,
        )
        return ids

    def _rating_profiles(self, plans: dict[str, int]) -> None:
        own = self.values.rating_profiles
        tenants = dict(Tenant.objects.values_list("code", "id"))
        there = {
            (tenant_id, category, subject, activation): pk
            for pk, tenant_id, category, subject, activation in RatingProfile.objects.filter(
                tenant_id__in={tenants[profile.tenant] for profile in own}
            ).values_list("id", "tenant_id", "category", "subject", "activation_time")
        }
        new: list[RatingProfile] = []
        changed: list[RatingProfile] = []
        for profile in own:
            row = RatingProfile(
                tenant_id=tenants[profile.tenant],
                category=profile.category,
                subject=profile.subject,
                activation_time=datetime.fromtimestamp(profile.activation_epoch, UTC),
                rating_plan_id=plans[profile.rating_plan_id],
                fallback_subjects=";".join(profile.fallback_subjects),
                cdr_stat_queues=";".join(profile.cdr_stat_queues),
            )
            row.pk = there.get((row.tenant_id, row.category, row.subject, row.activation_time))
            (new if row.pk is None else changed).append(row)
        RatingProfile.objects.bulk_create(new, batch_size=2_000)
        RatingProfile.objects.bulk_update(
            changed, ["rating_plan", "fallback_subjects", "cdr_stat_queues"], batch_size=_BATCH
        )


def _text(numbers: tuple[int, ...]) -> str:
    return ";".join(str(number) for number in numbers)


def _chunks(items: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
