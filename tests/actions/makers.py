"""Groups and plans for tests, in the shared tariff plan."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.actions.models import Action, ActionGroup, ActionPlan, ActionPlanEntry
from apps.charging.models import Account, Balance
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.models import TariffPlan, Timing

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
EURO = 1_000_000


def tariff_plan() -> TariffPlan:
    return TariffPlan.objects.get_or_create(code=SHARED_TARIFF_PLAN)[0]


def make_group(code: str = "TOPUP", *actions: dict[str, object]) -> ActionGroup:
    """A group; without actions it tops default money up by 10."""
    group = ActionGroup.objects.create(tariff_plan=tariff_plan(), code=code)
    for fields in actions or ({"kind": "*topup", "units": "10"},):
        action = Action(group=group, **fields)
        action.full_clean()
        action.save()
    return group


def make_action_plan(code: str = "PLAN", *entries: tuple[ActionGroup, str]) -> ActionPlan:
    plan = ActionPlan.objects.create(tariff_plan=tariff_plan(), code=code)
    for group, timing in entries:
        ActionPlanEntry.objects.create(plan=plan, group=group, timing=timing)
    return plan


def make_timing(code: str, **fields: object) -> Timing:
    return Timing.objects.create(tariff_plan=tariff_plan(), code=code, **fields)


def account(number: int = 1) -> Account:
    return Account.objects.get(number=f"C{number}")


def money(number: int = 1) -> int:
    return Balance.objects.get(account=account(number), tag="*default").amount_micros
