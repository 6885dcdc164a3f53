"""Corrections that staff may make to a record in suspense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from apps.charging.domain.modes import charging_mode
from apps.kernel.errors import InvalidInput, InvalidInputs, Problem
from apps.kernel.periods import as_utc
from apps.mediation.domain.checks import (
    MSISDN_LIMIT,
    OTHER_PARTY_LIMIT,
    RECORD_ID_LIMIT,
    SERVICE_LIMIT,
)
from apps.mediation.domain.records import UsageRecord

Corrections = Mapping[str, str | int]


def _text(limit: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = str(value).strip()
        if not text or len(text) > limit:
            raise InvalidInput(f"must have 1 to {limit} characters")
        return text

    return read


def _digits(value: Any) -> str:
    text = str(value).strip().removeprefix("+")
    if not (text.isascii() and text.isdigit() and len(text) <= MSISDN_LIMIT):
        raise InvalidInput("must be a number in international form, such as 4915550000001")
    return text


def _start(value: Any) -> str:
    instant = value
    if not isinstance(value, datetime):
        try:
            instant = datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise InvalidInput("must be a time such as 2026-01-31T23:59:59Z") from None
    return as_utc(instant).isoformat(timespec="seconds")


def _usage(value: Any) -> int:
    try:
        amount = int(str(value).strip())
    except ValueError:
        raise InvalidInput("must be a whole number of seconds, octets or events") from None
    if amount < 0:
        raise InvalidInput("must not be negative")
    return amount


def _mode(value: Any) -> str:
    return str(charging_mode(str(value)) or "")


_READERS: dict[str, Callable[[Any], str | int]] = {
    "record_id": _text(RECORD_ID_LIMIT),
    "source": _text(RECORD_ID_LIMIT),
    "service": _text(SERVICE_LIMIT),
    "msisdn": _digits,
    "imsi": _digits,
    "other_party": _text(OTHER_PARTY_LIMIT),
    "start": _start,
    "usage": _usage,
    "request_type": _mode,
}
CORRECTABLE = tuple(_READERS)


def read_corrections(given: Mapping[str, Any]) -> dict[str, str | int]:
    """Valid corrections as they are stored; raises InvalidInputs with each wrong one."""
    problems: list[Problem] = []
    found: dict[str, str | int] = {}
    for name, value in given.items():
        reader = _READERS.get(name)
        if reader is None:
            problems.append(Problem(name, f"cannot be corrected; {', '.join(CORRECTABLE)} can"))
            continue
        try:
            found[name] = reader(value)
        except InvalidInput as error:
            problems.append(Problem(name, error.message))
    if problems:
        raise InvalidInputs(problems)
    return found


def corrected(record: UsageRecord, corrections: Corrections) -> UsageRecord:
    """The record with the corrections in place; ``usage`` is in the unit of the record's service."""
    values: dict[str, Any] = {
        name: value for name, value in corrections.items() if name not in ("start", "usage")
    }
    if "start" in corrections:
        values["start"] = int(datetime.fromisoformat(str(corrections["start"])).timestamp())
    if "usage" in corrections:
        amount = int(corrections["usage"])
        # Which of them counts is for the service to say.
        values.update(duration_s=amount, octets=amount, events=amount)
    return record._replace(**values)


def record_of_corrections(corrections: Corrections, raw: bytes) -> UsageRecord | None:
    """A record made of corrections alone, for one that cannot be read; None if they are incomplete."""
    if not {"service", "msisdn", "start", "usage"} <= corrections.keys():
        return None
    return corrected(UsageRecord(0, 0, "", "", "", 0, 0, 0, "", "", raw, b""), corrections)
