"""Limits of members of a shared group: what an account may use of the others' balances in it, in a calendar month.

A limit is for one kind of balance: money in micro-units, or seconds, octets or messages. What sessions of the account
hold counts as used. What is given back later (refunds) does not make room again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from apps.charging.domain.balances import Balance

LimitKey = tuple[int, str]
"""Id of the group, and the kind of balance."""


class MemberLimit(NamedTuple):
    """What an account may use of others' balances of a kind in a group, has used this month, and holds for sessions."""

    limit: int
    used: int = 0
    held: int = 0

    @property
    def left(self) -> int:
        return max(self.limit - self.used - self.held, 0)


MemberLimits = Mapping[LimitKey, MemberLimit]
NO_LIMITS: MemberLimits = {}


class Room:
    """What is left of limits while a piece of usage is being paid for, in whole units and parts of them."""

    __slots__ = ("account_id", "left")

    def __init__(self, limits: MemberLimits, account_id: int) -> None:
        self.account_id = account_id
        self.left: dict[LimitKey, Fraction | int] = {key: limit.left for key, limit in limits.items()}

    def copy(self) -> Room:
        again = Room(NO_LIMITS, self.account_id)
        again.left = dict(self.left)
        return again

    def within(self, balance: Balance, amount: int) -> int:
        """As much of ``amount`` parts of a unit of the balance as the limits leave room for."""
        for key in keys_of(balance, self.account_id, self.left):
            amount = min(amount, math.floor(self.left[key] * balance.parts))
        return amount

    def take(self, balance: Balance, amount: int) -> None:
        for key in keys_of(balance, self.account_id, self.left):
            self.left[key] -= Fraction(amount, balance.parts)


def keys_of(balance: Balance, account_id: int, limits: Mapping[LimitKey, object]) -> list[LimitKey]:
    """The limits that use of the balance by the account counts against; none for its own."""
    if balance.account_id == account_id:
        return []
    keys = [(group_id, balance.kind) for group_id in balance.terms.groups]
    return [key for key in keys if key in limits]


def counted(
    limits: MemberLimits, balance: Balance, account_id: int, *, used: int = 0, held: int = 0
) -> MemberLimits:
    """The limits after the account used of the balance, or held of it, so many whole units more."""
    keys = keys_of(balance, account_id, limits)
    if not keys:
        return limits
    changed = {
        key: limits[key]._replace(used=limits[key].used + used, held=limits[key].held + held) for key in keys
    }
    return {**limits, **changed}
