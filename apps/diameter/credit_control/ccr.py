"""A Credit-Control-Request as a value, read once from its AVPs (RFC 8506 section 3.1, TS 32.299 section 6.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from apps.charging.domain.requests import SERVER_DECIDES, Operation, TariffChange, Units, UsedUnits
from apps.diameter.credit_control.identities import Subscriber, destination, subscriber
from apps.diameter.protocol.codes import CcRequestType, RequestedAction, ResultCode, TariffChangeUsage
from apps.diameter.protocol.encoding import encode_avp, zero_filled_avp
from apps.diameter.protocol.faults import DiameterFault
from apps.diameter.protocol.values import micros_of_unit_value
from apps.kernel.currencies import LETTERS_OF

MSCC = "Multiple-Services-Credit-Control"

# Several for each request: calling the class costs twice as much.
_new_units: Callable[[type[Units], tuple[int | None, ...]], Units] = tuple.__new__
_new_used: Callable[[type[UsedUnits], tuple[Units, TariffChange]], UsedUnits] = tuple.__new__
MAX_IDENTITY = 255
"""Characters of a host or realm: the longest name of RFC 1035."""
MAX_MONEY_MICROS = 1 << 61

# Plain integers: every request is looked up here, and hashing a member of an enumeration costs ten times as much.
INITIAL = int(CcRequestType.INITIAL_REQUEST)
UPDATE = int(CcRequestType.UPDATE_REQUEST)
TERMINATION = int(CcRequestType.TERMINATION_REQUEST)
EVENT = int(CcRequestType.EVENT_REQUEST)
_OF_SESSIONS = {
    INITIAL: Operation.INITIATE,
    UPDATE: Operation.UPDATE,
    TERMINATION: Operation.TERMINATE,
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

Avps = Mapping[str, Any]
"""Values by AVP name, as the codec has read and checked them."""


class Money(NamedTuple):
    """The CC-Money of a part. ``asked_micros`` None asks for no amount, ``used_micros`` None reports none.

    ``currency`` is ISO 4217's letters, empty for the account's own; ``received`` the first CC-Money as it came.
    """

    asked_micros: int | None
    used_micros: int | None
    currency: str
    received: Avps


class Part(NamedTuple):
    """What is charged apart: one Multiple-Services-Credit-Control, or the units of the command itself.

    ``service_identifiers`` are as they came: one in a command, a list in a group. ``requested`` None asks for nothing.
    """

    rating_group: int | None
    service_identifiers: int | list[int] | None
    requested: Units | None
    used: tuple[UsedUnits, ...]
    money: Money | None = None

    @property
    def service_identifier(self) -> int | None:
        """The first one: what the service is looked up by."""
        found = self.service_identifiers
        return found[0] if isinstance(found, list) else found


class CreditControlRequest(NamedTuple):
    """One CCR. ``type`` is its CC-Request-Type, ``operation`` what that and the Requested-Action mean.

    ``timestamp`` is Event-Timestamp (seconds since 1970), if given. ``grouped`` says that the parts came as
    Multiple-Services-Credit-Control and are answered as such.
    """

    type: int
    operation: Operation
    number: int
    session_id: str
    sub_session: int | None
    multi_session_id: str | None
    subscriber: Subscriber
    context: str
    origin_host: str
    origin_realm: str
    timestamp: int | None
    destination: str
    parts: tuple[Part, ...]
    grouped: bool


def read_request(avps: Avps) -> CreditControlRequest:
    """The CCR with these AVPs. Raises DiameterFault for what the grammar allows and credit control does not."""
    get = avps.get
    origin_host, origin_realm = avps["Origin-Host"], avps["Origin-Realm"]
    if len(origin_host) > MAX_IDENTITY or len(origin_realm) > MAX_IDENTITY:
        name = "Origin-Host" if len(origin_host) > MAX_IDENTITY else "Origin-Realm"
        raise DiameterFault(
            ResultCode.INVALID_AVP_VALUE,
            f"{name} has more than {MAX_IDENTITY} characters",
            encode_avp(name, avps[name]),
        )
    request_type = avps["CC-Request-Type"]
    groups = get(MSCC)
    if groups:
        parts = tuple([_part(group, request_type) for group in groups])
    elif request_type == EVENT or "Requested-Service-Unit" in avps or "Used-Service-Unit" in avps:
        # The command itself is a part if it asks for or reports units; an event may leave the amount to the server.
        parts = (_part(avps, request_type),)
    else:
        parts = ()
    return CreditControlRequest(
        request_type,
        _OF_SESSIONS[request_type] if request_type != EVENT else _operation_of_event(avps),
        avps["CC-Request-Number"],
        avps["Session-Id"],
        get("CC-Sub-Session-Id"),
        get("Acct-Multi-Session-Id"),
        subscriber(avps),
        avps["Service-Context-Id"],
        origin_host,
        origin_realm,
        get("Event-Timestamp"),
        destination(avps),
        parts,
        bool(groups),
    )


def _operation_of_event(avps: Avps) -> Operation:
    action = avps.get("Requested-Action")
    if action is None:
        raise DiameterFault(
            ResultCode.MISSING_AVP,
            "Requested-Action is missing in an EVENT_REQUEST",
            zero_filled_avp("Requested-Action"),
        )
    return _OF_EVENTS[action]


def _part(group: Avps, request_type: int) -> Part:
    get = group.get
    asked, reports = get("Requested-Service-Unit"), get("Used-Service-Unit")
    used: tuple[UsedUnits, ...] = ()
    is_money = asked is not None and "CC-Money" in asked
    if reports:
        side = get("Tariff-Change-Usage")
        used = tuple(
            [
                _new_used(
                    UsedUnits,
                    (_units(report), _TARIFF_CHANGES[report.get("Tariff-Change-Usage", side)]),
                )
                for report in reports
            ]
        )
        for report in reports:
            if "CC-Money" in report:
                is_money = True
    if asked:
        requested: Units | None = _units(asked)
    else:
        requested = None if asked is None and request_type != EVENT else SERVER_DECIDES
    if is_money:
        used, money = _money_of(group, used, request_type == EVENT)
        return Part(get("Rating-Group"), get("Service-Identifier"), requested, used, money)
    return Part(get("Rating-Group"), get("Service-Identifier"), requested, used)


def units_as_avps(units: Units) -> dict[str, int | None]:
    """The other way round."""
    return {
        "CC-Time": units.time_s,
        "CC-Total-Octets": units.total_octets,
        "CC-Input-Octets": units.input_octets,
        "CC-Output-Octets": units.output_octets,
        "CC-Service-Specific-Units": units.service_specific,
    }


def _units(group: Avps) -> Units:
    get = group.get
    figures = (
        get("CC-Time"),
        get("CC-Total-Octets"),
        get("CC-Input-Octets"),
        get("CC-Output-Octets"),
        get("CC-Service-Specific-Units"),
        None,
    )
    return _new_units(Units, figures)


def _money_of(
    group: Avps, used: tuple[UsedUnits, ...], is_event: bool
) -> tuple[tuple[UsedUnits, ...], Money | None]:
    """The used units, and the requested and used money.

    Zero money asked for within a session leaves the amount to the server, like an empty Requested-Service-Unit.
    Raises DiameterFault 5004 for an amount that cannot be, or is not in the currency of the others.
    """
    asked = (group.get("Requested-Service-Unit") or {}).get("CC-Money")
    asked_micros, currency = None, ""
    if asked is not None:
        asked_micros = _micros(asked)
        if asked_micros == 0 and not is_event:
            asked_micros = None
        else:
            currency = _currency(asked)
    received, used_micros = asked, None
    units: list[UsedUnits] = []
    for report, counted in zip(group.get("Used-Service-Unit", ()), used, strict=True):
        amount = report.get("CC-Money")
        if amount is None or is_event:
            units.append(counted)
            continue
        received = received or amount
        used_micros = (used_micros or 0) + _micros(amount)
        spent_in = _currency(amount)
        if currency and spent_in and spent_in != currency:
            raise _wrong_money(amount, f"CC-Money of one request is in {currency} and in {spent_in}")
        currency = currency or spent_in
        if any(figure is not None for figure in counted.units):
            units.append(counted)
    if received is None or (asked_micros is None and used_micros is None):
        return tuple(units), None
    return tuple(units), Money(asked_micros, used_micros, currency, received)


def _micros(money: Avps) -> int:
    """The amount of a CC-Money. Raises DiameterFault 5004 if micro-units cannot say it."""
    value = money["Unit-Value"]
    micros = micros_of_unit_value(value["Value-Digits"], value.get("Exponent", 0))
    if micros is None or abs(micros) > MAX_MONEY_MICROS:
        raise _wrong_money(money, "CC-Money is finer than a millionth of the currency, or absurdly large")
    return micros


def _currency(money: Avps) -> str:
    """The letters of Currency-Code; empty if it is left out, which means the account's currency."""
    number = money.get("Currency-Code")
    if number is None:
        return ""
    letters = LETTERS_OF.get(number)
    if letters is None:
        raise _wrong_money(money, f"Currency-Code {number} is not a currency of ISO 4217")
    return letters


def _wrong_money(money: Avps, message: str) -> DiameterFault:
    return DiameterFault(ResultCode.INVALID_AVP_VALUE, message, encode_avp("CC-Money", money))
