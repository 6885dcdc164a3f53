"""Files of made-up usage records, for demonstrations, tests and load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import IO
from zoneinfo import ZoneInfo

from django.db.models import Q

from apps.kernel.errors import InvalidInput
from apps.mediation.domain.party_numbers import party_numbers
from apps.mediation.domain.traffic import FAULTS, Line, MadeRecord, Traffic, spoilt
from apps.mediation.formats.messages import MAGIC, delimited
from apps.mediation.pb.billing_pb2 import CDR, CDRFileHeader
from apps.rating.models import Tenant
from apps.subscribers.models import Resource, ResourceAssignment

FORMATS = {"protobuf": "cdr", "csv": "csv"}
CSV_FIELDS = MadeRecord._fields
_WRITE_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make: ``records`` in all, of which ``bad`` are wrong in some way, spread evenly over ``files``."""

    folder: Path
    records: int
    files: int
    first: datetime
    last: datetime
    now: datetime
    seed: int = 1
    bad: int = 0
    format: str = "protobuf"
    source: str = "MSC01"
    home: str = "DE"
    zone: str = "UTC"


def subscriber_lines(tenant: str, first: datetime, last: datetime) -> list[Line]:
    """The tenant's subscribers whose number was theirs for all of ``[first, last)``; raises InvalidInput for none."""
    held = ResourceAssignment.objects.filter(
        Q(end__isnull=True) | Q(end__gte=last), resource__tenant__code=tenant, start__lte=first
    )
    by_subscriber: dict[int, dict[str, str]] = {}
    for subscriber_id, kind, value in held.values_list(
        "subscriber_id", "resource__kind", "resource__value"
    ).order_by("subscriber_id"):
        by_subscriber.setdefault(subscriber_id, {})[kind] = value
    lines = [
        Line(
            values[Resource.Kind.MSISDN],
            values.get(Resource.Kind.IMSI, ""),
            values.get(Resource.Kind.HANDSET, ""),
        )
        for values in by_subscriber.values()
        if Resource.Kind.MSISDN in values
    ]
    if not lines:
        raise InvalidInput(
            f"tenant “{tenant}” has no subscriber with a number from {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
            "onboard some, or give a range of numbers with --msisdns"
        )
    return lines


def range_lines(first: str, last: str) -> list[Line]:
    """A line for each number from ``first`` to ``last``; raises InvalidInput if that is no range."""
    if not (
        first.isascii() and first.isdigit() and last.isascii() and last.isdigit() and int(first) <= int(last)
    ):
        raise InvalidInput(
            f"“{first}-{last}” is not a range of numbers; write it like 4915550000001-4915550001000"
        )
    if int(last) - int(first) >= 10_000_000:
        raise InvalidInput("a range holds at most ten million numbers")
    return [Line(str(number)) for number in range(int(first), int(last) + 1)]


def zone_of(tenant: str) -> str:
    """The tenant's time zone; UTC if there is no such tenant."""
    return Tenant.objects.filter(code=tenant).values_list("time_zone", flat=True).first() or "UTC"


def generate_files(
    wanted: Wanted, lines: list[Line], on_progress: Callable[[int], None] = lambda done: None
) -> list[Path]:
    """Write the files, each under a temporary name first; returns their paths. Raises InvalidInput."""
    _check(wanted)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    # The period belongs to the id: the next month's records are others, though the seed be the same.
    prefix = f"{wanted.source}-{wanted.first:%y%m%d}-{wanted.seed:x}-"
    traffic = Traffic(
        lines, party_numbers(wanted.home, wanted.seed), wanted.seed, ZoneInfo(wanted.zone), prefix
    )
    random = Random(wanted.seed ^ 0x5EED)
    bad = set(random.sample(range(wanted.records), wanted.bad))
    start, end = int(wanted.first.timestamp()), int(wanted.last.timestamp())
    paths = []
    done = 0
    for number in range(wanted.files):
        until = wanted.records * (number + 1) // wanted.files
        window = (
            start + (end - start) * number // wanted.files,
            start + (end - start) * (number + 1) // wanted.files,
        )
        made = traffic.records(until - done, window[0], max(window[0] + 1, window[1]))
        name = (
            f"{wanted.source}_{wanted.first:%Y%m%d}_{wanted.seed}_{number + 1:05d}.{FORMATS[wanted.format]}"
        )
        path = wanted.folder / name
        # The loader leaves names that begin with a point alone.
        temporary = path.with_name(f".{name}.tmp")
        with temporary.open("wb") as file:
            writer = _write_protobuf if wanted.format == "protobuf" else _write_csv
            writer(
                file,
                wanted,
                number + 1,
                until - done,
                _with_faults(made, done, bad, random),
                on_progress,
                done,
            )
        temporary.replace(path)
        paths.append(path)
        done = until
    on_progress(done)
    return paths


def _check(wanted: Wanted) -> None:
    if wanted.format not in FORMATS:
        raise InvalidInput(
            f"there is no format “{wanted.format}” to write; known are {', '.join(sorted(FORMATS))}"
        )
    if wanted.records < 1 or wanted.files < 1 or wanted.files > wanted.records:
        raise InvalidInput("there must be at least one record in each file")
    if not 0 <= wanted.bad <= wanted.records:
        raise InvalidInput("of the records at most all can be bad")
    if wanted.last <= wanted.first:
        raise InvalidInput("the period must end after it starts")


def _with_faults(
    made: Iterator[MadeRecord], first: int, bad: set[int], random: Random
) -> Iterator[MadeRecord | bytes]:
    """The records, with the bad ones spoilt, repeated, or replaced by bytes that are no record."""
    if not bad:
        yield from made
        return
    former: MadeRecord | None = None
    for number, record in enumerate(made, first):
        if number not in bad:
            former = record
            yield record
            continue
        fault = FAULTS[number % len(FAULTS)]
        if fault == "garbage":
            yield bytes(random.choices(range(0x80, 0x100), k=40))
        elif fault == "repeated" and former is not None:
            yield former
        else:
            yield spoilt(record, fault, number)


def _write_protobuf(
    file: IO[bytes],
    wanted: Wanted,
    sequence: int,
    count: int,
    records: Iterator[MadeRecord | bytes],
    on_progress: Callable[[int], None],
    done: int,
) -> None:
    # Damaged records do not count as records.
    announced = count if not wanted.bad else 0
    header = CDRFileHeader(
        magic=MAGIC,
        source=wanted.source,
        sequence=sequence,
        count=announced,
        created=int(wanted.now.timestamp()),
    )
    out = [delimited(header.SerializeToString())]
    for record in records:
        out.append(delimited(record if isinstance(record, bytes) else _message(record)))
        done += 1
        if not done % _WRITE_RECORDS:
            file.write(b"".join(out))
            out = []
            on_progress(done)
    file.write(b"".join(out))


def _message(record: MadeRecord) -> bytes:
    (
        record_id, service, msisdn, imsi, imei, other_party, start, duration_s, octets_up, octets_down, events, cell,
        roaming_network, cause, session_id, radio_access,
    ) = record  # fmt: skip
    return CDR(
        record_id=record_id,
        service=service,
        msisdn=msisdn,
        imsi=imsi,
        imei=imei,
        other_party=other_party,
        start=start,
        duration_s=duration_s,
        octets_up=octets_up,
        octets_down=octets_down,
        events=events,
        cell=cell,
        roaming_network=roaming_network,
        cause=cause,
        session_id=session_id,
        radio_access=radio_access,
    ).SerializeToString()


def _write_csv(
    file: IO[bytes],
    wanted: Wanted,
    sequence: int,
    count: int,
    records: Iterator[MadeRecord | bytes],
    on_progress: Callable[[int], None],
    done: int,
) -> None:
    out = [",".join(("source", *CSV_FIELDS)).encode()]
    for record in records:
        if isinstance(record, bytes):
            out.append(record.replace(b"\n", b"?"))
        else:
            start = datetime.fromtimestamp(record.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            cells = (
                start if name == "start" else value for name, value in zip(CSV_FIELDS, record, strict=True)
            )
            out.append(",".join(map(str, (wanted.source, *cells))).encode())
        done += 1
        if not done % _WRITE_RECORDS:
            file.write(b"\n".join(out) + b"\n")
            out = []
            on_progress(done)
    if out:
        file.write(b"\n".join(out) + b"\n")
