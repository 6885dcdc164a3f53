"""SharedGroups.csv: the shared groups of a tariff folder, made for each tenant that the folder serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from apps.charging.models import Account, Balance, SharedGroup, SharedGroupTerms
from apps.kernel.errors import Problem
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import FOLDER_TABLES, FolderRow
from apps.rating.domain.tariff_files.folder_tables import DESTINATIONS, SHARED_GROUPS
from apps.rating.models import TariffPlan, Tenant
from apps.rating.services.folder_parts import FolderPart, PartChange, add_part, add_user

_TABLE = FOLDER_TABLES[SHARED_GROUPS]


def register() -> None:
    """Have the groups loaded, checked and exported with the folder."""
    add_part(FolderPart(SHARED_GROUPS, _load, _remove, _export, check=_check, used=_used))
    add_user(DESTINATIONS, _destinations_of_balances)


def _destinations_of_balances() -> AbstractSet[str]:
    texts = Balance.objects.exclude(destinations="").values_list("destinations", flat=True).distinct()
    return {name.strip().removeprefix("!") for text in texts for name in text.split(";")}


def _load(change: PartChange) -> None:
    plan = TariffPlan.objects.get(code=change.plan_code)
    accounts = _accounts(change)
    by_key = change.by_key(_TABLE)
    for tenant in Tenant.objects.filter(code__in=change.tenants).order_by("code"):
        there = {group.code: group for group in SharedGroup.objects.filter(tenant=tenant)}
        for (code,), rows in by_key.items():
            group = there.get(code) or SharedGroup(tenant=tenant, code=code)
            if group.pk is None or group.tariff_plan_id != plan.pk:
                group.tariff_plan = plan
                group.save()
            group.terms.all().delete()
            SharedGroupTerms.objects.bulk_create(
                SharedGroupTerms(
                    group=group,
                    account_id=accounts.get((tenant.code, row["Account"])),
                    strategy=row["Strategy"],
                    rating_subject=row["RatingSubject"],
                )
                for row in {row["Account"]: row for row in rows}.values()
                if row["Account"] == ANY or (tenant.code, row["Account"]) in accounts
            )


def _remove(change: PartChange) -> None:
    codes = [code for (code,) in change.removed]
    for group in SharedGroup.objects.filter(tariff_plan__code=change.plan_code, code__in=codes):
        group.delete()


def _export(plan_code: str) -> Iterable[tuple[str, str, str, str]]:
    """The terms of each group; where tenants differ, those of the first by code."""
    written: set[tuple[str, str]] = set()
    groups = SharedGroup.objects.filter(tariff_plan__code=plan_code).order_by("code", "tenant__code")
    for group in groups.prefetch_related("terms__account"):
        terms = sorted(group.terms.all(), key=lambda row: row.account.number if row.account else "")
        for row in terms or [SharedGroupTerms(group=group)]:
            number = row.account.number if row.account else ANY
            if (group.code, number) not in written:
                written.add((group.code, number))
                yield group.code, number, row.strategy, row.rating_subject


def _check(change: PartChange) -> Iterable[Problem]:
    accounts = {number for _, number in _accounts(change)}
    first: dict[tuple[str, str], FolderRow] = {}
    for row in change.rows:
        number = row["Account"]
        if number != ANY and number not in accounts:
            tenants = ", ".join(change.tenants)
            message = f"no account {number} in tenant {tenants}; make the account first, or write {ANY}"
            yield row.problem("Account", message, "unknown_reference")
        earlier = first.setdefault((row["Id"], number), row)
        if earlier.values != row.values:
            message = f"{row['Id']} has other terms for {number} in line {earlier.line}; keep one row"
            yield row.problem("Strategy", message, "duplicate")
    yield from _owned_elsewhere(change)
    used = _used(change.plan_code)
    for (code,) in change.removed:
        if code in used:
            message = f"{code} has balances in it; keep it in the file, or take them out of it first"
            yield Problem(f"{SHARED_GROUPS}.csv", message, "in_use")


def _owned_elsewhere(change: PartChange) -> Iterable[Problem]:
    """Groups that another tariff plan has brought to one of the tenants."""
    rows = {row["Id"]: row for row in change.rows}
    groups = SharedGroup.objects.filter(
        tenant__code__in=change.tenants, code__in=rows, tariff_plan__isnull=False
    )
    for group in groups.exclude(tariff_plan__code=change.plan_code).select_related("tenant", "tariff_plan"):
        message = f"tenant {group.tenant.code} has {group.code} from tariff plan {group.tariff_plan}; use another id"
        yield rows[group.code].problem("Id", message, "conflict")


def _accounts(change: PartChange) -> Mapping[tuple[str, str], int]:
    """The accounts that the rows name, by tenant and number."""
    numbers = {row["Account"] for row in change.rows} - {ANY}
    rows = Account.objects.filter(tenant__code__in=change.tenants, number__in=numbers)
    return {(tenant, number): pk for tenant, number, pk in rows.values_list("tenant__code", "number", "pk")}


def _used(plan_code: str) -> AbstractSet[str]:
    groups = SharedGroup.objects.filter(tariff_plan__code=plan_code, balances__isnull=False)
    return set(groups.values_list("code", flat=True).distinct())
