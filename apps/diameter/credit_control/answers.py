"""From the charging room's answer to a CCA."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from apps.charging.domain.charge import NOT_ITS_SESSION
from apps.charging.domain.money_bounds import PEER_LIMIT, REFUND_EXCEEDS_DEBITS
from apps.charging.domain.money_items import currency_of
from apps.charging.domain.requests import (
    SERVER_DECIDES,
    AnswerItem,
    ChargingAnswer,
    FinalUnit,
    Operation,
    Result,
)
from apps.charging.domain.requests import FinalUnitAction as Action
from apps.diameter.credit_control.ccr import (
    EVENT,
    INITIAL,
    MSCC,
    UPDATE,
    CreditControlRequest,
    Part,
    units_as_avps,
)
from apps.diameter.credit_control.policy import CreditControlPolicy
from apps.diameter.credit_control.service_map import missing_rule
from apps.diameter.protocol.answers import MAX_ERROR_MESSAGE_CHARACTERS
from apps.diameter.protocol.codes import (
    APPLICATION_CREDIT_CONTROL,
    CheckBalanceResult,
    FinalUnitAction,
    RedirectAddressType,
    ResultCode,
    SessionFailover,
)
from apps.diameter.protocol.encoding import encode_avp, encode_avps
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import unit_value_of_micros
from apps.kernel.currencies import NUMBER_OF
from apps.kernel.units import TypeOfRecord

_SUCCESS = Result.SUCCESS
_RATING_FAILED, _INVALID_VALUE = Result.RATING_FAILED, Result.INVALID_VALUE
_WITH_FAILED_AVP = (_RATING_FAILED, _INVALID_VALUE)
_WORTH_A_LOOK = frozenset(
    (
        NOT_ITS_SESSION,
        REFUND_EXCEEDS_DEBITS,
        PEER_LIMIT,
        "contradictory_subscriber",
        "absurd_amount",
        "unit_differs",
        "unknown_service",
        "currency_differs",
    )
)
_GRANTING = (INITIAL, UPDATE)
_NO_CREDIT = int(ResultCode.CREDIT_LIMIT_REACHED)
_NOT_APPLICABLE = int(ResultCode.CREDIT_CONTROL_NOT_APPLICABLE)
_FAILOVER = {True: int(SessionFailover.SUPPORTED), False: int(SessionFailover.NOT_SUPPORTED)}

RESULT_CODES: dict[Result, int] = {
    Result.SUCCESS: int(ResultCode.SUCCESS),
    Result.BARRED: int(ResultCode.END_USER_SERVICE_DENIED),
    Result.CREDIT_LIMIT_REACHED: int(ResultCode.CREDIT_LIMIT_REACHED),
    Result.UNKNOWN_SESSION: int(ResultCode.UNKNOWN_SESSION_ID),
    Result.NOT_AUTHORISED: int(ResultCode.AUTHORIZATION_REJECTED),
    Result.INVALID_VALUE: int(ResultCode.INVALID_AVP_VALUE),
    Result.UNABLE_TO_COMPLY: int(ResultCode.UNABLE_TO_COMPLY),
    Result.UNKNOWN_USER: int(ResultCode.USER_UNKNOWN),
    Result.RATING_FAILED: int(ResultCode.RATING_FAILED),
}

_UNITS_OF = {
    TypeOfRecord.VOICE.value: ("CC-Time", "Time-Quota-Threshold"),
    # The total always: there are clients that read nothing else of a grant.
    TypeOfRecord.DATA.value: ("CC-Total-Octets", "Volume-Quota-Threshold"),
}
_OTHER_UNITS = ("CC-Service-Specific-Units", "Unit-Quota-Threshold")
_LARGEST = {"CC-Time": 0xFFFFFFFF, "Time-Quota-Threshold": 0xFFFFFFFF, "Volume-Quota-Threshold": 0xFFFFFFFF}
_LARGEST_OTHERWISE = 0xFFFFFFFFFFFFFFFF
_BOUNDED_BY_TIME_OCTETS = 1 << 40
_FINAL_ACTIONS = {
    Action.TERMINATE: int(FinalUnitAction.TERMINATE),
    Action.REDIRECT: int(FinalUnitAction.REDIRECT),
    Action.RESTRICT: int(FinalUnitAction.RESTRICT_ACCESS),
}
_NO_TIME = datetime.min.replace(tzinfo=UTC)
_WITH_COST = frozenset((Operation.EVENT, Operation.REFUND, Operation.PRICE_ENQUIRY))


class Cca(NamedTuple):
    """A Credit-Control-Answer: its Result-Code, its AVPs encoded, and what it refuses that an operator should see."""

    result_code: int
    avps: bytes
    refusals: tuple[str, ...] = ()


def credit_control_answer(
    node: LocalNode,
    ccr: CreditControlRequest,
    answer: ChargingAnswer,
    policy: CreditControlPolicy,
    at: datetime,
) -> Cca:
    """The answer to ``ccr`` (RFC 8506 section 3.2); Proxy-Info is the connection's to add.

    ``at`` is when the request happened, by its own timestamp if it has one: so a repeat is answered alike.
    Session-Id comes first, then each mandatory AVP once: some clients silently drop any other answer.
    """
    code = _result_code(ccr, answer, policy)
    request_type, items = ccr.type, answer.items
    head = (
        encode_avp("Session-Id", ccr.session_id)
        + _common_head(node.origin_host, node.origin_realm, code, request_type)
        + encode_avp("CC-Request-Number", ccr.number)
    )
    members: dict[str, Any] = {}
    if ccr.sub_session is not None:
        members["CC-Sub-Session-Id"] = ccr.sub_session
    if ccr.multi_session_id is not None:
        members["Acct-Multi-Session-Id"] = ccr.multi_session_id
    body = b""
    refusals: tuple[str, ...] = ()
    succeeded = answer.result is _SUCCESS
    if request_type == INITIAL and succeeded:
        members["CC-Session-Failover"] = _FAILOVER[policy.session_failover]
        members["Credit-Control-Failure-Handling"] = policy.failure_handling
    if ccr.grouped:
        free_services = policy.free_services
        for part, item in zip(ccr.parts, items, strict=False):
            if free_services and _is_told_free(ccr, item, policy):
                body += _free_octets(part)
            else:
                body += _group_octets(part, item, policy, at)
            if item.reason and succeeded:
                refusals = _refusals(ccr, answer)
    elif items and code != _NOT_APPLICABLE:
        members |= _grant(items[0], policy, at)
    if request_type == EVENT and succeeded and ccr.operation in _WITH_COST:
        members["Cost-Information"] = _cost(answer)
    if answer.enough is not None:
        members["Check-Balance-Result"] = int(
            CheckBalanceResult.ENOUGH_CREDIT if answer.enough else CheckBalanceResult.NO_CREDIT
        )
    if not succeeded:
        refusals = _refusals(ccr, answer)
        message = answer.message or (refusals[0] if refusals else answer.reason)
        members["Error-Message"] = message[:MAX_ERROR_MESSAGE_CHARACTERS] or None
        if answer.result in _WITH_FAILED_AVP:
            members["Failed-AVP"] = _failed_avp(ccr, answer)
    return Cca(code, head + encode_avps(members) + body, refusals)


def _refusals(ccr: CreditControlRequest, answer: ChargingAnswer) -> tuple[str, ...]:
    """What was refused for a reason that lies with the operator's configuration or with the peer."""
    found: list[str] = []
    for part, item in zip(ccr.parts, answer.items, strict=False):
        if item.reason == "unknown_service" and not item.service:
            found.append(missing_rule(ccr.context, part.rating_group, part.service_identifier))
        elif item.reason in _WORTH_A_LOOK and item.reason not in found:
            found.append(item.reason)
    if not found and answer.reason in _WORTH_A_LOOK:
        found.append(answer.message or answer.reason)
    return tuple(found)


def _result_code(ccr: CreditControlRequest, answer: ChargingAnswer, policy: CreditControlPolicy) -> int:
    """The Result-Code of the command as a whole."""
    if answer.result is not _SUCCESS:
        return RESULT_CODES[answer.result]
    if policy.redirect_as_refusal and answer.items and all(map(_acts_at_once, answer.items)):
        return _NO_CREDIT
    if (
        policy.free_services
        and not ccr.grouped
        and answer.items
        and _is_told_free(ccr, answer.items[0], policy)
    ):
        return _NOT_APPLICABLE
    return 2001


def _is_told_free(ccr: CreditControlRequest, item: AnswerItem, policy: CreditControlPolicy) -> bool:
    """Whether the peer is told that the part needs no credit control: it asked for a quota and gets one for nothing."""
    return (
        item.service in policy.free_services
        and ccr.type in _GRANTING
        and item.result is _SUCCESS
        and bool(item.granted)
        and item.final is None
        and item.cost_micros == 0
        and item.unpaid_micros == 0
    )


@lru_cache(maxsize=1_000)
def _common_head(origin_host: str, origin_realm: str, result_code: int, request_type: int) -> bytes:
    """The AVPs between Session-Id and CC-Request-Number, which few answers differ in."""
    return encode_avps(
        {
            "Result-Code": result_code,
            "Origin-Host": origin_host,
            "Origin-Realm": origin_realm,
            "Auth-Application-Id": APPLICATION_CREDIT_CONTROL,
            "CC-Request-Type": request_type,
        }
    )


def _free_octets(part: Part) -> bytes:
    """One Multiple-Services-Credit-Control of a service that needs no credit control: no quota, no end of one."""
    members = {"Service-Identifier": part.service_identifiers, "Rating-Group": part.rating_group}
    return encode_avp(MSCC, {**members, "Result-Code": _NOT_APPLICABLE})


def _group_octets(part: Part, item: AnswerItem, policy: CreditControlPolicy, at: datetime) -> bytes:
    """One Multiple-Services-Credit-Control; the usual ones are cached."""
    if (
        item.result is _SUCCESS
        and item.final is None
        and item.tariff_change_at is None
        and part.service_identifiers is None
    ):
        _, _, _, _, type_of_record, granted, _, _, _, validity_s, quota_holding_s, threshold, _, _ = item
        return _usual_group(
            policy.grants_in_octets,
            part.rating_group,
            type_of_record,
            granted,
            validity_s,
            quota_holding_s,
            threshold,
        )
    return encode_avp(MSCC, _group(part, item, policy, at))


@lru_cache(maxsize=10_000)
def _usual_group(
    grants_in_octets: bool,
    rating_group: int | None,
    type_of_record: str,
    granted: int | None,
    validity_s: int,
    quota_holding_s: int | None,
    threshold: int,
) -> bytes:
    item = AnswerItem(
        "",
        type_of_record=type_of_record,
        granted=granted,
        validity_s=validity_s,
        quota_holding_s=quota_holding_s,
        threshold=threshold,
    )
    # Without a tariff change neither the rest of the policy nor the time matters.
    policy = CreditControlPolicy(grants_in_octets=grants_in_octets)
    return encode_avp(MSCC, _group(Part(rating_group, None, None, ()), item, policy, _NO_TIME))


def _group(part: Part, item: AnswerItem, policy: CreditControlPolicy, at: datetime) -> dict[str, Any]:
    """One Multiple-Services-Credit-Control of the answer."""
    members = _grant(item, policy, at)
    members["Service-Identifier"] = part.service_identifiers
    members["Rating-Group"] = part.rating_group
    if item.result is not _SUCCESS:
        members["Result-Code"] = RESULT_CODES[item.result]
    else:
        members["Result-Code"] = _NO_CREDIT if policy.redirect_as_refusal and _acts_at_once(item) else 2001
    if item.granted:
        members["Quota-Holding-Time"] = item.quota_holding_s
        if item.threshold:
            name = _UNITS_OF.get(item.type_of_record, _OTHER_UNITS)[1]
            members[name] = min(item.threshold, _LARGEST.get(name, 0xFFFFFFFF))
    return members


def _grant(item: AnswerItem, policy: CreditControlPolicy, at: datetime) -> dict[str, Any]:
    """What is granted, for how long, and whether it is the last: alike in a group and in a command.

    Nothing asked is nothing granted; asked and nothing left is a grant of zero with the end of the service, or no grant
    with the indication to redirect or restrict at once (RFC 8506 sections 5.6.2 and 5.6.3). Validity-Time has the
    client ask again then, if no RAR tells it of a top-up.
    """
    if item.granted is None:
        return {}
    if _acts_at_once(item) and not policy.redirect_as_refusal:
        assert item.final is not None
        return {
            "Validity-Time": item.validity_s or None,
            "Final-Unit-Indication": _final(item.final),
        }
    name = _UNITS_OF.get(item.type_of_record, _OTHER_UNITS)[0]
    if item.result is not _SUCCESS and item.final is None:
        return {}
    grant: dict[str, Any] = {}
    validity_s = item.validity_s
    if item.tariff_change_at is not None and item.granted:
        until_change_s = int((item.tariff_change_at - at).total_seconds())
        if policy.tariff_time_change:
            grant["Tariff-Time-Change"] = int(item.tariff_change_at.timestamp())
        elif until_change_s > 0:
            validity_s = min(validity_s or until_change_s, until_change_s)
    currency = currency_of(item.type_of_record)
    if currency:
        money = {"Unit-Value": unit_value_of_micros(item.granted), "Currency-Code": NUMBER_OF.get(currency)}
        grant["CC-Money"] = money
    else:
        grant[name] = min(item.granted, _LARGEST.get(name, _LARGEST_OTHERWISE))
    if policy.grants_in_octets and name == "CC-Time":
        # Seconds say nothing to it, and a grant without octets would be one without end: time bounds the grant.
        grant["CC-Total-Octets"] = _BOUNDED_BY_TIME_OCTETS if item.granted else 0
        validity_s = min(validity_s or item.granted, item.granted)
    members: dict[str, Any] = {"Granted-Service-Unit": grant}
    if validity_s and item.granted:
        members["Validity-Time"] = validity_s
    if item.final is not None:
        members["Final-Unit-Indication"] = _final(item.final)
    return members


def _acts_at_once(item: AnswerItem) -> bool:
    """Whether there is nothing left, and the service is redirected or restricted instead of ended."""
    return (
        item.granted == 0
        and item.result is _SUCCESS
        and item.final is not None
        and item.final.action is not Action.TERMINATE
    )


def _final(final: FinalUnit) -> dict[str, Any]:
    members: dict[str, Any] = {"Final-Unit-Action": _FINAL_ACTIONS[final.action]}
    if final.action is Action.REDIRECT:
        members["Redirect-Server"] = {
            "Redirect-Address-Type": int(_redirect_type(final.redirect_address)),
            "Redirect-Server-Address": final.redirect_address,
        }
    elif final.action is Action.RESTRICT:
        # Rules begin with their action; anything else names a filter that the gateway has.
        rules = [text for text in final.filters if text.partition(" ")[0] in ("permit", "deny")]
        names = [text for text in final.filters if text not in rules]
        members["Restriction-Filter-Rule"] = rules or None
        members["Filter-Id"] = names or None
    return members


def _redirect_type(address: str) -> RedirectAddressType:
    lowered = address.lower()
    if lowered.startswith(("sip:", "sips:")):
        return RedirectAddressType.SIP_URI
    if "://" in address:
        return RedirectAddressType.URL
    if ":" in address:
        return RedirectAddressType.IPV6_ADDRESS
    if address.replace(".", "").isdigit():
        return RedirectAddressType.IPV4_ADDRESS
    return RedirectAddressType.URL


def _cost(answer: ChargingAnswer) -> dict[str, Any] | None:
    """The price in the account's currency; none for a currency that ISO 4217 gives no number."""
    number = NUMBER_OF.get(answer.currency)
    if number is None:
        return None
    return {"Unit-Value": unit_value_of_micros(answer.cost_micros), "Currency-Code": number}


def _failed_avp(ccr: CreditControlRequest, answer: ChargingAnswer) -> bytes:
    """The AVP that cannot be rated: of the first such part its rating group or service identifier, else the context.

    For money in a currency that is not the account's, the CC-Money itself; for units that cannot be, these, within
    their groups.
    """
    for part, item in zip(ccr.parts, answer.items, strict=False):
        if item.result is _INVALID_VALUE:
            units: dict[str, Any] = _invalid_units(part)
            return encode_avp(MSCC, units) if ccr.grouped else encode_avps(units)
        if item.result is _RATING_FAILED:
            if item.reason == "currency_differs" and part.money is not None:
                return encode_avp("CC-Money", part.money.received)
            if part.rating_group is not None:
                return encode_avp("Rating-Group", part.rating_group)
            if part.service_identifier is not None:
                return encode_avp("Service-Identifier", part.service_identifier)
    return encode_avp("Service-Context-Id", ccr.context)


def _invalid_units(part: Part) -> dict[str, Any]:
    """What a part reports, else what it asks for, as it came."""
    if not part.used:
        return {"Requested-Service-Unit": units_as_avps(part.requested or SERVER_DECIDES)}
    return {"Used-Service-Unit": [units_as_avps(used.units) for used in part.used]}
