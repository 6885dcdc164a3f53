"""What a file is read into: usage records, rejects, and what a file says about itself."""

from __future__ import annotations

from typing import NamedTuple

# Longest that is kept of something unreadable, octets; the rest stays in the file in error_cdr or processed_cdr.
RAW_LIMIT = 4_096

# Reasons, as stable codes. Those of charging and rating (unknown_subscriber, no_price_plan, …) are theirs.
MALFORMED = "malformed"
TRUNCATED = "truncated"
UNREADABLE = "unreadable"
RECORDS_MISSING = "records_missing"
TOO_MANY_UNREADABLE = "too_many_unreadable"
MISSING_FIELD = "missing_field"
INVALID_FIELD = "invalid_field"
FIELD_TOO_LONG = "field_too_long"
UNKNOWN_SERVICE = "unknown_service"
UNKNOWN_SOURCE = "unknown_source"
NEGATIVE_USAGE = "negative_usage"
IMPLAUSIBLE_USAGE = "implausible_usage"
FUTURE_DATE = "future_date"
ANCIENT_DATE = "ancient_date"
COST_OUT_OF_RANGE = "cost_out_of_range"


class UsageRecord(NamedTuple):
    """A record as its format understood it; nothing about it has been checked against anything yet.

    ``start`` is in Unix seconds, UTC; ``offset`` where its bytes begin in the file. ``raw`` is the record as
    the file has it, ``message`` the same as a serialised CDR message (``proto/billing.proto``). Ordered by
    start and then by place, so sorting records puts them in the order in which they are charged.
    """

    start: int
    offset: int
    service: str
    msisdn: str
    other_party: str
    duration_s: int
    octets: int
    events: int
    record_id: str
    source: str
    raw: bytes
    message: bytes


class Reject(NamedTuple):
    """A stretch of a file that is no record: why, in words, and where. ``raw`` is at most RAW_LIMIT octets of it."""

    offset: int
    reason: str
    message: str
    raw: bytes


class FileFacts(NamedTuple):
    """What a file says about itself. ``preamble`` is what a single record of it cannot be read without."""

    source: str = ""
    sequence: int | None = None
    announced: int | None = None
    preamble: str = ""
    has_header: bool = False
