"""What a CCR asks of the charging room."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.charging.domain.requests import MoneyLimit, Operation, TariffChange, Units, UsedUnits
from apps.diameter.credit_control.ccr import read_request
from apps.diameter.credit_control.policy import CreditControlPolicy
from apps.diameter.credit_control.requests import ConnectedPeer, charging_request
from apps.diameter.credit_control.service_map import DEFAULT_RULES, ServiceMap, ServiceRule
from apps.diameter.protocol.encoding import encode_avp
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.values import address_of_text
from tests.diameter.connections import read
from tests.diameter.messages import SESSION_ID, ccr, ccr_avps, raw_avp

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SERVICES = ServiceMap(DEFAULT_RULES)
GATEWAY = ConnectedPeer("pgw.test", "visited.test")
AGENT = ConnectedPeer("DRA.core.test", "core.test")


def euros_of(digits: int, exponent: int = 0) -> dict:
    return {"CC-Money": {"Unit-Value": {"Value-Digits": digits, "Exponent": exponent}, "Currency-Code": 978}}


def asked(
    request_type: int = 1,
    number: int = 0,
    *,
    services: ServiceMap = SERVICES,
    via: ConnectedPeer = GATEWAY,
    **changes,
):
    return charging_request(read_request(read(ccr(request_type, number, **changes)).avps), via, services, NOW)


def test_an_initial_request_with_rating_groups_reserves_for_each():
    request = asked(
        Multiple_Services_Credit_Control=[
            {"Requested-Service-Unit": {"CC-Total-Octets": 1_000_000}, "Rating-Group": 10},
            {"Requested-Service-Unit": {}, "Rating-Group": 20, "Service-Identifier": [7, 8]},
        ],
        Service_Information={"PS-Information": {"Called-Station-Id": "internet"}},
    )

    assert request[:6] == (
        Operation.INITIATE,
        SESSION_ID,
        0,
        datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        "491700000001",
        "262010000000001",
    )
    assert request.peer == "pgw.test"
    first, second = request.items
    assert (first.service, first.destination, first.rating_group) == ("data", "internet", 10)
    assert first.requested == Units(total_octets=1_000_000)
    assert (second.requested, second.service_identifier) == (Units(), 7)


def test_an_initial_request_without_units_opens_a_session_with_no_items():
    assert asked().items == ()


def test_a_group_without_requested_units_asks_for_nothing():
    (item,) = asked(2, 1, Multiple_Services_Credit_Control=[{"Rating-Group": 10}]).items

    assert item.requested is None


def test_used_units_are_all_kept_with_their_side_of_the_tariff_change():
    (item,) = asked(
        2,
        1,
        Multiple_Services_Credit_Control=[
            {
                "Used-Service-Unit": [
                    {"Tariff-Change-Usage": 0, "CC-Total-Octets": 5},
                    {"Tariff-Change-Usage": 1, "CC-Total-Octets": 6},
                    {"CC-Time": 3, "CC-Input-Octets": 1, "CC-Output-Octets": 2},
                ],
                "Rating-Group": 10,
            }
        ],
    ).items

    assert item.used == (
        UsedUnits(Units(total_octets=5), TariffChange.BEFORE),
        UsedUnits(Units(total_octets=6), TariffChange.AFTER),
        UsedUnits(Units(time_s=3, input_octets=1, output_octets=2)),
    )
    assert item.used[2].units.amount("data") == 3


def test_a_tariff_change_said_of_a_group_holds_for_its_units():
    (item,) = asked(
        2,
        1,
        Multiple_Services_Credit_Control=[
            {"Tariff-Change-Usage": 1, "Used-Service-Unit": [{"CC-Total-Octets": 6}], "Rating-Group": 10}
        ],
    ).items

    assert item.used == (UsedUnits(Units(total_octets=6), TariffChange.AFTER),)


def test_units_of_the_command_itself_are_one_item_without_a_rating_group():
    request = asked(
        2,
        1,
        Service_Context_Id="32260@3gpp.org",
        Requested_Service_Unit={"CC-Time": 60},
        Used_Service_Unit=[{"CC-Time": 30}],
        Service_Identifier=4,
    )

    (item,) = request.items
    assert (request.operation, item.service) == (Operation.UPDATE, "voice")
    assert (item.rating_group, item.service_identifier) == (None, 4)
    assert (item.requested, item.used) == (Units(time_s=60), (UsedUnits(Units(time_s=30)),))


@pytest.mark.parametrize(
    ("action", "operation"),
    [
        (0, Operation.EVENT),
        (1, Operation.REFUND),
        (2, Operation.CHECK_BALANCE),
        (3, Operation.PRICE_ENQUIRY),
    ],
)
def test_the_four_actions_of_an_event(action, operation):
    request = asked(
        4,
        0,
        Service_Context_Id="32274@3gpp.org",
        Requested_Action=action,
        Requested_Service_Unit={"CC-Service-Specific-Units": 1},
        Service_Information={
            "SMS-Information": {
                "Recipient-Info": [
                    {"Recipient-Address": [{"Address-Type": 1, "Address-Data": "+49 170 555"}]}
                ]
            }
        },
    )

    (item,) = request.items
    assert (request.operation, item.service, item.destination) == (operation, "sms", "49170555")
    assert item.requested == Units(service_specific=1)


def test_an_event_without_an_amount_leaves_it_to_the_server():
    (item,) = asked(4, 0, Requested_Action=0).items

    assert item.requested == Units()


def test_an_event_without_an_action_lacks_an_avp():
    with pytest.raises(DiameterFault) as caught:
        asked(4, 0)

    assert (caught.value.result_code, caught.value.failed_avp) == (5005, raw_avp(436, bytes(4)))


def test_money_is_asked_for_in_micro_units():
    money = {"Unit-Value": {"Value-Digits": 250, "Exponent": -2}, "Currency-Code": 978}

    (item,) = asked(4, 0, Requested_Action=0, Requested_Service_Unit={"CC-Money": money}).items

    assert (item.money_micros, item.money_currency) == (2_500_000, "EUR")


def test_money_in_no_currency_that_there_is_cannot_be():
    money = {"Unit-Value": {"Value-Digits": 250, "Exponent": -2}, "Currency-Code": 1}

    with pytest.raises(DiameterFault) as caught:
        asked(4, 0, Requested_Action=0, Requested_Service_Unit={"CC-Money": money})

    assert caught.value.result_code == 5004
    assert caught.value.failed_avp == encode_avp("CC-Money", money)


def test_money_finer_than_a_micro_unit_cannot_be():
    money = {"Unit-Value": {"Value-Digits": 1, "Exponent": -9}}

    with pytest.raises(DiameterFault) as caught:
        asked(4, 0, Requested_Action=0, Requested_Service_Unit={"CC-Money": money})

    assert caught.value.result_code == 5004


def test_zero_money_within_a_session_leaves_the_amount_to_the_server():
    group = {
        "Requested-Service-Unit": {"CC-Money": {"Unit-Value": {"Value-Digits": 0, "Exponent": 0}}},
        "Rating-Group": 0,
    }
    (item,) = asked(1, 0, Multiple_Services_Credit_Control=[group]).items

    assert (item.requested, item.money_micros, item.rating_group) == (Units(), None, 0)


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({"Subscription_Id": [{"Subscription-Id-Type": 0, "Subscription-Id-Data": "+49170"}]}, ("49170", "")),
        (
            {
                "Subscription_Id": [
                    {"Subscription-Id-Type": 2, "Subscription-Id-Data": "sip:+4917055@ims.test"}
                ]
            },
            ("4917055", ""),
        ),
        (
            {
                "Subscription_Id": [
                    {"Subscription-Id-Type": 3, "Subscription-Id-Data": "0262011234567890@nai.epc.test"}
                ]
            },
            ("", "262011234567890"),
        ),
        (
            {"Subscription_Id": None, "Subscription_Id_Extension": [{"Subscription-Id-E164": "4917077"}]},
            ("4917077", ""),
        ),
        ({"Subscription_Id": None, "User_Name": "96813000000001@gateway.test"}, ("", "96813000000001")),
        ({"Subscription_Id": None, "User_Name": "somebody@gateway.test"}, ("", "")),
        ({"Subscription_Id": None}, ("", "")),
    ],
)
def test_the_subscriber_is_found_in_every_attribute_that_gateways_use(changes, numbers):
    request = asked(**changes)

    assert (request.msisdn, request.imsi) == numbers


@pytest.mark.parametrize(
    ("information", "goal"),
    [
        ({"IMS-Information": {"Called-Party-Address": ["tel:+49-30-123;phone-context=x"]}}, "4930123"),
        ({"IMS-Information": {"Called-Party-Address": ["sip:+4930124@ims.test;user=phone"]}}, "4930124"),
        ({"IMS-Information": {"Called-Party-Address": ["sip:alice@ims.test"]}}, "alice"),
        (
            {
                "PS-Information": {
                    "Called-Station-Id": "internet",
                    "PDP-Address": [address_of_text("10.0.0.1")],
                }
            },
            "internet",
        ),
        ({}, ""),
    ],
)
def test_the_destination_is_found_in_service_information(information, goal):
    (item,) = asked(
        Service_Information=information, Multiple_Services_Credit_Control=[{"Requested-Service-Unit": {}}]
    ).items

    assert item.destination == goal


def test_a_request_with_the_t_flag_may_be_a_repeat():
    first = charging_request(
        read_request(ccr_avps()), ConnectedPeer("pgw.test", "visited.test"), SERVICES, NOW
    )
    again = charging_request(
        read_request(ccr_avps()), ConnectedPeer("pgw.test", "visited.test"), SERVICES, NOW, retransmitted=True
    )

    assert (first.repeated, again.repeated) == (False, True)
    assert first.identity == again.identity


def test_a_request_through_an_agent_names_the_way_back():
    request = charging_request(
        read_request(ccr_avps()), ConnectedPeer("dra.core.test", "core.test"), SERVICES, NOW
    )

    assert request.peer == "pgw.test/visited.test/dra.core.test"


def test_the_most_specific_rule_names_the_service():
    services = ServiceMap(
        [
            *DEFAULT_RULES,
            ServiceRule("32251@3gpp.org", 99, None, "video"),
            ServiceRule("", None, 5, "music"),
            ServiceRule("acme@cu.test", None, None, "data"),
        ]
    )

    assert services.service("32251@3gpp.org", 10, None) == "data"
    assert services.service("302.220.8.32251@3gpp.org", 99, None) == "video"
    assert services.service("8.32251@3gpp.org", 99, 5) == "music"
    assert services.service("acme@cu.test", None, None) == "data"
    assert services.service("x32251@3gpp.org", 1, None) == ""


def test_the_rule_that_names_the_service_says_how_its_usage_is_charged():
    services = ServiceMap([*DEFAULT_RULES, ServiceRule("32251@3gpp.org", 10, None, "data", "*none")])
    peer = ConnectedPeer("pgw.test", "visited.test")
    ccr = read_request(ccr_avps(Multiple_Services_Credit_Control=[{"Rating-Group": 10}]))
    (free,) = charging_request(ccr, peer, services, NOW).items
    (usual,) = charging_request(ccr, peer, SERVICES, NOW).items
    assert (free.service, free.charging_mode) == ("data", "*none")
    assert usual.charging_mode == ""
    assert services.charging_mode("32251@3gpp.org", 11, None) == ""


def test_a_context_of_an_operator_is_found_by_a_pattern_and_a_plainer_rule_wins():
    services = ServiceMap(
        [
            ServiceRule("*@operator", None, None, "data"),
            ServiceRule("gprs*@operator", None, None, "video"),
            ServiceRule("gprs.9@operator", None, None, "voice"),
            ServiceRule("*", 7, None, "sms"),
        ]
    )

    assert services.service("gprs@operator", None, None) == "video"
    assert services.service("gprs.7.1@operator", None, None) == "video"
    assert services.service("gprs.9@operator", None, None) == "voice"
    assert services.service("ims@operator", None, None) == "data"
    assert services.service("ims@operator", 7, None) == "sms"
    assert services.service("ims@operators", None, None) == ""
    assert services.service("gprs.9@operator.x", None, None) == ""


@pytest.mark.parametrize("amount", [euros_of(2**63 - 1), euros_of(-(2**63)), euros_of(3, 12)])
def test_absurd_money_cannot_be(amount):
    for group in ({"Requested-Service-Unit": amount}, {"Used-Service-Unit": [amount]}):
        with pytest.raises(DiameterFault) as caught:
            asked(2, 1, Multiple_Services_Credit_Control=[group])
        assert caught.value.result_code == 5004


@pytest.mark.parametrize("name", ["Origin-Host", "Origin-Realm"])
def test_a_host_or_realm_that_is_no_name_cannot_be(name):
    with pytest.raises(DiameterFault) as caught:
        read_request(ccr_avps() | {name: "x" * 256})
    assert (caught.value.result_code, caught.value.failed_avp) == (5004, encode_avp(name, "x" * 256))


def test_overlong_numbers_and_names_are_not_kept_whole():
    request = asked(
        Subscription_Id=[{"Subscription-Id-Type": 0, "Subscription-Id-Data": "9" * 5_000}],
        Service_Information={"PS-Information": {"Called-Station-Id": "z" * 5_000}},
        Multiple_Services_Credit_Control=[{"Requested-Service-Unit": {}}],
    )
    assert (request.msisdn, len(request.items[0].destination)) == ("", 255)


@pytest.mark.parametrize(("sub_session", "stored"), [(None, 0), (7, 7), (2**63, -(2**63)), (2**64 - 1, -1)])
def test_a_sub_session_of_any_number_is_one_that_databases_can_count(sub_session, stored):
    assert asked(CC_Sub_Session_Id=sub_session).sub_session == stored


@pytest.mark.parametrize(
    ("peer", "owner"),
    [
        (GATEWAY, "pgw.test"),
        (ConnectedPeer("PGW.Test", "visited.test"), "pgw.test"),
        (AGENT, "pgw.test/dra.core.test"),
        (AGENT._replace(policy=CreditControlPolicy(sessions_of_realm=True)), "@core.test"),
    ],
)
def test_a_session_belongs_to_its_client_by_its_connection_or_to_the_realm(peer, owner):
    assert asked(via=peer).owner == owner


def test_only_what_moves_money_by_amount_has_a_limit():
    policy = CreditControlPolicy(money_a_day_micros=5_000_000)
    peer = AGENT._replace(policy=policy)
    sms = {"Requested_Service_Unit": {"CC-Service-Specific-Units": 1}}
    money = {"Requested_Service_Unit": {"CC-Money": euros(5)}}

    assert asked(4, 0, via=peer, Requested_Action=0, **sms).money_limit is None
    assert asked(1, 0, via=peer, Requested_Service_Unit={"CC-Time": 60}).money_limit is None
    limit = MoneyLimit("dra.core.test", 5_000_000)
    assert asked(1, 0, via=peer, **money).money_limit == limit
    for action, units in ((0, money), (1, money), (1, sms)):
        assert asked(4, 0, via=peer, Requested_Action=action, **units).money_limit == limit


def test_all_numbers_of_a_subscriber_that_is_given_more_than_once_are_kept():
    entries = [(0, "49170"), (1, "26201"), (0, "49171"), (0, "49170"), (2, "sip:+49172@ims.test")]
    request = asked(
        Subscription_Id=[
            {"Subscription-Id-Type": kind, "Subscription-Id-Data": text} for kind, text in entries
        ],
        Subscription_Id_Extension=[{"Subscription-Id-E164": "49173"}],
    )

    assert (request.msisdn, request.imsi, request.further_msisdns) == ("49170", "26201", ("49171", "49173"))


def euros(digits: int, exponent: int = 0, code: int | None = 978) -> dict:
    money = {"Unit-Value": {"Value-Digits": digits, "Exponent": exponent}}
    return money if code is None else money | {"Currency-Code": code}


def test_money_within_a_session_is_asked_for_and_reported_exactly():
    group = {
        "Requested-Service-Unit": {"CC-Money": euros(5)},
        "Used-Service-Unit": [{"CC-Money": euros(125, -2)}, {"CC-Money": euros(1, -6, None)}],
        "Rating-Group": 10,
    }
    (item,) = asked(2, 1, Multiple_Services_Credit_Control=[group]).items

    assert (item.money_micros, item.used_money_micros, item.money_currency) == (5_000_000, 1_250_001, "EUR")
    assert item.used == ()


def test_a_last_report_in_money_asks_for_nothing():
    group = {"Used-Service-Unit": [{"CC-Money": euros(2), "CC-Time": 60}], "Rating-Group": 10}
    (item,) = asked(3, 2, Multiple_Services_Credit_Control=[group]).items

    assert (item.requested, item.money_micros, item.used_money_micros) == (None, 0, 2_000_000)
    assert [used.units for used in item.used] == [Units(time_s=60)]


@pytest.mark.parametrize("spent", [euros(1, 0, 840), euros(1, -7), euros(1, 0, 1)])
def test_used_money_in_another_or_no_currency_or_finer_than_can_be_said_is_refused(spent):
    group = {"Requested-Service-Unit": {"CC-Money": euros(5)}, "Used-Service-Unit": [{"CC-Money": spent}]}
    with pytest.raises(DiameterFault) as caught:
        asked(2, 1, Multiple_Services_Credit_Control=[group])

    assert (caught.value.result_code, caught.value.failed_avp) == (5004, encode_avp("CC-Money", spent))


def test_a_host_that_looks_like_a_route_leads_to_no_other_connection():
    peer = ConnectedPeer("evil.test/x/pgw.test", "x")
    request = asked(via=peer, Origin_Host="evil.test/x/pgw.test")

    assert (request.peer, request.owner) == ("evil.test_x_pgw.test", "evil.test_x_pgw.test")
