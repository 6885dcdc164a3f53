"""Settings of a source that sends CSV: which column is what, and how it writes times, units and numbers."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from apps.kernel.errors import InvalidInputs, Problem
from apps.mediation.formats.numbers import NumberRules, number_rules

TEXT_FIELDS = (
    *("record_id", "source", "service", "msisdn", "imsi", "imei", "other_party"),
    *("cell", "roaming_network", "session_id", "trunk"),
)
USAGE_FIELDS = ("duration_s", "octets_up", "octets_down", "octets", "events")
NUMBER_FIELDS = ("cause", "part", "rating_group", "radio_access")
# “octets” is the volume of both directions, for sources that do not tell them apart.
FIELDS = (*TEXT_FIELDS, "start", *USAGE_FIELDS, *NUMBER_FIELDS)

# Micro-units of the base unit, so that 0.5 min is exact: seconds and octets.
DURATION_UNITS = {"ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
VOLUME_UNITS = {
    "B": 1_000_000,
    "kB": 1_000 * 1_000_000,
    "KiB": 1_024 * 1_000_000,
    "MB": 1_000_000 * 1_000_000,
    "MiB": 1_048_576 * 1_000_000,
    "GB": 1_000_000_000 * 1_000_000,
    "GiB": 1_073_741_824 * 1_000_000,
}
TIME_FORMATS = ("iso", "epoch", "epoch_ms")

# A column: its name in the header, its number from 1, or several of either that are joined by a space.
Column = str | int | tuple[str | int, ...]


class CsvOptions(NamedTuple):
    """Validated options; see the README of the room for what each means."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip_lines: int = 0
    comment: str = "#"
    final_newline: bool = True
    columns: Mapping[str, Column] = {}
    constants: Mapping[str, str] = {}
    services: Mapping[str, str] = {}
    time_format: str = "iso"
    time_zone: ZoneInfo = ZoneInfo("UTC")
    duration_unit: str = "s"
    volume_unit: str = "B"
    numbers: NumberRules = NumberRules()


def csv_options(given: Mapping[str, Any]) -> CsvOptions:
    """Options from a source's settings; raises InvalidInputs with each wrong one and what it may be."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        reader = _READERS.get(name)
        where = f"options.{name}"
        if reader is None:
            problems.append(Problem(where, f"is not known; the csv format has {', '.join(sorted(_READERS))}"))
        else:
            values[name] = reader(value, where, problems)
    if problems:
        raise InvalidInputs(problems)
    options = CsvOptions(**values)
    if not options.header:
        _check_headless(options, problems)
    if options.delimiter == options.quote:
        problems.append(Problem("options.quote", "must differ from the delimiter"))
    if problems:
        raise InvalidInputs(problems)
    return options


def _check_headless(options: CsvOptions, problems: list[Problem]) -> None:
    for field, column in options.columns.items():
        parts = column if isinstance(column, tuple) else (column,)
        if any(isinstance(part, str) for part in parts):
            problems.append(
                Problem(f"options.columns.{field}", "must be a number from 1: the files have no header")
            )
    problems.extend(
        Problem(f"options.columns.{field}", "is needed: the files have no header")
        for field in ("msisdn", "start", "service")
        if field not in options.columns and field not in options.constants
    )


def _one_character(value: Any, where: str, problems: list[Problem]) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in "\r\n\0" or not value.isascii():
        problems.append(Problem(where, f"must be a single character, not {value!r}"))
    return str(value)


def _quote(value: Any, where: str, problems: list[Problem]) -> str:
    return "" if value == "" else _one_character(value, where, problems)


def _text(value: Any, where: str, problems: list[Problem]) -> str:
    if not isinstance(value, str):
        problems.append(Problem(where, f"must be a text, not {value!r}"))
    return str(value)


def _flag(value: Any, where: str, problems: list[Problem]) -> bool:
    if not isinstance(value, bool):
        problems.append(Problem(where, f"must be true or false, not {value!r}"))
    return bool(value)


def _count(value: Any, where: str, problems: list[Problem]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        problems.append(Problem(where, f"must be a number from 0 to 1000, not {value!r}"))
        return 0
    return value


def _encoding(value: Any, where: str, problems: list[Problem]) -> str:
    try:
        # Lines are found before they are decoded.
        if not isinstance(value, str) or codecs.encode("1,\n", value) != b"1,\n":
            raise LookupError
    except (LookupError, TypeError, ValueError):
        problems.append(
            Problem(where, f"must be an encoding that contains ASCII (utf-8, latin-1, cp1252), not {value!r}")
        )
        return "utf-8"
    return value


def _columns(value: Any, where: str, problems: list[Problem]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for field, column in _object(value, where, problems).items():
        if field not in FIELDS:
            problems.append(Problem(f"{where}.{field}", f"is not known; known are {', '.join(FIELDS)}"))
            continue
        parts = tuple(column) if isinstance(column, list | tuple) and column else (column,)
        problems.extend(
            Problem(f"{where}.{field}", f"must be a column's name or its number from 1, not {part!r}")
            for part in parts
            if not _names_a_column(part)
        )
        columns[field] = parts if isinstance(column, list | tuple) else column
    return columns


def _names_a_column(part: Any) -> bool:
    if isinstance(part, str):
        return part != ""
    return isinstance(part, int) and not isinstance(part, bool) and part >= 1


def _constants(value: Any, where: str, problems: list[Problem]) -> dict[str, str]:
    constants: dict[str, str] = {}
    for field, constant in _object(value, where, problems).items():
        if field not in TEXT_FIELDS:
            problems.append(Problem(f"{where}.{field}", f"cannot be constant; {', '.join(TEXT_FIELDS)} can"))
        elif not isinstance(constant, str):
            problems.append(Problem(f"{where}.{field}", f"must be a text, not {constant!r}"))
        else:
            constants[field] = constant
    return constants


def _services(value: Any, where: str, problems: list[Problem]) -> dict[str, str]:
    services = _object(value, where, problems)
    for name, code in services.items():
        if not isinstance(code, str):
            problems.append(Problem(f"{where}.{name}", f"must be the code of a service, not {code!r}"))
    return services


def _object(value: Any, where: str, problems: list[Problem]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        problems.append(Problem(where, f"must be an object, not {value!r}"))
        return {}
    return dict(value)


def _time_format(value: Any, where: str, problems: list[Problem]) -> str:
    if not isinstance(value, str) or not (value in TIME_FORMATS or "%" in value):
        problems.append(
            Problem(where, f"must be {', '.join(TIME_FORMATS)} or like %d.%m.%Y %H:%M:%S, not {value!r}")
        )
        return "iso"
    return value


def _zone(value: Any, where: str, problems: list[Problem]) -> ZoneInfo:
    if not isinstance(value, str) or value not in available_timezones():
        problems.append(Problem(where, f"must be an IANA time zone such as Europe/Berlin, not {value!r}"))
        return ZoneInfo("UTC")
    return ZoneInfo(value)


def _one_of(choices: tuple[str, ...]) -> Callable[[Any, str, list[Problem]], str]:
    def read(value: Any, where: str, problems: list[Problem]) -> str:
        if value not in choices:
            problems.append(Problem(where, f"must be one of {', '.join(choices)}, not {value!r}"))
        return str(value)

    return read


_READERS: dict[str, Callable[[Any, str, list[Problem]], Any]] = {
    "delimiter": _one_character,
    "quote": _quote,
    "encoding": _encoding,
    "header": _flag,
    "skip_lines": _count,
    "comment": _text,
    "final_newline": _flag,
    "columns": _columns,
    "constants": _constants,
    "services": _services,
    "time_format": _time_format,
    "time_zone": _zone,
    "duration_unit": _one_of((*DURATION_UNITS, "hms")),
    "volume_unit": _one_of(tuple(VOLUME_UNITS)),
    "numbers": number_rules,
}
