"""From what a front end gives of a new subscriber to the line that onboarding takes; the rules are onboarding's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from apps.billing.domain.onboarding import NewLine, problems_with
from apps.billing.models import BillCycle
from apps.billing.services.onboarding import problems_of
from apps.charging.models import Account
from apps.crm.domain.subscribers import Address, NewSubscriber
from apps.crm.selectors.subscribers import plain_msisdn
from apps.crm.selectors.tenants import TenantInfo
from apps.kernel.errors import Conflict, InvalidInputs, Problem
from apps.rating.models import PricePlan
from apps.subscribers.domain.cards import problems_with_card
from apps.subscribers.models import Customer, Subscriber
from apps.subscribers.services.customers import next_number

# What onboarding calls a column, and what the doors call it.
FIELDS = {
    "customer_number": "customer.number",
    "customer_name": "customer.name",
    "subscriber_number": "number",
    "account": "account_number",
    "opening_balance": "opening_balance_micros",
    "kind": "customer.kind",
    "street": "address.street",
    "postcode": "address.postcode",
    "city": "address.city",
    "country": "address.country",
    "email": "customer.email",
    "locale": "customer.locale",
}
_LENGTHS = {
    "customer.number": (Customer, "number"),
    "customer.name": (Customer, "name"),
    "customer.email": (Customer, "email"),
    "customer.phone": (Customer, "phone"),
    "customer.tax_number": (Customer, "tax_number"),
    "customer.locale": (Customer, "locale"),
    "address.street": (Customer, "street"),
    "address.address_line2": (Customer, "address_line2"),
    "address.postcode": (Customer, "postcode"),
    "address.city": (Customer, "city"),
    "address.region": (Customer, "region"),
    "number": (Subscriber, "number"),
    "name": (Subscriber, "name"),
    "account_number": (Account, "number"),
}


def line_of(tenant: TenantInfo, new: NewSubscriber, now: datetime) -> NewLine:
    """The line to onboard, with defaults filled in and numbers given out.

    Raises InvalidInputs with everything that can be seen to be wrong, under the doors' names of the fields.
    """
    problems = _problems_of_values(new, now)
    plan = _plan(tenant, new, problems)
    account = _account(tenant, new)
    currency = new.currency or (account.currency if account else plan.currency if plan else tenant.currency)
    cycle = _cycle(tenant, new, currency, account)
    if cycle is None:
        what = f"{new.cycle}" if new.cycle else f"in {currency}"
        problems.append(Problem("cycle", f"there is no bill cycle {what}", "not_found"))
    elif new.currency and cycle.currency != new.currency:
        problems.append(Problem("currency", f"{cycle} bills in {cycle.currency}, not in {new.currency}"))
    elif account is not None and new.currency and account.currency != new.currency:
        problems.append(Problem("currency", f"account {account} is kept in {account.currency}"))
    line = NewLine(
        tenant=tenant.code,
        customer_number=new.customer.number or next_number(tenant.id, "customer"),
        customer_name=new.customer.name.strip(),
        subscriber_number=new.number or next_number(tenant.id, "subscriber"),
        msisdn=plain_msisdn(new.msisdn),
        mode=new.mode,
        price_plan=plan.code if plan else new.price_plan,
        cycle=cycle.number if cycle else new.cycle,
        start=new.start or now,
        account_number=new.account_number,
        imsi=new.imsi,
        handset=new.handset,
        bundles=new.bundles,
        opening_balance_micros=new.opening_balance_micros,
        kind=new.customer.kind or Customer.Kind.PERSON,
        street=new.address.street,
        postcode=new.address.postcode,
        city=new.address.city,
        country=new.address.country,
        email=new.customer.email,
        locale=new.customer.locale,
    )
    problems += _renamed(problems_with(line, ""))
    if problems:
        # The first one of a field is the one that was looked for.
        known = {problem.where for problem in problems}
        raise InvalidInputs(
            problems + [found for found in _renamed(problems_of([line])) if found.where not in known]
        )
    return line


def found_by_onboarding(error: InvalidInputs) -> InvalidInputs | Conflict:
    """What onboarding refused, under the doors' names; a Conflict where only numbers or devices are taken."""
    problems = _renamed(error.problems)
    first = problems[0]
    if {problem.code for problem in problems} <= {"not_free", "already_exists"}:
        return Conflict(first.message, code=first.code, where=first.where)
    return InvalidInputs(problems)


def _renamed(problems: Iterable[Problem]) -> list[Problem]:
    return [Problem(FIELDS.get(found.field, found.field), found.message, found.code) for found in problems]


def problems_of_address(address: Address) -> list[Problem]:
    if address.country and not (
        len(address.country) == 2
        and address.country.isascii()
        and address.country.isalpha()
        and address.country.isupper()
    ):
        return [Problem("address.country", "use the two capital letters of ISO 3166, such as DE")]
    return []


def problem_of_email(email: str) -> str:
    """The fault of an e-mail address; empty if it has none."""
    name, at, domain = email.rpartition("@")
    if email and (not at or not name or "." not in domain or any(sign.isspace() for sign in email)):
        return f"“{email}” is not an e-mail address"
    return ""


def _problems_of_values(new: NewSubscriber, now: datetime) -> list[Problem]:
    problems = problems_of_address(new.address)
    values = {
        **{
            f"customer.{name}": getattr(new.customer, name)
            for name in ("number", "name", "email", "phone", "tax_number", "locale")
        },
        **{
            f"address.{name}": getattr(new.address, name)
            for name in ("street", "address_line2", "postcode", "city", "region")
        },
        "number": new.number,
        "name": new.name,
        "account_number": new.account_number,
    }
    for field, value in values.items():
        model, column = _LENGTHS[field]
        longest = getattr(model._meta.get_field(column), "max_length", None)
        if longest is not None and len(value) > longest:
            problems.append(Problem(field, f"at most {longest} characters"))
    if wrong := problem_of_email(new.customer.email):
        problems.append(Problem("customer.email", wrong))
    if new.card is not None:
        card = new.card
        problems += [
            Problem(f"card.{found.where}", found.message, found.code)
            for found in problems_with_card(
                card.token, card.last_four, card.expiry_month, card.expiry_year, card.holder, now.date()
            )
        ]
    if not new.msisdn.strip():
        problems.append(Problem("msisdn", "must not be empty"))
    if new.start is not None and new.start > now:
        problems.append(Problem("start", "a subscriber cannot start in the future; create it then"))
    return problems


def _plan(tenant: TenantInfo, new: NewSubscriber, problems: list[Problem]) -> PricePlan | None:
    """The plan that is named by id, by code, or by both."""
    if not new.price_plan_id and not new.price_plan:
        problems.append(Problem("price_plan", "must not be empty"))
        return None
    plans = PricePlan.objects.filter(tenant_id=tenant.id)
    if new.price_plan_id:
        plans = plans.filter(pk=new.price_plan_id)
    if new.price_plan:
        plans = plans.filter(code=new.price_plan)
    plan = plans.first()
    if plan is None:
        name = f"“{new.price_plan}”" if new.price_plan else str(new.price_plan_id)
        problems.append(Problem("price_plan", f"there is no price plan {name}", "not_found"))
    return plan


def _account(tenant: TenantInfo, new: NewSubscriber) -> Account | None:
    """The account that is to be shared: by its number, or by that of a customer who is known already."""
    number = new.account_number or new.customer.number
    return Account.objects.filter(tenant_id=tenant.id, number=number).first() if number else None


def _cycle(
    tenant: TenantInfo, new: NewSubscriber, currency: str, account: Account | None
) -> BillCycle | None:
    """The cycle that is named, the account's, or the tenant's first one in the currency."""
    cycles = BillCycle.objects.filter(tenant_id=tenant.id, retired_at=None).order_by("number")
    if new.cycle:
        return cycles.filter(number=new.cycle).first()
    if account is not None:
        return cycles.filter(accounts__account=account).first()
    return cycles.filter(currency=currency).first()
