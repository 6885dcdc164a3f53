"""The proof that every voucher that was redeemed has credited its value to its account, once."""

from __future__ import annotations

from apps.charging.selectors import BALANCES, LEDGER
from apps.charging.services.audit import Proof, add_proof

_CREDITED = "CASE WHEN b.account_id = v.account_id THEN e.amount_micros + e.units ELSE 0 END"
REDEEMED = Proof(
    "redeemed vouchers",
    "vouchers_voucher",
    "voucher {}",
    "value credited to its account",
    f"SELECT v.serial, g.amount_micros + g.units, {_CREDITED} FROM vouchers_voucher v"
    " JOIN vouchers_voucherbatch g ON g.id = v.batch_id"
    f" LEFT JOIN {LEDGER} e ON e.cause = v.cause LEFT JOIN {BALANCES} b ON b.id = e.balance_id"
    " WHERE v.id BETWEEN {low} AND {high} AND v.status = 'redeemed'"
    f" AND g.amount_micros + g.units <> {_CREDITED} ORDER BY v.id",
)


def register() -> None:
    """Have the audit go through vouchers as well."""
    add_proof(REDEEMED)
