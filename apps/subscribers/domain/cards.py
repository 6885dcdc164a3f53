"""The storable part of a payment card: a vault's token, and the digits printed on receipts."""

from __future__ import annotations

import re
from datetime import date

from apps.kernel.errors import Problem

_SEPARATORS = re.compile(r"[\s-]+")
_TOKEN = re.compile(r"[!-~]{4,120}")


def looks_like_card_number(text: str) -> bool:
    """Whether a text may be a card's own number (ISO/IEC 7812): 12 to 19 digits whose check digit is right."""
    digits = _SEPARATORS.sub("", text)
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def problems_with_card(
    token: str, last_four: str, expiry_month: int, expiry_year: int, holder: str, today: date
) -> list[Problem]:
    """The faults of a card that is to be stored; places are ``token``, ``last_four``, …

    The refused text is not repeated in the message: it may be a card number.
    """
    problems = []
    if any(looks_like_card_number(text) for text in (token, holder)):
        problems.append(
            Problem(
                "token" if looks_like_card_number(token) else "holder",
                "this looks like a card's own number, which is never stored; give the payment provider's token",
                "card_number_refused",
            )
        )
    elif not _TOKEN.fullmatch(token):
        problems.append(
            Problem("token", "the payment provider's token is 4 to 120 characters without spaces")
        )
    if last_four and not (len(last_four) == 4 and last_four.isascii() and last_four.isdigit()):
        problems.append(Problem("last_four", "give the last four digits, or nothing"))
    if bool(expiry_month) != bool(expiry_year):
        problems.append(Problem("expiry_month", "give month and year of expiry, or neither"))
    elif expiry_month and not (1 <= expiry_month <= 12 and 2000 <= expiry_year <= 2100):
        problems.append(Problem("expiry_month", "give a month from 1 to 12 and a year of four digits"))
    elif expiry_month and (expiry_year, expiry_month) < (today.year, today.month):
        problems.append(Problem("expiry_month", "the card has expired"))
    return problems
