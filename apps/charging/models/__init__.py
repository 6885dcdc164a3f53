"""Rows of the charging room: who pays, what they hold, and every movement of it."""

from apps.charging.models.accounts import (
    DEFAULT_BALANCE,
    Account,
    AllowanceCounter,
    Balance,
    Payer,
    SharedGroup,
    SharedGroupLimit,
    SharedGroupTerms,
    SharedGroupUse,
    TriggerSet,
)
from apps.charging.models.ledger import AllowanceEntry, BookPosting, LedgerBook, LedgerEntry
from apps.charging.models.online import (
    ChargingSession,
    FailedRequest,
    PeerDay,
    QuotaPolicy,
    Reservation,
    StoredAnswer,
)
from apps.charging.models.orders import SessionOrder
from apps.charging.models.triggers import AccountBar, BalanceTrigger, TriggerFiring, TriggerState

__all__ = [
    "DEFAULT_BALANCE",
    "Account",
    "AccountBar",
    "AllowanceCounter",
    "AllowanceEntry",
    "Balance",
    "BalanceTrigger",
    "BookPosting",
    "ChargingSession",
    "FailedRequest",
    "LedgerBook",
    "LedgerEntry",
    "Payer",
    "PeerDay",
    "QuotaPolicy",
    "Reservation",
    "SessionOrder",
    "SharedGroup",
    "SharedGroupLimit",
    "SharedGroupTerms",
    "SharedGroupUse",
    "StoredAnswer",
    "TriggerFiring",
    "TriggerSet",
    "TriggerState",
]
