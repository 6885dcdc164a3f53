"""Create customers with everything they need, one or a hundred thousand, all or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from apps.billing.domain.onboarding import NewLine
from apps.billing.models import BillCycle, BillingAccount
from apps.charging.models import Account, LedgerBook, LedgerEntry, Payer
from apps.charging.services.books import make_books
from apps.charging.services.ledger import Movement, post_movements
from apps.kernel.errors import InvalidInputs, Problem
from apps.rating.models import Bundle, PricePlan, Tenant
from apps.subscribers.models import (
    BundleAssignment,
    Customer,
    PlanAssignment,
    Resource,
    ResourceAssignment,
    Subscriber,
)
from apps.subscribers.selectors import in_portions

ROWS_A_STATEMENT = 1_000
# An account that is entered within this time of its start is new; no other system can have billed it.
NEW_FOR = timedelta(days=62)
KINDS = (("msisdn", Resource.Kind.MSISDN), ("imsi", Resource.Kind.IMSI), ("handset", Resource.Kind.HANDSET))


@dataclass(frozen=True, slots=True)
class Onboarded:
    """How many rows came into being."""

    customers: int
    accounts: int
    subscribers: int


@dataclass(slots=True)
class _Known:
    tenants: dict[str, Tenant]
    plans: dict[tuple[str, str], PricePlan]
    bundles: dict[tuple[str, str], Bundle]
    cycles: dict[int, BillCycle]
    customers: dict[tuple[str, str], Customer]
    accounts: dict[tuple[str, str], Account]
    subscribers: set[tuple[str, str]]
    resources: dict[tuple[str, str], Resource]
    held_until: dict[int, datetime]


@transaction.atomic
def onboard(lines: Sequence[NewLine], now: datetime, where: Callable[[int], str] | None = None) -> Onboarded:
    """Create customers, accounts, subscribers, their numbers, plans, bundles, opening balances and cycle.

    ``where`` names the place of a line by its index, for the problems. Raises InvalidInputs with every problem
    found (unknown tenant, plan, cycle; number taken; subscriber exists); nothing is created then.
    """
    known = _look_up(lines)
    problems = _problems(lines, known, where or _numbered)
    if problems:
        raise InvalidInputs(problems)
    new_customers = _create_customers(lines, known, now)
    new_accounts = _create_accounts(lines, known, now)
    _create_subscribers(lines, known)
    return Onboarded(new_customers, new_accounts, len(lines))


@transaction.atomic
def problems_of(lines: Sequence[NewLine]) -> list[Problem]:
    """What :func:`onboard` would refuse the lines for."""
    return _problems(lines, _look_up(lines), _numbered)


def _numbered(index: int) -> str:
    return f"line {index + 1}"


def _look_up(lines: Sequence[NewLine]) -> _Known:
    resources = _resources(lines)
    tenants = {
        tenant.code: tenant for tenant in Tenant.objects.filter(code__in={line.tenant for line in lines})
    }
    return _Known(
        tenants=tenants,
        plans={(plan.tenant.code, plan.code): plan for plan in PricePlan.objects.select_related("tenant")},
        bundles={
            (bundle.tenant.code, bundle.code): bundle for bundle in Bundle.objects.select_related("tenant")
        },
        cycles={cycle.number: cycle for cycle in BillCycle.objects.select_related("tenant")},
        customers=_by_number(Customer.objects.all(), {line.customer_number for line in lines}),
        accounts=_by_number(Account.objects.all(), {line.account for line in lines}),
        subscribers=set(_by_number(Subscriber.objects.all(), {line.subscriber_number for line in lines})),
        resources=resources,
        held_until=_held_until([resource.pk for resource in resources.values()]),
    )


def _by_number(rows: QuerySet[Any], numbers: set[str]) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for portion in in_portions(numbers):
        for row in rows.filter(number__in=portion).select_related("tenant"):
            found[(row.tenant.code, row.number)] = row
    return found


def _resources(lines: Sequence[NewLine]) -> dict[tuple[str, str], Resource]:
    found: dict[tuple[str, str], Resource] = {}
    for field, kind in KINDS:
        for portion in in_portions({getattr(line, field) for line in lines} - {""}):
            for resource in (
                Resource.objects.select_for_update().filter(kind=kind, value__in=portion).order_by("pk")
            ):
                found[(kind, resource.value)] = resource
    return found


def _held_until(resource_ids: Sequence[int]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for portion in in_portions(resource_ids):
        found.update(
            ResourceAssignment.objects.filter(resource_id__in=portion, end__isnull=False)
            .values_list("resource_id")
            .annotate(until=Max("end"))
        )
    return found


Wrong = Callable[..., None]


def _problems(lines: Sequence[NewLine], known: _Known, name: Callable[[int], str]) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], int] = {}
    modes: dict[tuple[str, str], tuple[str, int]] = {}
    for index, line in enumerate(lines):

        def wrong(column: str, message: str, code: str = "invalid_input", index: int = index) -> None:
            problems.append(Problem(f"{name(index)}, column {column}", message, code, column))

        tenant = known.tenants.get(line.tenant)
        if tenant is None:
            wrong("tenant", f"there is no tenant “{line.tenant}”", "not_found")
            continue
        account = known.accounts.get((line.tenant, line.account))
        _check_products(line, known, account, wrong)
        if (line.tenant, line.subscriber_number) in known.subscribers:
            wrong(
                "subscriber_number", f"subscriber “{line.subscriber_number}” exists already", "already_exists"
            )
        for key, column in (
            (("subscriber", line.tenant, line.subscriber_number), "subscriber_number"),
            (("msisdn", line.msisdn), "msisdn"),
            (("imsi", line.imsi), "imsi"),
            (("handset", line.handset), "handset"),
        ):
            if key[-1] and seen.setdefault(key, index) != index:
                wrong(column, f"“{key[-1]}” stands in {name(seen[key])} already")
        _check_resources(line, known, tenant, wrong)
        mode, first = modes.setdefault(
            (line.tenant, line.account), (account.mode if account else line.mode, index)
        )
        if mode != line.mode:
            wrong("mode", f"account “{line.account}” is {mode}" + ("" if account else f" in {name(first)}"))
        _check_payer(line, known, account, wrong)
    return problems


def _check_products(line: NewLine, known: _Known, account: Account | None, wrong: Wrong) -> None:
    """Plan, bundles and cycle are there, and all of one currency."""
    plan = known.plans.get((line.tenant, line.price_plan))
    if plan is None:
        wrong("price_plan", f"tenant “{line.tenant}” has no price plan “{line.price_plan}”", "not_found")
    elif plan.retired_at is not None:
        wrong("price_plan", f"“{line.price_plan}” is retired", "retired")
    for code in line.bundles:
        bundle = known.bundles.get((line.tenant, code))
        if bundle is None or bundle.retired_at is not None:
            wrong("bundles", f"tenant “{line.tenant}” has no bundle “{code}”", "not_found")
        elif plan is not None and bundle.currency != plan.currency:
            wrong("bundles", f"bundle “{code}” is in {bundle.currency}, the price plan in {plan.currency}")
    cycle = known.cycles.get(line.cycle)
    if cycle is None or cycle.tenant.code != line.tenant or cycle.retired_at is not None:
        wrong("cycle", f"tenant “{line.tenant}” has no bill cycle {line.cycle}", "not_found")
        return
    currency = account.currency if account is not None else cycle.currency
    if cycle.currency != currency:
        wrong("cycle", f"{cycle} bills in {cycle.currency}, account “{line.account}” is kept in {currency}")
    if plan is not None and plan.currency != currency:
        wrong("price_plan", f"price plan “{plan.code}” is in {plan.currency}, the account in {currency}")


def _check_resources(line: NewLine, known: _Known, tenant: Tenant, wrong: Wrong) -> None:
    for field, kind in KINDS:
        resource = known.resources.get((kind, getattr(line, field)))
        if resource is not None and (
            resource.tenant_id != tenant.pk or resource.status != Resource.Status.FREE
        ):
            wrong(field, f"{resource} is not free for tenant “{line.tenant}”", "not_free")
        elif resource is not None and known.held_until.get(resource.pk, line.start) > line.start:
            wrong(
                field,
                f"{resource} was in use until {known.held_until[resource.pk]:%Y-%m-%d %H:%M} UTC",
                "not_free",
            )


def _check_payer(line: NewLine, known: _Known, account: Account | None, wrong: Wrong) -> None:
    """An account that is shared is open, and the customer's own; what it opens with was settled when it was new."""
    customer = known.customers.get((line.tenant, line.customer_number))
    if customer is None and not line.customer_name:
        wrong("customer_name", "a new customer needs a name")
    if account is None:
        return
    if account.closed_at is not None:
        wrong("account_number", f"account “{line.account}” is closed; give another number", "closed")
    if customer is None or account.customer_id != customer.pk:
        wrong("account_number", f"account “{line.account}” is another customer's")
    if line.opening_balance_micros:
        wrong("opening_balance", f"account “{line.account}” exists already; top it up instead")


def _create_customers(lines: Sequence[NewLine], known: _Known, now: datetime) -> int:
    new: dict[tuple[str, str], Customer] = {}
    for line in lines:
        key = (line.tenant, line.customer_number)
        if key not in known.customers and key not in new:
            new[key] = Customer(
                tenant=known.tenants[line.tenant],
                number=line.customer_number,
                kind=line.kind,
                name=line.customer_name,
                street=line.street,
                postcode=line.postcode,
                city=line.city,
                country=line.country,
                email=line.email,
                locale=line.locale,
                created_at=now,
            )
    Customer.objects.bulk_create(new.values(), batch_size=ROWS_A_STATEMENT)
    known.customers.update(_reread(Customer.objects.all(), new))
    return len(new)


def _create_accounts(lines: Sequence[NewLine], known: _Known, now: datetime) -> int:
    new: dict[tuple[str, str], Account] = {}
    first_line: dict[tuple[str, str], NewLine] = {}
    opening: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line.tenant, line.account)
        if key in known.accounts:
            continue
        opening[key] = opening.get(key, 0) + line.opening_balance_micros
        earlier = first_line.get(key)
        if earlier is None or line.start < earlier.start:
            first_line[key] = line
            new[key] = Account(
                tenant=known.tenants[line.tenant],
                customer=known.customers[(line.tenant, line.customer_number)],
                number=line.account,
                mode=line.mode,
                currency=known.cycles[line.cycle].currency,
                opened_at=line.start,
            )
    Account.objects.bulk_create(new.values(), batch_size=ROWS_A_STATEMENT)
    make_books(connection, {(account.tenant.code, account.currency) for account in new.values()})
    created = _reread(Account.objects.all(), new)
    known.accounts.update(created)
    BillingAccount.objects.bulk_create(
        [
            BillingAccount(
                account=account,
                cycle=known.cycles[first_line[key].cycle],
                billing_from=_billing_from(first_line[key], now),
            )
            for key, account in created.items()
        ],
        batch_size=ROWS_A_STATEMENT,
    )
    post_movements(
        [
            Movement(
                account_id=account.pk,
                at=first_line[key].start,
                amount_micros=opening[key],
                kind=LedgerEntry.Kind.OPENING,
                book=LedgerBook.Code.CASH,
                cause=f"opening:{account.pk}",
            )
            for key, account in created.items()
            if opening[key]
        ]
    )
    return len(created)


def _billing_from(line: NewLine, now: datetime) -> datetime | None:
    """A new account's first bill begins with it; one that is older was billed elsewhere, and the first run decides."""
    if line.billing_from is not None:
        return line.billing_from
    return line.start if now - line.start <= NEW_FOR else None


def _create_subscribers(lines: Sequence[NewLine], known: _Known) -> None:
    new = {
        (line.tenant, line.subscriber_number): Subscriber(
            tenant=known.tenants[line.tenant],
            customer=known.customers[(line.tenant, line.customer_number)],
            number=line.subscriber_number,
            activated_at=line.start,
        )
        for line in lines
    }
    Subscriber.objects.bulk_create(new.values(), batch_size=ROWS_A_STATEMENT)
    subscribers = _reread(Subscriber.objects.all(), new)
    of = [(line, subscribers[(line.tenant, line.subscriber_number)]) for line in lines]
    Payer.objects.bulk_create(
        [
            Payer(subscriber=subscriber, account=known.accounts[(line.tenant, line.account)])
            for line, subscriber in of
        ],
        batch_size=ROWS_A_STATEMENT,
    )
    PlanAssignment.objects.bulk_create(
        [
            PlanAssignment(
                subscriber=subscriber,
                price_plan=known.plans[(line.tenant, line.price_plan)],
                start=line.start,
            )
            for line, subscriber in of
        ],
        batch_size=ROWS_A_STATEMENT,
    )
    BundleAssignment.objects.bulk_create(
        [
            BundleAssignment(
                subscriber=subscriber, bundle=known.bundles[(line.tenant, code)], start=line.start
            )
            for line, subscriber in of
            for code in line.bundles
        ],
        batch_size=ROWS_A_STATEMENT,
    )
    _assign_resources(of, known)


def _assign_resources(of: Iterable[tuple[NewLine, Subscriber]], known: _Known) -> None:
    pairs = list(of)
    missing = [
        Resource(
            tenant=known.tenants[line.tenant],
            kind=kind,
            value=getattr(line, field),
            status=Resource.Status.ASSIGNED,
        )
        for line, _ in pairs
        for field, kind in KINDS
        if getattr(line, field) and (kind, getattr(line, field)) not in known.resources
    ]
    taken = [resource.pk for resource in known.resources.values()]
    for portion in in_portions(taken):
        Resource.objects.filter(pk__in=portion).update(status=Resource.Status.ASSIGNED)
    Resource.objects.bulk_create(missing, batch_size=ROWS_A_STATEMENT)
    resources = _resources([line for line, _ in pairs])
    ResourceAssignment.objects.bulk_create(
        [
            ResourceAssignment(
                resource=resources[(kind, getattr(line, field))], subscriber=subscriber, start=line.start
            )
            for line, subscriber in pairs
            for field, kind in KINDS
            if getattr(line, field)
        ],
        batch_size=ROWS_A_STATEMENT,
    )


def _reread(rows: QuerySet[Any], new: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """The rows just written, with the keys that the database gave them (MySQL does not return them)."""
    found = _by_number(rows, {number for _, number in new})
    return {key: found[key] for key in new}
