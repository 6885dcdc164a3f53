"""The items of a session's request: what each used is debited, and what each asks for is held.

Sources: RFC 8506 sections 5.1 to 5.6 (units, Multiple-Services-Credit-Control, final units), TS 32.299 section 6.5.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from apps.charging.domain.books import Books
from apps.charging.domain.items import Refusal, find_payment, free_units_used, result_of, used_amount
from apps.charging.domain.money_bounds import PEER_LIMIT
from apps.charging.domain.money_items import (
    MONEY_RUN,
    check_currency,
    debtor_of,
    money_policy,
    money_takes,
    money_type,
)
from apps.charging.domain.policies import QuotaPolicy
from apps.charging.domain.refunds import Giving
from apps.charging.domain.requests import (
    AnswerItem,
    FinalUnitAction,
    OnlineRequest,
    Operation,
    RequestItem,
    Result,
    TariffChange,
    UsedUnits,
)
from apps.charging.domain.sessions import NO_RUN, Hold, Meter, Session, WorkingMeter
from apps.charging.domain.spending import NO_LIMIT, DebitPlan, Payment
from apps.charging.domain.state import State
from apps.charging.domain.tariff_change import next_tariff_change
from apps.charging.domain.totals import fall_to
from apps.kernel.errors import BssError
from apps.kernel.units import CALLS
from apps.rating.domain import Rater

# Constants, because looking a member of an enumeration up costs several times as much.
SUCCESS = Result.SUCCESS
TERMINATE = Operation.TERMINATE
AFTER = TariffChange.AFTER

MAX_QUOTAS = 1_000
"""Of one session: what a client may have the server keep."""


def serve_items(
    state: State,
    books: Books,
    session: Session,
    request: OnlineRequest,
    rater: Rater,
    moment: datetime,
    refusal: Refusal | None,
) -> tuple[tuple[Meter, ...], tuple[AnswerItem, ...]]:
    """Debit what each item used, then hold what each asks for, in the order of the request; the meters afterwards.

    With a ``refusal`` (the subscriber is barred by now) usage is still debited and nothing is granted. A rating
    group that comes several times in a request is granted one quota, with the last that asks.
    """
    meters = {meter[:_KEY_FIELDS]: WorkingMeter(meter) for meter in session.meters}
    if request.operation is TERMINATE:
        # Nothing is asked for any more, so all that the session held may pay for its usage.
        for meter in meters.values():
            books.void(meter.holds)
            meter.holds, meter.granted = (), 0
    served = []
    asking: dict[tuple[object, ...], _Quota] = {}
    for index, item in enumerate(request.items):
        key = (item.service, item.rating_group, item.service_identifier)
        found = meters.get(key)
        if found is None:
            began = session.opened_at if item.used else moment
            found = WorkingMeter(Meter(*key, item.destination, began, began))
            if len(meters) < MAX_QUOTAS:
                meters[key] = found
        quota = _Quota(state, books, rater, item, found, moment, meters.values() if request.totals else None)
        if key in meters:
            quota.report(index)
        else:
            quota.refuse(Result.UNABLE_TO_COMPLY, "too_many_quotas")
        served.append(quota)
        if item.requested is not None or item.money_micros:
            if refusal is not None and request.operation is not TERMINATE:
                quota.refuse(refusal.result, refusal.reason)
            else:
                asking[key] = quota
    if request.operation is not TERMINATE:
        for quota in asking.values():
            if quota.result is SUCCESS:
                quota.grant()
    answers = tuple([quota.answer() for quota in served])
    return tuple([meter.meter() for meter in meters.values()]), answers


# A meter's key (service, rating group, service identifier) is what it begins with.
_KEY_FIELDS = 3


class _Quota:
    """One item under way: its meter, and what its answer will say."""

    __slots__ = (
        "all_of_total",
        "books",
        "change_at",
        "cost_micros",
        "granted",
        "is_final",
        "item",
        "meter",
        "moment",
        "money_policy",
        "payment",
        "rater",
        "reason",
        "result",
        "state",
        "type_of_record",
        "unpaid_micros",
    )

    def __init__(
        self,
        state: State,
        books: Books,
        rater: Rater,
        item: RequestItem,
        meter: WorkingMeter,
        moment: datetime,
        all_of_total: Collection[WorkingMeter] | None,
    ) -> None:
        self.state, self.books, self.rater = state, books, rater
        # The session's quotas, if used units are totals; else None.
        self.all_of_total = all_of_total
        self.item, self.meter, self.moment = item, meter, moment
        self.result, self.reason = SUCCESS, ""
        self.type_of_record = ""
        self.granted: int | None = None
        self.is_final = False
        self.cost_micros = self.unpaid_micros = 0
        self.change_at: datetime | None = None
        self.payment: Payment | None = None
        self.money_policy: QuotaPolicy | None = None

    def refuse(self, result: Result, reason: str) -> None:
        self.result, self.reason, self.granted = result, reason, 0

    def report(self, index: int) -> None:
        """Release the quota's holds and debit its usage."""
        meter, item = self.meter, self.item
        if meter.holds:
            self.books.void(meter.holds)
        meter.holds, meter.granted = (), 0
        if item.used_money_micros is not None and (meter.run == MONEY_RUN or not item.used):
            # A gateway that was granted money may say beside it how long that lasted.
            self._debit_money(item.used_money_micros, f"{index}.money")
            return
        for part, used in enumerate(item.used):
            if used.tariff_change is AFTER and meter.tariff_change_at is not None:
                meter.report(min(meter.tariff_change_at, self.moment))
            self._debit(used, f"{index}.{part}")
        if item.used:
            meter.report(self.moment)

    def grant(self) -> None:
        """Hold as much of what the item asks for as the balances buy."""
        meter, item = self.meter, self.item
        meter.report(self.moment)
        if item.money_micros:
            self._grant_money(item.money_micros)
            return
        assert item.requested is not None
        if meter.run == MONEY_RUN:
            meter.run = NO_RUN
        try:
            payment = self._payment()
            policy = payment.terms.policy
            self.type_of_record = payment.terms.use.type_of_record
            wanted = policy.units_to_grant(item.requested.amount(self.type_of_record), self.type_of_record)
            granted = wanted
            if policy.fair_use_units:
                assert self.state.line is not None
                used = free_units_used(self.books, self.state.line, payment.terms, meter)
                granted = min(wanted, max(policy.fair_use_units - used, 0))
            holds: tuple[Hold, ...] = ()
            if not payment.postpaid and (granted or not policy.fair_use_units):
                planned = self._largest(payment, granted)
                granted = planned.reached - meter.position
                holds = self.books.hold(planned.takes, payment.overdrawn)
        except BssError as error:
            self.refuse(result_of(error), error.code)
            return
        self._conclude(granted, wanted, policy)
        meter.granted, meter.holds, meter.tariff_change_at = granted, holds, self.change_at

    def _conclude(self, granted: int, wanted: int, policy: QuotaPolicy) -> None:
        """Note the grant, and the final action if it is less than was wanted.

        Nothing left is a refusal only if the service ends then. A client that is to redirect or restrict it does so
        at once on success with the final action and no units, and its session goes on (RFC 8506 section 5.6.2 and
        5.6.3, TS 32.299 section 6.5).
        """
        self.granted, self.is_final = granted, granted < wanted
        if granted == 0 and wanted > 0 and policy.final.action is FinalUnitAction.TERMINATE:
            self.result, self.reason = Result.CREDIT_LIMIT_REACHED, "credit_limit_reached"

    def answer(self) -> AnswerItem:
        item, payment = self.item, self.payment
        policy = self.money_policy or (payment.terms.policy if payment is not None else None)
        if self.granted is None or policy is None or self.type_of_record == "":
            return AnswerItem(
                item.service,
                self.result,
                item.rating_group,
                item.service_identifier,
                self.type_of_record,
                self.granted,
                None,
                self.cost_micros,
                self.unpaid_micros,
                reason=self.reason,
            )
        threshold = 0
        if policy.threshold_percent and not self.is_final and self.money_policy is None:
            threshold = self.granted * policy.threshold_percent // 100
        return AnswerItem(
            item.service,
            self.result,
            item.rating_group,
            item.service_identifier,
            self.type_of_record,
            self.granted,
            policy.final if self.is_final else None,
            self.cost_micros,
            self.unpaid_micros,
            policy.validity_s,
            policy.quota_holding_s,
            threshold,
            self.change_at,
            self.reason,
        )

    def _payment(self) -> Payment:
        """How the quota is paid for now; found once unless time or free units have moved on."""
        payment = self.payment
        if payment is None or not payment.holds_for(self.meter):
            payment = find_payment(
                self.state, self.books, self.rater, self.meter, self.item.service, self.item.charging_mode
            )
            self.payment = payment
        return payment

    def _debit(self, used: UsedUnits, piece: str) -> None:
        meter = self.meter
        try:
            payment = self._payment()
            self.type_of_record = payment.terms.use.type_of_record
            if self.all_of_total is None:
                amount = used_amount(used.units, self.type_of_record, meter.position)
            elif used.units.amount(self.type_of_record) is None:
                return
            else:
                amount = used_amount(used.units, self.type_of_record, 0) - meter.position
                meter.unrated_units = 0
                if amount < 0 and not payment.postpaid:
                    self._give_back(payment, meter.position + amount, piece)
                    return
            if amount == 0 or (amount < 0 and self.all_of_total is None):
                return
            if payment.postpaid:
                # Postpaid usage is billed from its records; online it is authorised and followed, not debited.
                meter.position += amount
                return
            planned = payment.plan_debit(meter, amount, forced=True)
        except BssError as error:
            service = self.state.config.services.get(self.item.service)
            units = used.units.amount(service.type_of_record) if service is not None else None
            before = meter.unrated_units if self.all_of_total is None else -meter.position
            meter.unrated_units = min(max(before + (units or 0), 0), NO_LIMIT)
            self.result, self.reason = result_of(error), error.code
            return
        self.books.debit(planned.takes, self.moment, piece, payment.terms.service, payment.overdrawn)
        meter.position += amount
        meter.covered, meter.run, meter.run_from = planned.covered, planned.run, planned.run_from
        meter.passed = planned.passed
        meter.free_units += planned.free_units
        self._count(planned.cost_micros, planned.unpaid_micros)

    def _give_back(self, payment: Payment, total: int, piece: str) -> None:
        """The total that is reported is less than before."""
        assert self.state.account is not None
        assert self.all_of_total is not None
        meter, books = self.meter, self.books
        paid = payment, meter.meter()
        giving = Giving(books, self.state.account, self.item.service, self.moment, piece, paid)
        others = [other.meter() for other in self.all_of_total if other is not meter]
        entries = (*self.state.taken, *books.entries)
        own = [entry for entry in entries if entry.session_row == books.session_row]
        fall_to(total, meter, others, payment, giving, own)
        self.cost_micros -= giving.money_micros

    def _count(self, cost_micros: int, unpaid_micros: int) -> None:
        """Add to what the session and this request cost."""
        meter = self.meter
        meter.cost_micros += cost_micros
        self.cost_micros += cost_micros
        if unpaid_micros:
            # A report of absurd size is kept within what a row can hold.
            meter.unpaid_micros = min(meter.unpaid_micros + unpaid_micros, NO_LIMIT)
            self.unpaid_micros = min(self.unpaid_micros + unpaid_micros, NO_LIMIT)

    def _debit_money(self, amount_micros: int, piece: str) -> None:
        """Debit an amount that was used; what no balance has is unpaid."""
        meter, item, account = self.meter, self.item, self.state.account
        assert account is not None
        if self._is_wrong(amount_micros):
            return
        used = min(amount_micros, NO_LIMIT)
        bounds = self.books.money_bounds
        if bounds is not None and used > bounds.left_micros:
            self.result, self.reason = Result.UNABLE_TO_COMPLY, PEER_LIMIT
            meter.unpaid_micros = min(meter.unpaid_micros + used, NO_LIMIT)
            return
        takes, paid = money_takes(self.state, self.books, item.service, used, self.moment)
        self.books.debit(takes, self.moment, piece, item.service, debtor_of(self.books, account))
        meter.run = MONEY_RUN
        meter.report(self.moment)
        self._count(paid, used - paid)

    def _grant_money(self, amount_micros: int) -> None:
        """Hold as much of an amount as there is."""
        meter, item, account = self.meter, self.item, self.state.account
        assert account is not None
        if self._is_wrong(amount_micros):
            self.granted = 0
            return
        bounds = self.books.money_bounds
        wanted = min(amount_micros, NO_LIMIT if bounds is None else bounds.left_micros)
        takes, granted = money_takes(self.state, self.books, item.service, wanted, self.moment)
        meter.holds = self.books.hold(takes, debtor_of(self.books, account))
        meter.granted, meter.run, meter.tariff_change_at = granted, MONEY_RUN, None
        self.money_policy = money_policy(self.state, item.service, self.moment)
        self.type_of_record = money_type(account.currency)
        self._conclude(granted, wanted, self.money_policy)

    def _is_wrong(self, amount_micros: int) -> bool:
        """Whether an amount cannot be what it says; the item then says why."""
        if amount_micros < 0:
            self.result, self.reason = Result.UNABLE_TO_COMPLY, "negative_amount"
            return True
        try:
            check_currency(self.item, self.state.account)
        except BssError as error:
            self.result, self.reason = Result.RATING_FAILED, error.code
            return True
        return False

    def _largest(self, payment: Payment, wanted: int) -> DebitPlan:
        meter = self.meter
        planned = payment.plan_debit(meter, wanted)
        if self.type_of_record in CALLS:
            # A call needs no change of rates announced: it is priced second by second across it.
            return planned
        usage = payment.usage(payment.terms.plan.subject, meter, meter.position, 1)
        self.change_at = next_tariff_change(self.rater, usage, payment.terms.policy.validity_s)
        if self.change_at is None:
            return planned
        # The dearer side of the change decides, so that neither can overrun the balance.
        after = WorkingMeter(meter.meter())
        after.reported_at = self.change_at
        return min(
            planned,
            payment.plan_debit(after, wanted),
            key=lambda other: (other.reached, -sum(other.takes.values())),
        )
