"""Sessions that report totals (as switches do at their end), and what one that falls gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apps.charging.domain.lines import ServiceInfo
from apps.charging.domain.refunds import Debit, Giving, debits_of, difference, pool_of
from apps.charging.domain.requests import OnlineRequest
from apps.charging.domain.sessions import Meter, Session, WorkingMeter
from apps.charging.domain.spending import Payment
from apps.charging.domain.state import Entry
from apps.kernel.units import VOICE_NS
from apps.rating.domain.usage import VOICE


def total_falls(request: OnlineRequest, session: Session, services: Mapping[str, ServiceInfo]) -> bool:
    """Whether an item reports less in total than its quota has used, so that something goes back."""
    for item in request.items:
        service = services.get(item.service)
        key = item.service, item.rating_group, item.service_identifier
        for used in item.used if service is not None else ():
            for meter in session.meters:
                if service is None or meter.key != key:
                    continue
                amount, position = used.units.amount(service.type_of_record), meter.position
                if service.type_of_record == VOICE and (meter.in_ns or used.units.time_ns is not None):
                    amount, position = used.units.amount(VOICE_NS), meter.in_nanoseconds().position
                if amount is not None and amount < position:
                    return True
    return False


def fall_to(
    total: int,
    meter: WorkingMeter,
    others: Iterable[Meter],
    payment: Payment,
    giving: Giving,
    entries: Iterable[Entry],
) -> None:
    """The quota has used ``total`` units and not ``meter.position``: the rest goes back to where it was taken.

    ``entries`` are the session's, ``others`` its further quotas. Usage other than calls is paid for again at the rates
    of its last report.
    """
    books = giving.books
    debits = debits_of(entries, giving.service)
    debit = debits[0] if debits else Debit(giving.at, books.session_row)
    pool = pool_of(debit, payment, books)
    assert pool is not None
    left, balances = dict(pool.took), dict(pool.payment.balances)
    for other in others:
        if other.service == giving.service and other.position:
            kept = pool.payment._replace(balances=balances, destination=other.destination).plan_debit(
                _unused(other), other.position, forced=True
            )
            left = difference(left, kept.takes)
            balances = {
                balance_id: balance.less(kept.takes.get(balance_id, 0))
                for balance_id, balance in balances.items()
            }
    planned = pool.payment._replace(balances=balances).plan_debit(_unused(meter.meter()), total, forced=True)
    giving.back(difference(left, planned.takes), books.session_row)
    meter.position = total
    meter.covered, meter.run, meter.run_from = planned.covered, planned.run, planned.run_from
    meter.passed, meter.free_units = planned.passed, planned.free_units
    meter.cost_micros = planned.cost_micros
    meter.unpaid_micros = min(planned.unpaid_micros, meter.unpaid_micros)


def _unused(meter: Meter) -> Meter:
    return Meter(*meter.key, meter.destination, meter.started_at, meter.reported_at)
