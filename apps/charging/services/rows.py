"""Rows of the database as values of the domain, and back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.answers import json_text
from apps.charging.domain.balances import ANY_USE, Balance, BalanceTerms
from apps.charging.domain.sessions import Hold, Meter, Session
from apps.charging.domain.state import Account
from apps.kernel.errors import InvalidInput
from apps.rating.domain.source import Timing
from apps.storage.dialect import by_index, for_update

BALANCE_COLUMNS = (
    "id, account_id, tag, kind, amount_micros, units, reserved_micros, reserved_units, weight, destinations,"
    " categories, timings, active_from, expires_at, disabled, blocker, rating_subject, factors, overdraft_micros,"
    " used_part"
)
ACCOUNTS_SQL = (
    "SELECT a.id, a.number, a.tenant_id, a.currency, a.mode, a.allow_negative, a.closed_at, b.reason,"
    " a.trigger_set_id, a.charging_mode FROM charging_account a LEFT JOIN charging_accountbar b ON b.account_id = a.id"
    " WHERE a.id IN ({values})"
)
"""To be read behind the lock: its former holder may have closed or barred the account."""
BALANCES_SQL = (
    f"SELECT {BALANCE_COLUMNS} FROM charging_balance{{by_index}}"
    " WHERE account_id IN ({values}) ORDER BY account_id, id"
)
"""The default balance stands for its account, whose own row is left alone: bills and records that refer to one hold it
for as long as their transaction lasts."""
SESSION_COLUMNS = (
    "id, session_id, sub_session, account_id, subscriber_id, CAST(opened_at AS CHAR), CAST(updated_at AS CHAR),"
    " CAST(expires_at AS CHAR), status, last_number, peer, owner, meters"
)
SESSION_MARK_COLUMNS = "id, version"
"""The version of a session's row: each write, under its account's lock, increments it."""
LARGEST_DIVISION = 10**10
# weight … factors of a balance without terms of its own, between its tag and figures and its overdraft.
_NO_TERMS = (0, "", "", "", None, None, 0, 0, "", "")


@lru_cache(maxsize=50_000)
def instant_text(moment: datetime) -> str:
    """An instant in UTC as both databases store it."""
    return str(moment if moment.tzinfo is UTC else moment.astimezone(UTC))[:-6]


def instant(value: Any) -> datetime | None:
    """An aware instant from what a driver gives: naive UTC from MySQL, text from SQLite."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    moment: datetime = value.replace(tzinfo=UTC)
    return moment


def balances_sql(connection: BaseDatabaseWrapper) -> str:
    """BALANCES_SQL with a lock on each row, and on no others."""
    index = by_index(connection, "balance_tag_once_an_account")
    return BALANCES_SQL.replace("{by_index}", index) + for_update(connection)


def account_of(row: tuple[Any, ...], tenant: str, zone: ZoneInfo) -> Account:
    """The account of a row of ACCOUNTS_SQL; its tenant's code and zone are known from the row's third value."""
    account_id, number, _, currency, mode, allow_negative, closed_at, bar_reason, set_id, charging_mode = row
    return Account(
        account_id,
        number,
        tenant,
        zone,
        currency,
        mode == "prepaid",
        bool(allow_negative),
        closed_at is not None or bar_reason is not None,
        "" if bar_reason is None or closed_at is not None else bar_reason,
        set_id,
        charging_mode,
    )


def balance_of(row: tuple[Any, ...], groups: tuple[int, ...] = ()) -> Balance:
    """The balance of a row of BALANCE_COLUMNS. Raises InvalidInput if its terms cannot be read."""
    is_money = row[3] == "monetary"
    value, reserved = (row[4], row[6]) if is_money else (row[5], row[7])
    # Nearly all balances have no terms.
    terms = ANY_USE if row[8:18] == _NO_TERMS and not groups else _terms_of(row[8:18], groups)
    balance = Balance(row[0], row[1], row[2], row[3], value, reserved, row[18], terms)
    return balance._replace(used_part=Fraction(row[19])) if row[19] else balance


def _terms_of(row: tuple[Any, ...], groups: tuple[int, ...]) -> BalanceTerms:
    (
        weight,
        destinations,
        categories,
        timings,
        active_from,
        expires_at,
        disabled,
        blocker,
        rating_subject,
        factors,
    ) = row
    included, excluded = destinations_of(destinations)
    return BalanceTerms(
        weight,
        included,
        excluded,
        frozenset(words(categories)),
        timings_of(timings) if timings else (),
        instant(active_from),
        instant(expires_at),
        bool(disabled),
        bool(blocker),
        rating_subject,
        factors_of(factors),
        groups,
    )


TERMS_COLUMNS = (
    "weight",
    "destinations",
    "categories",
    "timings",
    "expires_at",
    "disabled",
    "blocker",
    "rating_subject",
)
"""Terms that actions state."""


def terms_row(terms: BalanceTerms) -> tuple[Any, ...]:
    """The terms as TERMS_COLUMNS hold them; :func:`balance_of` reads them."""
    if terms == ANY_USE:
        return 0, "", "", "", None, 0, 0, ""
    destinations = [*sorted(terms.included), *(f"!{name}" for name in sorted(terms.excluded))]
    return (
        terms.weight,
        ";".join(destinations),
        ";".join(sorted(terms.categories)),
        timings_text(terms.timings),
        None if terms.expires_at is None else instant_text(terms.expires_at),
        int(terms.disabled),
        int(terms.blocker),
        terms.rating_subject,
    )


@lru_cache(maxsize=1_000)
def timings_text(timings: tuple[Timing, ...]) -> str:
    """The timings as the JSON that :func:`timings_of` reads; empty for none."""
    if not timings:
        return ""
    lists = ("years", "months", "month_days", "weekdays")
    return json.dumps(
        [
            {name: list(getattr(timing, name)) for name in lists if getattr(timing, name)}
            | {"start": _clock(timing.start_s), "end": _clock(timing.end_s)}
            for timing in timings
        ]
    )


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def balance_figures(balance: Balance) -> tuple[int, int, int, int, int]:
    """amount_micros, units, reserved_micros, reserved_units, overdraft_micros."""
    if balance.kind == "monetary":
        return balance.value, 0, balance.reserved, 0, balance.overdraft
    return 0, balance.value, 0, balance.reserved, 0


def part_text(used_part: Fraction) -> str:
    """What of a unit is used, as a row has it: 1/2, or nothing."""
    return str(used_part) if used_part else ""


def words(text: str) -> tuple[str, ...]:
    """The parts of a list that is split by “;”."""
    return tuple(part.strip() for part in text.split(";") if part.strip())


@lru_cache(maxsize=1_000)
def destinations_of(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Included and excluded destination ids: ``DE;!DE_BERLIN``."""
    names = words(text)
    return (
        frozenset(name for name in names if not name.startswith("!")),
        frozenset(name[1:] for name in names if name.startswith("!")),
    )


@lru_cache(maxsize=1_000)
def factors_of(text: str) -> tuple[tuple[str, Fraction], ...]:
    """Factors by type of record: ``voice=60;sms=1/4;mms=0.5``. Raises InvalidInput."""
    factors = []
    for part in words(text):
        name, _, number = part.partition("=")
        try:
            factor = Fraction(number.strip())
        except (ValueError, ZeroDivisionError):
            factor = Fraction(0)
        if factor <= 0 or not name.strip():
            raise InvalidInput(f"“{part}” is not a factor; write it like voice=60, sms=1/4 or sms=0.25")
        factors.append((name.strip(), factor))
    if math.lcm(*(factor.numerator for _, factor in factors)) > LARGEST_DIVISION:
        raise InvalidInput(
            f"the factors “{text}” divide a unit into more than {LARGEST_DIVISION} parts; choose rounder ones"
        )
    return tuple(factors)


def used_part_under(used_part: Fraction, factors: tuple[tuple[str, Fraction], ...]) -> Fraction:
    """What is used of a unit as other factors divide it; what cannot be divided so is given to the customer."""
    parts = math.lcm(*(factor.numerator for _, factor in factors))
    return Fraction(math.floor(used_part * parts), parts)


@lru_cache(maxsize=1_000)
def timings_of(text: str) -> tuple[Timing, ...]:
    """Timings from their JSON text. Raises InvalidInput."""
    try:
        return tuple(_timing(number, fields) for number, fields in enumerate(json.loads(text)))
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"timings cannot be read: {error}; write them like [{{'weekdays': [1, 2]}}]"
        ) from error


def _timing(number: int, fields: dict[str, Any]) -> Timing:
    known = {"years", "months", "month_days", "weekdays", "start", "end"}
    if not set(fields) <= known:
        raise ValueError(
            f"{', '.join(sorted(set(fields) - known))} is unknown, {', '.join(sorted(known))} are known"
        )
    return Timing(
        f"T{number}",
        tuple(fields.get("years", ())),
        tuple(fields.get("months", ())),
        tuple(fields.get("month_days", ())),
        tuple(fields.get("weekdays", ())),
        _second_of_day(fields.get("start", "00:00")),
        _second_of_day(fields.get("end", "24:00")),
    )


def _second_of_day(text: str) -> int:
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + (seconds[0] if seconds else 0)


def session_of(row: tuple[Any, ...], holds: dict[int, list[Hold]]) -> Session:
    """The session of a row of SESSION_COLUMNS, with its holds by number of the meter."""
    opened_at, updated_at, expires_at = instant(row[5]), instant(row[6]), instant(row[7])
    assert opened_at is not None
    assert updated_at is not None
    assert expires_at is not None
    row_id, session_id, sub_session, account_id, subscriber_id = row[:5]
    status, last_number, peer, owner, meters = row[8:]
    return Session(
        row_id,
        session_id,
        sub_session,
        account_id,
        subscriber_id,
        opened_at,
        updated_at,
        expires_at,
        status,
        last_number,
        peer,
        owner,
        meters_from_text(meters, holds),
    )


_METER_INSTANTS = tuple(
    Meter._fields.index(name) for name in ("started_at", "reported_at", "tariff_change_at")
)
_METER_HOLDS = Meter._fields.index("holds")
_METER_PASSED = Meter._fields.index("passed")


def meters_to_text(meters: tuple[Meter, ...]) -> str:
    """The meters as JSON without their holds, which have rows of their own."""
    return f"[{','.join([_meter_text(meter) for meter in meters])}]"


def _meter_text(meter: Meter) -> str:
    (
        service,
        rating_group,
        identifier,
        destination,
        started_at,
        reported_at,
        position,
        covered,
        run,
        run_from,
        granted,
        _,
        change_at,
        cost_micros,
        unpaid_micros,
        free_units,
        unrated_units,
        passed,
        in_ns,
    ) = meter
    # Hardly ever is there any: an empty list is not worth its octets.
    last = f",{json.dumps(passed)}" if passed or in_ns else ""
    if in_ns:
        last += ",true"
    return (
        f"[{json_text(service)},{'null' if rating_group is None else rating_group},"
        f"{'null' if identifier is None else identifier},{json_text(destination)},"
        f"{_stamp(started_at)},{_stamp(reported_at)},{position},{covered},{json_text(run)},{run_from},"
        f"{granted},0,{'null' if change_at is None else _stamp(change_at)},{cost_micros},"
        f"{unpaid_micros},{free_units},{unrated_units}{last}]"
    )


@lru_cache(maxsize=10_000)
def _stamp(moment: datetime) -> str:
    return repr(moment.timestamp())


def meters_from_text(text: str, holds: dict[int, list[Hold]]) -> tuple[Meter, ...]:
    """The meters again, with the holds of each by its number."""
    meters = []
    for number, fields in enumerate(json.loads(text)):
        for index in _METER_INSTANTS:
            value = fields[index]
            fields[index] = None if value is None else datetime.fromtimestamp(value, UTC)
        fields[_METER_HOLDS] = tuple(holds.get(number, ()))
        if len(fields) > _METER_PASSED:
            fields[_METER_PASSED] = tuple(tuple(one) for one in fields[_METER_PASSED])
        meters.append(Meter(*fields))
    return tuple(meters)
