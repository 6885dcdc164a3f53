"""What statements of many accounts are made of, read with a constant number of queries, and the statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from apps.billing.domain import (
    BillValue,
    Credit,
    DiscountTerms,
    Fee,
    OneOff,
    OnlineCharge,
    PrepaidFunds,
    Taxes,
    Terms,
    UsageTotal,
    Window,
    statement,
    window_of,
)
from apps.billing.domain.draft import ONE, UNIT_OF_RECORD
from apps.billing.domain.periods import midnight
from apps.billing.domain.taxes import TaxTerm, taxes_on
from apps.billing.domain.values import PRICE_CONTAINS_TAXES
from apps.billing.models import BillCycle, Discount, OneOffCharge, RecurringCharge, TaxRule
from apps.billing.selectors.among import among
from apps.billing.selectors.charged_online import charged_online
from apps.billing.selectors.credits import open_credits
from apps.billing.selectors.due import DueAccount, ids_of
from apps.billing.selectors.sql import aware, instant, read, required, text
from apps.billing.selectors.unbilled_usage import unbilled_usage
from apps.charging.models import DEFAULT_BALANCE, Balance
from apps.charging.selectors import PAYERS
from apps.kernel.currencies import minor_unit_micros
from apps.kernel.errors import BssError, InvalidInput
from apps.mediation.models import RatedDestination
from apps.rating.models import Service
from apps.rating.selectors.views import BUNDLES, PLANS
from apps.subscribers.selectors import BUNDLES_HELD, PLANS_HELD

EVERYWHERE = frozenset({"", "*any"})
NO_END = datetime.max.replace(tzinfo=UTC)
PREPAID_TAXES = Taxes(PRICE_CONTAINS_TAXES)


@dataclass
class Inputs:
    """Everything that the bills of some accounts show, by account id."""

    usage: dict[int, list[UsageTotal]]
    fees: dict[int, list[Fee]] = field(default_factory=lambda: defaultdict(list))
    one_offs: dict[int, list[OneOff]] = field(default_factory=lambda: defaultdict(list))
    one_off_ids: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    discounts: dict[int, list[DiscountTerms]] = field(default_factory=lambda: defaultdict(list))
    balances: dict[int, int] = field(default_factory=dict)
    online: dict[int, list[OnlineCharge]] = field(default_factory=dict)
    credits: dict[int, list[Credit]] = field(default_factory=dict)
    faults: dict[int, BssError] = field(default_factory=dict)


class UsageNames(dict[tuple[int, int], str]):
    """What usage of a service to a destination is called on bills, made up at the first asking."""

    def __init__(self, services: dict[int, str], destinations: dict[int, str]) -> None:
        super().__init__()
        self._services, self._destinations = services, destinations

    def __missing__(self, key: tuple[int, int]) -> str:
        service, destination = self._services[key[0]], self._destinations[key[1]]
        name = service if destination in EVERYWHERE else f"{service}, {destination}"
        self[key] = name[:200]
        return self[key]


def read_inputs(
    cycle: BillCycle,
    accounts: Sequence[DueAccount],
    until: datetime,
    sequence: int,
    online: Sequence[DueAccount],
    *,
    lock: bool = False,
) -> Inputs:
    """What the accounts' bills until ``until`` show, given files up to ``sequence``.

    ``online`` are those of them that may have been charged online (:func:`accounts_charged_online`). With ``lock``,
    inside the caller's transaction, the credits that they use are locked.
    """
    inputs = Inputs(unbilled_usage(accounts, until, sequence))
    if not accounts:
        return inputs
    ids = ids_of(accounts)
    since = min(account.begins for account in accounts)
    currencies = {account.account_id: account.currency for account in accounts}
    _read_subscriber_fees(inputs, currencies, cycle.tenant.zone, since, until)
    for row in (
        _holding(RecurringCharge.objects.filter(account_id__among=among(ids)), since, until)
        .order_by("pk")
        .values_list(
            "account_id", "subscriber_id", "description", "monthly_amount_micros", "start", "end", "pk"
        )
    ):
        account_id, subscriber_id, description, monthly, start, end, pk = row
        fee = Fee(subscriber_id, description, monthly, start, end, f"charge:{pk}")
        inputs.fees[account_id].append(fee)
    for pk, account_id, subscriber_id, description, amount, service_id in (
        OneOffCharge.objects.filter(account_id__among=among(ids), bill=None, at__lt=until)
        .order_by("at", "pk")
        .values_list("pk", "account_id", "subscriber_id", "description", "amount_micros", "service_id")
    ):
        charge = OneOff(subscriber_id, description, amount, f"one_off:{pk}", service_id)
        inputs.one_offs[account_id].append(charge)
        inputs.one_off_ids[account_id].append(pk)
    inputs.online = charged_online(ids_of(online), until)
    postpaid = [account.account_id for account in accounts if not account.prepaid]
    inputs.credits = open_credits(postpaid, lock=lock)
    for account_id, description, scope, service_id, rate, start, end, pk in (
        _holding(Discount.objects.filter(account_id__among=among(ids)), since, until)
        .order_by("pk")
        .values_list(
            "account_id", "description", "scope", "service_id", "rate_millionths", "start", "end", "pk"
        )
    ):
        inputs.discounts[account_id].append(
            DiscountTerms(
                description,
                scope in (Discount.Scope.ALL, Discount.Scope.USAGE),
                scope in (Discount.Scope.ALL, Discount.Scope.RECURRING),
                service_id,
                rate,
                start,
                end,
                f"discount:{pk}",
            )
        )
    prepaid = [account.account_id for account in accounts if account.prepaid]
    if prepaid:
        inputs.balances.update(
            Balance.objects.filter(account_id__among=among(prepaid), tag=DEFAULT_BALANCE).values_list(
                "account_id", "amount_micros"
            )
        )
    return inputs


def statements(
    cycle: BillCycle, accounts: Sequence[DueAccount], inputs: Inputs, until: datetime
) -> Iterator[tuple[DueAccount, Window, BillValue | BssError]]:
    """Each account's bill until ``until``, or what stands against it."""
    day, zone = cycle.day, cycle.zone
    taxes: dict[tuple[int, date], Taxes] = {}
    units = {
        pk: UNIT_OF_RECORD.get(type_of_record, ONE)
        for pk, type_of_record in Service.objects.values_list("pk", "type_of_record")
    }
    for account in accounts:
        window = window_of(account.begins, until, day, zone, billed_before=account.billed_before)
        account_id = account.account_id
        fault = inputs.faults.get(account_id)
        if fault is not None:
            yield account, window, fault
            continue
        key = (account.tenant_id, window.last_day)
        if key not in taxes:
            taxes[key] = taxes_on(window.last_day, _tax_terms(account.tenant_id))
        fees: Sequence[Fee] = inputs.fees.get(account_id, ())
        if account.closed_at is not None:
            fees = [fee._replace(end=min(fee.end or NO_END, account.closed_at)) for fee in fees]
        terms = Terms(
            window,
            minor_unit_micros(account.currency),
            PREPAID_TAXES if account.prepaid else taxes[key],
            inputs.usage.get(account_id, ()),
            fees,
            inputs.one_offs.get(account_id, ()),
            inputs.online.get(account_id, ()),
            inputs.discounts.get(account_id, ()),
            inputs.credits.get(account_id, ()),
            _funds(account, inputs) if account.prepaid else None,
            units,
        )
        yield account, window, statement(terms)


def _funds(account: DueAccount, inputs: Inputs) -> PrepaidFunds:
    return PrepaidFunds(inputs.balances.get(account.account_id, 0), account.may_overdraw)


def _holding(rows: QuerySet[Any], since: datetime, until: datetime) -> QuerySet[Any]:
    """Effective-dated rows that hold at some time of ``[since, until)``."""
    return rows.filter(Q(end__isnull=True) | Q(end__gt=since), start__lt=until)


def _read_subscriber_fees(
    inputs: Inputs, currencies: dict[int, str], zone: ZoneInfo, since: datetime, until: datetime
) -> None:
    """Fees of the price plans and bundles of every subscriber that the accounts pay for."""
    payers = f"FROM {PAYERS} p JOIN {{assignment}} x ON x.subscriber_id = p.subscriber_id JOIN {{product}} y"
    holding = (
        f"WHERE p.account_id IN ({among(currencies).sql}) AND y.monthly_fee_micros <> 0 "
        f"AND x.start < {instant(until)} AND (x.`end` IS NULL OR x.`end` > {instant(since)}) "
        "ORDER BY p.subscriber_id, x.start, x.id"
    )
    fields = "p.account_id, y.currency, p.subscriber_id, y.name, y.monthly_fee_micros, y.id, " + ", ".join(
        text(f"x.`{name}`") for name in ("start", "end")
    )
    plans = payers.format(assignment=PLANS_HELD, product=PLANS)
    for account_id, currency, subscriber_id, name, fee, plan_id, start, end, expires in read(
        f"SELECT {fields}, y.expiration_date {plans} ON y.id = x.price_plan_id {holding}"
    ):
        ends = aware(end)
        if expires is not None:
            ends = min(ends or NO_END, midnight(expires, zone))
        plan = Fee(subscriber_id, name, fee, required(start), ends, f"plan:{plan_id}")
        _add_fee(inputs, account_id, currencies, plan, currency)
    bundles = payers.format(assignment=BUNDLES_HELD, product=BUNDLES)
    for account_id, currency, subscriber_id, name, fee, bundle_id, start, end in read(
        f"SELECT {fields} {bundles} ON y.id = x.bundle_id {holding}"
    ):
        bundle = Fee(subscriber_id, name, fee, required(start), aware(end), f"bundle:{bundle_id}")
        _add_fee(inputs, account_id, currencies, bundle, currency)


def _add_fee(inputs: Inputs, account_id: int, currencies: dict[int, str], fee: Fee, currency: str) -> None:
    if currency != currencies[account_id]:
        inputs.faults[account_id] = InvalidInput(
            f"“{fee.description}” is priced in {currency}, the account is kept in {currencies[account_id]}; "
            "put the subscriber on a plan in the account's currency",
            code="currency_mismatch",
        )
        return
    inputs.fees[account_id].append(fee)


def _tax_terms(tenant_id: int) -> list[TaxTerm]:
    return [
        TaxTerm._make(row)
        for row in TaxRule.objects.filter(tenant_id=tenant_id)
        .order_by("pk")
        .values_list("service_id", "name", "rate_millionths", "valid_from", "valid_until")
    ]


def usage_names(inputs: Inputs) -> UsageNames:
    """Names of the inputs' usage by service and destination."""
    destination_ids = {total[3] for totals in inputs.usage.values() for total in totals}
    return UsageNames(
        dict(Service.objects.values_list("pk", "name")),
        dict(RatedDestination.objects.filter(pk__among=among(destination_ids)).values_list("pk", "tag")),
    )
