"""Prepaid subscribers in the database, the tariff published, and requests to charge them with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

from django.db.models import Sum

from apps.charging.domain.requests import (
    BalanceOrder,
    ChargingAnswer,
    OnlineRequest,
    Operation,
    RequestItem,
)
from apps.charging.models import (
    Account,
    AllowanceCounter,
    AllowanceEntry,
    Balance,
    ChargingSession,
    LedgerEntry,
    Reservation,
)
from apps.charging.services import executor
from apps.charging.services.executor import BatchExecutor, ChargingUnavailable, Reply, forget_directory
from apps.rating.services.publishing import publish
from apps.subscribers.models import Subscriber
from tests.factories import make_plan, make_subscriber

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def make_prepaid(
    number: int = 1, *, balance_micros: int = 1_000_000, plan: str = "PLAN", **fields: object
) -> Subscriber:
    """A subscriber with so much money; the plan has 0.06 a minute, 0.01 a MB, 0.05 an SMS unless it exists."""
    from apps.rating.models import PricePlan

    found = PricePlan.objects.filter(code=plan).first()
    terms = {"voice": (60_000, 0), "data": (10_000, 0), "sms": (50_000, 0)}
    subscriber = make_subscriber(
        number,
        plan=found or make_plan(plan, **terms),  # type: ignore[arg-type]
        mode="prepaid",
        opening_balance_micros=balance_micros,
        **fields,
    )
    publish(NOW)
    forget_directory()
    return subscriber


def msisdn(number: int = 1) -> str:
    return str(4915550000000 + number)


def request(
    operation: Operation,
    *items: RequestItem,
    session: str = "s",
    number: int = 0,
    of: int = 1,
    at: datetime = NOW,
    **more: object,
) -> OnlineRequest:
    return OnlineRequest(operation, session, number, at, msisdn(of), items=items, **more)  # type: ignore[arg-type]


def charge_now(asked: OnlineRequest) -> ChargingAnswer:
    """Charge at the request's own time."""
    return executor.charge_now(asked, asked.at)


def charge_all(asked: Sequence[OnlineRequest]) -> list[ChargingAnswer]:
    return executor.charge_all(asked, asked[0].at)


class _Futures:
    def deliver(self, replies: Sequence[tuple[Future[ChargingAnswer], Reply]]) -> None:
        for future, reply in replies:
            if isinstance(reply, ChargingUnavailable):
                future.set_exception(reply)
            else:
                future.set_result(reply)


def submit(to: BatchExecutor, asked: OnlineRequest) -> Future[ChargingAnswer]:
    """Queue a request; the future has its answer, or raises ChargingUnavailable."""
    future: Future[ChargingAnswer] = Future()
    to.submit([(asked, future)], _Futures())
    return future


def account_of(number: int = 1) -> Account:
    return Account.objects.get(number=f"C{number}")


def default_balance(number: int = 1) -> Balance:
    return Balance.objects.get(account__number=f"C{number}", tag="*default")


def order(amount: int, number: int = 1, **more: object) -> BalanceOrder:
    return BalanceOrder(account_of(number).pk, amount, "cash", **more)  # type: ignore[arg-type]


def assert_books_are_right() -> None:
    """Every balance is the sum of its entries, everything reserved is held by an open session."""
    held: dict[int, int] = defaultdict(int)
    for holder, amount in Reservation.objects.values_list("holder_id", "amount"):
        held[holder] += amount
    open_sessions = set(ChargingSession.objects.filter(status="open").values_list("pk", flat=True))
    assert set(Reservation.objects.values_list("session_id", flat=True)) <= open_sessions
    for balance in Balance.objects.all():
        sums = LedgerEntry.objects.filter(balance=balance).aggregate(m=Sum("amount_micros"), u=Sum("units"))
        assert (balance.amount_micros, balance.units) == (sums["m"] or 0, sums["u"] or 0)
        assert balance.reserved_micros + balance.reserved_units == held[balance.pk]
    for counter in AllowanceCounter.objects.all():
        used = AllowanceEntry.objects.filter(counter=counter).aggregate(u=Sum("units"))["u"] or 0
        assert counter.used_online == used
        assert counter.reserved == held[-counter.pk]
