"""What a peer may debit and refund by amount, so that a gateway gone wrong does not give money away.

Refunds go back as far as the account was debited within a window, and all that is moved without rating counts against
the peer's limit of the day (ADR 20).
"""

from __future__ import annotations

from typing import NamedTuple

REFUND_EXCEEDS_DEBITS = "refund_exceeds_debits"
PEER_LIMIT = "money_limit_of_peer"


class MoneyBounds(NamedTuple):
    """What is left to move, and what one request has moved of it; micro-units of the account's currency.

    ``refundable_micros`` was debited from the account within the window and is not refunded yet; ``left_micros`` is
    the rest of the peer's limit for the day. What a session is granted, or reports, in money at once is bounded by the
    limit too, but not counted.
    """

    refundable_micros: int
    left_micros: int
    debited_micros: int = 0
    refunded_micros: int = 0
    refused: int = 0
    refused_micros: int = 0
    last_refusal: str = ""

    def debit(self, amount_micros: int) -> MoneyBounds:
        """After a direct debit of money, or its refusal."""
        if amount_micros > self.left_micros:
            return self._refuse(amount_micros, PEER_LIMIT)
        return self._replace(
            left_micros=self.left_micros - amount_micros,
            refundable_micros=self.refundable_micros + amount_micros,
            debited_micros=self.debited_micros + amount_micros,
        )

    def refund(self, amount_micros: int, covered_micros: int = 0) -> MoneyBounds:
        """After a refund, or its refusal. ``covered_micros`` were found taken, but not as money of the account."""
        own_micros = amount_micros - covered_micros
        if own_micros > self.refundable_micros:
            return self._refuse(amount_micros, REFUND_EXCEEDS_DEBITS)
        if amount_micros > self.left_micros:
            return self._refuse(amount_micros, PEER_LIMIT)
        return self._replace(
            left_micros=self.left_micros - amount_micros,
            refundable_micros=self.refundable_micros - own_micros,
            refunded_micros=self.refunded_micros + amount_micros,
        )

    def _refuse(self, amount_micros: int, reason: str) -> MoneyBounds:
        return self._replace(
            refused=self.refused + 1,
            refused_micros=self.refused_micros + amount_micros,
            last_refusal=reason,
        )
