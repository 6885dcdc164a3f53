"""Options of a source that sends CSV: which column is what, and how it writes times, units and numbers."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, PlainValidator

from apps.kernel.errors import InvalidInput, InvalidInputs, Problem
from apps.kernel.fields import DEFAULT, record_filter, template
from apps.kernel.options import Options, read_options
from apps.mediation.formats.numbers import NumberRules

TEXT_FIELDS = (
    *("record_id", "source", "service", "msisdn", "imsi", "imei", "other_party"),
    *("cell", "roaming_network", "session_id", "trunk", "request_type"),
)
USAGE_FIELDS = ("duration_s", "octets_up", "octets_down", "octets", "events")
NUMBER_FIELDS = ("cause", "part", "rating_group", "radio_access")
# “octets” is the volume of both directions, for sources that do not tell them apart.
FIELDS = (*TEXT_FIELDS, "start", *USAGE_FIELDS, *NUMBER_FIELDS)
TIME_FORMATS = ("iso", "epoch", "epoch_ms")

# A column: its name in the header, its number from 1, or several of either that are joined by a space.
Column = str | int | tuple[str | int, ...]
DurationUnit = Literal["s", "ms", "min", "h", "hms"]
VolumeUnit = Literal["B", "kB", "KiB", "MB", "MiB", "GB", "GiB"]


def _encoding(name: str) -> str:
    try:
        # Lines are found before they are decoded.
        if codecs.encode("1,\n", name) == b"1,\n":
            return name
    except (LookupError, TypeError, ValueError):
        pass
    raise ValueError(
        f"must be an encoding that contains ASCII, such as utf-8, latin-1 or cp1252, not {name!r}"
    )


def _field(name: str) -> str:
    if name not in FIELDS:
        raise ValueError(f"is not known; known are {', '.join(FIELDS)}")
    return name


def _text_field(name: str) -> str:
    if name not in TEXT_FIELDS:
        raise ValueError(f"cannot be constant; {', '.join(TEXT_FIELDS)} can")
    return name


def _column(given: Any) -> Column:
    parts = tuple(given) if isinstance(given, list | tuple) and given else (given,)
    for part in parts:
        number = isinstance(part, int) and not isinstance(part, bool) and part >= 1
        if not number and not (isinstance(part, str) and part):
            raise ValueError(f"must be a column's name or its number from 1, not {part!r}")
    return parts if isinstance(given, list | tuple) else parts[0]


def _time_format(text: str) -> str:
    if text not in TIME_FORMATS and "%" not in text:
        raise ValueError(f"must be {', '.join(TIME_FORMATS)} or like %d.%m.%Y %H:%M:%S, not {text!r}")
    return text


def _zone(given: Any) -> ZoneInfo:
    if not isinstance(given, str) or given not in available_timezones():
        raise ValueError(f"must be an IANA time zone such as Europe/Berlin, not {given!r}")
    return ZoneInfo(given)


def _template(text: Any) -> str:
    """Kept as text, because what it means depends on the field that it is for."""
    if not isinstance(text, str):
        raise ValueError(f"must be a field template, not {text!r}")
    try:
        template(text, DEFAULT)
    except InvalidInput as error:
        raise ValueError(f"must be a field template: {error.message}") from None
    return text


def _filter(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"must be a filter, not {text!r}")
    try:
        record_filter(text)
    except InvalidInput as error:
        raise ValueError(f"must be a filter: {error.message}") from None
    return text


_Character = Annotated[str, Field(pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x7f]$")]
_CharacterOrNone = Annotated[str, Field(pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x7f]?$")]


class CsvOptions(Options):
    """How a source writes its lines."""

    delimiter: _Character = Field(default=",", description="a single ASCII character")
    quote: _CharacterOrNone = Field(default='"', description="a single ASCII character, or empty")
    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        default="utf-8", description="an encoding that contains ASCII, such as utf-8, latin-1 or cp1252"
    )
    header: bool = Field(default=True, description="true or false (whether the first line names the columns)")
    skip_lines: int = Field(
        default=0, ge=0, le=1000, description="a number from 0 to 1000 (lines before the header)"
    )
    comment: str = Field(default="#", description="a text (lines that begin with it are skipped)")
    final_newline: bool = Field(
        default=True, description="true or false (whether a last line without its newline counts as cut off)"
    )
    columns: Mapping[Annotated[str, AfterValidator(_field)], Annotated[Column, PlainValidator(_column)]] = (
        Field(
            default={},
            description="a column's name, its number from 1 or a list of these, by field;"
            " none: the header names fields",
        )
    )
    constants: Mapping[Annotated[str, AfterValidator(_text_field)], str] = Field(
        default={}, description='a text that every record has, by field, such as {"service": "voice"}'
    )
    templates: Mapping[Annotated[str, AfterValidator(_field)], Annotated[str, PlainValidator(_template)]] = (
        Field(
            default={},
            description="a value made of columns (by name, or number from 1), by field, such as"
            ' {"other_party": "~called:s/^0(\\d+)$/49$1/"}; *default is the field\'s own column',
        )
    )
    filter: Annotated[str, PlainValidator(_filter)] = Field(
        default="",
        description='conditions on columns that lines must pass to be read, such as "type(^CALL$|^SMS$)"',
    )
    services: Mapping[str, str] = Field(
        default={}, description="the code of a service, by the source's name for it"
    )
    time_format: Annotated[str, AfterValidator(_time_format)] = Field(
        default="iso", description="iso, epoch, epoch_ms or like %d.%m.%Y %H:%M:%S"
    )
    time_zone: Annotated[ZoneInfo, PlainValidator(_zone)] = Field(
        default=ZoneInfo("UTC"), description="an IANA time zone such as Europe/Berlin, for times without one"
    )
    duration_unit: DurationUnit = Field(
        default="s", description="s, ms, min, h or hms; parts of a second count whole"
    )
    volume_unit: VolumeUnit = Field(default="B", description="B, kB, KiB, MB, MiB, GB or GiB")
    numbers: NumberRules = NumberRules()


def csv_options(given: Mapping[str, Any]) -> CsvOptions:
    """Options from a source's settings. Raises InvalidInputs: each wrong one and its possible values."""
    options = read_options(CsvOptions, given)
    problems = [] if options.header else list(_headless_problems(options))
    if options.delimiter == options.quote:
        problems.append(Problem("options.quote", "must differ from the delimiter"))
    if problems:
        raise InvalidInputs(problems)
    return options


def _headless_problems(options: CsvOptions) -> list[Problem]:
    """Problems of files without a header line."""
    named = [
        f"columns.{field}"
        for field, column in options.columns.items()
        if any(isinstance(part, str) for part in (column if isinstance(column, tuple) else (column,)))
    ]
    named += [
        f"templates.{field}"
        for field, text in options.templates.items()
        if not all(name == DEFAULT or _is_number(name) for name in template(text, DEFAULT).names)
    ]
    named += ["filter"] if not all(_is_number(name) for name in record_filter(options.filter).names) else []
    return [
        Problem(f"options.{name}", "must name columns by number from 1: the files have no header")
        for name in named
    ] + [
        Problem(f"options.columns.{field}", "is needed: the files have no header")
        for field in ("msisdn", "start", "service")
        if field not in options.columns and field not in options.constants and field not in options.templates
    ]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and int(name) >= 1
