"""Checks of a record before it is charged: complete, plausible, of a known service and source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from apps.charging.domain.modes import ChargingMode, is_charging_mode
from apps.mediation.domain.records import (
    ANCIENT_DATE,
    FIELD_TOO_LONG,
    FUTURE_DATE,
    IMPLAUSIBLE_USAGE,
    INVALID_FIELD,
    MISSING_FIELD,
    NEGATIVE_USAGE,
    UNKNOWN_SERVICE,
    UNKNOWN_SOURCE,
    Reject,
    UsageRecord,
)

RECORD_ID_LIMIT = 64
MSISDN_LIMIT = 20
OTHER_PARTY_LIMIT = 64
SERVICE_LIMIT = 32
# The most that one record may plausibly carry: a call of a month, a pebibyte, a billion messages or events.
MOST_BY_TYPE = {"voice": 31 * 86_400, "data": 1 << 50}
MOST_EVENTS = 1_000_000_000
_LAST_INSTANT = 253_402_300_799
_LAST_INTEGER = (1 << 63) - 1
# Of codes that a message lists, characters.
_LONGEST_LIST = 300

# A record that passed: (start, offset, source id, record id, service, MSISDN, other party, amount, raw, message).
# A plain tuple, because millions are spilled and merged; its order is that of charging.
CheckedRecord = tuple[int, int, int, str, str, str, str, int, bytes, bytes]


class SuspendedRecordData(NamedTuple):
    """A record or reject on its way to suspense; values that the table cannot hold are None or cut."""

    byte_offset: int
    reason: str
    message: str
    raw: bytes
    source_id: int | None = None
    record_id: str = ""
    service_code: str = ""
    msisdn: str = ""
    other_party: str = ""
    start: int | None = None
    usage: int | None = None


def suspended(record: CheckedRecord, reason: str, message: str) -> SuspendedRecordData:
    """A record that passed the checks and cannot be charged all the same."""
    start, offset, source_id, record_id, service, msisdn, other_party, amount, raw, _ = record
    return SuspendedRecordData(
        offset, reason, message, raw, source_id, record_id, service, msisdn, other_party, start, amount
    )


class DateLimits(NamedTuple):
    """The first and the last instant (Unix seconds) at which usage may have started."""

    earliest: int
    latest: int


def content_id(raw: bytes) -> str:
    """The identity of a record whose source gives it none: the same bytes are the same record."""
    return "h:" + blake2b(raw, digest_size=20).hexdigest()


def from_reject(reject: Reject, source_id: int | None) -> SuspendedRecordData:
    """What goes into suspense for a stretch of a file that is no record."""
    return SuspendedRecordData(reject.offset, reject.reason, reject.message, reject.raw, source_id)


class RecordChecker:
    """Checks the records of one file.

    ``services`` gives the type of record of each service code, ``sources`` the id of each source code;
    records that name no source are the file's, ``file_source_id``.
    """

    def __init__(
        self,
        services: Mapping[str, str],
        sources: Mapping[str, int],
        file_source_id: int,
        limits: DateLimits,
    ) -> None:
        self.services = services
        self.sources = {**sources, "": file_source_id}
        self.file_source_id = file_source_id
        self.limits = limits

    def check(self, record: UsageRecord) -> CheckedRecord | SuspendedRecordData:
        """The record as it is charged, or why it cannot be."""
        (
            start,
            offset,
            service,
            msisdn,
            other_party,
            duration_s,
            octets,
            events,
            record_id,
            source,
            raw,
            message,
            _,
            mode,
        ) = record
        source_id = self.sources.get(source)
        if source_id is None:
            source_id = self.sources.get(source.strip())
        tor = self.services.get(service)
        record_id = record_id.strip()
        if tor == "voice":
            amount = duration_s
        elif tor == "data":
            amount = octets
        else:
            amount = events or 1
        if (
            source_id is not None
            and tor is not None
            and msisdn
            and 0 <= amount <= MOST_BY_TYPE.get(tor, MOST_EVENTS)
            and self.limits.earliest <= start <= self.limits.latest
            and duration_s >= 0
            and octets >= 0
            and len(record_id) <= RECORD_ID_LIMIT
            and len(msisdn) <= MSISDN_LIMIT
            and len(other_party) <= OTHER_PARTY_LIMIT
            and (not mode or is_charging_mode(mode))
        ):
            return (
                start,
                offset,
                source_id,
                record_id or content_id(raw),
                service,
                msisdn,
                other_party,
                amount,
                raw,
                message,
            )
        reason, explanation = self._fault(record, source_id, tor, amount)
        return SuspendedRecordData(
            offset,
            reason,
            explanation,
            raw,
            source_id,
            (record_id or content_id(raw))[:RECORD_ID_LIMIT],
            service[:SERVICE_LIMIT],
            msisdn[:MSISDN_LIMIT],
            other_party[:OTHER_PARTY_LIMIT],
            start if 0 < start <= _LAST_INSTANT else None,
            amount if -_LAST_INTEGER <= amount <= _LAST_INTEGER else None,
        )

    def _fault(
        self, record: UsageRecord, source_id: int | None, tor: str | None, amount: int
    ) -> tuple[str, str]:
        missing = [name for name in ("service", "msisdn", "start") if not getattr(record, name)]
        if missing:
            return MISSING_FIELD, f"{', '.join(missing)} missing"
        for name, limit in (
            ("record_id", RECORD_ID_LIMIT),
            ("msisdn", MSISDN_LIMIT),
            ("other_party", OTHER_PARTY_LIMIT),
        ):
            text = getattr(record, name).strip()
            if len(text) > limit:
                return FIELD_TOO_LONG, f"{name} has {len(text)} characters, more than {limit}"
        if source_id is None:
            known = ", ".join(sorted(filter(None, self.sources)))
            return (
                UNKNOWN_SOURCE,
                f"the record names the source “{record.source[:64]}”; there are {known[:_LONGEST_LIST]}",
            )
        if tor is None:
            known = ", ".join(sorted(self.services))
            return (
                UNKNOWN_SERVICE,
                f"there is no service “{record.service[:SERVICE_LIMIT]}”; there are {known[:_LONGEST_LIST]}",
            )
        if record.request_type and not is_charging_mode(record.request_type):
            return (
                INVALID_FIELD,
                f"“{record.request_type[:40]}” is not a request type; known are {', '.join(ChargingMode)}",
            )
        for name, value in (("duration_s", record.duration_s), ("octets", record.octets), ("events", amount)):
            if value < 0:
                return NEGATIVE_USAGE, f"{name} is {value}; usage cannot be negative"
        most = MOST_BY_TYPE.get(tor, MOST_EVENTS)
        if amount > most:
            return IMPLAUSIBLE_USAGE, f"{amount} is more than one {tor} record can carry ({most})"
        if record.start > self.limits.latest:
            return FUTURE_DATE, (
                f"it starts at {_clock(record.start)}, after {_clock(self.limits.latest)}:"
                " that is further in the future than BSS_CDR_FUTURE_TOLERANCE_S allows"
            )
        return ANCIENT_DATE, (
            f"it starts at {_clock(record.start)}, before {_clock(self.limits.earliest)}:"
            " that is longer ago than BSS_CDR_MAX_AGE_DAYS allows"
        )


def _clock(epoch: int) -> str:
    """An instant for people; what no calendar has stays in Unix seconds."""
    if not 0 <= epoch <= _LAST_INSTANT:
        return f"{epoch} (Unix seconds)"
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"


def date_limits(now_epoch: int, max_age_days: int, future_tolerance_s: int) -> DateLimits:
    """The limits for files taken at ``now_epoch`` (Unix seconds)."""
    return DateLimits(max(1, now_epoch - max_age_days * 86_400), now_epoch + future_tolerance_s)
