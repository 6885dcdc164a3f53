"""How an account's usage is charged, where not as usual for its kind."""

from __future__ import annotations

from django.db import transaction

from apps.charging.domain.modes import ChargingMode, charging_mode
from apps.charging.models import Account
from apps.kernel.errors import Conflict, NotFound


def checked_mode(account: Account, text: str) -> str:
    """The mode as it is stored; empty: as usual. Raises InvalidInput, or Conflict if it is not for the account."""
    mode = charging_mode(text)
    if mode is ChargingMode.PREPAID and account.mode != Account.Mode.PREPAID:
        raise Conflict(f"account {account} is postpaid: it holds no money that could be debited in real time")
    return str(mode or "")


@transaction.atomic
def set_charging_mode(account_id: int, text: str) -> Account:
    """Set the account's mode; what has been charged stays. Raises NotFound, and as :func:`checked_mode` does."""
    account = Account.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise NotFound(f"there is no account {account_id}")
    account.charging_mode = checked_mode(account, text)
    account.save(update_fields=["charging_mode"])
    return account
