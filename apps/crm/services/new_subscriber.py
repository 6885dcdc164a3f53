"""What has to be so before a subscriber can be created, and the line that onboarding makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from apps.billing.domain.onboarding import NewLine, problems_with
from apps.billing.models import BillCycle
from apps.charging.models import Account
from apps.crm.domain.subscribers import Address, NewSubscriber
from apps.crm.selectors.subscribers import plain_msisdn
from apps.crm.selectors.tenants import TenantInfo
from apps.kernel.errors import Conflict, InvalidInputs, Problem
from apps.rating.models import Bundle, PricePlan
from apps.subscribers.domain.cards import problems_with_card
from apps.subscribers.models import Customer, Resource, Subscriber
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
    """The line to onboard, with numbers given out where none came.

    Raises InvalidInputs with every problem that can be seen without looking at numbers in use, Conflict for those.
    """
    problems = _problems_of_values(new, now)
    plan = _plan(tenant, new, problems)
    for code in new.bundles:
        bundle = Bundle.objects.filter(tenant_id=tenant.id, code=code, retired_at=None).first()
        if bundle is None:
            problems.append(Problem("bundles", f"there is no bundle “{code}”", "not_found"))
        elif plan is not None and bundle.currency != plan.currency:
            problems.append(Problem("bundles", f"bundle “{code}” is in {bundle.currency}"))
    customer = None
    if new.customer.number:
        customer = Customer.objects.filter(tenant_id=tenant.id, number=new.customer.number).first()
    if customer is None and not new.customer.name.strip():
        problems.append(Problem("customer.name", "a new customer needs a name"))
    account = _account(tenant, new, customer, problems)
    currency = new.currency or (account.currency if account else plan.currency if plan else tenant.currency)
    cycle = _cycle(tenant, new, currency, account, problems)
    if plan is not None and plan.currency != currency:
        problems.append(
            Problem(
                "price_plan", f"price plan “{plan.code}” is in {plan.currency}, the account in {currency}"
            )
        )
    line = NewLine(
        tenant=tenant.code,
        customer_number=new.customer.number,
        customer_name=new.customer.name.strip(),
        subscriber_number=new.number,
        msisdn=plain_msisdn(new.msisdn),
        mode=new.mode,
        price_plan=plan.code if plan else "",
        cycle=cycle.number if cycle else 0,
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
    if not new.msisdn.strip():
        problems.append(Problem("msisdn", "must not be empty"))
        line_problems = [found for found in problems_with(line, "") if "msisdn" not in found.where]
    else:
        line_problems = problems_with(line, "")
    problems += [Problem(field_of(found.where), found.message) for found in line_problems]
    if problems:
        raise InvalidInputs(problems)
    _refuse_what_is_taken(tenant, new, line)
    return _with_numbers(tenant, line)


def field_of(where: str) -> str:
    """The doors' name of a field from onboarding's place of a problem (``…, column NAME``)."""
    column = where.rpartition("column ")[2]
    return FIELDS.get(column, column)


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
    """What is wrong with an e-mail address; empty where nothing is."""
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
        longest = model._meta.get_field(column).max_length
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
    if new.start is not None and new.start > now:
        problems.append(Problem("start", "a subscriber cannot start in the future; create it then"))
    return problems


def _plan(tenant: TenantInfo, new: NewSubscriber, problems: list[Problem]) -> PricePlan | None:
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
    elif plan.retired_at is not None:
        problems.append(Problem("price_plan", f"“{plan.code}” is retired", "retired"))
    return plan


def _account(
    tenant: TenantInfo, new: NewSubscriber, customer: Customer | None, problems: list[Problem]
) -> Account | None:
    """The account that is to be shared: by its number, or that of the customer who is known already."""
    number = new.account_number or (customer.number if customer else "")
    account = Account.objects.filter(tenant_id=tenant.id, number=number).first() if number else None
    if account is None:
        return None
    if account.closed_at is not None:
        problems.append(
            Problem("account_number", f"account {account} is closed; give a new account_number", "closed")
        )
    if account.mode != new.mode and new.mode in Account.Mode.values:
        problems.append(
            Problem("mode", f"account {account} is {account.mode}; give a new account_number for another")
        )
    if new.currency and account.currency != new.currency:
        problems.append(Problem("currency", f"account {account} is kept in {account.currency}"))
    if new.opening_balance_micros:
        problems.append(
            Problem("opening_balance_micros", f"account {account} exists already; top it up instead")
        )
    if customer is not None and account.customer_id != customer.pk:
        problems.append(Problem("account_number", f"account {account} is another customer's"))
    return account


def _cycle(
    tenant: TenantInfo, new: NewSubscriber, currency: str, account: Account | None, problems: list[Problem]
) -> BillCycle | None:
    cycles = BillCycle.objects.filter(tenant_id=tenant.id, retired_at=None).order_by("number")
    if account is not None and not new.cycle:
        cycles = cycles.filter(accounts__account=account)
    elif new.cycle:
        cycles = cycles.filter(number=new.cycle)
    else:
        cycles = cycles.filter(currency=currency)
    cycle = cycles.first()
    if cycle is None:
        what = f"{new.cycle}" if new.cycle else f"in {currency}"
        problems.append(Problem("cycle", f"there is no bill cycle {what}", "not_found"))
    elif cycle.currency != currency:
        problems.append(Problem("currency", f"{cycle} bills in {cycle.currency}, not in {currency}"))
    return cycle


def _refuse_what_is_taken(tenant: TenantInfo, new: NewSubscriber, line: NewLine) -> None:
    if new.number and Subscriber.objects.filter(tenant_id=tenant.id, number=new.number).exists():
        raise Conflict(f"subscriber “{new.number}” exists already", code="already_exists", where="number")
    for kind, value in (("msisdn", line.msisdn), ("imsi", line.imsi), ("handset", line.handset)):
        resource = Resource.objects.filter(kind=kind, value=value).first() if value else None
        if resource is None:
            continue
        if resource.tenant_id != tenant.id:
            # Whose it is stays with them.
            raise Conflict(f"{resource} is not free", code="not_free", where=kind)
        if resource.status != Resource.Status.FREE:
            raise Conflict(
                f"{resource} is not free ({resource.get_status_display().lower()})",
                code="not_free",
                where=kind,
            )


def _with_numbers(tenant: TenantInfo, line: NewLine) -> NewLine:
    customer_number = line.customer_number or next_number(tenant.id, "customer")
    return replace(
        line,
        customer_number=customer_number,
        subscriber_number=line.subscriber_number or next_number(tenant.id, "subscriber"),
    )


def renamed(error: InvalidInputs) -> InvalidInputs:
    """What onboarding found, under the doors' names of the fields."""
    return InvalidInputs(
        [Problem(field_of(found.where), found.message, found.code) for found in error.problems]
    )
