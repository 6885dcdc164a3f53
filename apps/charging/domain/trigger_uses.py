"""What requests and records used, as counters of account triggers count it.

Usage is counted where it is charged: real-time usage of prepaid accounts here, that of postpaid accounts with their
records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.charging.domain.charge import digest_of
from apps.charging.domain.items import moment_of
from apps.charging.domain.requests import OnlineRequest, Operation, Result
from apps.charging.domain.sessions import Meter
from apps.charging.domain.state import Outcome, State
from apps.charging.domain.trigger_states import Use
from apps.charging.domain.usage_book import ChargedTo, UsageBook
from apps.kernel.units import NANO, VOICE_NS
from apps.rating.domain import RatedUsage, Rater


def uses_of(before: State, after: Outcome, request: OnlineRequest, now: datetime) -> list[Use]:
    """What the request used: how far it moved its session's meters, or what an event debited.

    Refunds of events give money back, and take no usage back.
    """
    if before.account is None or not before.account.prepaid:
        return []
    session = after.session
    if session is None:
        return _of_event(before, after, request, moment_of(request, now))
    known = () if before.session is None else before.session.meters
    if session.meters == known:
        return []
    at = moment_of(request, now)
    cause = f"session:{session.row_id}:{request.number}"
    uses = []
    for index, meter in enumerate(session.meters):
        units, cost_micros = meter.units, meter.cost_micros
        earlier = _earlier(known, index, meter)
        if earlier is not None:
            units, cost_micros = units - earlier.units, cost_micros - earlier.cost_micros
        if units or cost_micros:
            service = before.config.services[meter.service]
            uses.append(
                Use(
                    f"{cause}:{index}",
                    at,
                    service.category,
                    service.type_of_record,
                    meter.destination,
                    units,
                    cost_micros,
                )
            )
    return uses


def _earlier(known: Sequence[Meter], index: int, meter: Meter) -> Meter | None:
    """The meter as it was; nearly always at the place where it is now."""
    if index < len(known) and known[index].key == meter.key:
        return known[index]
    return next((earlier for earlier in known if earlier.key == meter.key), None)


def _of_event(before: State, after: Outcome, request: OnlineRequest, at: datetime) -> list[Use]:
    if request.operation is not Operation.EVENT:
        return []
    cause = f"event:{digest_of(request)}"
    uses = []
    for index, (item, answered) in enumerate(zip(request.items, after.answer.items, strict=False)):
        service = before.config.services.get(item.service)
        if answered.result is Result.SUCCESS and service is not None:
            units = 0 if item.money_micros is not None else answered.granted or 0
            if answered.type_of_record == VOICE_NS:
                units = -(-units // NANO)
            uses.append(
                Use(
                    f"{cause}:{index}",
                    at,
                    service.category,
                    service.type_of_record,
                    item.destination,
                    units,
                    answered.cost_micros,
                )
            )
    return uses


# Account, service, longest known prefix, year and month.
_UsedBy = tuple[int, str, str, int, int]


@dataclass(slots=True)
class CountingUsageBook(UsageBook):
    """A usage book that also adds up what the accounts ``watched`` use; others' records cost what they do without."""

    watched: frozenset[int] = frozenset()
    used: dict[_UsedBy, tuple[int, int, datetime]] = field(default_factory=dict)
    """Units, micro-units and the latest start."""

    def rate(
        self, rater: Rater, msisdn: str, service_code: str, other_party: str, start: datetime, amount: int
    ) -> tuple[ChargedTo, RatedUsage]:
        charged_to, rated = UsageBook.rate(self, rater, msisdn, service_code, other_party, start, amount)
        if charged_to[1] in self.watched:
            number = self._numbers[msisdn]
            key = (charged_to[1], service_code, rater.matched_prefix(other_party), number.year, number.month)
            units, cost_micros, latest = self.used.get(key, (0, 0, start))
            self.used[key] = (units + amount, cost_micros + rated.cost_micros, max(latest, start))
        return charged_to, rated

    def uses(self, cause: str) -> dict[int, list[Use]]:
        """What was used, by account; ``cause`` names the batch."""
        found: dict[int, list[Use]] = {}
        for (account_id, code, prefix, *_), (units, cost_micros, at) in sorted(self.used.items()):
            uses = found.setdefault(account_id, [])
            service = self.services[code]
            uses.append(
                Use(
                    f"{cause}:{account_id}:{len(uses)}",
                    at,
                    service.category,
                    service.type_of_record,
                    prefix,
                    units,
                    cost_micros,
                )
            )
        return found
