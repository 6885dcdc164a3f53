"""Price enquiries as JSON lines: one line in, one line out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

from apps.kernel.errors import BssError, InvalidInput
from apps.kernel.money import format_micros
from apps.kernel.units import VOICE_NS, figure, parse_nanoseconds, type_of_record
from apps.rating.domain.errors import INVALID_USAGE, RatingError
from apps.rating.domain.explain import Line, price_lines
from apps.rating.domain.rater import Rater
from apps.rating.domain.usage import VOICE, RatedUsage, Usage

MALFORMED = "malformed_line"
MAX_LINE = 1_000_000
_TEXTS = {"tenant": "default", "category": "call", "subject": None, "tor": None, "destination": None}
_encoder = json.JSONEncoder(ensure_ascii=False)
_KNOWN = frozenset([*_TEXTS, "start", "usage", "position"])


class PriceQuery(NamedTuple):
    """Usage to price, and how much of its session was rated already."""

    usage: Usage
    position: int


def answer_line(rater: Rater, line: str | bytes) -> str:
    """The JSON answer to a JSON enquiry; any error is in the answer’s ``error``."""
    try:
        query = read_query(line)
        in_ns = query.usage.tor == VOICE_NS
        answer = _priced(*price_lines(rater, query.usage, query.position), in_ns)
    except BssError as error:
        answer = _unpriced(error)
    return _encoder.encode(answer)


def read_query(line: str | bytes) -> PriceQuery:
    """The enquiry of a line. Raises RatingError: ``malformed_line`` if it is no JSON object, ``invalid_usage``
    if a value is missing or wrong.

    Usage and position are numbers, or durations of voice (``"12.345s"``, ``"12345ms"``): exact to the nanosecond.
    """
    if len(line) > MAX_LINE:
        raise RatingError(f"the line is longer than {MAX_LINE} characters", code=MALFORMED)
    try:
        record = json.loads(line, parse_constant=_no_constant)
        if "\\u" in (line if isinstance(line, str) else line.decode("utf-8-sig")):
            # A lone half of a surrogate pair is legal JSON, but no text that could be written anywhere.
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RatingError(f"this is not JSON: {error}", code=MALFORMED) from error
    if not isinstance(record, dict):
        raise RatingError('this is not a JSON object such as {"subject": …}', code=MALFORMED)
    unknown = sorted(record.keys() - _KNOWN)
    if unknown:
        raise RatingError(
            f"“{unknown[0]}” is not known; known are {', '.join(sorted(_KNOWN))}", code=INVALID_USAGE
        )
    texts = [_text(record, name, default) for name, default in _TEXTS.items()]
    tenant, category, subject, tor, destination = texts
    try:
        tor = type_of_record(tor)
    except InvalidInput as error:
        raise RatingError(error.message, code=INVALID_USAGE) from error
    figures = {"usage": record.get("usage"), "position": record.get("position", 0)}
    if tor == VOICE and any(type(value) is str and value[-1:].isalpha() for value in figures.values()):
        tor = VOICE_NS
        amount, position = (_nanoseconds(name, value) for name, value in figures.items())
    else:
        amount, position = _whole(record, "usage", None), _whole(record, "position", 0)
    return PriceQuery(Usage(tenant, category, subject, tor, destination, _instant(record), amount), position)


def _text(record: dict[str, Any], name: str, default: str | None) -> str:
    value = record.get(name, default)
    if value is None and name not in record:
        raise RatingError(f"“{name}” is missing", code=INVALID_USAGE)
    if not isinstance(value, str):
        raise RatingError(f"“{name}” must be text, not {json.dumps(value)}", code=INVALID_USAGE)
    return value


def _whole(record: dict[str, Any], name: str, default: int | None) -> int:
    value = record.get(name, default)
    if value is None and name not in record:
        raise RatingError(f"“{name}” is missing", code=INVALID_USAGE)
    if type(value) is not int:
        raise RatingError(
            f"“{name}” must be a whole number of seconds, octets or events, not {json.dumps(value)}",
            code=INVALID_USAGE,
        )
    return value


def _nanoseconds(name: str, value: object) -> int:
    try:
        return parse_nanoseconds(value if isinstance(value, str) else json.dumps(value))
    except InvalidInput as error:
        raise RatingError(f"{name}: {error.message}", code=INVALID_USAGE) from error


def _instant(record: dict[str, Any]) -> datetime:
    text = record.get("start")
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise RatingError(
            "“start” must be an instant with a time zone such as 2026-01-01T00:00:00Z, not "
            f"{json.dumps(text)}",
            code=INVALID_USAGE,
        )
    return instant


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _priced(rated: RatedUsage, lines: tuple[Line, ...], in_ns: bool) -> dict[str, Any]:
    return {
        "cost": format_micros(rated.cost_micros),
        "cost_micros": rated.cost_micros,
        "billed_usage": figure(rated.billed_usage, in_ns),
        "connect_fee": format_micros(rated.connect_fee_micros),
        "matched": {
            "subject": rated.subject,
            "destination": rated.destination,
            "prefix": rated.prefix,
            "rating_plan": rated.rating_plan,
        },
        "segments": [
            {
                "start": f"{line.start:%Y-%m-%dT%H:%M:%SZ}",
                "usage": figure(line.usage, line.in_ns),
                "rate": line.rate,
                "increment": figure(line.increment, line.in_ns),
                "units": figure(line.units, line.in_ns),
                "cost": format_micros(line.cost_micros),
            }
            for line in lines
        ],
        "error": None,
    }


def _unpriced(error: BssError) -> dict[str, Any]:
    return {
        "cost": None,
        "cost_micros": None,
        "billed_usage": None,
        "connect_fee": None,
        "matched": None,
        "segments": [],
        "error": {"code": error.code, "message": error.message},
    }
