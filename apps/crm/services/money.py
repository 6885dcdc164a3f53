"""Money onto and off balances, as the CRM asks for it."""

from __future__ import annotations

from datetime import datetime

from apps.charging.domain.charge import digest_of
from apps.charging.domain.requests import OnlineRequest, Operation
from apps.charging.models import DEFAULT_BALANCE, Account, Balance, LedgerEntry, Payer
from apps.charging.services import operations
from apps.crm.domain.accounts import Moved
from apps.crm.selectors.subscribers import own_subscriber
from apps.crm.selectors.tenants import tenant_of
from apps.crm.services.transactions import one_transaction
from apps.kernel.errors import Conflict, InvalidInput, NotFound

LONGEST_KEY = 200
LONGEST_NOTE = 200
MOST_MICROS = 10**15
"""A thousand million units of the currency: more in one movement is a mistake."""


@one_transaction
def top_up(
    tenant: str, account_id: int, amount_micros: int, *, key: str, now: datetime, note: str = "", by: str = ""
) -> Moved:
    """Add money to an account's default balance. ``key`` names it within the tenant: the same again moves nothing.

    Raises NotFound, InvalidInput (amount not above zero, key missing), Conflict (the key was used for another amount or
    account: code key_reused; the account is closed: code account_barred).
    """
    if amount_micros <= 0:
        raise InvalidInput("a top-up must be more than zero", where="amount_micros")
    account = _account(tenant, account_id, amount_micros, key, note)
    moved = _moved_before(account, Operation.TOP_UP, amount_micros, key)
    if moved is not None:
        return moved
    operations.top_up(account, amount_micros, now, key=_full_key(account, key), note=_signed(note, by))
    return _result(account, Operation.TOP_UP, amount_micros, key, repeated=False)


@one_transaction
def adjust_balance(
    tenant: str,
    account_id: int,
    amount_micros: int,
    *,
    key: str,
    now: datetime,
    note: str,
    by: str = "",
    may_overdraw: bool = False,
) -> Moved:
    """Correct an account's default balance up or down; ``note`` says why.

    Raises as :func:`top_up`, but a closed account can be adjusted; Conflict (code not_enough…) if it would end below
    zero without ``may_overdraw``; InvalidInput if the note is missing or the amount is zero.
    """
    if not amount_micros:
        raise InvalidInput("an amount of zero moves nothing", where="amount_micros")
    if not note.strip():
        raise InvalidInput("say why in a note; it stays in the ledger", where="note")
    account = _account(tenant, account_id, amount_micros, key, note)
    moved = _moved_before(account, Operation.ADJUST, amount_micros, key)
    if moved is not None:
        return moved
    operations.adjust(
        account,
        amount_micros,
        now,
        key=_full_key(account, key),
        note=_signed(note, by),
        may_overdraw=may_overdraw,
    )
    return _result(account, Operation.ADJUST, amount_micros, key, repeated=False)


def subscriber_account(tenant: str, subscriber_id: int) -> int:
    """The id of the account that pays for a subscriber. Raises NotFound."""
    subscriber = own_subscriber(tenant, subscriber_id)
    account_id = Payer.objects.filter(subscriber=subscriber).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound(f"no account pays for subscriber {subscriber}", where="id")
    return int(account_id)


def _account(tenant: str, account_id: int, amount_micros: int, key: str, note: str) -> Account:
    if abs(amount_micros) > MOST_MICROS:
        raise InvalidInput("the amount is beyond all reason", where="amount_micros")
    if not key or len(key) > LONGEST_KEY:
        raise InvalidInput(f"a key of 1 to {LONGEST_KEY} characters names the movement", where="key")
    if len(note) > LONGEST_NOTE:
        raise InvalidInput(f"at most {LONGEST_NOTE} characters", where="note")
    account = Account.objects.filter(pk=account_id, tenant_id=tenant_of(tenant).id).first()
    if account is None:
        raise NotFound(f"there is no account {account_id}", where="account_id")
    return account


def _full_key(account: Account, key: str) -> str:
    return f"crm:{account.tenant_id}:{key}"


def _signed(note: str, by: str) -> str:
    return (f"{note} ({by})" if note and by else note or by)[:LONGEST_NOTE]


def _cause(account: Account, operation: Operation, key: str) -> str:
    """The cause under which charging enters an order with this key."""
    name = "top-up" if operation is Operation.TOP_UP else "adjustment"
    request = OnlineRequest(operation, f"{name}:{_full_key(account, key)}", 0, account.opened_at)
    return f"event:{digest_of(request)}:0"


def _moved_before(account: Account, operation: Operation, amount_micros: int, key: str) -> Moved | None:
    if not LedgerEntry.objects.filter(cause=_cause(account, operation, key)).exists():
        return None
    return _result(account, operation, amount_micros, key, repeated=True)


def _result(account: Account, operation: Operation, amount_micros: int, key: str, *, repeated: bool) -> Moved:
    """What the ledger says that was moved under the key; of two calls at once, the second sees the first one's."""
    entry = LedgerEntry.objects.select_related("balance").get(cause=_cause(account, operation, key))
    if (entry.balance.account_id, entry.amount_micros) != (account.pk, amount_micros):
        raise Conflict(
            "this key was used for another amount or account; use a new key for a new movement",
            code="key_reused",
            where="key",
        )
    balance = Balance.objects.values_list("amount_micros", flat=True).get(
        account_id=account.pk, tag=DEFAULT_BALANCE
    )
    return Moved(account.pk, account.currency, amount_micros, balance, repeated)
