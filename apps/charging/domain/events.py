"""What happens at once, without a session: debits, refunds, and questions that change nothing."""

from __future__ import annotations

from datetime import datetime

from apps.charging.domain.answers import answer_of
from apps.charging.domain.books import Books
from apps.charging.domain.items import (
    InvalidUnits,
    check_amount,
    find_payment,
    moment_of,
    result_of,
)
from apps.charging.domain.money_items import check_currency, debtor_of, money_takes
from apps.charging.domain.policies import LARGEST_GRANTS
from apps.charging.domain.refunds import Giving, Return, debits_of, returns_of_money, returns_of_usage
from apps.charging.domain.requests import (
    SERVER_DECIDES,
    AnswerItem,
    ChargingAnswer,
    OnlineRequest,
    Operation,
    RequestItem,
    Result,
)
from apps.charging.domain.sessions import Meter
from apps.charging.domain.spending import DebitPlan, Payment
from apps.charging.domain.state import Outcome, State
from apps.kernel.errors import BssError
from apps.rating.domain import Rater


def charge_event(state: State, books: Books, request: OnlineRequest, rater: Rater, now: datetime) -> Outcome:
    """Debit or refund each item whole, or not at all."""
    moment = moment_of(request, now)
    answered = []
    for index, item in enumerate(request.items):
        outcome = AnswerItem(item.service, Result.SUCCESS, item.rating_group, item.service_identifier)
        try:
            if item.money_micros is not None:
                outcome = _move_money(state, books, request, item, index, outcome, moment)
            elif request.operation is Operation.REFUND:
                outcome = _refund_units(state, books, item, index, outcome, rater, moment)
            else:
                outcome = _debit_units(state, books, item, index, outcome, rater, moment)
        except BssError as error:
            outcome = outcome._replace(result=result_of(error), reason=error.code)
        answered.append(outcome)
    answer = answer_of(state, books, tuple(answered), now)
    return books.outcome(answer, state.session)


def enquire(
    state: State, books: Books, request: OnlineRequest, rater: Rater, now: datetime
) -> ChargingAnswer:
    """CHECK_BALANCE, PRICE_ENQUIRY and MAX_USAGE: the items' prices, or how much of them would be paid.

    For CHECK_BALANCE all items together must be affordable.
    """
    moment = moment_of(request, now)
    answered, enough = [], True
    for item in request.items:
        outcome = AnswerItem(item.service, Result.SUCCESS, item.rating_group, item.service_identifier)
        try:
            if item.money_micros is not None:
                check_currency(item, state.account)
                takes, paid = money_takes(state, books, item.service, item.money_micros, moment)
                if paid < item.money_micros:
                    enough = False
                else:
                    books.hold(takes)
                outcome = outcome._replace(cost_micros=item.money_micros)
            else:
                payment, meter, amount = _piece(state, books, item, rater, moment, is_question=True)
                if request.operation is Operation.PRICE_ENQUIRY:
                    rated = payment.price(payment.terms.plan.subject, meter, 0, amount, 0)
                    outcome = outcome._replace(cost_micros=rated.cost_micros, granted=amount)
                else:
                    planned = _planned(payment, meter, amount)
                    enough = enough and planned.reached >= amount
                    books.hold(planned.takes)
                    outcome = outcome._replace(cost_micros=planned.cost_micros, granted=planned.reached)
                outcome = outcome._replace(type_of_record=payment.terms.use.type_of_record)
        except BssError as error:
            outcome = outcome._replace(result=result_of(error), reason=error.code)
            enough = False
        answered.append(outcome)
    # What the items would take was held on the working copy only, to see whether they are affordable together.
    answer = answer_of(state, Books(state, "", ""), tuple(answered), now)
    return answer._replace(enough=enough if request.operation is Operation.CHECK_BALANCE else None)


def _piece(
    state: State,
    books: Books,
    item: RequestItem,
    rater: Rater,
    moment: datetime,
    is_question: bool = False,
) -> tuple[Payment, Meter, int]:
    """How the item is paid for, and how much of it is meant.

    RFC 8506 section 8.18 has units that the server does not charge by treated as invalid. Raises InvalidUnits
    (``unit_differs``, ``zero_units``, ``absurd_amount``). The server decides what a message or a question is about, but
    not how many seconds or octets were used at once (``no_units``).
    """
    meter = Meter(item.service, item.rating_group, item.service_identifier, item.destination, moment, moment)
    payment = find_payment(state, books, rater, meter, item.service, item.charging_mode)
    units = item.requested
    if item.used and (units is None or units == SERVER_DECIDES):
        units = item.used[0].units
    type_of_record = payment.terms.use.type_of_record
    amount = units.amount(type_of_record) if units is not None else None
    if amount is None:
        if units is not None and units.in_other_units(type_of_record):
            raise InvalidUnits(f"{type_of_record} is not charged by such units", code="unit_differs")
        if type_of_record in LARGEST_GRANTS and not is_question:
            raise InvalidUnits(f"an event of {type_of_record} says how much", code="no_units")
        return payment, meter, payment.terms.policy.default_units
    if amount <= 0:
        raise InvalidUnits("nothing to charge for", code="zero_units")
    check_amount(amount, type_of_record)
    return payment, meter, amount


def _planned(payment: Payment, meter: Meter, amount: int) -> DebitPlan:
    if payment.postpaid:
        rated = payment.price(payment.terms.plan.subject, meter, 0, amount, 0)
        return DebitPlan(amount, {}, rated.cost_micros, 0, 0, amount, "", 0)
    return payment.plan_debit(meter, amount)


def _debit_units(
    state: State,
    books: Books,
    item: RequestItem,
    index: int,
    outcome: AnswerItem,
    rater: Rater,
    moment: datetime,
) -> AnswerItem:
    payment, meter, amount = _piece(state, books, item, rater, moment)
    planned = _planned(payment, meter, amount)
    outcome = outcome._replace(type_of_record=payment.terms.use.type_of_record)
    if planned.reached < amount:
        return outcome._replace(
            result=Result.CREDIT_LIMIT_REACHED,
            reason="credit_limit_reached",
            granted=0,
        )
    books.debit(planned.takes, moment, str(index), payment.terms.service, payment.overdrawn)
    return outcome._replace(granted=amount, cost_micros=0 if payment.postpaid else planned.cost_micros)


def _refund_units(
    state: State,
    books: Books,
    item: RequestItem,
    index: int,
    outcome: AnswerItem,
    rater: Rater,
    moment: datetime,
) -> AnswerItem:
    """What the last debits of the service took for so many units goes back to where they took it.

    The price of units for which no debit is found goes onto the default balance.
    """
    assert state.account is not None
    payment, meter, amount = _piece(state, books, item, rater, moment)
    subject = payment.terms.plan.subject
    outcome = outcome._replace(type_of_record=payment.terms.use.type_of_record, granted=amount)
    if payment.postpaid:
        return outcome._replace(cost_micros=-payment.price(subject, meter, 0, amount, 0).cost_micros)
    giving = Giving(books, state.account, payment.terms.service, moment, str(index), (payment, meter))
    debits = debits_of((*state.taken, *books.entries), payment.terms.service)
    returns, rest = returns_of_usage(debits, payment, books, meter, amount)
    price = payment.price(subject, meter, 0, rest, 0).cost_micros if rest else 0
    return _give(outcome, giving, returns, price)


def _give(outcome: AnswerItem, giving: Giving, returns: list[Return], rest_micros: int) -> AnswerItem:
    """Give back, if the peer may; ``rest_micros`` were not found among the debits and go onto the default balance."""
    found, covered = giving.money_in(returns)
    money = found + rest_micros
    if money and (refusal := _refusal_to_move(giving.books, money, is_refund=True, covered=covered)):
        return outcome._replace(result=Result.UNABLE_TO_COMPLY, reason=refusal)
    for one in returns:
        giving.back(one.amounts, one.session_row)
    if rest_micros:
        giving.onto_default(rest_micros, giving.service)
    return outcome._replace(cost_micros=-money)


def _move_money(
    state: State,
    books: Books,
    request: OnlineRequest,
    item: RequestItem,
    index: int,
    outcome: AnswerItem,
    moment: datetime,
) -> AnswerItem:
    assert state.account is not None
    assert item.money_micros is not None
    check_currency(item, state.account)
    if item.money_micros < 0:
        return outcome._replace(result=Result.UNABLE_TO_COMPLY, reason="negative_amount")
    if request.operation is Operation.REFUND:
        giving = Giving(books, state.account, item.service, moment, str(index))
        debits = debits_of((*state.taken, *books.entries), item.service)
        returns, rest = returns_of_money(debits, books, item.money_micros)
        return _give(outcome, giving, returns, rest)
    takes, paid = money_takes(state, books, item.service, item.money_micros, moment)
    if paid < item.money_micros:
        return outcome._replace(result=Result.CREDIT_LIMIT_REACHED, reason="credit_limit_reached", granted=0)
    if refusal := _refusal_to_move(books, item.money_micros, is_refund=False):
        return outcome._replace(result=Result.UNABLE_TO_COMPLY, reason=refusal)
    books.debit(takes, moment, str(index), item.service, debtor_of(books, state.account))
    return outcome._replace(cost_micros=item.money_micros)


def _refusal_to_move(books: Books, amount_micros: int, *, is_refund: bool, covered: int = 0) -> str:
    """Why the amount may not be moved, by the bounds of the peer that asks for it; empty if it may."""
    before = books.money_bounds
    if before is None:
        return ""
    after = before.refund(amount_micros, covered) if is_refund else before.debit(amount_micros)
    books.money_bounds = after
    return after.last_refusal if after.refused > before.refused else ""
