"""CDR messages (``proto/billing.proto``) as they are written: into files, and of corrected records."""

from __future__ import annotations

from apps.mediation.domain.records import UsageRecord
from apps.mediation.pb.billing_pb2 import CDR

MAGIC = "BSSCDR1"


def delimited(message: bytes) -> bytes:
    """A serialised message (or what should be one) as it stands in a file: after its length, a varint."""
    length, prefix = len(message), bytearray()
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((*prefix, length)) + message


def message_of(record: UsageRecord, type_of_record: str) -> bytes:
    """The record as a serialised CDR message: its own, with the fields that were corrected since.

    ``type_of_record`` says which of the record's usage figures counts.
    """
    cdr = CDR.FromString(record.message)
    cdr.record_id, cdr.service, cdr.start = record.record_id, record.service, record.start
    cdr.msisdn, cdr.imsi, cdr.other_party, cdr.source, cdr.request_type = (
        record.msisdn,
        record.imsi,
        record.other_party,
        record.source,
        record.request_type,
    )
    if type_of_record == "voice":
        cdr.duration_s = record.duration_s
    elif type_of_record != "data":
        cdr.events = record.events
    elif max(0, cdr.octets_up) + max(0, cdr.octets_down) != record.octets:
        cdr.octets_up, cdr.octets_down = 0, record.octets
    message: bytes = cdr.SerializeToString()
    return message
