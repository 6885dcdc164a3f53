"""CSV: one record a line, columns as the source's options say (``csv_options.py``).

A line break within quotes is not supported: a stray quote would swallow the lines after it. A last line without its
newline counts as cut off unless the source's option ``final_newline`` is false.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from apps.kernel.errors import InvalidInput
from apps.kernel.fields import DEFAULT, Template, record_filter, template
from apps.kernel.options import Described, described
from apps.mediation.domain.records import (
    FIELD_TOO_LONG,
    INVALID_FIELD,
    LEFT_OUT,
    MALFORMED,
    RAW_LIMIT,
    TRUNCATED,
    UNREADABLE,
    FileFacts,
    Reject,
    UsageRecord,
)
from apps.mediation.formats import BytesReader, Reader
from apps.mediation.formats.csv_fields import (
    UnreadableCell,
    duration_reader,
    time_reader,
    volume_reader,
    whole,
)
from apps.mediation.formats.csv_options import FIELDS, TEXT_FIELDS, Column, CsvOptions, csv_options
from apps.mediation.pb.billing_pb2 import CDR

MAX_LINE_OCTETS = 16_384
BLOCK_OCTETS = 1_048_576
_NEEDED = ("msisdn", "start", "service")
_MIN_NAMES = 3


class _Line(NamedTuple):
    """A line without its ending; ``whole`` is false if the end of the file cut it off. The first ``number`` is 1."""

    number: int
    offset: int
    content: bytes
    whole: bool
    too_long: bool

    def reject(self, reason: str, message: str) -> Reject:
        where = f"line {self.number}: " if self.number else ""
        return Reject(self.offset, reason, where + message, self.content[:RAW_LIMIT])


class CsvFormat:
    """See the module."""

    name = "csv"
    title = "CSV (columns by name or number)"

    def options(self, given: Mapping[str, Any]) -> CsvOptions:
        return csv_options(given)

    def described_options(self) -> Iterable[Described]:
        return described(CsvOptions)

    def recognises(self, head: bytes) -> bool:
        """A first line that names fields of a CDR."""
        try:
            names = head.partition(b"\n")[0].decode("ascii").strip().split(",")
        except UnicodeDecodeError:
            return False
        return len(set(names) & set(FIELDS)) >= _MIN_NAMES

    def facts(self, head: bytes, options: CsvOptions) -> FileFacts:
        first = next((item for item in self.read(BytesReader(head), options) if item is not LEFT_OUT), None)
        # Where records name their source, the first one's is the file's.
        source = first.source if isinstance(first, UsageRecord) else ""
        preamble = ""
        if options.header:
            line = self._header_line(_lines(BytesReader(head)), options)
            if line is not None:
                preamble = line.content.decode(options.encoding, "replace")
        return FileFacts(source, preamble=preamble, may_be_empty=bool(preamble or options.filter))

    def read(self, reader: Reader, options: CsvOptions) -> Iterator[UsageRecord | Reject]:
        lines = _lines(reader)
        if options.header:
            header = self._header_line(lines, options)
            if header is None:
                yield Reject(0, UNREADABLE, "there is no header line", b"")
                return
            preamble = header.content.decode(options.encoding, "replace")
        else:
            for _ in range(options.skip_lines):
                next(lines, None)
            preamble = ""
        try:
            layout = _Layout(options, preamble)
        except UnreadableCell as error:
            yield Reject(0, UNREADABLE, str(error), preamble.encode()[:RAW_LIMIT])
            return
        comment = options.comment.encode(options.encoding, "replace")
        for line in lines:
            if not line.content.strip() or (comment and line.content.startswith(comment)):
                continue
            yield self._record(line, layout, options.final_newline, bool(options.filter))

    def read_record(self, raw: bytes, preamble: str, options: CsvOptions) -> UsageRecord | Reject:
        try:
            layout = _Layout(options, preamble)
        except UnreadableCell as error:
            return Reject(0, UNREADABLE, str(error), raw)
        return self._record(_Line(0, 0, raw, True, False), layout, False, False)

    def _header_line(self, lines: Iterator[_Line], options: CsvOptions) -> _Line | None:
        for _ in range(options.skip_lines):
            next(lines, None)
        comment = options.comment.encode(options.encoding, "replace")
        for line in lines:
            content = line.content.removeprefix(b"\xef\xbb\xbf")
            if content.strip() and not (comment and content.startswith(comment)):
                return line._replace(content=content)
        return None

    def _record(
        self, line: _Line, layout: _Layout, final_newline: bool, filtered: bool
    ) -> UsageRecord | Reject:
        """The record of a line; LEFT_OUT if the source's filter applies and does not let it pass."""
        if line.too_long:
            return line.reject(FIELD_TOO_LONG, f"it is longer than {MAX_LINE_OCTETS} octets")
        if final_newline and not line.whole:
            message = (
                "the file ends within this line; if its source never writes a last newline, "
                "set its option final_newline to false and recycle the record"
            )
            return line.reject(TRUNCATED, message)
        try:
            return layout.record(line.offset, line.content, filtered)
        except UnreadableCell as error:
            return line.reject(INVALID_FIELD, str(error))
        except (UnicodeDecodeError, csv.Error) as error:
            return line.reject(MALFORMED, f"it is not a CSV line: {error}")


class _Layout:
    """Where in a line each field is, and how it is read."""

    def __init__(self, options: CsvOptions, preamble: str) -> None:
        self.options = options
        try:
            names = [cell.strip() for cell in self._cells(preamble)] if options.header else []
        except csv.Error as error:
            raise UnreadableCell(f"the header is not a CSV line: {error}") from None
        self.width = len(names)
        columns: Mapping[str, Column] = options.columns or {name: name for name in names if name in FIELDS}
        positions = {
            field: tuple(
                self._position(part, names) for part in (column if isinstance(column, tuple) else (column,))
            )
            for field, column in columns.items()
        }
        self.filter = record_filter(options.filter)
        templates = {field: template(text, DEFAULT) for field, text in options.templates.items()}
        names_read = {name for one in templates.values() for name in one.names} | set(self.filter.names)
        self.named = {
            name: self._position(int(name) if name.isdecimal() and name not in names else name, names)
            for name in names_read - {DEFAULT}
        }
        missing = [
            field
            for field in _NEEDED
            if field not in positions and field not in options.constants and field not in templates
        ]
        if missing:
            raise UnreadableCell(
                f"there is no column for {', '.join(missing)}; the header names {', '.join(names)[:200]}. "
                "Give the source's option columns, or constants"
            )
        used = [index for indexes in positions.values() for index in indexes]
        self.least = 1 + max([*used, *self.named.values()], default=0)
        duration, volume, time = duration_reader(options), volume_reader(options), time_reader(options)
        readers: dict[str, Callable[[str], int]] = {
            "start": time,
            "duration_s": duration,
            "octets": volume,
            "octets_up": volume,
            "octets_down": volume,
        }
        plain = {field: indexes for field, indexes in positions.items() if field not in templates}
        self.texts = [
            (field, indexes[0])
            for field, indexes in plain.items()
            if field in TEXT_FIELDS and len(indexes) == 1
        ]
        self.values = [
            (field, indexes[0], readers.get(field, whole))
            for field, indexes in plain.items()
            if field not in TEXT_FIELDS and len(indexes) == 1
        ]
        self.joined: list[tuple[str, tuple[int, ...], Callable[[str], Any]]] = [
            (field, indexes, str if field in TEXT_FIELDS else readers.get(field, whole))
            for field, indexes in plain.items()
            if len(indexes) > 1
        ]
        self.templates: list[tuple[str, Template, tuple[int, ...], Callable[[str], Any]]] = [
            (
                field,
                made,
                positions.get(field, ()),
                str if field in TEXT_FIELDS else readers.get(field, whole),
            )
            for field, made in templates.items()
        ]
        self.normalise = options.numbers.normalise

    @staticmethod
    def _position(part: str | int, names: list[str]) -> int:
        if isinstance(part, int):
            return part - 1
        if part not in names:
            raise UnreadableCell(f"the header has no column “{part}”; it names {', '.join(names)[:200]}")
        return names.index(part)

    def _cells(self, text: str) -> list[str]:
        options = self.options
        if options.quote and options.quote in text:
            return next(
                csv.reader([text], delimiter=options.delimiter, quotechar=options.quote, strict=True), []
            )
        return text.split(options.delimiter)

    def record(self, offset: int, content: bytes, filtered: bool) -> UsageRecord | Reject:
        """The record of a line, or LEFT_OUT; raises UnreadableCell, UnicodeDecodeError or csv.Error."""
        cells = self._cells(content.decode(self.options.encoding))
        if len(cells) < self.least or (self.width and len(cells) != self.width):
            raise UnreadableCell(f"there are {len(cells)} columns instead of {self.width or self.least}")
        named: dict[str, str] = {}
        if self.named:
            named = {name: cells[index].strip() for name, index in self.named.items()}
        if filtered and not self._passes(named):
            return LEFT_OUT
        fields: dict[str, Any] = dict(self.options.constants)
        for field, index in self.texts:
            text = cells[index].strip()
            if text:
                fields[field] = text
        field = ""
        try:
            for field, index, read in self.values:
                text = cells[index].strip()
                fields[field] = read(text) if text else 0
            for field, indexes, read in self.joined:
                fields[field] = read(_joined(cells, indexes))
            for field, made, indexes, read in self.templates:
                own = _joined(cells, indexes) if indexes else str(fields.get(field, ""))
                fields[field] = read(made.value({**named, DEFAULT: own}))
        except UnreadableCell as error:
            raise UnreadableCell(f"{field}: {error}") from None
        except InvalidInput as error:
            raise UnreadableCell(f"{field}: {error.message}") from None
        service = fields.get("service", "")
        if service in self.options.services:
            service = fields["service"] = self.options.services[service]
        msisdn = fields["msisdn"] = self.normalise(fields.get("msisdn", ""))
        other_party = fields["other_party"] = self.normalise(fields.get("other_party", ""))
        total = fields.pop("octets", 0)
        up, down = fields.get("octets_up", 0), fields.get("octets_down", 0)
        # A total beside its directions counts once: the larger of the two.
        if total < 0 or 0 <= up <= up + down < total:
            down = fields["octets_down"] = total - up
        try:
            message = CDR(**fields).SerializeToString()
        except ValueError:
            raise UnreadableCell("a number is out of range") from None
        return UsageRecord(
            fields.get("start", 0),
            offset,
            service,
            msisdn,
            other_party,
            fields.get("duration_s", 0),
            min(up, down) if up < 0 or down < 0 else up + down,
            fields.get("events", 0),
            fields.get("record_id", ""),
            fields.get("source", ""),
            content,
            message,
            fields.get("imsi", ""),
            fields.get("request_type", ""),
        )

    def _passes(self, named: Mapping[str, str]) -> bool:
        try:
            return self.filter.passes(named)
        except InvalidInput as error:
            raise UnreadableCell(f"filter: {error.message}") from None


def _joined(cells: list[str], indexes: tuple[int, ...]) -> str:
    return " ".join([cells[index].strip() for index in indexes])


def _lines(reader: Reader) -> Iterator[_Line]:
    """Lines of any file in bounded memory: longer ones are cut off and marked."""
    offset, number = 0, 1
    rest = b""
    skipping = False
    while block := reader.read(BLOCK_OCTETS):
        *found, rest = (rest + block).split(b"\n")
        for content in found:
            if not skipping:
                yield _line(number, offset, content, True)
            skipping = False
            offset += len(content) + 1
            number += 1
        if len(rest) > MAX_LINE_OCTETS:
            if not skipping:
                yield _line(number, offset, rest, True)
            skipping = True
            offset += len(rest)
            rest = b""
    if rest and not skipping:
        yield _line(number, offset, rest, False)


def _line(number: int, offset: int, content: bytes, whole_line: bool) -> _Line:
    too_long = len(content) > MAX_LINE_OCTETS
    if content.endswith(b"\r"):
        content = content[:-1]
    return _Line(number, offset, content[:MAX_LINE_OCTETS], whole_line, too_long)


FORMAT = CsvFormat()
