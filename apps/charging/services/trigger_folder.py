"""ActionTriggers.csv: a tag is a set of triggers, made for each tenant that the folder serves.

Triggers of CDR statistics (``*min_asr`` and the like) watch no account: their rows are kept as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q

from apps.charging.domain.balance_actions import expiry_at
from apps.charging.domain.balances import BalanceKind
from apps.charging.domain.triggers import UNTIL_RESET, TriggerKind
from apps.charging.models import Account, BalanceTrigger, SharedGroup, TriggerSet
from apps.kernel.errors import InvalidInput, Problem
from apps.kernel.money import format_micros, parse_micros
from apps.kernel.units import parse_usage_units
from apps.rating.domain.source import ANY
from apps.rating.domain.tariff_files import FOLDER_TABLES, FolderRow, fields
from apps.rating.domain.tariff_files.folder_tables import ACTION_TRIGGERS, DESTINATIONS
from apps.rating.models import TariffPlan, Tenant
from apps.rating.services.folder_parts import NOT_ACTED_ON, FolderPart, PartChange, add_part, add_user
from apps.rating.services.kept_tables import kept_table

_TABLE = FOLDER_TABLES[ACTION_TRIGGERS]
_KEPT = kept_table(ACTION_TRIGGERS, _TABLE)
_OF_STATISTICS = re.compile(r"\*(min|max)_(asr|acd|tcd|acc|tcc|pdd|ddc)")
_KINDS: Mapping[str, TriggerKind] = {f"*{kind}": kind for kind in TriggerKind if kind in UNTIL_RESET}
_LONGEST = {"UniqueId": 64, "BalanceTag": 64, "BalanceRatingSubject": 64, "BalanceCategories": 200}
# What the columns of a trigger hold.
_MAX_AMOUNT = 2**63 - 1
_MAX_SLEEP_S = 2**31 - 1


def register() -> None:
    """Have the triggers loaded, checked and exported with the folder."""
    add_part(FolderPart(ACTION_TRIGGERS, _load, _remove, _export, check=_check))
    add_user(DESTINATIONS, _destinations_of_own_triggers)


def _destinations_of_own_triggers() -> AbstractSet[str]:
    """Those that triggers name which were not loaded with a folder."""
    own = BalanceTrigger.objects.exclude(destinations="").exclude(trigger_set__tariff_plan__isnull=False)
    texts = own.values_list("destinations", flat=True).distinct()
    return {name.strip().removeprefix("!") for text in texts for name in text.split(";")}


def _load(change: PartChange) -> None:
    kept = tuple(row for row in change.rows if _is_of_statistics(row))
    # Tags whose rows were kept before may have none to keep now.
    _KEPT.remove(change._replace(removed=tuple({row.key(_TABLE) for row in change.rows})))
    _KEPT.load(change._replace(rows=kept))
    plan = TariffPlan.objects.get(code=change.plan_code)
    by_key = change.by_key(_TABLE)
    # A tenant that the plan does not serve any more may still have its sets.
    mine = Q(trigger_sets__tariff_plan=plan, trigger_sets__code__in=[code for (code,) in by_key])
    tenants = Tenant.objects.filter(mine | Q(code__in=change.tenants)).distinct()
    for tenant in tenants.order_by("code"):
        there = {chosen.code: chosen for chosen in TriggerSet.objects.filter(tenant=tenant)}
        groups = dict(SharedGroup.objects.filter(tenant=tenant).values_list("code", "pk"))
        for (code,), rows in by_key.items():
            chosen = there.get(code) or TriggerSet(tenant=tenant, code=code)
            if chosen.pk is None or chosen.tariff_plan_id != plan.pk:
                chosen.tariff_plan = plan
                chosen.save()
            _fill(chosen, [row for row in rows if not _is_of_statistics(row)], groups, change.now)


def _fill(chosen: TriggerSet, rows: Iterable[FolderRow], groups: Mapping[str, int], now: datetime) -> None:
    """Give the set these triggers: one that it had keeps what it remembers, one that fired before is switched off."""
    there = {trigger.name: trigger for trigger in chosen.triggers.all()}
    for place, row in enumerate(rows, 1):
        name = _name_of(row, place)
        trigger = there.pop(name, None) or BalanceTrigger(tenant=chosen.tenant, trigger_set=chosen, name=name)
        after = _columns_of(row, groups, now, chosen.tenant.zone)
        before = {field: getattr(trigger, field) for field in after}
        for field, value in after.items():
            setattr(trigger, field, value)
        if trigger.pk is None or before != after:
            trigger.save()
    for trigger in there.values():
        _take_out(trigger)


def _name_of(row: FolderRow, place: int) -> str:
    """What the trigger is called: by its own id, else by its place in its set."""
    return f"{row['Tag']}:{row['UniqueId']}" if row["UniqueId"] else f"{row['Tag']}#{place}"


def _take_out(trigger: BalanceTrigger) -> None:
    if trigger.firings.exists():
        if trigger.enabled:
            trigger.enabled = False
            trigger.save()
        return
    trigger.states.all().delete()
    trigger.delete()


def _columns_of(
    row: FolderRow, groups: Mapping[str, int], now: datetime, zone: ZoneInfo
) -> dict[str, object]:
    """The row of a trigger, but for what names it. Raises InvalidInput with the name of the column as its place."""
    kind = _kind_of(row)
    holds = _balance_kind_of(row)
    money = holds == BalanceKind.MONETARY
    amount = _amount_of(row, money)
    shared = [name for name in row["BalanceSharedGroup"] if not name.startswith("*")]
    return {
        "enabled": True,
        "kind": kind,
        "threshold_micros": amount if money else 0,
        "threshold_units": 0 if money else amount,
        "balance_kind": holds,
        "balance_tag": _any(row["BalanceTag"]),
        "destinations": ";".join(name for name in row["BalanceDestinationIds"] if not name.startswith("*")),
        "categories": ";".join(name for name in row["BalanceCategories"] if not name.startswith("*")),
        "rating_subject": _any(row["BalanceRatingSubject"]),
        "shared_group_id": groups.get(shared[0]) if shared else None,
        "balance_expires_at": _instant_of(row, "BalanceExpiryTime", now, zone),
        "balance_weight": _balance_weight_of(row),
        "balance_blocker": _flag_of(row["BalanceBlocker"]),
        "balance_disabled": _flag_of(row["BalanceDisabled"]),
        "recurrent": bool(_flag_of(row["Recurrent"])),
        "min_sleep_s": _sleep_of(row),
        "active_from": _instant_of(row, "ActivationTime", now, zone),
        "expires_at": _instant_of(row, "ExpiryTime", now, zone),
        "unique_id": row["UniqueId"],
        "actions": _any(row["ActionsId"]),
        "weight": Decimal(row["Weight"]),
    }


def _is_of_statistics(row: FolderRow) -> bool:
    return _OF_STATISTICS.fullmatch(fields.keyword(row["ThresholdType"])) is not None


def _kind_of(row: FolderRow) -> TriggerKind:
    kind = _KINDS.get(fields.keyword(row["ThresholdType"]))
    if kind is None:
        known = ", ".join(_KINDS)
        raise InvalidInput(
            f"“{row['ThresholdType']}” is not watched; there are {known}, and *min_asr and the like of statistics",
            where="ThresholdType",
        )
    return kind


def _balance_kind_of(row: FolderRow) -> BalanceKind:
    word = fields.keyword(row["BalanceType"]).removeprefix("*")
    try:
        return BalanceKind(word) if word not in ("", "any") else BalanceKind.MONETARY
    except ValueError:
        known = ", ".join(f"*{kind}" for kind in BalanceKind)
        raise InvalidInput(
            f"“{row['BalanceType']}” is not a type of balance; there are {known}", where="BalanceType"
        ) from None


def _amount_of(row: FolderRow, money: bool) -> int:
    text = row["ThresholdValue"] or "0"
    try:
        if money:
            amount = parse_micros(text)
        else:
            amount = -parse_usage_units(text[1:]) if text.startswith("-") else parse_usage_units(text)
    except InvalidInput as error:
        raise InvalidInput(error.message, where="ThresholdValue") from error
    return _bounded(amount, _MAX_AMOUNT, "ThresholdValue")


def _bounded(number: int, most: int, column: str) -> int:
    if abs(number) > most:
        raise InvalidInput(f"{number} is out of range", where=column)
    return number


def _sleep_of(row: FolderRow) -> int:
    try:
        seconds = parse_usage_units(row["MinSleep"]) if row["MinSleep"] else 0
    except InvalidInput as error:
        raise InvalidInput(error.message, where="MinSleep") from error
    return _bounded(seconds, _MAX_SLEEP_S, "MinSleep")


def _balance_weight_of(row: FolderRow) -> int | None:
    if _any(row.cells.get("BalanceWeight", "").strip()) == "":
        return None
    if "." in row["BalanceWeight"]:
        raise InvalidInput("the weight of a balance is a whole number", where="BalanceWeight")
    return int(row["BalanceWeight"])


def _instant_of(row: FolderRow, column: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    text = row.cells.get(column, "").strip()
    if fields.keyword(text) in ("", ANY, fields.UNLIMITED, fields.ASAP, "0"):
        return None
    try:
        return expiry_at(text, now, zone)
    except InvalidInput as error:
        raise InvalidInput(error.message, where=column) from error


def _flag_of(text: str) -> bool | None:
    word = text.casefold()
    return None if word in ("", ANY) else word in ("1", "t", "true")


def _any(text: str) -> str:
    """The text; empty for ``*any`` and ``*none``."""
    return "" if fields.keyword(text) in (ANY, fields.NONE) else text


def _remove(change: PartChange) -> None:
    _KEPT.remove(change)
    codes = [code for (code,) in change.removed]
    for chosen in TriggerSet.objects.filter(tariff_plan__code=change.plan_code, code__in=codes):
        Account.objects.filter(trigger_set=chosen).update(trigger_set=None)
        for trigger in chosen.triggers.all():
            _take_out(trigger)
        # What has fired is kept, with its set.
        if not chosen.triggers.exists():
            chosen.delete()


def _export(plan_code: str) -> Iterable[tuple[str, ...]]:
    """The triggers of each set that are switched on; where tenants differ, those of the first by code."""
    written: dict[str, int] = {}
    sets = TriggerSet.objects.filter(tariff_plan__code=plan_code).order_by("code", "tenant__code")
    rows: list[tuple[str, ...]] = [tuple(map(str, cells)) for cells in _KEPT.export(plan_code)]
    for chosen in sets:
        triggers = list(chosen.triggers.filter(enabled=True).select_related("shared_group").order_by("pk"))
        if triggers and written.setdefault(chosen.code, chosen.pk) == chosen.pk:
            rows += [_row_of(chosen.code, trigger) for trigger in triggers]
    return sorted(rows, key=lambda row: row[0])


def _row_of(code: str, trigger: BalanceTrigger) -> tuple[str, ...]:
    money = trigger.balance_kind == BalanceKind.MONETARY
    return (
        code,
        trigger.unique_id,
        f"*{trigger.kind}",
        format_micros(trigger.threshold_micros) if money else str(trigger.threshold_units),
        _said(trigger.recurrent),
        f"{trigger.min_sleep_s}s" if trigger.min_sleep_s else "",
        _written(trigger.expires_at),
        _written(trigger.active_from),
        trigger.balance_tag,
        f"*{trigger.balance_kind}",
        fields.OUT,
        trigger.categories,
        trigger.destinations,
        trigger.rating_subject,
        trigger.shared_group.code if trigger.shared_group else "",
        _written(trigger.balance_expires_at),
        "",
        "" if trigger.balance_weight is None else str(trigger.balance_weight),
        _said(trigger.balance_blocker),
        _said(trigger.balance_disabled),
        "",
        trigger.actions or fields.NONE,
        f"{trigger.weight.normalize():f}",
    )


def _said(flag: bool | None) -> str:
    return "" if flag is None else "true" if flag else "false"


def _written(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _check(change: PartChange) -> Iterable[Problem]:
    seen: dict[tuple[str, str], FolderRow] = {}
    for row in change.rows:
        if row["UniqueId"]:
            first = seen.setdefault((row["Tag"], row["UniqueId"]), row)
            if first is not row:
                yield row.problem(
                    "UniqueId", f"line {first.line} of {row['Tag']} has this id already", "duplicate"
                )
        if _is_of_statistics(row):
            message = f"{row['ThresholdType']} is of CDR statistics: the row is kept, and watches nothing yet"
            yield row.problem("ThresholdType", message, NOT_ACTED_ON)
        else:
            yield from _faults_of(row, change.now)
    yield from _owned_elsewhere(change)


def _faults_of(row: FolderRow, now: datetime) -> Iterable[Problem]:
    try:
        columns = _columns_of(row, {}, now, ZoneInfo("UTC"))
    except InvalidInput as error:
        yield row.problem(error.where or "ThresholdType", error.message)
        return
    for column, longest in _LONGEST.items():
        text = row.cells.get(column, "")
        if len(text) > longest:
            yield row.problem(column, f"this is longer than {longest} characters")
    if columns["min_sleep_s"] and not columns["recurrent"]:
        message = "only a recurrent trigger sleeps; this one fires once until it is reset"
        yield row.problem("MinSleep", message, NOT_ACTED_ON)
    begins, ends = columns["active_from"], columns["expires_at"]
    if isinstance(begins, datetime) and isinstance(ends, datetime) and ends <= begins:
        yield row.problem("ExpiryTime", "it would expire before it begins")
    if len([name for name in row["BalanceSharedGroup"] if not name.startswith("*")]) > 1:
        yield row.problem(
            "BalanceSharedGroup", "a trigger watches balances of one group; write a row for each"
        )
    if any(not name.startswith("*") for name in row["BalanceTimingIds"]):
        yield row.problem("BalanceTimingIds", "triggers are not narrowed by timings; leave this empty")
    if row["StatsMinQueuedItems"] not in ("", "0"):
        message = "only triggers of CDR statistics wait for queued items; this is left out"
        yield row.problem("StatsMinQueuedItems", message, NOT_ACTED_ON)


def _owned_elsewhere(change: PartChange) -> Iterable[Problem]:
    """Sets that another tariff plan has brought to one of the tenants, and triggers that have the name of a new one."""
    rows = {row["Tag"]: row for row in change.rows}
    sets = TriggerSet.objects.filter(
        tenant__code__in=change.tenants, code__in=rows, tariff_plan__isnull=False
    )
    for chosen in sets.exclude(tariff_plan__code=change.plan_code).select_related("tenant", "tariff_plan"):
        message = f"tenant {chosen.tenant.code} has it from tariff plan {chosen.tariff_plan}; use another tag"
        yield rows[chosen.code].problem("Tag", message, "conflict")
    names = {
        _name_of(row, place): row
        for same in change.by_key(_TABLE).values()
        for place, row in enumerate((row for row in same if not _is_of_statistics(row)), 1)
    }
    taken = BalanceTrigger.objects.filter(tenant__code__in=change.tenants, name__in=names)
    for trigger in taken.select_related("trigger_set"):
        row = names[trigger.name]
        if trigger.trigger_set is None or trigger.trigger_set.code != row["Tag"]:
            yield row.problem(
                "UniqueId", f"there is a trigger “{trigger.name}” already; rename it", "conflict"
            )
