"""What gateways in the field send, however odd, is served: their quirks, in messages of our own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.charging.domain.requests import Operation, Units, UsedUnits
from apps.diameter.credit_control.ccr import read_request
from apps.diameter.credit_control.requests import ConnectedPeer, charging_request
from apps.diameter.credit_control.service_map import DEFAULT_RULES, ServiceMap
from apps.diameter.protocol.codes import FLAG_REQUEST, VENDOR_3GPP
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.node import PeerPolicy
from tests.diameter.connections import open_connection, requests_of
from tests.diameter.messages import ccr_avps, message, raw_avp

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SERVICES = ServiceMap(DEFAULT_RULES)
LENIENT = PeerPolicy(ignore_unknown_mandatory=True, realms=frozenset("*"), hosts=frozenset("*"))


def served(data: bytes, policy: PeerPolicy = LENIENT):
    """The charging request that comes of a message, read twice: as a new shape, and as one that is known."""
    connection = open_connection(policy=policy)
    first, second = requests_of(connection.receive(data + data, 1.0))
    assert connection.take_octets() == b""
    assert first.avps == second.avps
    return charging_request(
        read_request(first.avps), ConnectedPeer("pgw.test", "visited.test"), SERVICES, NOW
    )


def number(code: int, value: int, flags: int = 0x40) -> bytes:
    return raw_avp(code, value.to_bytes(4, "big"), flags=flags)


def test_a_switch_without_m_bits_under_another_auth_application_id():
    money = raw_avp(413, raw_avp(445, raw_avp(447, bytes(8), flags=0), flags=0), flags=0)
    trigger = raw_avp(1264, b"", flags=0xC0, vendor=VENDOR_3GPP)
    reason = raw_avp(872, b"\0\0\0\x01", flags=0x80, vendor=VENDOR_3GPP)
    group = raw_avp(456, number(432, 0, 0) + reason + raw_avp(437, money, flags=0) + trigger, flags=0)
    head = ccr_avps(
        Auth_Application_Id=1,
        Service_Context_Id="data@operator.test",
        # The IMSI's entry holds the MSISDN as well.
        Subscription_Id=[
            {"Subscription-Id-Type": kind, "Subscription-Id-Data": "8613200000001"} for kind in (0, 1)
        ],
    )

    request = served(message(272, encode_avps(head) + group))

    assert (request.operation, request.msisdn) == (Operation.INITIATE, "8613200000001")
    (item,) = request.items
    assert (item.rating_group, item.requested, item.money_micros) == (0, Units(), None)


def test_an_initial_request_without_subscriber_groups_or_p_bit():
    head = ccr_avps(
        Service_Context_Id="302.220.8.32251@3gpp.org", Subscription_Id=None, User_Name="123456@test.test"
    )

    request = served(message(272, head, flags=FLAG_REQUEST))

    assert (request.msisdn, request.items) == ("123456", ())


def test_a_request_through_a_router_with_records_of_its_route_and_binary_state():
    hops = raw_avp(282, b"22") + raw_avp(282, b"22") + raw_avp(282, b"router.core.test")
    state = bytes(range(90))
    proxy = raw_avp(284, raw_avp(280, b"router.core.test") + raw_avp(33, state))
    group = raw_avp(456, raw_avp(437, b"") + number(432, 99))
    vendor = number(256, 0, 0x80)[:4] + b"\x80\0\0\x10" + (12645).to_bytes(4, "big") + bytes(4)

    request = served(message(272, encode_avps(ccr_avps(2, 1)) + group + vendor + hops + proxy))

    (item,) = request.items
    assert (item.rating_group, item.requested) == (99, Units())


def test_a_termination_without_a_cause_and_with_the_context_at_the_end():
    head = ccr_avps(3, 2)
    context = head.pop("Service-Context-Id")
    used = {"CC-Total-Octets": 29_223, "CC-Input-Octets": 2_661, "CC-Output-Octets": 26_562}
    group = {
        "Used-Service-Unit": [used],
        "Service-Identifier": [199],
        "Rating-Group": 199,
        "3GPP-Reporting-Reason": 2,
    }

    request = served(
        message(272, head | {"Multiple-Services-Credit-Control": [group], "Service-Context-Id": context})
    )

    (item,) = request.items
    assert request.operation is Operation.TERMINATE
    assert item.used == (UsedUnits(Units(total_octets=29_223, input_octets=2_661, output_octets=26_562)),)
    assert (item.requested, item.service_identifier) == (None, 199)


def test_open5gs_reports_octets_both_ways_without_their_total_and_no_rating_group():
    group = {
        "Requested-Service-Unit": {"CC-Total-Octets": 1_000_000},
        "Used-Service-Unit": [{"CC-Time": 9, "CC-Input-Octets": 300, "CC-Output-Octets": 700}],
    }

    request = served(
        message(272, ccr_avps(2, 1, Multiple_Services_Indicator=0, Multiple_Services_Credit_Control=[group]))
    )

    (item,) = request.items
    assert item.rating_group is None
    assert item.used[0].units.amount("data") == 1_000


@pytest.mark.parametrize("value", [b"\x43\xf0\x10\xff\xff\xff\xff\0", b"01", b""])
def test_attributes_that_are_never_quite_what_the_standard_says(value):
    odd = b"".join(
        raw_avp(code, value, flags=0x80, vendor=VENDOR_3GPP) for code in (5, 8, 12, 13, 18, 21, 22, 23)
    )
    information = raw_avp(873, raw_avp(874, odd, vendor=VENDOR_3GPP), vendor=VENDOR_3GPP)

    assert served(message(272, encode_avps(ccr_avps()) + information), PeerPolicy()).items == ()
