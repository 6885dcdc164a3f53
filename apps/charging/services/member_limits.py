"""Limits of members of shared groups, and what they used: read with a batch behind its locks, and written with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.balances import BalanceKind
from apps.charging.domain.member_limits import LimitKey, MemberLimit, MemberLimits
from apps.charging.domain.state import Account as AccountValue
from apps.charging.domain.state import ChargingConfig
from apps.charging.services.config import Sharing
from apps.kernel.periods import month_of
from apps.storage.upserts import Script, select, upsert_few

_USED = "SELECT account_id, group_id, kind, period, used FROM charging_sharedgroupuse WHERE account_id IN ({values})"
# Reservations are those of open sessions alone.
_HELD = (
    "SELECT s.account_id, b.kind, g.sharedgroup_id, SUM(r.amount) FROM charging_chargingsession s"
    " JOIN charging_reservation r ON r.session_id = s.id JOIN charging_balance b ON b.id = r.holder_id"
    " JOIN charging_balance_groups g ON g.balance_id = b.id"
    " WHERE b.account_id <> s.account_id AND s.account_id IN ({values})"
    " GROUP BY s.account_id, b.kind, g.sharedgroup_id"
)
_COLUMNS = ("account_id", "group_id", "kind", "period", "used")


def read_member_limits(
    connection: BaseDatabaseWrapper,
    config: ChargingConfig,
    sharing: Sharing,
    accounts: Mapping[int, AccountValue],
    now: datetime,
) -> dict[int, MemberLimits]:
    """The limits of those of the accounts that have some, whose balances are locked; with what they used and hold."""
    found: dict[int, dict[LimitKey, MemberLimit]] = {}
    for account_id in accounts:
        for group_id in sharing.groups_of.get(account_id, ()):
            limits = config.member_limits.get(group_id, {})
            for kind in BalanceKind:
                limit = limits.get((account_id, kind.value), limits.get((0, kind.value)))
                if limit is not None:
                    found.setdefault(account_id, {})[group_id, kind.value] = MemberLimit(limit)
    if not found:
        return {}
    for account_id, group_id, kind, period, used in select(connection, _USED, found):
        limit_of = found[account_id].get((group_id, kind))
        if limit_of is not None and period >= _period(accounts[account_id], now):
            found[account_id][group_id, kind] = limit_of._replace(used=used)
    for account_id, kind, group_id, held in select(connection, _HELD, found):
        limit_of = found[account_id].get((group_id, kind))
        if limit_of is not None:
            found[account_id][group_id, kind] = limit_of._replace(held=int(held))
    return dict(found)


def write_member_uses(
    connection: BaseDatabaseWrapper,
    members: Mapping[int, MemberLimits],
    accounts: Mapping[int, AccountValue],
    now: datetime,
    script: Script,
) -> None:
    """Keep what the accounts used; what they hold is known from reservations."""
    upsert_few(
        connection,
        "charging_sharedgroupuse",
        _COLUMNS,
        [
            (account_id, *key, _period(accounts[account_id], now), limit.used)
            for account_id, limits in sorted(members.items())
            for key, limit in sorted(limits.items())
        ],
        key=_COLUMNS[:3],
        update=_COLUMNS[3:],
        forms="iitii",
        script=script,
    )


def _period(account: AccountValue, now: datetime) -> int:
    year, month = month_of(now, account.zone)
    return year * 12 + month
