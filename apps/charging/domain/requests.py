"""What the charging core is asked and what it answers: the values between it and every door.

A Diameter CCR, a request of any other session manager, a CRM call and an operator's click become an
:class:`OnlineRequest`; the :class:`ChargingAnswer` goes back the same way. Amounts of money are micro-units, usage
counts seconds, octets or events, and instants are aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from apps.kernel.units import NANO, VOICE_NS, TypeOfRecord


class Operation(StrEnum):
    """What a request asks for. In brackets: the CC-Request-Type and Requested-Action of RFC 8506 that mean it.

    Session managers ask for INITIATE to MAX_USAGE; TOP_UP, ADJUST and TRANSFER come from the house itself and carry a
    :class:`BalanceOrder`.
    """

    INITIATE = "initiate"
    """Open a session and hold quota for its items (INITIAL)."""
    UPDATE = "update"
    """Debit usage, hold the next quota (UPDATE)."""
    TERMINATE = "terminate"
    """Debit the last usage, release all holds, close the session (TERMINATION)."""
    RELEASE = "release"
    """Give back everything held and close the session without a report: it was lost or ended by the operator."""
    EXPIRE = "expire"
    """RELEASE, if the session's supervision time is over; else nothing happens."""
    EVENT = "event"
    """Debit at once (EVENT, DIRECT_DEBITING): an SMS, or money if an item carries ``money_micros``."""
    REFUND = "refund"
    """Give back (EVENT, REFUND_ACCOUNT): the price of the units, or ``money_micros``."""
    CHECK_BALANCE = "check_balance"
    """Would it be paid? Holds nothing (EVENT, CHECK_BALANCE)."""
    PRICE_ENQUIRY = "price_enquiry"
    """What would it cost? Looks at no balance (EVENT, PRICE_ENQUIRY)."""
    MAX_USAGE = "max_usage"
    """How much of it do the balances still buy? Holds nothing."""
    TOP_UP = "top_up"
    """Add to a balance, which comes into being if it has to."""
    ADJUST = "adjust"
    """Correct a balance, up or down."""
    TRANSFER = "transfer"
    """Move from one account's balance to another's."""


class Result(StrEnum):
    """How a request, or one item of it, ended; beside it the Result-Code of RFC 8506 section 9 and RFC 6733."""

    SUCCESS = "success"  # 2001
    BARRED = "barred"  # 4010: the subscriber is suspended or the account barred.
    CREDIT_LIMIT_REACHED = "credit_limit_reached"  # 4012
    UNKNOWN_SESSION = "unknown_session"  # 5002: never opened, closed, or ended by its supervision timer.
    NOT_AUTHORISED = "not_authorised"  # 5003: the service is not sold to this subscriber.
    INVALID_VALUE = "invalid_value"  # 5004: units of a kind, or an amount, that cannot be meant.
    UNABLE_TO_COMPLY = "unable_to_comply"  # 5012
    UNKNOWN_USER = "unknown_user"  # 5030
    RATING_FAILED = "rating_failed"  # 5031: no price; ``reason`` is the Rater's code.


class Units(NamedTuple):
    """Service units as the wire counts them; None = not given. All None in a request: the server decides.

    ``time_ns``, instead of ``time_s``, is voice in nanoseconds: a session whose client once gives it is charged,
    granted and answered in nanoseconds (``voice:ns``), and seconds that are given then are converted.
    """

    time_s: int | None = None
    total_octets: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    service_specific: int | None = None
    time_ns: int | None = None

    def amount(self, type_of_record: str) -> int | None:
        """The figure that is charged for: seconds of voice, octets of data, else service-specific units.

        Octets are the total, or input and output together if that is more: there are gateways that leave the total 0.
        None if no such figure is given.
        """
        if type_of_record == _VOICE:
            return self.time_s
        if type_of_record == _DATA:
            if self.input_octets is None and self.output_octets is None:
                return self.total_octets
            return max(self.total_octets or 0, (self.input_octets or 0) + (self.output_octets or 0))
        if type_of_record == VOICE_NS:
            if self.time_ns is not None or self.time_s is None:
                return self.time_ns
            return self.time_s * NANO
        return self.service_specific

    def in_other_units(self, type_of_record: str) -> bool:
        """Whether figures are given, but none that :meth:`amount` could charge for."""
        return self.amount(type_of_record) is None and any(self)


SERVER_DECIDES = Units()
# Plain text: looking a member of an enumeration up costs more than the comparison.
_VOICE, _DATA = TypeOfRecord.VOICE.value, TypeOfRecord.DATA.value


class TariffChange(StrEnum):
    """Which side of a tariff change units were used on (Tariff-Change-Usage)."""

    NONE = ""
    BEFORE = "before"
    AFTER = "after"


class UsedUnits(NamedTuple):
    """Units used since the last report (or in total: ``OnlineRequest.totals``), of one side of a tariff change."""

    units: Units
    tariff_change: TariffChange = TariffChange.NONE


class RequestItem(NamedTuple):
    """One rating group of a request (one Multiple-Services-Credit-Control).

    ``service`` is a :class:`apps.rating.models.Service` code (``data``, ``voice``), which decides category and
    type of record; ``destination`` the called number or access point. ``rating_group`` and
    ``service_identifier`` come back as given and, with the service, name the quota within its session.
    ``requested`` None asks for nothing; :data:`SERVER_DECIDES` for as much as the server's policy gives.
    ``money_micros`` (CC-Money) asks for an amount without rating, which an event debits or refunds and a session
    holds; ``used_money_micros`` reports what a session used of it (then ``money_micros`` is 0 if nothing more is
    asked). Both are in ``money_currency`` (ISO 4217; empty = that of the account, the only one they may be in).
    ``charging_mode`` goes before the account's (:class:`apps.charging.domain.modes.ChargingMode`); in another mode
    than prepaid, usage is authorised and not debited.
    """

    service: str
    destination: str = ""
    requested: Units | None = None
    used: tuple[UsedUnits, ...] = ()
    rating_group: int | None = None
    service_identifier: int | None = None
    money_micros: int | None = None
    money_currency: str = ""
    used_money_micros: int | None = None
    charging_mode: str = ""


class BalanceOrder(NamedTuple):
    """What TOP_UP, ADJUST and TRANSFER move, and on which terms a balance that is new comes into being.

    ``amount`` is micro-units for ``monetary`` balances and seconds, octets or events for others; ADJUST takes
    either sign. ``expires_at`` and ``weight`` are given to a new balance, and ``expires_at`` prolongs an old one
    that has an end; without it a credit lifts an end that has passed.
    ``may_overdraw`` lets an adjustment take a monetary balance below zero. ``book`` names the operator's side
    of the entry (:class:`apps.charging.models.LedgerEntry.Book`).
    """

    account_id: int
    amount: int
    book: str
    tag: str = "*default"
    kind: str = "monetary"
    note: str = ""
    expires_at: datetime | None = None
    weight: int = 0
    may_overdraw: bool = False
    to_account_id: int | None = None
    to_tag: str = "*default"


class MoneyLimit(NamedTuple):
    """How much a peer may move without rating on one day (UTC): refunds, and direct debits of CC-Money."""

    peer: str
    micros_a_day: int


class OnlineRequest(NamedTuple):
    """One request, the same from every session manager. (``session_id``, ``sub_session``, ``number``) is its identity:
    a repeat of it is answered as the first was, and charged once.

    ``msisdn`` or ``imsi`` names the subscriber, and if both are given, and ``further_msisdns``, those that are known
    have to be the same one's; requests within a session may leave them out. ``at`` is when it happened
    (Event-Timestamp, else the door's clock): it begins the session's usage and dates its entries. ``peer`` says how the
    session's client is reached, so that it can be re-authorised or aborted from another process. ``owner`` is who may
    go on with the session that it opens: the same in all requests of it, empty for those of the house itself.
    ``money_limit`` bounds what it refunds, or debits by amount. ``repeated`` says that it may have been sent before (T
    flag, RFC 6733 section 3); a repeat that does not say so is still detected, at more cost. ``totals`` says that used
    units count from the session's beginning, as those of switches do, and not from the last report: what is less than
    before is given back.
    """

    operation: Operation
    session_id: str
    number: int
    at: datetime
    msisdn: str = ""
    imsi: str = ""
    items: tuple[RequestItem, ...] = ()
    sub_session: int = 0
    peer: str = ""
    order: BalanceOrder | None = None
    repeated: bool = False
    owner: str = ""
    further_msisdns: tuple[str, ...] = ()
    money_limit: MoneyLimit | None = None
    totals: bool = False

    @property
    def identity(self) -> tuple[str, int, int]:
        return self.session_id, self.sub_session, self.number


class FinalUnitAction(StrEnum):
    """What the client does once the last units are used (Final-Unit-Action)."""

    TERMINATE = "terminate"
    REDIRECT = "redirect"
    RESTRICT = "restrict"


class FinalUnit(NamedTuple):
    """These are the last units: what to do then, where to redirect, which filters remain open."""

    action: FinalUnitAction = FinalUnitAction.TERMINATE
    redirect_address: str = ""
    filters: tuple[str, ...] = ()


class AnswerItem(NamedTuple):
    """One item's outcome; answers have the items of the request, in its order.

    ``granted`` counts units of ``type_of_record`` (None: nothing was asked; 0 with ``final``: stop now), which for
    money is ``monetary:`` and its currency.
    ``cost_micros`` was debited for what the item reported (events: for the item; enquiries: would be).
    ``unpaid_micros`` is the part of the price that no balance could pay. The intervals are seconds, 0 = not
    given; thresholds count units of the grant that is left when the client reports early. At
    ``tariff_change_at`` the price changes: units used after it are to be reported apart (Tariff-Time-Change).
    """

    service: str
    result: Result = Result.SUCCESS
    rating_group: int | None = None
    service_identifier: int | None = None
    type_of_record: str = ""
    granted: int | None = None
    final: FinalUnit | None = None
    cost_micros: int = 0
    unpaid_micros: int = 0
    validity_s: int = 0
    quota_holding_s: int | None = None
    threshold: int = 0
    tariff_change_at: datetime | None = None
    reason: str = ""


class ChargingAnswer(NamedTuple):
    """The answer to one request.

    ``result`` is the request's as a whole: SUCCESS if any item succeeded or there was none, else that of the
    first. ``cost_micros`` is the sum over the items; ``balance_micros`` what the account's money could still
    buy afterwards (reserved sums taken off). ``enough`` answers CHECK_BALANCE. ``reason`` is a stable code
    and ``message`` says it for people where something was refused. ``validity_s`` is how long the session
    may stay silent before it should report; twice that ends it.
    """

    result: Result
    items: tuple[AnswerItem, ...] = ()
    account_id: int | None = None
    subscriber_id: int | None = None
    currency: str = ""
    cost_micros: int = 0
    balance_micros: int = 0
    enough: bool | None = None
    validity_s: int = 0
    reason: str = ""
    message: str = ""
    replayed: bool = False
