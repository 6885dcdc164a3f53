"""Instants, days and money as messages carry them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from apps.crmapi.grpc.pb import crm_pb2
from apps.kernel.errors import InvalidInput, InvalidInputs, Problem
from apps.kernel.money import MICROS_PER_UNIT

# Instants from 1970 to the end of 9998: what every database and calendar can hold, in any time zone.
LATEST_S = 253_370_764_800
MOST_MICROS = 2**63 - 1


def seconds(instant: datetime | None) -> int:
    """Unix seconds; 0 for None."""
    return int(instant.timestamp()) if instant is not None else 0


def instant_of(value: int, where: str) -> datetime | None:
    """The instant of Unix seconds; None for 0. Raises InvalidInput for one that no calendar here holds."""
    if value == 0:
        return None
    if not 0 < value < LATEST_S:
        raise InvalidInput("give Unix seconds, from 1970 on", where=where)
    return datetime.fromtimestamp(value, UTC)


def day_of(text: str, where: str) -> date | None:
    """The day of YYYY-MM-DD; None for an empty text."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("give a day as YYYY-MM-DD", where=where) from None


def units(micros: int) -> float:
    """Units of a currency as old clients read them."""
    return micros / MICROS_PER_UNIT


def micros_of(amount: float, micros: int, where: str) -> int:
    """The amount that a message means: its micro-units, or where those are 0, the float that old clients send.

    Raises InvalidInput if both are given and differ, or it is no amount.
    """
    if amount == 0:
        return micros
    if not math.isfinite(amount) or abs(amount) > MOST_MICROS / MICROS_PER_UNIT:
        raise InvalidInput("this is not an amount of money", where=where)
    # By its shortest decimal form, which is what the client wrote; binary fractions are an accident of the wire.
    exact = (Decimal(repr(amount)) * MICROS_PER_UNIT).quantize(Decimal(1), ROUND_HALF_UP)
    if micros not in (0, int(exact)):
        raise InvalidInput(f"{where} and {where}_micros say different amounts; send one of them", where=where)
    return int(exact)


def not_negative(value: int, where: str) -> int:
    """``value``; raises InvalidInput below zero."""
    if value < 0:
        raise InvalidInput("this must not be negative", where=where)
    return value


def collected(*readers: Callable[[], object]) -> list[object]:
    """What the readers give, or InvalidInputs with everything that is wrong rather than the first of it."""
    found: list[object] = []
    problems: list[Problem] = []
    for reader in readers:
        try:
            found.append(reader())
        except InvalidInputs as error:
            problems += error.problems
        except InvalidInput as error:
            problems.append(Problem(error.where, error.message, error.code))
    if problems:
        raise InvalidInputs(problems)
    return found


def one_of(number: int, text: str, where: str = "id") -> int:
    """``number``; raises InvalidInput where both name a thing, or the number is below zero."""
    not_negative(number, where)
    if number and text:
        raise InvalidInput("give the subscriber's id or its MSISDN, one of them", where=where)
    return number


def acknowledged(message: str, about: int) -> crm_pb2.CRMResponse:
    """The answer of the older calls."""
    return crm_pb2.CRMResponse(status=crm_pb2.ACK_OK, message=message, id=about)


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """A repeated field as a tuple, each value once, in order."""
    return tuple(dict.fromkeys(values))
