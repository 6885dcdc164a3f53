"""Which taxes hold on a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from apps.billing.domain.values import Taxes, TaxRate, treatment


class TaxTerm(NamedTuple):
    """A tax rule of a tenant: for a service, or (None) in general; valid on days ``[valid_from, valid_until)``."""

    service_id: int | None
    name: str
    rate_millionths: int
    valid_from: date
    valid_until: date | None


def taxes_on(day: date, rules: Iterable[TaxTerm]) -> Taxes:
    """The taxes that hold on ``day``, the tax point: the last day of the period that a bill is for.

    A service with rules of its own that hold bears those alone, any other the general ones. Of two rules of one
    name and service the later begun holds, so that a new rate needs no end of the former.
    """
    holding: dict[tuple[int | None, str], TaxTerm] = {}
    for rule in rules:
        if rule.valid_from <= day and (rule.valid_until is None or day < rule.valid_until):
            former = holding.get((rule.service_id, rule.name))
            if former is None or former.valid_from < rule.valid_from:
                holding[rule.service_id, rule.name] = rule
    by_service: dict[int | None, tuple[TaxRate, ...]] = {}
    for (service_id, name), rule in sorted(holding.items(), key=lambda item: item[0][1]):
        by_service[service_id] = (*by_service.get(service_id, ()), TaxRate(name, rule.rate_millionths))
    general = treatment(by_service.pop(None, ()))
    return Taxes(general, {key: treatment(rates) for key, rates in by_service.items() if key is not None})
