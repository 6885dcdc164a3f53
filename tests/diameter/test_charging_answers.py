"""What the charging room's answer looks like on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.charging.domain.requests import AnswerItem, ChargingAnswer, FinalUnit, FinalUnitAction, Result
from apps.diameter.credit_control.answers import RESULT_CODES, credit_control_answer
from apps.diameter.credit_control.ccr import read_request
from apps.diameter.credit_control.policy import DEFAULT_CREDIT_CONTROL_POLICY, CreditControlPolicy
from apps.diameter.protocol.codes import FLAG_PROXIABLE
from apps.diameter.protocol.encoding import encode_avp
from tests.diameter.connections import read
from tests.diameter.messages import SERVER, SESSION_ID, ccr_avps, message, raw_avp

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MEGABYTE = 1_000_000


def octets(avps, answer, policy=DEFAULT_CREDIT_CONTROL_POLICY):
    return credit_control_answer(SERVER, read_request(avps), answer, policy, NOW).avps


def cca(avps, answer, policy=DEFAULT_CREDIT_CONTROL_POLICY):
    return read(message(272, octets(avps, answer, policy), flags=FLAG_PROXIABLE)).avps


def with_groups(*groups, request_type=1):
    return ccr_avps(request_type, 3, Multiple_Services_Credit_Control=list(groups))


def data_item(granted=MEGABYTE, **changes):
    item = AnswerItem(
        "data", rating_group=10, type_of_record="data", granted=granted, validity_s=600, quota_holding_s=300
    )
    return item._replace(**changes)


def test_session_id_is_first_and_each_mandatory_avp_appears_once_with_the_m_bit():
    data = octets(ccr_avps(), ChargingAnswer(Result.SUCCESS))

    found = []
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position + 5 : position + 8], "big")
        found.append((int.from_bytes(data[position : position + 4], "big"), data[position + 4]))
        position += length + 3 & ~3
    assert found[:7] == [
        (263, 0x40),
        (268, 0x40),
        (264, 0x40),
        (296, 0x40),
        (258, 0x40),
        (416, 0x40),
        (415, 0x40),
    ]
    assert len({code for code, _ in found}) == len(found)


def test_each_group_is_answered_with_its_own_result():
    avps = with_groups(
        {"Requested-Service-Unit": {}, "Rating-Group": 10, "Service-Identifier": [1, 2]},
        {"Requested-Service-Unit": {}, "Rating-Group": 20},
        {"Used-Service-Unit": [{}], "Rating-Group": 30},
    )
    answer = ChargingAnswer(
        Result.SUCCESS,
        (
            data_item(threshold=200_000),
            AnswerItem("video", Result.NOT_AUTHORISED, 20, granted=0),
            AnswerItem("data", Result.SUCCESS, 30, type_of_record="data"),
        ),
    )

    found = cca(avps, answer)

    assert found["Result-Code"] == 2001
    assert found["Multiple-Services-Credit-Control"] == [
        {
            "Granted-Service-Unit": {"CC-Total-Octets": MEGABYTE},
            "Validity-Time": 600,
            "Service-Identifier": [1, 2],
            "Rating-Group": 10,
            "Result-Code": 2001,
            "Quota-Holding-Time": 300,
            "Volume-Quota-Threshold": 200_000,
        },
        {"Rating-Group": 20, "Result-Code": 5003},
        {"Rating-Group": 30, "Result-Code": 2001},
    ]


def test_a_group_without_a_rating_group_is_answered_without_one():
    found = cca(with_groups({"Requested-Service-Unit": {}}), ChargingAnswer(Result.SUCCESS, (data_item(),)))

    (group,) = found["Multiple-Services-Credit-Control"]
    assert "Rating-Group" not in group
    assert group["Result-Code"] == 2001


@pytest.mark.parametrize(
    ("type_of_record", "grant", "threshold"),
    [
        ("voice", "CC-Time", "Time-Quota-Threshold"),
        ("data", "CC-Total-Octets", "Volume-Quota-Threshold"),
        ("sms", "CC-Service-Specific-Units", "Unit-Quota-Threshold"),
        ("generic", "CC-Service-Specific-Units", "Unit-Quota-Threshold"),
    ],
)
def test_a_grant_is_in_the_units_of_the_charge(type_of_record, grant, threshold):
    item = data_item(100, type_of_record=type_of_record, threshold=20)

    (group,) = cca(with_groups({"Requested-Service-Unit": {}}), ChargingAnswer(Result.SUCCESS, (item,)))[
        "Multiple-Services-Credit-Control"
    ]

    assert group["Granted-Service-Unit"] == {grant: 100}
    assert group[threshold] == 20


def test_a_quota_holding_time_of_zero_is_said_and_none_is_not():
    for holding_s, expected in ((0, 0), (None, None)):
        answer = ChargingAnswer(Result.SUCCESS, (data_item(quota_holding_s=holding_s),))
        (group,) = cca(with_groups({"Requested-Service-Unit": {}}), answer)[
            "Multiple-Services-Credit-Control"
        ]
        assert group.get("Quota-Holding-Time") == expected


@pytest.mark.parametrize(
    ("final", "indication"),
    [
        (FinalUnit(), {"Final-Unit-Action": 0}),
        (
            FinalUnit(FinalUnitAction.REDIRECT, "http://topup.test/"),
            {
                "Final-Unit-Action": 1,
                "Redirect-Server": {
                    "Redirect-Address-Type": 2,
                    "Redirect-Server-Address": "http://topup.test/",
                },
            },
        ),
        (
            FinalUnit(FinalUnitAction.REDIRECT, "sip:topup@ims.test"),
            {
                "Final-Unit-Action": 1,
                "Redirect-Server": {
                    "Redirect-Address-Type": 3,
                    "Redirect-Server-Address": "sip:topup@ims.test",
                },
            },
        ),
        (
            FinalUnit(FinalUnitAction.RESTRICT, "", ("permit in ip from any to 10.0.0.1", "only-topup")),
            {
                "Final-Unit-Action": 2,
                "Restriction-Filter-Rule": ["permit in ip from any to 10.0.0.1"],
                "Filter-Id": ["only-topup"],
            },
        ),
    ],
)
def test_the_last_grant_says_what_to_do_when_it_is_used_up(final, indication):
    answer = ChargingAnswer(Result.SUCCESS, (data_item(5_000, final=final),))

    (group,) = cca(with_groups({"Requested-Service-Unit": {}}), answer)["Multiple-Services-Credit-Control"]

    assert group["Granted-Service-Unit"] == {"CC-Total-Octets": 5_000}
    assert group["Final-Unit-Indication"] == indication


def test_nothing_left_is_a_grant_of_zero_with_the_final_action():
    item = data_item(0, result=Result.CREDIT_LIMIT_REACHED, final=FinalUnit())

    found = cca(
        with_groups({"Requested-Service-Unit": {}, "Rating-Group": 10}),
        ChargingAnswer(Result.CREDIT_LIMIT_REACHED, (item,), reason="credit_limit_reached"),
    )

    assert found["Result-Code"] == 4012
    assert found["Multiple-Services-Credit-Control"] == [
        {
            "Granted-Service-Unit": {"CC-Total-Octets": 0},
            "Final-Unit-Indication": {"Final-Unit-Action": 0},
            "Rating-Group": 10,
            "Result-Code": 4012,
        }
    ]


def test_a_grant_beyond_what_an_avp_holds_is_cut():
    item = data_item(1 << 40, type_of_record="voice")

    (group,) = cca(with_groups({"Requested-Service-Unit": {}}), ChargingAnswer(Result.SUCCESS, (item,)))[
        "Multiple-Services-Credit-Control"
    ]

    assert group["Granted-Service-Unit"] == {"CC-Time": 0xFFFFFFFF}


def test_a_tariff_change_is_told_to_those_who_understand_it_and_ends_the_quota_of_others():
    item = data_item(tariff_change_at=NOW + timedelta(seconds=120))
    avps = with_groups({"Requested-Service-Unit": {}})
    answer = ChargingAnswer(Result.SUCCESS, (item,))

    (told,) = cca(avps, answer, CreditControlPolicy(tariff_time_change=True))[
        "Multiple-Services-Credit-Control"
    ]
    (cut,) = cca(avps, answer)["Multiple-Services-Credit-Control"]

    assert told["Granted-Service-Unit"]["Tariff-Time-Change"] == int(NOW.timestamp()) + 120
    assert told["Validity-Time"] == 600
    assert cut["Granted-Service-Unit"] == {"CC-Total-Octets": MEGABYTE}
    assert cut["Validity-Time"] == 120


def test_a_command_without_groups_is_granted_for_itself():
    avps = ccr_avps(1, 0, Requested_Service_Unit={"CC-Time": 60})
    item = AnswerItem("voice", type_of_record="voice", granted=40, validity_s=600, final=FinalUnit())

    found = cca(avps, ChargingAnswer(Result.SUCCESS, (item,)))

    assert "Multiple-Services-Credit-Control" not in found
    assert found["Granted-Service-Unit"] == {"CC-Time": 40}
    assert found["Final-Unit-Indication"] == {"Final-Unit-Action": 0}
    assert found["Validity-Time"] == 600


@pytest.mark.parametrize("result", list(Result))
def test_every_result_has_its_code(result):
    found = cca(ccr_avps(), ChargingAnswer(result, reason="why"))

    assert found["Result-Code"] == RESULT_CODES[result]
    assert found.get("Error-Message") == (None if result is Result.SUCCESS else "why")
    assert found["Session-Id"] == SESSION_ID


def test_what_cannot_be_rated_comes_back():
    failed = AnswerItem("", Result.RATING_FAILED, 99, granted=0)
    answer = ChargingAnswer(Result.RATING_FAILED, (failed,))

    of_group = cca(with_groups({"Requested-Service-Unit": {}, "Rating-Group": 99}), answer)
    of_command = cca(ccr_avps(4, 0, Requested_Action=0), answer)

    assert of_group["Failed-AVP"] == raw_avp(432, b"\0\0\0\x63")
    assert of_command["Failed-AVP"] == raw_avp(461, b"32251@3gpp.org").replace(b"\x0d", b"\0")


def test_money_in_the_wrong_currency_comes_back():
    money = {"Unit-Value": {"Value-Digits": 250, "Exponent": -2}, "Currency-Code": 840}
    failed = AnswerItem("", Result.RATING_FAILED, reason="currency_differs")
    avps = ccr_avps(4, 0, Requested_Action=0, Requested_Service_Unit={"CC-Money": money})

    found = cca(avps, ChargingAnswer(Result.RATING_FAILED, (failed,)))

    assert (found["Result-Code"], found["Failed-AVP"]) == (5031, encode_avp("CC-Money", money))


def test_used_money_in_the_wrong_currency_comes_back():
    money = {"Unit-Value": {"Value-Digits": 250, "Exponent": -2}, "Currency-Code": 840}
    failed = AnswerItem("", Result.RATING_FAILED, reason="currency_differs")
    avps = with_groups({"Used-Service-Unit": [{"CC-Money": money}]}, request_type=2)

    assert cca(avps, ChargingAnswer(Result.RATING_FAILED, (failed,)))["Failed-AVP"] == encode_avp(
        "CC-Money", money
    )


def test_a_grant_in_money_names_amount_and_currency():
    item = data_item(1_250_000, type_of_record="monetary:EUR", final=FinalUnit())
    found = cca(with_groups({"Requested-Service-Unit": {}}), ChargingAnswer(Result.SUCCESS, (item,)))

    (group,) = found["Multiple-Services-Credit-Control"]
    assert group["Granted-Service-Unit"] == {
        "CC-Money": {"Unit-Value": {"Value-Digits": 125, "Exponent": -2}, "Currency-Code": 978}
    }
    assert group["Validity-Time"] == 600
    assert group["Final-Unit-Indication"] == {"Final-Unit-Action": 0}


FREE = CreditControlPolicy(free_services=frozenset({"data"}))


def test_a_peer_that_understands_it_is_told_that_a_free_service_needs_no_quota():
    answer = ChargingAnswer(Result.SUCCESS, (data_item(), data_item(service="voice", rating_group=20)))
    avps = with_groups(
        {"Requested-Service-Unit": {}, "Rating-Group": 10, "Service-Identifier": [4]},
        {"Requested-Service-Unit": {}, "Rating-Group": 20},
    )

    found = cca(avps, answer, FREE)
    assert found["Result-Code"] == 2001
    free, paid = found["Multiple-Services-Credit-Control"]
    assert free == {"Rating-Group": 10, "Service-Identifier": [4], "Result-Code": 4011}
    assert (paid["Result-Code"], "Granted-Service-Unit" in paid) == (2001, True)
    # Everybody else takes 4011 for a refusal, and gets a quota.
    of_others = cca(avps, answer)["Multiple-Services-Credit-Control"]
    assert [group["Result-Code"] for group in of_others] == [2001, 2001]


def test_a_whole_command_is_told_so_too_and_counted_as_that():
    avps = ccr_avps(1, 0, Requested_Service_Unit={})
    found = cca(avps, ChargingAnswer(Result.SUCCESS, (data_item(),)), FREE)

    assert (found["Result-Code"], "Granted-Service-Unit" in found) == (4011, False)
    told = credit_control_answer(
        SERVER, read_request(avps), ChargingAnswer(Result.SUCCESS, (data_item(),)), FREE, NOW
    )
    assert told.result_code == 4011


@pytest.mark.parametrize(
    "item",
    [
        data_item(cost_micros=1),
        data_item(unpaid_micros=1),
        data_item(final=FinalUnit()),
        data_item(0, result=Result.CREDIT_LIMIT_REACHED, final=FinalUnit()),
        data_item(None),
    ],
)
def test_what_cost_something_or_got_no_quota_is_never_told_to_be_free(item):
    avps = with_groups({"Requested-Service-Unit": {}, "Rating-Group": 10}, request_type=2)
    (group,) = cca(avps, ChargingAnswer(Result.SUCCESS, (item,)), FREE)["Multiple-Services-Credit-Control"]

    assert group["Result-Code"] != 4011


def test_seconds_are_told_as_validity_to_those_who_read_octets_alone():
    item = data_item(60, type_of_record="voice")
    avps = with_groups({"Requested-Service-Unit": {}})
    octets_alone = CreditControlPolicy(grants_in_octets=True)

    (group,) = cca(avps, ChargingAnswer(Result.SUCCESS, (item,)), octets_alone)[
        "Multiple-Services-Credit-Control"
    ]
    (data,) = cca(avps, ChargingAnswer(Result.SUCCESS, (data_item(),)), octets_alone)[
        "Multiple-Services-Credit-Control"
    ]

    assert group["Granted-Service-Unit"] == {"CC-Time": 60, "CC-Total-Octets": 1 << 40}
    assert group["Validity-Time"] == 60
    assert data["Granted-Service-Unit"] == {"CC-Total-Octets": MEGABYTE}
    assert data["Validity-Time"] == 600


def test_an_event_says_its_price():
    avps = ccr_avps(4, 0, Requested_Action=0, Requested_Service_Unit={"CC-Service-Specific-Units": 1})
    item = AnswerItem("sms", type_of_record="sms", granted=1, cost_micros=90_000)

    found = cca(avps, ChargingAnswer(Result.SUCCESS, (item,), currency="EUR", cost_micros=90_000))

    assert found["Granted-Service-Unit"] == {"CC-Service-Specific-Units": 1}
    assert found["Cost-Information"] == {
        "Unit-Value": {"Value-Digits": 9, "Exponent": -2},
        "Currency-Code": 978,
    }


@pytest.mark.parametrize(("enough", "result"), [(True, 0), (False, 1)])
def test_a_balance_check_says_whether_there_is_enough(enough, result):
    found = cca(ccr_avps(4, 0, Requested_Action=2), ChargingAnswer(Result.SUCCESS, enough=enough))

    assert found["Check-Balance-Result"] == result
    assert "Cost-Information" not in found


def test_the_sub_session_is_echoed():
    assert cca(ccr_avps(1, 0, CC_Sub_Session_Id=9), ChargingAnswer(Result.SUCCESS))["CC-Sub-Session-Id"] == 9


REDIRECT = FinalUnit(FinalUnitAction.REDIRECT, "https://top.up/")
RESTRICT = FinalUnit(FinalUnitAction.RESTRICT, filters=("permit in ip from any to 10.0.0.1", "portal"))


@pytest.mark.parametrize("final", [REDIRECT, RESTRICT])
def test_a_session_without_credit_is_redirected_or_restricted_on_success_without_units(final):
    avps = with_groups({"Requested-Service-Unit": {}, "Rating-Group": 10})
    found = cca(avps, ChargingAnswer(Result.SUCCESS, (data_item(0, final=final),)))

    (group,) = found["Multiple-Services-Credit-Control"]
    assert (found["Result-Code"], group["Result-Code"], group["Validity-Time"]) == (2001, 2001, 600)
    assert "Granted-Service-Unit" not in group
    assert group["Final-Unit-Indication"]["Final-Unit-Action"] in (1, 2)


def test_a_command_without_groups_is_redirected_on_success_too():
    avps = ccr_avps(2, 1, Requested_Service_Unit={})
    found = cca(avps, ChargingAnswer(Result.SUCCESS, (data_item(0, final=REDIRECT),)))

    assert found["Result-Code"] == 2001
    assert "Granted-Service-Unit" not in found
    assert found["Final-Unit-Indication"]["Redirect-Server"]["Redirect-Server-Address"] == "https://top.up/"


def test_a_peer_that_expects_it_is_told_4012_beside_the_redirection():
    avps = with_groups({"Requested-Service-Unit": {}, "Rating-Group": 10})
    answer = ChargingAnswer(Result.SUCCESS, (data_item(0, final=REDIRECT),))
    found = cca(avps, answer, CreditControlPolicy(redirect_as_refusal=True))

    (group,) = found["Multiple-Services-Credit-Control"]
    assert (found["Result-Code"], group["Result-Code"]) == (4012, 4012)
    assert group["Granted-Service-Unit"] == {"CC-Total-Octets": 0}
    assert group["Final-Unit-Indication"]["Final-Unit-Action"] == 1


def test_the_last_units_before_a_redirection_are_granted_with_it():
    avps = with_groups({"Requested-Service-Unit": {}, "Rating-Group": 10})
    for policy in (DEFAULT_CREDIT_CONTROL_POLICY, CreditControlPolicy(redirect_as_refusal=True)):
        found = cca(avps, ChargingAnswer(Result.SUCCESS, (data_item(5, final=REDIRECT),)), policy)
        (group,) = found["Multiple-Services-Credit-Control"]
        assert (found["Result-Code"], group["Result-Code"]) == (2001, 2001)
        assert group["Granted-Service-Unit"] == {"CC-Total-Octets": 5}


def test_what_no_rule_maps_to_a_service_is_answered_with_the_rule_that_is_missing():
    failed = AnswerItem("", Result.RATING_FAILED, 9, granted=0, reason="unknown_service")
    avps = ccr_avps(
        Service_Context_Id="gprs@operator",
        Multiple_Services_Credit_Control=[{"Requested-Service-Unit": {}, "Rating-Group": 9}],
    )
    told = credit_control_answer(
        SERVER,
        read_request(avps),
        ChargingAnswer(Result.RATING_FAILED, (failed,)),
        DEFAULT_CREDIT_CONTROL_POLICY,
        NOW,
    )
    found = read(message(272, told.avps, flags=FLAG_PROXIABLE)).avps

    missing = "no service rule fits context gprs@operator, rating group 9"
    assert (found["Result-Code"], found["Error-Message"], told.refusals) == (5031, missing, (missing,))


def test_units_that_cannot_be_come_back_in_their_groups():
    invalid = AnswerItem("data", Result.INVALID_VALUE, 10, reason="absurd_amount")
    used = {"CC-Total-Octets": 2**64 - 1}
    avps = with_groups({"Used-Service-Unit": [used], "Rating-Group": 10}, request_type=2)
    found = cca(avps, ChargingAnswer(Result.INVALID_VALUE, (invalid,)))

    assert found["Result-Code"] == 5004
    assert found["Failed-AVP"] == encode_avp(
        "Multiple-Services-Credit-Control", {"Used-Service-Unit": [used]}
    )
    assert found["Multiple-Services-Credit-Control"] == [{"Rating-Group": 10, "Result-Code": 5004}]


def test_units_of_another_kind_come_back_as_they_were_asked_for():
    asked = {"CC-Service-Specific-Units": 1}
    avps = ccr_avps(4, 0, Requested_Action=0, Requested_Service_Unit=asked)
    invalid = AnswerItem("data", Result.INVALID_VALUE, reason="unit_differs")
    found = cca(avps, ChargingAnswer(Result.INVALID_VALUE, (invalid,)))

    assert (found["Result-Code"], found["Failed-AVP"]) == (5004, encode_avp("Requested-Service-Unit", asked))
