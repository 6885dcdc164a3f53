"""Usage that is priced, and its price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import floor
from typing import NamedTuple

from apps.kernel.units import NANO, VOICE_NS, TypeOfRecord, is_type_of_record
from apps.rating.domain.errors import INVALID_USAGE, RatingError

VOICE = TypeOfRecord.VOICE.value
# Limits on everything: a session of a year is a mistake, and amounts have to fit the databases' integers.
MAX_VOICE_SESSION_S = 366 * 86_400
MAX_AMOUNT = 1 << 62
EARLIEST_EPOCH = 0
_EPOCH = datetime.fromtimestamp(0, UTC)
LATEST_EPOCH = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())


class Usage(NamedTuple):
    """A piece of usage: ``amount`` seconds, octets or events of type ``tor``, begun at ``start`` (aware).

    Of type ``VOICE_NS`` it is nanoseconds, and ``start`` is rounded down to the microsecond.
    """

    tenant: str
    category: str
    subject: str
    tor: str
    destination: str
    start: datetime
    amount: int


class Matched(NamedTuple):
    """What a price was found by: whose rating plan, and which destination by which prefix of the number."""

    subject: str
    destination: str
    prefix: str
    rating_plan: str


NOTHING_MATCHED = Matched("", "", "", "")


class RatedUsage(NamedTuple):
    """The price of a piece of usage.

    ``cost_micros`` holds the connect fee. ``billed_usage`` counts paid units, rounded up to increments and
    without what an earlier piece's last increment had covered (in whole seconds, those that are covered wholly);
    ``free_usage`` is the part of the piece that
    allowances cover. ``paid_from`` is the session position at which payment begins: pass it on with the
    session's next piece. ``matched`` is what priced the piece's beginning.
    """

    cost_micros: int
    billed_usage: int
    connect_fee_micros: int
    free_usage: int
    paid_from: int
    matched: Matched

    @property
    def subject(self) -> str:
        return self.matched.subject

    @property
    def destination(self) -> str:
        return self.matched.destination

    @property
    def prefix(self) -> str:
        return self.matched.prefix

    @property
    def rating_plan(self) -> str:
        return self.matched.rating_plan


def check_usage(usage: Usage, position: int, paid_from: int) -> int:
    """Unix seconds at which the piece begins; raises RatingError (invalid_usage) for what cannot be priced."""
    tenant, category, subject, tor, destination, start, amount = usage
    if not (
        type(tenant) is str and type(category) is str and type(subject) is str and type(destination) is str
    ):
        _refuse_texts(usage)
    if not isinstance(tor, str) or not (tor == VOICE_NS or is_type_of_record(tor)):
        raise RatingError(
            f"“{tor}” is not a type of record; write it in small letters, like voice, data, sms or mms",
            code=INVALID_USAGE,
        )
    if not (
        type(amount) is int
        and type(position) is int
        and type(paid_from) is int
        and 0 <= amount <= MAX_AMOUNT
        and 0 <= position <= MAX_AMOUNT
        and 0 <= paid_from <= MAX_AMOUNT
    ):
        _refuse_numbers(amount, position, paid_from)
    if not isinstance(start, datetime) or start.tzinfo is None:
        raise RatingError(
            f"start needs a time zone, as in 2026-01-01T00:00:00Z, not {start}", code=INVALID_USAGE
        )
    epoch = began = floor(start.timestamp())
    if tor == VOICE:
        began -= position
        if position + amount > MAX_VOICE_SESSION_S:
            raise RatingError(
                f"a call of {position + amount} s is longer than a year; check the record’s duration",
                code=INVALID_USAGE,
            )
    elif tor == VOICE_NS:
        began = session_began(start, position)
        epoch = began + position // NANO
        if position + amount > MAX_VOICE_SESSION_S * NANO:
            raise RatingError(
                f"a call of {position + amount} ns is longer than a year; check the record’s duration",
                code=INVALID_USAGE,
            )
    if began < EARLIEST_EPOCH or epoch > LATEST_EPOCH:
        raise RatingError(f"start {start} is not between the years 1970 and 9000", code=INVALID_USAGE)
    return epoch


def session_began(start: datetime, position_ns: int) -> int:
    """The Unix second in which the session of a piece began, at whose position (ns) the clock showed ``start``."""
    microseconds = (start - _EPOCH) // timedelta(microseconds=1)
    return -((position_ns - microseconds * 1_000) // 1_000) // 1_000_000


def _refuse_texts(usage: Usage) -> None:
    for name in ("tenant", "category", "subject", "destination"):
        text = getattr(usage, name)
        if not isinstance(text, str):
            raise RatingError(f"{name} must be text, not {text!r}", code=INVALID_USAGE)


def _refuse_numbers(amount: object, position: object, paid_from: object) -> None:
    for name, number in (("usage", amount), ("position", position), ("paid_from", paid_from)):
        if type(number) is not int or not 0 <= number <= MAX_AMOUNT:
            raise RatingError(
                f"{name} must be a whole number of seconds, octets or events from 0 to 2^62, not {number!r}",
                code=INVALID_USAGE,
            )
