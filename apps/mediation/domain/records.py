"""What a file is read into: usage records, rejects, and what a file says about itself."""

from __future__ import annotations

from typing import NamedTuple

# Longest that is kept of something unreadable, octets; the rest stays in the file in error_cdr or processed_cdr.
RAW_LIMIT = 4_096
# The largest amount that a row can hold.
MOST_STORED = (1 << 63) - 1

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
CONTRADICTORY_SUBSCRIBER = "contradictory_subscriber"
DERIVED_RUN_FAILED = "derived_run_failed"

_BY_HAND = "ask its source for it again, or give service, MSISDN, start and usage by hand and recycle it"
_CORRECT = "correct the record and recycle it, or discard it"
# What to do about a record in suspense, by reason; those of rating and charging included.
ADVICE = {
    MALFORMED: f"The record is damaged: {_BY_HAND}.",
    TRUNCATED: f"The file ends within the record: {_BY_HAND}.",
    UNREADABLE: "The rest of the file could not be read: ask its source for the file again, then discard this.",
    TOO_MANY_UNREADABLE: "The rest of the file was not read: ask its source for the file again, then discard this.",
    RECORDS_MISSING: "The file is shorter than it says: ask its source for it again, then discard this.",
    MISSING_FIELD: f"If all records of the source lack it, mend the source's option columns; else {_CORRECT}.",
    INVALID_FIELD: f"If all records of the source have it, mend the source's options; else {_CORRECT}.",
    FIELD_TOO_LONG: f"Such a value is a fault of the source: {_CORRECT}.",
    UNKNOWN_SERVICE: "Make the service, or translate its name in the source's option services; then recycle it.",
    UNKNOWN_SOURCE: "Make the source that the record names, or correct the record; then recycle it.",
    NEGATIVE_USAGE: f"No price is below zero: {_CORRECT}.",
    IMPLAUSIBLE_USAGE: f"Look whether the unit in the source's options is right; else {_CORRECT}.",
    FUTURE_DATE: f"Look at the source's clock and the time zone in its options; else {_CORRECT}.",
    ANCIENT_DATE: f"Raise BSS_CDR_MAX_AGE_DAYS if it is to be billed still; else {_CORRECT}.",
    COST_OUT_OF_RANGE: f"Look at the rate and at the usage: {_CORRECT}.",
    CONTRADICTORY_SUBSCRIBER: (
        "Find out whose record it is: correct its msisdn or its imsi, or the date from which its subscriber has the "
        "number or the SIM; then recycle it."
    ),
    DERIVED_RUN_FAILED: (
        "Mend the derived charger, or the account or rates that its run names; then recycle the record. "
        "Nothing of it is charged until all of its runs can be."
    ),
    "unknown_subscriber": "Give the number to its subscriber as of before the record, or correct it; then recycle it.",
    "no_price_plan": "Give the subscriber a price plan from before the record on; then recycle it.",
    "rating_error": "Mend and publish the tariff as the message says; then recycle it.",
}


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
    imsi: str = ""
    request_type: str = ""


class Reject(NamedTuple):
    """A stretch of a file that is no record: why, in words, and where. ``raw`` is at most RAW_LIMIT octets of it."""

    offset: int
    reason: str
    message: str
    raw: bytes


# What a format yields for a line that its source's filter leaves out; the one object, so that ``is`` finds it.
LEFT_OUT = Reject(0, "left_out", "the source's filter leaves it out", b"")


class FileFacts(NamedTuple):
    """What a file says about itself. ``preamble`` is what a single record of it cannot be read without.

    ``may_be_empty``: it is whole without a single record, because it has a header or its source leaves records out.
    """

    source: str = ""
    sequence: int | None = None
    announced: int | None = None
    preamble: str = ""
    may_be_empty: bool = False
