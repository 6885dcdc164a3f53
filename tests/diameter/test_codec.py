"""The codec: what it reads, what it refuses, and what it says about it."""

from __future__ import annotations

import pytest

from apps.diameter.protocol.codes import VENDOR_3GPP
from apps.diameter.protocol.decoding import decode_message
from apps.diameter.protocol.encoding import encode_avp, encode_avps, zero_filled_avp
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.limits import Limits
from apps.diameter.protocol.values import (
    address_of_text,
    micros_of_unit_value,
    time_of_unix_seconds,
    unit_value_of_micros,
    unix_seconds_of_time,
)
from tests.diameter.messages import ccr, ccr_avps, message, raw_avp


def fault_of(data: bytes, **options: object) -> DiameterFault:
    with pytest.raises(DiameterFault) as caught:
        decode_message(data, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_request_is_read_as_it_was_written():
    avps = ccr_avps(
        2,
        5,
        Multiple_Services_Credit_Control=[
            {
                "Requested-Service-Unit": {},
                "Used-Service-Unit": [
                    {"Tariff-Change-Usage": 0, "CC-Total-Octets": 7},
                    {"CC-Total-Octets": 1 << 60},
                ],
                "Service-Identifier": [3],
                "Rating-Group": 99,
                "3GPP-Reporting-Reason": 3,
            }
        ],
        Service_Information={"PS-Information": {"SGSN-Address": [address_of_text("2001:db8::1")]}},
    )

    assert decode_message(message(272, avps)).avps == avps


def test_padding_may_hold_anything():
    data = bytearray(ccr(Origin_Realm="visited"))
    position = data.index(b"visited") + len("visited")
    assert data[position] == 0
    data[position] = 0x0D

    assert decode_message(bytes(data)).avps["Origin-Realm"] == "visited"


def test_the_order_of_avps_does_not_matter():
    avps = ccr_avps()

    assert decode_message(message(272, dict(reversed(avps.items())))).avps == avps


def test_a_group_may_end_before_the_padding_of_its_last_member():
    inner = raw_avp(444, b"12345")[:13]
    group = raw_avp(443, raw_avp(450, bytes(4)) + inner)

    avps = decode_message(ccr(Subscription_Id=None, extra=group)).avps

    assert avps["Subscription-Id"] == [{"Subscription-Id-Type": 0, "Subscription-Id-Data": "12345"}]


def test_an_unknown_avp_without_the_m_bit_is_passed_over():
    data = ccr(extra=raw_avp(64000, b"x", flags=0) + raw_avp(1, b"u", flags=0, vendor=193))

    assert decode_message(data).avps == ccr_avps()


def test_an_unknown_avp_with_the_m_bit_is_returned_in_failed_avp_unless_the_peer_is_trusted():
    unknown = raw_avp(64000, b"what", vendor=193)

    fault = fault_of(ccr(extra=unknown))

    assert (fault.result_code, fault.failed_avp) == (5001, unknown)
    assert decode_message(ccr(extra=unknown), ignore_unknown_mandatory=True).avps == ccr_avps()


def test_a_lenient_peers_shapes_do_not_loosen_a_strict_ones():
    group = raw_avp(873, raw_avp(64000, b"what"), vendor=VENDOR_3GPP)
    for _ in range(3):
        assert "Service-Information" in decode_message(ccr(extra=group), ignore_unknown_mandatory=True).avps

    assert fault_of(ccr(extra=group)).result_code == 5001


def test_a_fault_within_groups_comes_back_within_their_headers():
    unknown = raw_avp(64000, b"what")
    group = raw_avp(873, raw_avp(874, unknown, vendor=VENDOR_3GPP), vendor=VENDOR_3GPP)

    assert fault_of(ccr(extra=group)).failed_avp == group


def test_a_missing_avp_is_answered_with_an_example_of_the_least_length():
    fault = fault_of(ccr(CC_Request_Number=None))

    assert (fault.result_code, fault.failed_avp) == (5005, raw_avp(415, bytes(4)))


def test_the_example_of_a_missing_group_holds_what_the_group_must_hold():
    assert zero_filled_avp("Subscription-Id") == raw_avp(443, raw_avp(450, bytes(4)) + raw_avp(444, b""))


def test_a_member_missing_in_a_group_is_answered_within_the_group():
    fault = fault_of(ccr(extra=raw_avp(443, raw_avp(450, bytes(4)))))

    assert (fault.result_code, fault.failed_avp) == (5005, raw_avp(443, raw_avp(444, b"")))


def test_the_first_excess_instance_is_returned():
    second = encode_avp("CC-Request-Number", 77)

    fault = fault_of(ccr(extra=second + encode_avp("CC-Request-Number", 78)))

    assert (fault.result_code, fault.failed_avp) == (5009, second)


def test_a_value_outside_its_enumeration_is_returned():
    fault = fault_of(ccr(CC_Request_Type=9))

    assert (fault.result_code, fault.failed_avp) == (5004, raw_avp(416, b"\0\0\0\x09"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("Session-Id", b"\xff\xfe"), ("Origin-Host", b"\xc3\xa4.test"), ("Origin-Host", b"")],
)
def test_text_that_is_none_is_an_invalid_value(name, value):
    code = {"Session-Id": 263, "Origin-Host": 264}[name]
    data = message(
        272, raw_avp(code, value) + encode_avps({k: v for k, v in ccr_avps().items() if k != name})
    )

    fault = fault_of(data)

    assert (fault.result_code, fault.failed_avp[: 8 + len(value)]) == (
        5004,
        raw_avp(code, value)[: 8 + len(value)],
    )


@pytest.mark.parametrize("octets", [0, 3, 5, 8])
def test_a_number_of_the_wrong_length_is_returned_with_zeroes_of_the_right_one(octets):
    fault = fault_of(ccr(CC_Request_Number=None, extra=raw_avp(415, bytes([1] * octets))))

    assert (fault.result_code, fault.failed_avp) == (5014, raw_avp(415, bytes(4)))


@pytest.mark.parametrize("length", [0, 7, 200, 0xFFFFFF])
def test_an_avp_that_claims_an_impossible_length_is_returned_with_zeroes(length):
    fault = fault_of(ccr(CC_Request_Number=None, extra=raw_avp(415, b"\1\1\1\1", length=length)))

    assert (fault.result_code, fault.failed_avp) == (5014, raw_avp(415, bytes(4)))


def test_a_header_that_is_cut_off_is_filled_up_with_zeroes():
    fault = fault_of(ccr(extra=b"\0\0\1\x9f"))

    assert fault.result_code == 5014
    assert fault.failed_avp[:4] == b"\0\0\1\x9f"
    assert len(fault.failed_avp) % 4 == 0


def test_a_vendor_header_that_is_cut_off_is_an_invalid_length():
    fault = fault_of(ccr(extra=raw_avp(874, b"", flags=0xC0, length=8)))

    assert fault.result_code == 5014
    assert len(fault.failed_avp) == 12


def test_the_v_bit_with_vendor_0_is_a_combination_that_cannot_be():
    fault = fault_of(ccr(extra=raw_avp(55, bytes(8), flags=0xC0)))

    assert fault.result_code == 3009


def test_more_avps_than_the_limit_are_refused():
    limits = Limits(max_avps=50)
    few, many = raw_avp(64000, b"", flags=0) * 30, raw_avp(64000, b"", flags=0) * 40

    assert decode_message(ccr(extra=few), limits=limits).avps
    assert fault_of(ccr(extra=many), limits=limits).result_code == 5012


def test_deeper_nesting_than_the_limit_is_refused():
    nested = b""
    for _ in range(40):
        nested = raw_avp(456, nested)

    fault = fault_of(ccr(extra=nested))

    assert fault.result_code == 5012


def test_a_binary_proxy_state_is_kept_to_the_octet():
    proxy = raw_avp(284, raw_avp(280, b"relay.test") + raw_avp(33, bytes(range(7))))

    assert decode_message(ccr(extra=proxy)).avps["Proxy-Info"] == [proxy]


def test_a_gateways_equipment_may_be_binary():
    tbcd = bytes.fromhex("5328043000000000")
    avps = decode_message(
        ccr(User_Equipment_Info={"User-Equipment-Info-Type": 0, "User-Equipment-Info-Value": tbcd})
    ).avps

    assert avps["User-Equipment-Info"]["User-Equipment-Info-Value"] == tbcd


def test_groups_read_by_layout_are_checked_as_those_read_the_first_time():
    sound = {"Subscription-Id-Type": 0, "Subscription-Id-Data": "491"}
    for _ in range(3):
        decode_message(ccr(Subscription_Id=[sound]))
    wrong_type = raw_avp(443, raw_avp(450, b"\0\0\0\x63") + raw_avp(444, b"491"))
    wrong_text = raw_avp(443, raw_avp(450, bytes(4)) + raw_avp(444, b"\xff\xff\xff"))

    assert fault_of(ccr(Subscription_Id=None, extra=wrong_type)).result_code == 5004
    assert fault_of(ccr(Subscription_Id=None, extra=wrong_text)).result_code == 5004


def test_a_message_composed_like_the_one_before_is_read_as_that_was():
    for number in range(4):
        avps = ccr_avps(
            2,
            number,
            Origin_Host=f"gateway{number}.test",
            Subscription_Id=[
                {"Subscription-Id-Type": kind, "Subscription-Id-Data": f"49{kind}{number}"} for kind in (0, 1)
            ],
            Multiple_Services_Credit_Control=[
                {"Rating-Group": number + group, "Service-Identifier": [number, group]} for group in (1, 2, 3)
            ],
        )
        assert decode_message(message(272, avps)).avps == avps
        assert decode_message(message(272, {**avps, "Route-Record": ["a.test", "b.test"]})).avps == {
            **avps,
            "Route-Record": ["a.test", "b.test"],
        }
        nameless = {**avps, "Origin-Host": ""}
        assert fault_of(message(272, nameless)).result_code == 5004


def test_what_peers_send_does_not_make_the_codec_remember_without_bound():
    from apps.diameter.protocol.grammar.plans import MAX_SHAPES, REQUEST_PLANS

    plan = REQUEST_PLANS[272]
    for code in range(70_000, 70_000 + 3 * MAX_SHAPES, 50):
        decode_message(ccr(extra=b"".join(raw_avp(code + n, b"", flags=0) for n in range(50))))

    assert len(plan.shapes) <= MAX_SHAPES


def test_values_that_do_not_fit_cannot_be_encoded():
    with pytest.raises(ValueError, match="CC-Request-Number"):
        encode_avps({"CC-Request-Number": -1})
    with pytest.raises(ValueError, match="Session-Id"):
        encode_avps({"Session-Id": 5})
    with pytest.raises(KeyError):
        encode_avps({"Session-Name": "x"})


def test_times_go_beyond_2036():
    for seconds in (0, 1_700_000_000, 2_085_978_495, 2_085_978_496, 4_000_000_000):
        assert unix_seconds_of_time(time_of_unix_seconds(seconds)) == seconds


def test_amounts_are_exact_or_refused():
    assert micros_of_unit_value(125, -2) == 1_250_000
    assert micros_of_unit_value(5, 2) == 500_000_000
    assert micros_of_unit_value(1, -7) is None
    assert micros_of_unit_value(10, -7) == 1
    assert micros_of_unit_value(1, 1000) is None
    assert unit_value_of_micros(1_250_000) == {"Value-Digits": 125, "Exponent": -2}
    assert unit_value_of_micros(0) == {"Value-Digits": 0, "Exponent": 0}
    assert unit_value_of_micros(-7_000_000) == {"Value-Digits": -7, "Exponent": 0}
