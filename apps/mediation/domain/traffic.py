"""Usage as a mobile operator's subscribers make it, from a seed: the same arguments give the same records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE_S = 60

# Shares of the records, per mille.
SERVICE_MIX = (("data", 520), ("voice", 310), ("sms", 150), ("mms", 20))
# How busy each hour of the local day is.
BUSY_HOURS = (3, 2, 1, 1, 1, 3, 8, 16, 24, 27, 28, 29, 30, 28, 27, 28, 30, 33, 34, 33, 29, 23, 14, 7)
# Of a hundred calls and messages, how many go to whom.
PARTY_MIX = (("on_net", 40), ("home", 46), ("near", 11), ("far", 3))
ACCESS_POINTS = ("internet", "internet", "internet", "internet", "web.mobile", "ims", "business.lan")
ROAMING_PER_MILLE = 25
VISITED_NETWORKS = ("20801", "20810", "22201", "21401", "23430", "23203", "26006", "20404", "310260")
_TABLE = 4_096
_MOST_CALL_S = 4 * 3600
_MOST_OCTETS = 4 << 30


class Line(NamedTuple):
    """A subscriber whose usage is made up."""

    msisdn: str
    imsi: str = ""
    imei: str = ""


class PartyNumbers(NamedTuple):
    """Numbers to dial: of the home country's other networks, of near countries, and of far ones."""

    home: tuple[str, ...]
    near: tuple[str, ...]
    far: tuple[str, ...]


class MadeRecord(NamedTuple):
    """A record that was made up; fields as in the CDR message."""

    record_id: str
    service: str
    msisdn: str
    imsi: str
    imei: str
    other_party: str
    start: int
    duration_s: int
    octets_up: int
    octets_down: int
    events: int
    cell: str
    roaming_network: str
    cause: int
    session_id: str
    radio_access: int


class Traffic:
    """Makes records of ``lines``; call :meth:`records` for a stretch of time after the other."""

    def __init__(
        self, lines: Sequence[Line], parties: PartyNumbers, seed: int, zone: ZoneInfo, id_prefix: str
    ) -> None:
        self._random = random = Random(seed)
        self._zone, self._id_prefix = zone, id_prefix
        self._number = 0
        # Some use their phone eight times as much as others.
        self._lines = [line for line in lines for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8)))]
        self._services = [name for name, share in SERVICE_MIX for _ in range(share)]
        random.shuffle(self._services)
        self._durations = [
            max(1, min(_MOST_CALL_S, int(random.lognormvariate(4.2, 1.15)))) for _ in range(_TABLE)
        ]
        self._volumes = [
            max(1_000, min(_MOST_OCTETS, int(random.lognormvariate(14.6, 1.9)))) for _ in range(_TABLE)
        ]
        self._cells = [
            f"262-07-{random.randrange(1000, 1400)}-{random.randrange(1, 65_000)}" for _ in range(900)
        ]
        self._parties = self._party_table(lines, parties)

    def _party_table(self, lines: Sequence[Line], parties: PartyNumbers) -> list[str]:
        pools = {
            "on_net": [line.msisdn for line in lines],
            "home": parties.home,
            "near": parties.near,
            "far": parties.far,
        }
        kinds = [kind for kind, share in PARTY_MIX for _ in range(share) if pools[kind]]
        # People call the same few numbers again and again; a table of as many as a small town does.
        return [self._random.choice(pools[self._random.choice(kinds)]) for _ in range(4 * _TABLE)]

    def _minutes(self, first: int, last: int) -> list[int]:
        """Minutes within ``[first, last)`` (Unix seconds), as often as usage starts in them."""
        minutes = range(first, max(first + 1, last), MINUTE_S)
        if len(minutes) > 10 * _TABLE:
            minutes = range(first, last, (last - first) // (10 * _TABLE))
        weights = [
            BUSY_HOURS[datetime.fromtimestamp(minute, UTC).astimezone(self._zone).hour] for minute in minutes
        ]
        return self._random.choices(minutes, weights, k=2 * _TABLE)

    def records(self, count: int, first: int, last: int) -> Iterator[MadeRecord]:
        """``count`` records that start in ``[first, last)`` (Unix seconds), in no order, as files have them."""
        draw = self._random.random
        lines, services, parties, cells = self._lines, self._services, self._parties, self._cells
        durations, volumes, minutes = self._durations, self._volumes, self._minutes(first, last)
        spread = min(MINUTE_S, max(1, last - first))
        number_of_lines, number_of_parties, number_of_minutes = len(lines), len(parties), len(minutes)
        prefix = self._id_prefix
        for number in range(self._number, self._number + count):
            msisdn, imsi, imei = lines[int(draw() * number_of_lines)]
            service = services[int(draw() * 1_000)]
            start = minutes[int(draw() * number_of_minutes)] + int(draw() * spread)
            if start >= last:
                start = last - 1
            duration = up = down = events = cause = 0
            chance = draw()
            if service == "voice":
                party = parties[int(draw() * number_of_parties)]
                duration = durations[int(chance * _TABLE)]
                cause = 16
            elif service == "data":
                party = ACCESS_POINTS[int(chance * 7)]
                volume = volumes[int(draw() * _TABLE)]
                up = volume // 9
                down = volume - up
                duration = durations[int(chance * _TABLE)] * 4
            else:
                party = parties[int(draw() * number_of_parties)]
                events = 1
            if party == msisdn:
                party = parties[0] if parties[0] != msisdn else parties[1]
            roaming = ""
            if chance * 1_000 % 1 < ROAMING_PER_MILLE / 1_000:
                roaming = VISITED_NETWORKS[number % len(VISITED_NETWORKS)]
            yield MadeRecord(
                f"{prefix}{number:09d}",
                service,
                msisdn,
                imsi,
                imei,
                party,
                start,
                duration,
                up,
                down,
                events,
                cells[int(chance * 900)],
                roaming,
                cause,
                f"{number * 2654435761 & 0xFFFFFFFF:08x}",
                6 if chance < 0.8 else 1,
            )
        self._number += count


# What can be wrong with a record, and how a good one is spoilt. “garbage” and “repeated” are up to the writer.
FAULTS = (
    "unknown_subscriber",
    "unknown_service",
    "negative_usage",
    "future_date",
    "ancient_date",
    "missing_field",
    "unknown_destination",
    "repeated",
    "garbage",
)
YEAR_S = 365 * 86_400


def spoilt(record: MadeRecord, fault: str, number: int) -> MadeRecord:
    """The record with that fault."""
    if fault == "unknown_subscriber":
        return record._replace(msisdn=f"8830{number:09d}")
    if fault == "unknown_service":
        return record._replace(service="fax")
    if fault == "negative_usage":
        return record._replace(service="voice", duration_s=-60)
    if fault == "future_date":
        return record._replace(start=record.start + 10 * YEAR_S)
    if fault == "ancient_date":
        return record._replace(start=max(1, record.start - 20 * YEAR_S))
    if fault == "missing_field":
        return record._replace(msisdn="")
    if fault == "unknown_destination":
        # 999 is no country's calling code.
        return record._replace(service="voice", duration_s=30, other_party=f"999{number:07d}")
    return record
