"""What the charging room tells others."""

from __future__ import annotations

from datetime import datetime

from apps.events.domain.kinds import EventKind, NewEvent

ACCOUNT_CREDITED = EventKind(
    "charging.account_credited",
    version=1,
    subject="account",
    meaning="A top-up, voucher, refund, transfer or adjustment put money or units onto a balance of an account.",
    fields={
        "account_id": "Whose.",
        "balance_id": "Onto which; accounts that share it may have more to spend too.",
        "kind": "`top_up`, `refund`, `transfer` or `adjustment`, as in the ledger.",
        "amount_micros": "Micro-units of the account's currency; 0 for units.",
        "units": "Seconds, octets or events; 0 for money.",
    },
)
ACCOUNT_BARRED = EventKind(
    "charging.account_barred",
    version=1,
    subject="account",
    meaning="An account was barred, or closed by an action: nothing is granted to its subscribers any more.",
    fields={"account_id": "Whose.", "reason": "`fraud`, `cap`, `request` or `other`; `closed` for its end."},
)
TRIGGER_FIRED = EventKind(
    "charging.trigger_fired",
    version=1,
    subject="account",
    meaning="A balance or what was used reached a trigger's threshold, or too much was spent within its window.",
    fields={
        "account_id": "Whose.",
        "firing_id": "The row that says when, and at which value.",
        "trigger_id": "The trigger.",
        "action": "`notify`, `reauthorise`, `bar` or `cap`: what it asks for.",
        "actions": "The id of the group of actions that it asks for; empty for none.",
    },
)

ERRAND_DUE = EventKind(
    "charging.errand_due",
    version=1,
    subject="account",
    meaning="An action that leaves the database is to be carried out: a call to a URL, a mail, a line in the log.",
    fields={
        "account_id": "Whose.",
        "key": "What caused the action: `firing:7`, `plan:3:1748779200`.",
        "number": "Its place in the order of its group; with `key`, it names the errand.",
        "action": "`*call_url`, `*mail_async` and so on.",
        "parameters": "Its ExtraParameters.",
    },
)

CREDITS = frozenset({"top_up", "refund", "transfer", "adjustment"})
"""Kinds of ledger entries after which an account may have more to spend."""


def account_credited(
    account_id: int,
    balance_id: int,
    tenant: str,
    at: datetime,
    kind: str,
    *,
    amount_micros: int = 0,
    units: int = 0,
) -> NewEvent:
    """The event of a credit; ``tenant`` is the code of the account's."""
    return ACCOUNT_CREDITED.event(
        account_id,
        at,
        tenant=tenant,
        account_id=account_id,
        balance_id=balance_id,
        kind=kind,
        amount_micros=amount_micros,
        units=units,
    )
