"""Instants, days and money as messages carry them, and whose subscriber a message names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from apps.crm.domain.access import demand_own
from apps.crm.domain.errors import Forbidden
from apps.crm.domain.subscribers import SubscriberView
from apps.crm.selectors.subscribers import get_subscriber
from apps.crmapi.grpc.servicers.rpc import RpcCall
from apps.kernel.errors import InvalidInput, InvalidInputs, NotFound, Problem
from apps.kernel.money import MICROS_PER_UNIT

# Instants from 1970 to the end of 9998: what every database and calendar can hold, whatever the time zone.
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

    Raises InvalidInput where both are given and differ, and for what is no amount.
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


def own_subscriber_id(call: RpcCall, subscriber_id: int, msisdn: str) -> int:
    """The subscriber's id that a message names by id or MSISDN; a self-care caller can name their own only.

    Raises InvalidInput, NotFound, Forbidden. An id is not looked up here: the use case does.
    """
    if bool(subscriber_id) == bool(msisdn):
        # A customer's own token needs to name nobody.
        if not subscriber_id and call.caller.subscriber_id is not None:
            return call.caller.subscriber_id
        raise InvalidInput("give the subscriber's id or its MSISDN, one of them", where="id")
    not_negative(subscriber_id, "id")
    if subscriber_id:
        demand_own(call.caller, subscriber_id)
        return subscriber_id
    return named_subscriber(call, 0, msisdn).id


def named_subscriber(call: RpcCall, subscriber_id: int, msisdn: str) -> SubscriberView:
    """The subscriber that a message names. Others' numbers look alike to a self-care caller, there or not."""
    not_negative(subscriber_id, "id")
    own = call.caller.subscriber_id
    if own is not None:
        if not subscriber_id and not msisdn:
            subscriber_id = own
        if subscriber_id:
            demand_own(call.caller, subscriber_id)
    try:
        found = get_subscriber(call.tenant, now=call.now, subscriber_id=subscriber_id, msisdn=msisdn)
    except NotFound:
        if own is not None and msisdn:
            raise Forbidden("a self-care token is for its own subscriber alone", where="subscriber") from None
        raise
    demand_own(call.caller, found.id)
    return found


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """A repeated field as a tuple, each value once, in order."""
    return tuple(dict.fromkeys(values))
