"""What charging knows of the operator: services, quota policies, shared groups, triggers, tenants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.balances import Group
from apps.charging.domain.lines import ServiceInfo
from apps.charging.domain.policies import QuotaPolicy as Policy
from apps.charging.domain.requests import FinalUnit, FinalUnitAction
from apps.charging.domain.state import ChargingConfig
from apps.charging.models import Balance, QuotaPolicy, SharedGroup, SharedGroupLimit, SharedGroupTerms
from apps.charging.services.trigger_rows import read_trigger_book
from apps.rating.models import Service, Tenant

Tenants = dict[int, tuple[str, ZoneInfo]]


class Sharing(NamedTuple):
    """Shared groups: by account those it is in, by group the accounts whose balances are in it."""

    groups_of: dict[int, frozenset[int]]
    accounts_of: dict[int, frozenset[int]]

    def together(self, account_ids: Iterable[int]) -> set[int]:
        """These accounts and all that share a balance with one of them."""
        found = set(account_ids)
        for account_id in list(found):
            for group_id in self.groups_of.get(account_id, ()):
                found |= self.accounts_of.get(group_id, frozenset())
        return found


def read_config() -> tuple[ChargingConfig, Sharing, Tenants]:
    """Services, policies, shared groups and triggers; who shares what; code and time zone of tenants by id."""
    services = {
        code: ServiceInfo(service_id, category, type_of_record)
        for service_id, code, category, type_of_record in Service.objects.values_list(
            "id", "code", "category", "type_of_record"
        )
    }
    policies = {
        (policy.service.code, policy.price_plan_id or 0): _policy(policy)
        for policy in QuotaPolicy.objects.select_related("service").order_by("pk")
    }
    terms: dict[int, dict[int, tuple[str, str]]] = {
        pk: {} for pk in SharedGroup.objects.values_list("pk", flat=True)
    }
    groups_of: dict[int, set[int]] = {}
    for row in SharedGroupTerms.objects.all():
        terms[row.group_id][row.account_id or 0] = (row.strategy, row.rating_subject)
        if row.account_id is not None:
            groups_of.setdefault(row.account_id, set()).add(row.group_id)
    accounts_of: dict[int, set[int]] = {}
    if terms:
        for group_id, account_id in Balance.groups.through.objects.values_list(
            "sharedgroup_id", "balance__account_id"
        ):
            groups_of.setdefault(account_id, set()).add(group_id)
            accounts_of.setdefault(group_id, set()).add(account_id)
    shared = {pk: Group(pk, by_account) for pk, by_account in terms.items()}
    limits: dict[int, dict[tuple[int, str], int]] = {}
    if terms:
        for limit in SharedGroupLimit.objects.all():
            limits.setdefault(limit.group_id, {})[limit.account_id or 0, limit.kind] = limit.limit
    config = ChargingConfig(
        services,
        policies,
        shared,
        read_trigger_book(),
        any(policy.fair_use_units for policy in policies.values()),
        limits,
    )
    sharing = Sharing(
        {account_id: frozenset(groups) for account_id, groups in groups_of.items()},
        {group_id: frozenset(accounts) for group_id, accounts in accounts_of.items()},
    )
    tenants = {
        tenant_id: (code, ZoneInfo(time_zone))
        for tenant_id, code, time_zone in Tenant.objects.values_list("id", "code", "time_zone")
    }
    return config, sharing, tenants


def _policy(row: QuotaPolicy) -> Policy:
    filters = tuple(rule.strip() for rule in row.filters.split(";") if rule.strip())
    return Policy(
        row.default_units,
        row.max_units,
        row.validity_s,
        row.quota_holding_s,
        row.threshold_percent,
        FinalUnit(FinalUnitAction(row.final_action), row.redirect_address, filters),
        row.fair_use_units,
    )
