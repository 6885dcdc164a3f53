"""Length-delimited streams of CDR messages (``proto/billing.proto``), with or without a header record.

Such a stream has no marks to find one's place again. A record that does not parse is rejected alone where
what follows it reads as records; otherwise the next place from which records read on is looked for within a
window, and without one the rest of the file is a single reject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from apps.kernel.options import Described, Options, described, read_options
from apps.mediation.domain.records import (
    MALFORMED,
    RAW_LIMIT,
    RECORDS_MISSING,
    TRUNCATED,
    UNREADABLE,
    FileFacts,
    Reject,
    UsageRecord,
)
from apps.mediation.formats import BytesReader, Reader
from apps.mediation.formats.messages import MAGIC, delimited
from apps.mediation.formats.numbers import NumberRules
from apps.mediation.pb.billing_pb2 import CDR, CDRFileHeader

# A CDR is some 150 octets; what claims to be longer than this is damage.
MAX_RECORD_OCTETS = 16_384
BLOCK_OCTETS = 1_048_576
# How far beyond damage the next record is looked for, octets.
RESYNC_OCTETS = 131_072
# Between the first and the last instant (Unix seconds) that make a stretch of bytes look like a CDR.
EARLIEST_PLAUSIBLE = 631_152_000
LATEST_PLAUSIBLE = 4_102_444_800

_FIELDS = {field.number: field for field in CDR.DESCRIPTOR.fields}
_HEADER_START = bytes((0xA2, 0x06, len(MAGIC))) + MAGIC.encode()
_KNOWN_FIRST_OCTETS = frozenset(
    (number << 3 | (2 if field.type == field.TYPE_STRING else 0))
    for number, field in _FIELDS.items()
    if number < 16
)


class ProtobufOptions(Options):
    """Options of a source that sends protobuf files."""

    numbers: NumberRules = NumberRules()


class ProtobufFormat:
    """See the module. Options: ``numbers`` (see formats/numbers.py)."""

    name = "protobuf"
    title = "Protobuf (length-delimited CDR messages)"

    def options(self, given: Mapping[str, Any]) -> ProtobufOptions:
        return read_options(ProtobufOptions, given)

    def described_options(self) -> Iterable[Described]:
        return described(ProtobufOptions)

    def recognises(self, head: bytes) -> bool:
        return _header_at(head) is not None or _reads_on(head, 0)

    def facts(self, head: bytes, options: ProtobufOptions) -> FileFacts:
        header = _header_at(head)
        if header is not None:
            return FileFacts(
                header.source.strip(), header.sequence or None, header.count or None, may_be_empty=True
            )
        if _reads_on(head, 0):
            start, end = _extent(head, 0)
            return FileFacts(CDR.FromString(head[start:end]).source.strip())
        return FileFacts()

    def read(self, reader: Reader, options: ProtobufOptions) -> Iterator[UsageRecord | Reject]:
        normalise = options.numbers.normalise
        parse = CDR.FromString
        make = tuple.__new__
        buffer, base, position, complete = b"", 0, 0, False
        announced = found = 0
        while True:
            # Never split a record or a search for one over two blocks.
            needed = RESYNC_OCTETS + 2 * MAX_RECORD_OCTETS
            if not complete and len(buffer) - position < needed:
                buffer, base, position = buffer[position:], base + position, 0
                while not complete and len(buffer) < needed:
                    block = reader.read(BLOCK_OCTETS)
                    complete = not block
                    buffer += block
            size = len(buffer)
            if position >= size:
                break
            safe = size if complete else size - needed
            while position <= safe and position < size:
                # The common case, a length of one or two octets, is read in place.
                length = buffer[position]
                begin = position + 1
                if length >= 0x80:
                    if begin < size and buffer[begin] < 0x80:
                        length = length & 0x7F | buffer[begin] << 7
                        begin += 1
                    else:
                        begin, length = _long_length(buffer, position)
                end = begin + length
                if length <= 0 or length > MAX_RECORD_OCTETS or end > size:
                    break
                raw = buffer[begin:end]
                try:
                    if raw.startswith(_HEADER_START):
                        announced += CDRFileHeader.FromString(raw).count
                        position = end
                        continue
                    cdr = parse(raw)
                except DecodeError:
                    break
                # A damaged length may swallow the next record: its fields then come twice and the sizes differ.
                if cdr.ByteSize() != length and not _fields_once(raw):
                    break
                msisdn = cdr.msisdn
                if not msisdn.isdigit() or msisdn[0] == "0":
                    msisdn = normalise(msisdn)
                other_party = cdr.other_party
                if not other_party.isdigit() or other_party[0] == "0":
                    other_party = normalise(other_party)
                up, down = cdr.octets_up, cdr.octets_down
                found += 1
                yield make(
                    UsageRecord,
                    (
                        cdr.start,
                        base + position,
                        cdr.service,
                        msisdn,
                        other_party,
                        cdr.duration_s,
                        # A negative direction must not be hidden by the other.
                        up + down if up >= 0 and down >= 0 else min(up, down),
                        cdr.events,
                        cdr.record_id,
                        cdr.source,
                        raw,
                        raw,
                        cdr.imsi,
                        cdr.request_type,
                    ),
                )
                position = end
            else:
                continue
            reject, position = _damage(buffer, position, base, complete)
            yield reject
            if position < 0:
                return
        if announced > found:
            yield Reject(
                base + position,
                RECORDS_MISSING,
                f"the header announces {announced} records and only {found} could be read: "
                "the file was cut short or damaged; ask its source for it again",
                b"",
            )

    def read_record(self, raw: bytes, preamble: str, options: ProtobufOptions) -> UsageRecord | Reject:
        for item in self.read(BytesReader(delimited(raw)), options):
            return item._replace(offset=0)
        return Reject(0, MALFORMED, "there is no record in it", raw[:RAW_LIMIT])


def _long_length(buffer: bytes, position: int) -> tuple[int, int]:
    """(where the record begins, its length) for any varint; a length of −1 if it is none or cut off."""
    length = shift = 0
    for index in range(position, min(position + 5, len(buffer))):
        octet = buffer[index]
        length |= (octet & 0x7F) << shift
        if octet < 0x80:
            return index + 1, length
        shift += 7
    return position, -1


def _extent(buffer: bytes, position: int) -> tuple[int, int]:
    """(begin, end) of the record at ``position``; the end is −1 if no length can be read."""
    begin, length = _long_length(buffer, position)
    return begin, (begin + length if 0 < length <= MAX_RECORD_OCTETS else -1)


def _header_at(buffer: bytes) -> CDRFileHeader | None:
    begin, end = _extent(buffer, 0)
    if end < 0 or end > len(buffer) or not buffer.startswith(_HEADER_START, begin):
        return None
    try:
        header: CDRFileHeader = CDRFileHeader.FromString(buffer[begin:end])
    except DecodeError:
        return None
    return header


def _fields_once(raw: bytes) -> bool:
    """Whether no field occurs twice in a message that parses."""
    seen: set[int] = set()
    position = 0
    while position < len(raw):
        position, tag = _varint(raw, position)
        if tag >> 3 in seen:
            return False
        seen.add(tag >> 3)
        kind = tag & 7
        if kind == 0:
            position, _ = _varint(raw, position)
        elif kind == 1:
            position += 8
        elif kind == 2:
            position, length = _varint(raw, position)
            position += length
        elif kind == 5:
            position += 4
        else:
            return False
    return position == len(raw)


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(raw) and shift < 70:
        octet = raw[position]
        position += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            break
        shift += 7
    return position, value


def _looks_like_a_record(raw: bytes) -> bool:
    if raw[0] not in _KNOWN_FIRST_OCTETS:
        return raw.startswith(_HEADER_START)
    try:
        cdr = CDR.FromString(raw)
    except DecodeError:
        return False
    return (
        bool(cdr.msisdn or cdr.service)
        and EARLIEST_PLAUSIBLE <= cdr.start < LATEST_PLAUSIBLE
        and _fields_once(raw)
    )


def _reads_on(buffer: bytes, position: int) -> bool:
    """Whether records can be read from ``position`` on: two in a row, or one and then the end of what there is."""
    for number in range(2):
        begin, end = _extent(buffer, position)
        if end < 0:
            # A length that is cut off by the end of the file is an end, too.
            return number > 0 and position + 5 > len(buffer)
        if end > len(buffer):
            return number > 0
        if not _looks_like_a_record(buffer[begin:end]):
            return False
        position = end
        if position == len(buffer):
            return True
    return True


def _damage(buffer: bytes, position: int, base: int, complete: bool) -> tuple[Reject, int]:
    """The reject for the damage at ``position``, and the position at which reading goes on (−1: none)."""
    begin, end = _extent(buffer, position)
    whole = 0 <= end <= len(buffer) and (end == len(buffer) or _reads_on(buffer, end))
    # A damaged length may reach over whole records, so its own stretch is searched first.
    last = end if whole else min(position + RESYNC_OCTETS, len(buffer))
    candidate = _next_record(buffer, position + 1, last)
    if candidate >= 0:
        message = f"{candidate - position} octets are no CDR message; reading went on after them"
        raw = buffer[position:candidate][:RAW_LIMIT]
        return Reject(base + position, MALFORMED, message, raw), candidate
    if whole:
        message = "is not a CDR message, or a damaged one"
        return Reject(base + position, MALFORMED, message, buffer[begin:end][:RAW_LIMIT]), end
    if complete and len(buffer) - position <= MAX_RECORD_OCTETS:
        message = "the file ends within a record"
        return Reject(base + position, TRUNCATED, message, buffer[position:][:RAW_LIMIT]), -1
    message = "from here on no CDR message can be found; the rest of the file was not read"
    return Reject(base + position, UNREADABLE, message, buffer[position : position + RAW_LIMIT]), -1


def _next_record(buffer: bytes, first: int, last: int) -> int:
    """The first place in ``[first, last)`` from which records can be read on, or −1."""
    for candidate in range(first, last):
        # A quick look: the octet after a length of one or two octets must be a field of a CDR.
        octet = buffer[candidate]
        after = candidate + (1 if octet < 0x80 else 2)
        if octet == 0 or after >= len(buffer):
            continue
        field = buffer[after]
        if (field in _KNOWN_FIRST_OCTETS or field == _HEADER_START[0]) and _reads_on(buffer, candidate):
            return candidate
    return -1


FORMAT = ProtobufFormat()
