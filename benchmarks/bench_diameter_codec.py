"""Diameter decode and answer on one core: a CCR-U with three rating groups, its CCA, no socket and no database."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apps.charging.domain.requests import AnswerItem, ChargingAnswer, Result
from apps.diameter.credit_control.answers import credit_control_answer
from apps.diameter.credit_control.ccr import read_request
from apps.diameter.credit_control.policy import DEFAULT_CREDIT_CONTROL_POLICY
from apps.diameter.credit_control.requests import ConnectedPeer, charging_request
from apps.diameter.credit_control.service_map import DEFAULT_RULES, ServiceMap
from apps.diameter.protocol.codes import FLAG_PROXIABLE, FLAG_REQUEST, Command
from apps.diameter.protocol.decoding import decode_message
from apps.diameter.protocol.encoding import encode_avps
from apps.diameter.protocol.header import write_message
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import address_of_text
from benchmarks.protocol import Measurement, Setup

TITLE = "Diameter codec"
DATABASES = ("",)

MESSAGES = 60_000
ROUND = 1_000
TARGET = 15_000
MSCC = "Multiple-Services-Credit-Control"
NODE = LocalNode("ocs1.operator.example", "operator.example", (address_of_text("10.0.0.9"),))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def update_request(number: int) -> bytes:
    """What a packet gateway sends: about a kilobyte, some 65 AVPs."""
    groups = [
        {
            "Requested-Service-Unit": {},
            "Used-Service-Unit": [
                {
                    "CC-Time": 60,
                    "CC-Total-Octets": 1_048_576 + number,
                    "CC-Input-Octets": 48_576 + number,
                    "CC-Output-Octets": 1_000_000,
                }
            ],
            "Rating-Group": rating_group,
            "3GPP-Reporting-Reason": 3,
        }
        for rating_group in (10, 20, 30)
    ]
    avps: dict[str, Any] = {
        "Session-Id": f"pgw1.epc.example;1700000000;{number:08}",
        "Origin-Host": "pgw1.epc.example",
        "Origin-Realm": "epc.example",
        "Destination-Realm": "operator.example",
        "Auth-Application-Id": 4,
        "Service-Context-Id": "32251@3gpp.org",
        "CC-Request-Type": 2,
        "CC-Request-Number": number % 100 + 1,
        "Origin-State-Id": 1_700_000_000,
        "Event-Timestamp": 1_772_366_400 + number,
        "Subscription-Id": [
            {"Subscription-Id-Type": 0, "Subscription-Id-Data": f"49170{number:07}"},
            {"Subscription-Id-Type": 1, "Subscription-Id-Data": f"26201{number:010}"},
        ],
        "Multiple-Services-Indicator": 1,
        MSCC: groups,
        "User-Equipment-Info": {
            "User-Equipment-Info-Type": 0,
            "User-Equipment-Info-Value": b"3512345678901234",
        },
        "Service-Information": {
            "PS-Information": {
                "3GPP-Charging-Id": number.to_bytes(4, "big"),
                "3GPP-PDP-Type": 0,
                "PDP-Address": [address_of_text(f"10.1.{number // 250 % 250}.{number % 250}")],
                "SGSN-Address": [address_of_text("10.0.0.1")],
                "GGSN-Address": [address_of_text("10.0.0.2")],
                "CG-Address": address_of_text("10.0.0.3"),
                "3GPP-IMSI-MCC-MNC": b"26201",
                "3GPP-GGSN-MCC-MNC": b"26201",
                "3GPP-NSAPI": b"5",
                "Called-Station-Id": "internet",
                "3GPP-Selection-Mode": b"0",
                "3GPP-Charging-Characteristics": b"0800",
                "3GPP-SGSN-MCC-MNC": b"26201",
                "3GPP-MS-TimeZone": b"\x40\0",
                "3GPP-User-Location-Info": b"\x82\x62\xf2\x10\0\1\x62\xf2\x10\0\0\1\1",
                "3GPP-RAT-Type": b"\x06",
            }
        },
    }
    return write_message(
        FLAG_REQUEST | FLAG_PROXIABLE, Command.CREDIT_CONTROL, 4, number, number, encode_avps(avps)
    )


def answer_by_codec(data: bytes) -> bytes:
    """Decode with every check, and encode an answer with a grant for each rating group."""
    header, avps = decode_message(data)
    groups = [
        {
            "Granted-Service-Unit": {"CC-Total-Octets": 10_485_760},
            "Rating-Group": group["Rating-Group"],
            "Validity-Time": 600,
            "Result-Code": 2001,
            "Quota-Holding-Time": 300,
            "Volume-Quota-Threshold": 1_048_576,
        }
        for group in avps[MSCC]
    ]
    answer = {
        "Session-Id": avps["Session-Id"],
        "Result-Code": 2001,
        "Origin-Host": NODE.origin_host,
        "Origin-Realm": NODE.origin_realm,
        "Auth-Application-Id": 4,
        "CC-Request-Type": avps["CC-Request-Type"],
        "CC-Request-Number": avps["CC-Request-Number"],
        MSCC: groups,
    }
    return write_message(
        FLAG_PROXIABLE,
        header.command,
        header.application,
        header.hop_by_hop,
        header.end_to_end,
        encode_avps(answer),
    )


SERVICES = ServiceMap(DEFAULT_RULES)
PEER = ConnectedPeer("pgw1.epc.example", "epc.example")


def answer_by_server(data: bytes) -> bytes:
    """All that the server does with a request but charging it: to a charging request, and from an answer."""
    header, avps = decode_message(data)
    ccr = read_request(avps)
    asked = charging_request(ccr, PEER, SERVICES, NOW)
    reply = ChargingAnswer(
        Result.SUCCESS,
        tuple(
            AnswerItem(
                item.service,
                rating_group=item.rating_group,
                type_of_record="data",
                granted=10_485_760,
                validity_s=600,
                quota_holding_s=300,
                threshold=1_048_576,
            )
            for item in asked.items
        ),
        currency="EUR",
    )
    return write_message(
        FLAG_PROXIABLE,
        header.command,
        header.application,
        header.hop_by_hop,
        header.end_to_end,
        credit_control_answer(NODE, ccr, reply, DEFAULT_CREDIT_CONTROL_POLICY, asked.at).avps,
    )


def main(setup: Setup) -> list[Measurement]:
    requests = [update_request(number) for number in range(ROUND)]
    _check(requests[7])
    count = setup.scaled(MESSAGES, ROUND)
    found = []
    for name, function, target in (
        ("decode and answer, the codec alone", answer_by_codec, TARGET),
        ("with charging request and answer made", answer_by_server, None),
    ):
        setup.progress(name)
        with setup.measure() as timing:
            seconds = _timed(function, requests, count)
        other = _python_diameter(requests) if function is answer_by_codec else None
        found.append(
            Measurement(
                name,
                count / seconds,
                "messages/s",
                timing.peak_mb,
                against="python-diameter, an answer without grants" if other else "",
                baseline=other,
                at_least=target,
                ratio_at_least=10 if other else None,
                note="one core, CCR-U of 1 kB with three rating groups",
            )
        )
    return found


def _timed(function: Callable[[bytes], bytes], requests: list[bytes], count: int) -> float:
    """Seconds for ``count`` messages at the pace of the quickest of many rounds: other work is not ours."""
    rounds = max(3, count // len(requests))
    best = float("inf")
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        started = time.perf_counter()
        for data in requests:
            function(data)
        best = min(best, time.perf_counter() - started)
    gc.unfreeze()
    return best * count / len(requests)


def _check(data: bytes) -> None:
    """Both ways give an answer that reads back, with three grants."""
    for function in (answer_by_codec, answer_by_server):
        answer = decode_message(function(data))
        grants = [group["Granted-Service-Unit"]["CC-Total-Octets"] for group in answer.avps[MSCC]]
        if grants != [10_485_760] * 3 or answer.avps["Session-Id"] != "pgw1.epc.example;1700000000;00000007":
            raise RuntimeError(f"{function.__name__} answers wrongly: {answer}")


def _python_diameter(requests: list[bytes]) -> float | None:
    """Messages a second of the best other codec in Python, if it is installed; its answer has no grants."""
    try:
        from diameter.message import Message
    except ImportError:
        return None
    some = requests[:200]

    def decode_and_answer(data: bytes) -> bytes:
        request = Message.from_bytes(data)
        answer = request.to_answer()
        answer.session_id = request.session_id
        answer.result_code = 2001
        answer.origin_host = NODE.origin_host.encode()
        answer.origin_realm = NODE.origin_realm.encode()
        answer.auth_application_id = 4
        answer.cc_request_type = request.cc_request_type
        answer.cc_request_number = request.cc_request_number
        return answer.as_bytes()

    return len(some) / _timed(decode_and_answer, some, len(some))
