"""Streams of CDR messages: whole, cut, damaged, or nothing of the kind."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInputs
from apps.mediation.domain.records import Reject, UsageRecord
from apps.mediation.formats import format_named, recognise
from apps.mediation.formats.messages import delimited
from apps.mediation.formats.protobuf import MAX_RECORD_OCTETS
from apps.mediation.pb.billing_pb2 import CDR
from tests.mediation.samples import cdr, header, stream

PROTOBUF = format_named("protobuf")
OPTIONS = PROTOBUF.options({})
CDRS = [cdr(number) for number in range(5)]
FILE = header(5) + stream(CDRS)


def read(content: bytes, options=OPTIONS) -> list[UsageRecord | Reject]:
    return list(PROTOBUF.read(io.BytesIO(content), options))


def ids(items: list[UsageRecord | Reject]) -> list[str]:
    return [item.record_id for item in items if isinstance(item, UsageRecord)]


def reasons(items: list[UsageRecord | Reject]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Reject)]


def test_a_file_with_a_header_says_whose_it_is_and_gives_its_records_with_their_places():
    facts = PROTOBUF.facts(FILE, OPTIONS)
    assert (facts.source, facts.sequence, facts.announced) == ("MSC01", 1, 5)
    items = read(FILE)
    assert ids(items) == [record.record_id for record in CDRS]
    for item, record in zip(items, CDRS, strict=True):
        assert item.raw == item.message == record.SerializeToString()
        assert FILE[item.offset :].startswith(delimited(item.raw))


def test_a_plain_concatenation_without_a_header_is_read_as_well():
    content = stream(CDRS)
    assert recognise(content) is PROTOBUF
    assert len(ids(read(content))) == 5


def test_several_files_one_after_the_other_are_one_stream():
    assert len(ids(read(FILE + FILE))) == 10


def test_numbers_lose_their_plus_and_prefix():
    options = PROTOBUF.options({"numbers": {"country_code": "49", "national_prefix": "0"}})
    (item,) = read(stream([cdr(msisdn="+4915550000001", other_party="030 123456")]), options)
    assert (item.msisdn, item.other_party) == ("4915550000001", "4930123456")


def test_wrong_options_are_named():
    with pytest.raises(InvalidInputs, match=r"options\.colour: is not known"):
        PROTOBUF.options({"colour": 1})


@pytest.mark.parametrize("length", range(len(FILE)))
def test_a_file_cut_anywhere_gives_its_whole_records_and_never_an_invented_one(length: int):
    items = read(FILE[:length])
    whole = [record.record_id for record in CDRS]
    assert ids(items) == whole[: len(ids(items))]
    places = [FILE.index(record.SerializeToString()) + len(record.SerializeToString()) for record in CDRS]
    assert len(ids(items)) == sum(place <= length for place in places)
    if len(header(5)) <= length:
        assert reasons(items), "missing records have to show"


@pytest.mark.parametrize("bit", [1, 2, 8, 0x40, 0x80])
def test_a_flipped_bit_costs_one_record_at_most(bit: int):
    for place in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[place] ^= bit
        items = read(bytes(damaged))
        assert len(ids(items)) >= 4, place
        assert len(ids(items)) + bool(reasons(items)) >= 5 or place < len(header(5)), place


def test_a_length_that_swallows_the_next_record_is_noticed():
    first, second = (record.SerializeToString() for record in CDRS[:2])
    items = read(delimited(first + second) + stream(CDRS[2:]))
    assert ids(items) == [record.record_id for record in CDRS[2:]]
    assert reasons(items) == ["malformed"]


def test_fields_that_are_not_known_are_kept():
    raw = cdr().SerializeToString() + b"\xf8\x01\x05"
    (item,) = read(delimited(raw) + stream([]))
    assert item.message == raw


def test_a_record_with_fields_in_another_order_or_with_defaults_written_out_is_as_good():
    plain = cdr()
    raw = CDR(start=plain.start).SerializeToString() + b"\x1a\x05voice" + b"\x60\x00"
    raw += b"\x22" + bytes([len(plain.msisdn)]) + plain.msisdn.encode()
    (item,) = read(delimited(raw))
    assert (item.start, item.service, item.msisdn, item.events) == (plain.start, "voice", plain.msisdn, 0)


def test_a_header_that_announces_more_records_than_there_are_leaves_a_reject():
    assert reasons(read(header(7) + stream(CDRS))) == ["records_missing"]


def test_a_huge_length_is_a_reject_and_reading_goes_on_after_it():
    content = stream(CDRS[:2]) + b"\xff\xff\xff\xff\x07" + stream(CDRS[2:])
    items = read(content)
    assert len(ids(items)) == 5
    assert reasons(items) == ["malformed"]


def test_a_file_of_zeros_or_noise_is_one_reject_with_bounded_raw():
    for content in (bytes(3_000_000), random.Random(1).randbytes(3_000_000)):
        items = read(content)
        assert not ids(items)
        assert reasons(items)[-1] == "unreadable"
        assert all(len(item.raw) <= MAX_RECORD_OCTETS for item in items)


def test_nothing_is_no_record():
    assert read(b"") == []


@given(st.binary(max_size=2_000))
def test_any_bytes_are_rejects_or_records_and_never_a_crash(content: bytes):
    for item in read(content):
        assert isinstance(item, UsageRecord | Reject)
        assert 0 <= item.offset <= len(content)
    recognise(content)
    PROTOBUF.facts(content, OPTIONS)
    PROTOBUF.read_record(content, "", OPTIONS)


@given(st.data())
def test_any_damage_to_a_file_leaves_places_in_order(data: st.DataObject):
    content = bytearray(FILE * 3)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        cut = data.draw(st.integers(0, 40))
        content[place : place + cut] = data.draw(st.binary(max_size=40))
    places = [item.offset for item in read(bytes(content))]
    assert places == sorted(set(places))


def test_a_record_can_be_read_again_from_its_raw_form():
    item = read(FILE)[2]
    assert PROTOBUF.read_record(item.raw, "", OPTIONS) == item._replace(offset=0)
