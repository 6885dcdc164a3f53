"""From a CCR to the request that the charging room understands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from apps.charging.domain.requests import (
    SERVER_DECIDES,
    OnlineRequest,
    Operation,
    RequestItem,
    TariffChange,
    Units,
    UsedUnits,
)
from apps.diameter.credit_control.currencies import LETTERS_OF
from apps.diameter.credit_control.identities import destination, subscriber
from apps.diameter.credit_control.service_map import ServiceMap
from apps.diameter.protocol.codes import CcRequestType, RequestedAction, ResultCode, TariffChangeUsage
from apps.diameter.protocol.encoding import encode_avp, zero_filled_avp
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.values import micros_of_unit_value

MSCC = "Multiple-Services-Credit-Control"
# Thrice as fast as calling the class; the fields are given in their order.
_new_units: Callable[[type[Units], tuple[int | None, ...]], Units] = tuple.__new__
_new_item: Callable[[type[RequestItem], tuple[object, ...]], RequestItem] = tuple.__new__
_new_request: Callable[[type[OnlineRequest], tuple[object, ...]], OnlineRequest] = tuple.__new__

# Plain integers: every request comes by here, and hashing a member of an enumeration costs ten times as much.
_EVENT = int(CcRequestType.EVENT_REQUEST)
_OF_SESSIONS = {
    int(CcRequestType.INITIAL_REQUEST): Operation.INITIATE,
    int(CcRequestType.UPDATE_REQUEST): Operation.UPDATE,
    int(CcRequestType.TERMINATION_REQUEST): Operation.TERMINATE,
}
_OF_EVENTS = {
    int(RequestedAction.DIRECT_DEBITING): Operation.EVENT,
    int(RequestedAction.REFUND_ACCOUNT): Operation.REFUND,
    int(RequestedAction.CHECK_BALANCE): Operation.CHECK_BALANCE,
    int(RequestedAction.PRICE_ENQUIRY): Operation.PRICE_ENQUIRY,
}
_TARIFF_CHANGES = {
    None: TariffChange.NONE,
    int(TariffChangeUsage.UNIT_BEFORE_TARIFF_CHANGE): TariffChange.BEFORE,
    int(TariffChangeUsage.UNIT_AFTER_TARIFF_CHANGE): TariffChange.AFTER,
    int(TariffChangeUsage.UNIT_INDETERMINATE): TariffChange.NONE,
}


def operation_of(avps: dict[str, Any]) -> Operation:
    """What a CCR asks for. Raises DiameterFault 5005 for an event without Requested-Action."""
    request_type = avps["CC-Request-Type"]
    if request_type != _EVENT:
        return _OF_SESSIONS[request_type]
    action = avps.get("Requested-Action")
    if action is None:
        raise DiameterFault(
            ResultCode.MISSING_AVP,
            "Requested-Action is missing in an EVENT_REQUEST",
            zero_filled_avp("Requested-Action"),
        )
    return _OF_EVENTS[action]


def charging_request(
    avps: dict[str, Any],
    connected_host: str,
    services: ServiceMap,
    now: datetime,
    retransmitted: bool = False,
) -> OnlineRequest:
    """The request for the charging room; its items are those of ``groups_of``, in the same order.

    ``connected_host`` is the Origin-Host of the connection it came by; ``retransmitted`` its T flag. Raises
    DiameterFault for what the grammar allows and credit control does not.
    """
    operation = operation_of(avps)
    is_event = avps["CC-Request-Type"] == _EVENT
    msisdn, imsi = subscriber(avps)
    context = avps["Service-Context-Id"]
    goal = destination(avps)
    items = []
    for group in groups_of(avps):
        identifier = group.get("Service-Identifier")
        # Once for a command, any number of times in a group.
        first = identifier[0] if isinstance(identifier, list) else identifier
        rating_group = group.get("Rating-Group")
        requested, money_micros, currency = _requested(group.get("Requested-Service-Unit"), is_event)
        used = _used(group)
        used_money_micros = None
        if used and not is_event and _speaks_of_money(group["Used-Service-Unit"]):
            used, used_money_micros, currency = _used_money(group, used, currency)
            money_micros = money_micros or 0
        service = services.service(context, rating_group, first)
        item = (
            service,
            goal,
            requested,
            used,
            rating_group,
            first,
            money_micros,
            currency,
            used_money_micros,
        )
        items.append(_new_item(RequestItem, item))
    stamp = avps.get("Event-Timestamp")
    at = now if stamp is None else _instant(stamp)
    number, sub_session = avps["CC-Request-Number"], avps.get("CC-Sub-Session-Id", 0)
    route = route_of(avps, connected_host)
    request = (
        operation,
        avps["Session-Id"],
        number,
        at,
        msisdn,
        imsi,
        tuple(items),
        sub_session,
        route,
        None,
        retransmitted,
    )
    return _new_request(OnlineRequest, request)


@lru_cache(maxsize=1_000)
def _instant(unix_seconds: int) -> datetime:
    """Many requests happen in the same second, and what is made of an instant further on is remembered too."""
    return datetime.fromtimestamp(unix_seconds, UTC)


def groups_of(avps: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a CCR that are charged apart: its MSCC groups, else the command itself, else nothing.

    A command counts as a part if it asks for or reports units, or is an event, which may leave the amount to
    the server.
    """
    groups: list[dict[str, Any]] | None = avps.get(MSCC)
    if groups:
        return groups
    if "Requested-Service-Unit" in avps or "Used-Service-Unit" in avps or avps["CC-Request-Type"] == _EVENT:
        return [avps]
    return []


def route_of(avps: dict[str, Any], connected_host: str) -> str:
    """How the session's client is reached: its host, or ``host/realm/agent`` where an agent is in between."""
    host: str = avps["Origin-Host"]
    if host == connected_host or host.lower() == connected_host.lower():
        return host
    return f"{host}/{avps['Origin-Realm']}/{connected_host}"


def _requested(group: dict[str, Any] | None, is_event: bool) -> tuple[Units | None, int | None, str]:
    """(units, money, its currency) asked for. An event that does not say asks for what the server decides."""
    if group is None:
        return (SERVER_DECIDES if is_event else None), None, ""
    if not group:
        return SERVER_DECIDES, None, ""
    money = group.get("CC-Money")
    if money is None:
        return _units(group), None, ""
    micros = _micros(money)
    if micros == 0 and not is_event:
        # Zero money within a session leaves the amount to the server, like an empty group.
        return _units(group), None, ""
    return _units(group), micros, _currency(money)


def _micros(money: dict[str, Any]) -> int:
    """The amount of a CC-Money. Raises DiameterFault 5004 where micro-units cannot say it."""
    value = money["Unit-Value"]
    micros = micros_of_unit_value(value["Value-Digits"], value.get("Exponent", 0))
    if micros is None:
        raise DiameterFault(
            ResultCode.INVALID_AVP_VALUE,
            "CC-Money is finer than a millionth of the currency, or absurdly large",
            encode_avp("CC-Money", money),
        )
    return micros


def _speaks_of_money(reports: list[dict[str, Any]]) -> bool:
    # Every report comes by here: a loop costs a third of any().
    for report in reports:  # noqa: SIM110
        if "CC-Money" in report:
            return True
    return False


def _used_money(
    group: dict[str, Any], used: tuple[UsedUnits, ...], currency: str
) -> tuple[tuple[UsedUnits, ...], int, str]:
    """What was used in units, in money together, and the currency.

    ``currency`` is that of what is asked for; raises DiameterFault 5004 where what was used is in another one.
    """
    total = 0
    units: list[UsedUnits] = []
    for report, counted in zip(group["Used-Service-Unit"], used, strict=True):
        if "CC-Money" not in report:
            units.append(counted)
            continue
        money = report["CC-Money"]
        total += _micros(money)
        spent_in = _currency(money)
        if currency and spent_in and spent_in != currency:
            raise DiameterFault(
                ResultCode.INVALID_AVP_VALUE,
                f"CC-Money of one request is in {currency} and in {spent_in}",
                encode_avp("CC-Money", money),
            )
        currency = currency or spent_in
        if any(amount is not None for amount in counted.units):
            units.append(counted)
    return tuple(units), total, currency


def _currency(money: dict[str, Any]) -> str:
    """The letters of Currency-Code; empty where it is left out, and the account's currency is meant."""
    number = money.get("Currency-Code")
    if number is None:
        return ""
    letters = LETTERS_OF.get(number)
    if letters is None:
        raise DiameterFault(
            ResultCode.INVALID_AVP_VALUE,
            f"Currency-Code {number} is not a currency of ISO 4217",
            encode_avp("CC-Money", money),
        )
    return letters


def _units(group: dict[str, Any]) -> Units:
    get = group.get
    amounts = (
        get("CC-Time"),
        get("CC-Total-Octets"),
        get("CC-Input-Octets"),
        get("CC-Output-Octets"),
        get("CC-Service-Specific-Units"),
    )
    return _new_units(Units, amounts)


def _used(group: dict[str, Any]) -> tuple[UsedUnits, ...]:
    reports = group.get("Used-Service-Unit")
    if not reports:
        return ()
    of_group = group.get("Tariff-Change-Usage")
    return tuple(
        [
            UsedUnits(_units(report), _TARIFF_CHANGES[report.get("Tariff-Change-Usage", of_group)])
            for report in reports
        ]
    )
