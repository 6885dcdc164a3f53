"""From the charging room's answer to a CCA."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from apps.charging.domain.money_items import currency_of
from apps.charging.domain.requests import (
    AnswerItem,
    ChargingAnswer,
    FinalUnit,
    Operation,
    Result,
)
from apps.charging.domain.requests import FinalUnitAction as Action
from apps.diameter.credit_control.currencies import NUMBER_OF
from apps.diameter.credit_control.policy import DEFAULT_ANSWER_POLICY, AnswerPolicy
from apps.diameter.credit_control.requests import MSCC, groups_of, operation_of
from apps.diameter.protocol.answers import MAX_ERROR_MESSAGE_CHARACTERS
from apps.diameter.protocol.codes import (
    APPLICATION_CREDIT_CONTROL,
    CcRequestType,
    CheckBalanceResult,
    FinalUnitAction,
    RedirectAddressType,
    ResultCode,
    SessionFailover,
)
from apps.diameter.protocol.encoding import encode_avp, encode_avps
from apps.diameter.protocol.node import LocalNode
from apps.diameter.protocol.values import unit_value_of_micros
from apps.kernel.units import TypeOfRecord

_SUCCESS = Result.SUCCESS
_RATING_FAILED = Result.RATING_FAILED
_INITIAL = int(CcRequestType.INITIAL_REQUEST)
_EVENT = int(CcRequestType.EVENT_REQUEST)
_GRANTING = (_INITIAL, int(CcRequestType.UPDATE_REQUEST))
_NOT_APPLICABLE = int(ResultCode.CREDIT_CONTROL_NOT_APPLICABLE)
_FAILOVER = {True: int(SessionFailover.SUPPORTED), False: int(SessionFailover.NOT_SUPPORTED)}

RESULT_CODES: dict[Result, int] = {
    Result.SUCCESS: int(ResultCode.SUCCESS),
    Result.BARRED: int(ResultCode.END_USER_SERVICE_DENIED),
    Result.CREDIT_LIMIT_REACHED: int(ResultCode.CREDIT_LIMIT_REACHED),
    Result.UNKNOWN_SESSION: int(ResultCode.UNKNOWN_SESSION_ID),
    Result.NOT_AUTHORISED: int(ResultCode.AUTHORIZATION_REJECTED),
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
_NO_MOMENT = datetime.min.replace(tzinfo=UTC)
_WITH_COST = frozenset((Operation.EVENT, Operation.REFUND, Operation.PRICE_ENQUIRY))


def result_code_of(
    answer: ChargingAnswer, avps: dict[str, Any], policy: AnswerPolicy = DEFAULT_ANSWER_POLICY
) -> int:
    """The Result-Code of the command as a whole, for the CCR ``avps``."""
    if answer.result is not _SUCCESS:
        return RESULT_CODES[answer.result]
    if policy.free_services and not avps.get(MSCC) and answer.items:
        return _NOT_APPLICABLE if _is_told_free(avps, answer.items[0], policy) else 2001
    return 2001


def _is_told_free(avps: dict[str, Any], item: AnswerItem, policy: AnswerPolicy) -> bool:
    """Whether the peer is told that the part needs no credit control: it asked for a quota and gets one for nothing."""
    return (
        item.service in policy.free_services
        and avps["CC-Request-Type"] in _GRANTING
        and item.result is _SUCCESS
        and bool(item.granted)
        and item.final is None
        and item.cost_micros == 0
        and item.unpaid_micros == 0
    )


def credit_control_answer(
    node: LocalNode, avps: dict[str, Any], answer: ChargingAnswer, policy: AnswerPolicy, moment: datetime
) -> bytes:
    """The AVPs of the CCA for the CCR ``avps``, encoded; Proxy-Info is the connection's to add.

    ``moment`` is when the request happened, by its own account where it gives one: so a repeat is answered alike.

    Session-Id comes first, then what is mandatory, each once: there are clients that drop anything else in silence.
    """
    request_type = avps["CC-Request-Type"]
    code = result_code_of(answer, avps, policy)
    head = (
        encode_avp("Session-Id", avps["Session-Id"])
        + _same_for_many(node.origin_host, node.origin_realm, code, request_type)
        + encode_avp("CC-Request-Number", avps["CC-Request-Number"])
    )
    members: dict[str, Any] = {
        "CC-Sub-Session-Id": avps.get("CC-Sub-Session-Id"),
        "Acct-Multi-Session-Id": avps.get("Acct-Multi-Session-Id"),
    }
    groups = avps.get(MSCC)
    body = b""
    if request_type == _INITIAL and answer.result is _SUCCESS:
        members["CC-Session-Failover"] = _FAILOVER[policy.session_failover]
        members["Credit-Control-Failure-Handling"] = policy.failure_handling
    if groups:
        body = b"".join(
            [
                _free_octets(group)
                if policy.free_services and _is_told_free(avps, item, policy)
                else _group_octets(group, item, policy, moment)
                for group, item in zip(groups, answer.items, strict=False)
            ]
        )
    elif answer.items and code != _NOT_APPLICABLE:
        item = answer.items[0]
        members |= _grant(item, policy, moment)
    if request_type == _EVENT and answer.result is _SUCCESS and operation_of(avps) in _WITH_COST:
        members["Cost-Information"] = _cost(answer)
    if answer.enough is not None:
        members["Check-Balance-Result"] = int(
            CheckBalanceResult.ENOUGH_CREDIT if answer.enough else CheckBalanceResult.NO_CREDIT
        )
    if answer.result is not _SUCCESS:
        members["Error-Message"] = (answer.message or answer.reason)[:MAX_ERROR_MESSAGE_CHARACTERS] or None
    if answer.result is _RATING_FAILED:
        members["Failed-AVP"] = _what_cannot_be_rated(avps, answer)
    return head + encode_avps(members) + body


@lru_cache(maxsize=1_000)
def _same_for_many(origin_host: str, origin_realm: str, result_code: int, request_type: int) -> bytes:
    """What all answers of a kind have between Session-Id and CC-Request-Number."""
    return encode_avps(
        {
            "Result-Code": result_code,
            "Origin-Host": origin_host,
            "Origin-Realm": origin_realm,
            "Auth-Application-Id": APPLICATION_CREDIT_CONTROL,
            "CC-Request-Type": request_type,
        }
    )


def _free_octets(group: dict[str, Any]) -> bytes:
    """One Multiple-Services-Credit-Control of a service that needs no credit control: no quota, no end of one."""
    members = {name: group.get(name) for name in ("Service-Identifier", "Rating-Group")}
    return encode_avp(MSCC, {**members, "Result-Code": _NOT_APPLICABLE})


def _group_octets(group: dict[str, Any], item: AnswerItem, policy: AnswerPolicy, moment: datetime) -> bytes:
    """One Multiple-Services-Credit-Control; of the usual ones, which are many and alike, remembered."""
    if item.final is None and item.tariff_change_at is None and "Service-Identifier" not in group:
        _, result, _, _, type_of_record, granted, _, _, _, validity_s, quota_holding_s, threshold, _, _ = item
        return _usual_group(
            policy.grants_in_octets,
            group.get("Rating-Group"),
            result,
            type_of_record,
            granted,
            validity_s,
            quota_holding_s,
            threshold,
        )
    return encode_avp(MSCC, _group(group, item, policy, moment))


@lru_cache(maxsize=10_000)
def _usual_group(
    grants_in_octets: bool,
    rating_group: int | None,
    result: Result,
    type_of_record: str,
    granted: int | None,
    validity_s: int,
    quota_holding_s: int | None,
    threshold: int,
) -> bytes:
    item = AnswerItem(
        "",
        result,
        type_of_record=type_of_record,
        granted=granted,
        validity_s=validity_s,
        quota_holding_s=quota_holding_s,
        threshold=threshold,
    )
    # Neither what else the policy says nor the moment counts without a tariff change.
    policy = AnswerPolicy(grants_in_octets=grants_in_octets)
    return encode_avp(MSCC, _group({"Rating-Group": rating_group}, item, policy, _NO_MOMENT))


def _group(group: dict[str, Any], item: AnswerItem, policy: AnswerPolicy, moment: datetime) -> dict[str, Any]:
    """One Multiple-Services-Credit-Control of the answer."""
    members = _grant(item, policy, moment)
    members["Service-Identifier"] = group.get("Service-Identifier")
    members["Rating-Group"] = group.get("Rating-Group")
    members["Result-Code"] = 2001 if item.result is _SUCCESS else RESULT_CODES[item.result]
    if item.granted:
        members["Quota-Holding-Time"] = item.quota_holding_s
        if item.threshold:
            name = _UNITS_OF.get(item.type_of_record, _OTHER_UNITS)[1]
            members[name] = min(item.threshold, _LARGEST.get(name, 0xFFFFFFFF))
    return members


def _grant(item: AnswerItem, policy: AnswerPolicy, moment: datetime) -> dict[str, Any]:
    """What is granted, for how long, and whether it is the last: alike in a group and in a command.

    Nothing asked is nothing granted; asked and nothing left is a grant of zero with the final action.
    """
    if item.granted is None:
        return {}
    name = _UNITS_OF.get(item.type_of_record, _OTHER_UNITS)[0]
    if item.result is not _SUCCESS and item.final is None:
        return {}
    grant: dict[str, Any] = {}
    validity_s = item.validity_s
    if item.tariff_change_at is not None and item.granted:
        until_change_s = int((item.tariff_change_at - moment).total_seconds())
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


def _money_in(group: dict[str, Any]) -> dict[str, Any]:
    """The first CC-Money of a part: what is asked for, else what was used."""
    amounts = [group.get("Requested-Service-Unit") or {}, *group.get("Used-Service-Unit", ())]
    money: dict[str, Any] = next(units["CC-Money"] for units in amounts if "CC-Money" in units)
    return money


def _what_cannot_be_rated(avps: dict[str, Any], answer: ChargingAnswer) -> bytes:
    """The AVP that led nowhere: of the first such part the rating group or service identifier, else the context.

    Money in a currency that is not the account's is returned itself.
    """
    for group, item in zip(groups_of(avps), answer.items, strict=False):
        if item.result is _RATING_FAILED:
            if item.reason == "currency_differs":
                return encode_avp("CC-Money", _money_in(group))
            if "Rating-Group" in group:
                return encode_avp("Rating-Group", group["Rating-Group"])
            identifier = group.get("Service-Identifier")
            if identifier is not None:
                return encode_avp(
                    "Service-Identifier", identifier[0] if isinstance(identifier, list) else identifier
                )
    return encode_avp("Service-Context-Id", avps["Service-Context-Id"])
