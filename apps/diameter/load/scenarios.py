"""What gateways do: conversations of one session or event, as generators of requests that are told the answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.diameter.protocol.codes import (
    CcRequestType,
    ReportingReason,
    RequestedAction,
    ResultCode,
    SubscriptionIdType,
    TerminationCause,
)

CONTEXT_DATA = "32251@3gpp.org"
CONTEXT_VOICE = "32260@3gpp.org"
CONTEXT_SMS = "32274@3gpp.org"

Avps = dict[str, Any]
Conversation = Generator[Avps, Avps, None]
"""Yields the AVPs of a CCR, is sent those of its CCA, and ends with the session."""


class Party(NamedTuple):
    """A subscriber by numbers; either may be empty."""

    msisdn: str
    imsi: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a simulated gateway says of itself and its traffic.

    A session makes ``updates`` updates before it ends. ``call_s`` and ``octets`` are used between two requests, if the
    grant allows as much. ``rating_groups`` are asked for in every request of a data session; ``ask`` is the number of
    units asked for, 0 leaves it to the server.
    """

    origin_host: str
    origin_realm: str
    destination_realm: str
    updates: int = 2
    call_s: int = 60
    octets: int = 1_000_000
    ask: int = 0
    rating_groups: tuple[int, ...] = (10, 20, 30)
    called_number: str = "493012345678"
    access_point: str = "internet"


def _head(
    gateway: Gateway, party: Party, session_id: str, kind: int, number: int, context: str, at: int
) -> Avps:
    subscription = []
    if party.msisdn:
        subscription.append(
            {
                "Subscription-Id-Type": int(SubscriptionIdType.END_USER_E164),
                "Subscription-Id-Data": party.msisdn,
            }
        )
    if party.imsi:
        subscription.append(
            {
                "Subscription-Id-Type": int(SubscriptionIdType.END_USER_IMSI),
                "Subscription-Id-Data": party.imsi,
            }
        )
    return {
        "Session-Id": session_id,
        "Origin-Host": gateway.origin_host,
        "Origin-Realm": gateway.origin_realm,
        "Destination-Realm": gateway.destination_realm,
        "Auth-Application-Id": 4,
        "Service-Context-Id": context,
        "CC-Request-Type": kind,
        "CC-Request-Number": number,
        "Event-Timestamp": at,
        "Subscription-Id": subscription,
    }


def _used_up(group: Avps) -> bool:
    """Whether this was the last grant, or none."""
    return (
        "Final-Unit-Indication" in group or group.get("Result-Code", ResultCode.SUCCESS) != ResultCode.SUCCESS
    )


def data_session(gateway: Gateway, party: Party, session_id: str, at: int) -> Conversation:
    """A packet session that uses several rating groups; a group that is used up is not asked for again."""
    service = {
        "PS-Information": {
            "3GPP-PDP-Type": 0,
            "Called-Station-Id": gateway.access_point,
            "3GPP-SGSN-MCC-MNC": b"26201",
            "3GPP-RAT-Type": b"\x06",
        }
    }
    asked = {"CC-Total-Octets": gateway.ask} if gateway.ask else {}
    head = _head(gateway, party, session_id, CcRequestType.INITIAL_REQUEST, 0, CONTEXT_DATA, at)
    answer = yield head | {
        "Multiple-Services-Indicator": 1,
        "Multiple-Services-Credit-Control": [
            {"Requested-Service-Unit": asked, "Rating-Group": group} for group in gateway.rating_groups
        ],
        "Service-Information": service,
    }
    if answer.get("Result-Code") != ResultCode.SUCCESS:
        return
    number = 0
    granted = {
        group.get("Rating-Group"): group
        for group in answer.get("Multiple-Services-Credit-Control", ())
        if "Granted-Service-Unit" in group
    }
    while granted:
        number += 1
        last = number > gateway.updates or all(_used_up(group) for group in granted.values())
        kind = CcRequestType.TERMINATION_REQUEST if last else CcRequestType.UPDATE_REQUEST
        reports = []
        for rating_group, group in granted.items():
            units = group["Granted-Service-Unit"].get("CC-Total-Octets", 0)
            used = units if _used_up(group) else min(units, gateway.octets)
            reason = (
                ReportingReason.FINAL
                if last
                else ReportingReason.QUOTA_EXHAUSTED
                if used == units
                else ReportingReason.VALIDITY_TIME
            )
            report: Avps = {
                "Used-Service-Unit": [
                    {
                        "CC-Total-Octets": used,
                        "CC-Input-Octets": used // 10,
                        "CC-Output-Octets": used - used // 10,
                    }
                ],
                "Rating-Group": rating_group,
                "3GPP-Reporting-Reason": int(reason),
            }
            if not last and not _used_up(group):
                report = {"Requested-Service-Unit": asked, **report}
            reports.append(report)
        head = _head(gateway, party, session_id, kind, number, CONTEXT_DATA, at + number)
        if last:
            head["Termination-Cause"] = int(TerminationCause.LOGOUT)
        answer = yield head | {"Multiple-Services-Credit-Control": reports}
        if last or answer.get("Result-Code") != ResultCode.SUCCESS:
            return
        granted = {
            group.get("Rating-Group"): group
            for group in answer.get("Multiple-Services-Credit-Control", ())
            if "Granted-Service-Unit" in group
        }


def voice_call(gateway: Gateway, party: Party, session_id: str, at: int) -> Conversation:
    """A call over IMS: seconds of the command itself, without rating groups."""
    service = {
        "IMS-Information": {
            "Role-Of-Node": 0,
            "Node-Functionality": 6,
            "Calling-Party-Address": [f"tel:+{party.msisdn}"],
            "Called-Party-Address": [f"tel:+{gateway.called_number}"],
        }
    }
    asked = {"CC-Time": gateway.ask} if gateway.ask else {}
    head = _head(gateway, party, session_id, CcRequestType.INITIAL_REQUEST, 0, CONTEXT_VOICE, at)
    answer = yield head | {"Requested-Service-Unit": asked, "Service-Information": service}
    number, clock = 0, at
    while answer.get("Result-Code") == ResultCode.SUCCESS and "Granted-Service-Unit" in answer:
        number += 1
        granted_s = answer["Granted-Service-Unit"].get("CC-Time", 0)
        final = "Final-Unit-Indication" in answer
        last = final or number > gateway.updates
        used_s = granted_s if final else min(granted_s, gateway.call_s)
        clock += used_s
        kind = CcRequestType.TERMINATION_REQUEST if last else CcRequestType.UPDATE_REQUEST
        head = _head(gateway, party, session_id, kind, number, CONTEXT_VOICE, clock)
        body: Avps = {"Used-Service-Unit": [{"CC-Time": used_s}], "Service-Information": service}
        if last:
            body["Termination-Cause"] = int(TerminationCause.LOGOUT)
        else:
            body["Requested-Service-Unit"] = asked
        answer = yield head | body
        if last:
            return


def sms_event(gateway: Gateway, party: Party, session_id: str, at: int) -> Conversation:
    """One message, debited at once."""
    yield _head(gateway, party, session_id, CcRequestType.EVENT_REQUEST, 0, CONTEXT_SMS, at) | {
        "Requested-Action": int(RequestedAction.DIRECT_DEBITING),
        "Requested-Service-Unit": {"CC-Service-Specific-Units": 1},
        "Service-Information": {
            "SMS-Information": {
                "SM-Message-Type": 0,
                "Recipient-Info": [
                    {"Recipient-Address": [{"Address-Type": 1, "Address-Data": gateway.called_number}]}
                ],
            }
        },
    }


SCENARIOS: dict[str, Callable[[Gateway, Party, str, int], Conversation]] = {
    "data": data_session,
    "voice": voice_call,
    "sms": sms_event,
}
