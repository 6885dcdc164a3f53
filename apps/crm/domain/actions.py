"""Groups of actions and action plans as plain values; times aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ActionGroupView:
    """A group of the tenant's own tariff plan or of the shared one; ``actions`` say what it does."""

    id: int
    code: str
    tariff_plan: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DueActionView:
    """When a group of an account's plan is due: ``due_at`` None is never again, ``done_at`` the due time done last."""

    plan: str
    group: str
    timing: str
    assigned_at: datetime
    due_at: datetime | None
    done_at: datetime | None
    done_count: int


@dataclass(frozen=True, slots=True)
class AccountPlanView:
    """A plan that an account has, or had until now."""

    account_id: int
    plan: str
    due: tuple[DueActionView, ...]


@dataclass(frozen=True, slots=True)
class ActionsRun:
    """A group that was carried out on an account, and under which cause its movements stand in the ledger."""

    account_id: int
    group: str
    cause: str
