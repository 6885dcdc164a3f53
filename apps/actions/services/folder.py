"""Actions.csv, ActionPlans.csv and AccountActions.csv: loaded, checked and exported with the tariff folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

from django.db import connection
from django.db.models import Q, QuerySet
from simple_history.utils import bulk_update_with_history

from apps.actions.domain.due_times import check_timing
from apps.actions.domain.written import WrittenAction, flag_of, kind_of, problems_of
from apps.actions.models import AccountPlan, Action, ActionGroup, ActionPlan, ActionPlanEntry
from apps.actions.services.plans import assign_plan, drop_entry, make_due_rows, reckon_again, remove_plan
from apps.charging.domain.balance_actions import Action as ActionValue
from apps.charging.domain.balance_actions import ActionKind
from apps.charging.models import Account, TriggerSet
from apps.charging.services.account_switches import Switch, switch_accounts
from apps.charging.services.books import make_books
from apps.kernel.errors import InvalidInput, InvalidInputs, Problem
from apps.rating.domain.tariff_files import FOLDER_TABLES, FolderRow, fields
from apps.rating.domain.tariff_files.folder_tables import (
    ACCOUNT_ACTIONS,
    ACTION_PLANS,
    ACTION_TRIGGERS,
    ACTIONS,
)
from apps.rating.models import TariffPlan, Tenant
from apps.rating.services.folder_parts import NOT_ACTED_ON, FolderPart, PartChange, add_part
from apps.subscribers.models import Customer

_AT_ONCE = 2_000
_ACTIONS, _PLANS, _ACCOUNTS = (FOLDER_TABLES[name] for name in (ACTIONS, ACTION_PLANS, ACCOUNT_ACTIONS))
_COLUMNS = tuple(column for column in _ACTIONS.columns if column != "ActionsId")
_COLUMN_OF = dict(zip(WrittenAction._fields, _COLUMNS, strict=True))


def register() -> None:
    """Have the three tables loaded, checked and exported with the folder."""
    add_part(
        FolderPart(ACTIONS, _load_actions, _remove_actions, _export_actions, check=_check_actions, used=_used)
    )
    add_part(FolderPart(ACTION_PLANS, _load_plans, _remove_plans, _export_plans, check=_check_plans))
    add_part(
        FolderPart(ACCOUNT_ACTIONS, _load_accounts, _remove_accounts, _export_accounts, check=_check_accounts)
    )


# --- Actions.csv ---


def _written(row: FolderRow) -> WrittenAction:
    cells = {field: row.cells.get(column, "").strip() for field, column in _COLUMN_OF.items()}
    return WrittenAction(**cells)._replace(
        kind=fields.keyword(cells["kind"]),
        weight=fields.weight("" if cells["weight"].startswith("*") else cells["weight"]),
    )


def _load_actions(change: PartChange) -> None:
    plan = TariffPlan.objects.get(code=change.plan_code)
    by_key = change.by_key(_ACTIONS)
    groups = {group.code: group for group in ActionGroup.objects.filter(tariff_plan=plan)}
    for (code,), rows in by_key.items():
        group = groups.get(code)
        if group is None:
            group = groups[code] = ActionGroup.objects.create(tariff_plan=plan, code=code)
        group.actions.all().delete()
        Action.objects.bulk_create(
            Action(group=group, **(_written(row)._asdict() | {"weight": Decimal(_written(row).weight)}))
            for row in rows
        )


def _remove_actions(change: PartChange) -> None:
    codes = [code for (code,) in change.removed]
    for group in ActionGroup.objects.filter(tariff_plan__code=change.plan_code, code__in=codes):
        group.delete()


def _export_actions(plan_code: str) -> Iterable[tuple[str, ...]]:
    rows = Action.objects.filter(group__tariff_plan__code=plan_code).select_related("group")
    for row in rows.order_by("group__code", "pk"):
        written = row.written()._replace(weight=_plain(row.weight))
        yield (row.group.code, *written)


def _plain(weight: Decimal) -> str:
    return f"{weight.normalize():f}"


def _check_actions(change: PartChange) -> Iterable[Problem]:
    for row in change.rows:
        written = _written(row)
        for field, message in problems_of(written).items():
            yield row.problem(_COLUMN_OF[field], message)
        try:
            kind = kind_of(written.kind)
        except InvalidInput:
            continue
        if kind == ActionKind.SET_DDESTINATIONS:
            message = f"{kind} needs statistics of CDRs by destination: it will be listed as failed"
            yield row.problem("Action", message, NOT_ACTED_ON)
    used = _used(change.plan_code)
    for (code,) in change.removed:
        if code in used:
            message = f"{code} stands in a plan that was not made by the folder; keep it in the file"
            yield Problem(f"{ACTIONS}.csv", message, "in_use")


def _used(plan_code: str) -> AbstractSet[str]:
    """Groups that plans of other tariff plans name."""
    entries = ActionPlanEntry.objects.filter(group__tariff_plan__code=plan_code).exclude(
        plan__tariff_plan__code=plan_code
    )
    return set(entries.values_list("group__code", flat=True))


# --- ActionPlans.csv ---


def _timing(row: FolderRow) -> str:
    return check_timing(row.cells.get("TimingId", "") or fields.ASAP)


def _load_plans(change: PartChange) -> None:
    tariff_plan = TariffPlan.objects.get(code=change.plan_code)
    groups = {group.code: group for group in ActionGroup.objects.filter(tariff_plan=tariff_plan)}
    for (code,), rows in change.by_key(_PLANS).items():
        plan, _ = ActionPlan.objects.get_or_create(tariff_plan=tariff_plan, code=code)
        wanted = {(groups[row.cells["ActionsId"]].pk, _timing(row)): Decimal(row["Weight"]) for row in rows}
        there = {(entry.group_id, entry.timing): entry for entry in plan.entries.select_related("group")}
        # An entry that stays keeps its due rows: what ran once does not run again.
        for key, entry in there.items():
            if key not in wanted:
                drop_entry(entry)
        for (group_id, timing), weight in wanted.items():
            ActionPlanEntry.objects.update_or_create(
                plan=plan, group_id=group_id, timing=timing, defaults={"weight": weight}
            )
        make_due_rows(plan, change.now)
        reckon_again(plan, change.now)


def _remove_plans(change: PartChange) -> None:
    codes = [code for (code,) in change.removed]
    for plan in ActionPlan.objects.filter(tariff_plan__code=change.plan_code, code__in=codes):
        AccountPlan.objects.filter(plan=plan).delete()
        plan.delete()


def _export_plans(plan_code: str) -> Iterable[tuple[str, str, str, str]]:
    entries = ActionPlanEntry.objects.filter(plan__tariff_plan__code=plan_code)
    for entry in entries.select_related("plan", "group").order_by("plan__code", "pk"):
        yield entry.plan.code, entry.group.code, entry.timing, _plain(entry.weight)


def _check_plans(change: PartChange) -> Iterable[Problem]:
    seen: dict[tuple[str, str, str], FolderRow] = {}
    for row in change.rows:
        if len(row["TimingId"]) > 1:
            yield row.problem("TimingId", "an entry has one timing; write a row for each")
            continue
        try:
            timing = _timing(row)
        except InvalidInput as error:
            yield row.problem("TimingId", error.message)
            continue
        first = seen.setdefault((row["Id"], row["ActionsId"], timing), row)
        if first["Weight"] != row["Weight"]:
            message = f"{row['ActionsId']} stands in line {first.line} at this time, with another weight"
            yield row.problem("Weight", message, "duplicate")


# --- AccountActions.csv ---


def _load_accounts(change: PartChange) -> None:
    plans = {plan.code: plan for plan in ActionPlan.objects.filter(tariff_plan__code=change.plan_code)}
    tenants = {tenant.code: tenant for tenant in Tenant.objects.all()}
    accounts = _make_accounts(change, tenants)
    key = f"load:{change.plan_code}"
    wanted: dict[str, list[int]] = {code: [] for code in plans}
    switches: list[Switch] = []
    for row in change.rows:
        account = accounts[row["Tenant"], row["Account"]]
        for code in _ids(row.cells.get("ActionPlanId", "")):
            wanted[code].append(account.pk)
        allow_negative = flag_of(row.cells.get("AllowNegative", ""))
        disabled = flag_of(row.cells.get("Disabled", ""))
        if allow_negative is not None and allow_negative != account.allow_negative:
            kind = ActionKind.ALLOW_NEGATIVE if allow_negative else ActionKind.DENY_NEGATIVE
            switches.append((account.pk, ActionValue(kind), key))
        if disabled is not None and disabled != hasattr(account, "bar"):
            kind = ActionKind.DISABLE_ACCOUNT if disabled else ActionKind.ENABLE_ACCOUNT
            switches.append((account.pk, ActionValue(kind), key))
    switch_accounts(switches, change.now)
    _give_trigger_sets(change, accounts)
    named = [account.pk for account in accounts.values()]
    for code, ids in wanted.items():
        gone = AccountPlan.objects.filter(plan=plans[code], account__in=named).exclude(account__in=ids)
        remove_plan(plans[code], list(gone.values_list("account_id", flat=True)))
        if ids:
            assign_plan(plans[code], ids, change.now)


def _give_trigger_sets(change: PartChange, accounts: Mapping[tuple[str, str], Account]) -> None:
    sets = {
        (chosen.tenant.code, chosen.code): chosen
        for chosen in TriggerSet.objects.filter(tariff_plan__code=change.plan_code).select_related("tenant")
    }
    changed = []
    for row in change.rows:
        account = accounts[row["Tenant"], row["Account"]]
        named = [name for name in _ids(row.cells.get("ActionTriggersId", "")) if not name.startswith("*")]
        if named and (row["Tenant"], named[0]) not in sets:
            # Sets are made for the tenants that their own load served.
            message = (
                f"tenant {row['Tenant']} has no triggers {named[0]}; load {ACTION_TRIGGERS}.csv with this row"
            )
            raise InvalidInputs([row.problem("ActionTriggersId", message, "unknown_reference")])
        chosen = sets[row["Tenant"], named[0]] if named else None
        if chosen != account.trigger_set and (named or account.trigger_set in sets.values()):
            account.trigger_set = chosen
            changed.append(account)
    bulk_update_with_history(
        changed,
        Account,
        ["trigger_set"],
        batch_size=_AT_ONCE,
        default_change_reason=f"load:{change.plan_code}",
    )


def _make_accounts(change: PartChange, tenants: Mapping[str, Tenant]) -> dict[tuple[str, str], Account]:
    """The accounts that the rows name; those that are missing are made, prepaid, each with a customer of its number."""
    accounts = _accounts(change)
    missing = {(row["Tenant"], row["Account"]) for row in change.rows} - accounts.keys()
    names = ({tenant for tenant, _ in missing}, {number for _, number in missing})
    new = sorted(missing - _customers(*names).keys())
    Customer.objects.bulk_create(
        [
            Customer(tenant=tenants[tenant], number=number, name=number, created_at=change.now)
            for tenant, number in new
        ],
        batch_size=_AT_ONCE,
    )
    customers = _customers(*names)
    Account.objects.bulk_create(
        [
            Account(
                tenant=tenants[tenant],
                customer=customers[tenant, number],
                number=number,
                mode=Account.Mode.PREPAID,
                currency=tenants[tenant].currency,
                opened_at=change.now,
            )
            for tenant, number in sorted(missing)
        ],
        batch_size=_AT_ONCE,
    )
    make_books(connection, {(tenant, tenants[tenant].currency) for tenant, _ in missing})
    return _accounts(change) if missing else accounts


def _customers(tenants: Iterable[str], numbers: Iterable[str]) -> dict[tuple[str, str], Customer]:
    found = Customer.objects.filter(tenant__code__in=tenants, number__in=numbers).select_related("tenant")
    return {(customer.tenant.code, customer.number): customer for customer in found}


def _accounts(change: PartChange) -> dict[tuple[str, str], Account]:
    numbers = {row["Account"] for row in change.rows}
    found = Account.objects.filter(
        tenant__code__in={row["Tenant"] for row in change.rows}, number__in=numbers
    ).select_related("tenant", "bar", "trigger_set")
    wanted = {(row["Tenant"], row["Account"]) for row in change.rows}
    return {key: account for account in found if (key := (account.tenant.code, account.number)) in wanted}


def _remove_accounts(change: PartChange) -> None:
    for tenant, number in change.removed:
        _of_plan(change.plan_code).filter(account__tenant__code=tenant, account__number=number).delete()
        Account.objects.filter(
            tenant__code=tenant, number=number, trigger_set__tariff_plan__code=change.plan_code
        ).update(trigger_set=None)


def _of_plan(plan_code: str) -> QuerySet[AccountPlan]:
    return AccountPlan.objects.filter(plan__tariff_plan__code=plan_code)


def _export_accounts(plan_code: str) -> Iterable[tuple[str, str, str, str, str, str]]:
    plans: dict[int, list[str]] = {
        account_id: []
        for account_id in Account.objects.filter(trigger_set__tariff_plan__code=plan_code).values_list(
            "pk", flat=True
        )
    }
    for account_id, code in (
        _of_plan(plan_code).order_by("plan__code").values_list("account_id", "plan__code")
    ):
        plans.setdefault(account_id, []).append(code)
    with_triggers = Q(trigger_set__tariff_plan__code=plan_code)
    # A closed account could not be loaded again.
    accounts = Account.objects.filter(Q(pk__in=plans) | with_triggers, closed_at=None).select_related(
        "tenant", "bar", "trigger_set__tariff_plan"
    )
    for account in accounts.order_by("tenant__code", "number"):
        yield (
            account.tenant.code,
            account.number,
            ";".join(plans.get(account.pk, ())),
            _set_of(account, plan_code),
            _flag(account.allow_negative),
            _flag(hasattr(account, "bar")),
        )


def _set_of(account: Account, plan_code: str) -> str:
    chosen = account.trigger_set
    is_of_plan = (
        chosen is not None and chosen.tariff_plan is not None and chosen.tariff_plan.code == plan_code
    )
    return chosen.code if chosen is not None and is_of_plan else ""


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _check_accounts(change: PartChange) -> Iterable[Problem]:
    closed = {key for key, account in _accounts(change).items() if account.closed_at is not None}
    first: dict[tuple[str, str], FolderRow] = {}
    for row in change.rows:
        key = row["Tenant"], row["Account"]
        if key in closed:
            yield row.problem("Account", f"account {row['Account']} is closed; leave it out")
        if len(row["Account"]) > 40:
            yield row.problem("Account", "an account's number has up to 40 characters")
        if first.setdefault(key, row) is not row:
            message = f"{row['Account']} stands in line {first[key].line}; name all its plans in one row"
            yield row.problem("Account", message, "duplicate")
        if len(_ids(row.cells.get("ActionTriggersId", ""))) > 1:
            message = "an account has one set of triggers; put all of them under one tag"
            yield row.problem("ActionTriggersId", message)


def _ids(text: str) -> list[str]:
    return [name for part in text.split(fields.LIST_SEPARATOR) if (name := part.strip())]
