"""The operator's books: every movement has two sides, and all of them together are nothing."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import count
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.charging.domain.requests import Operation
from apps.charging.models import Account, Balance, BookPosting, LedgerBook, LedgerEntry
from apps.charging.selectors import BookSums, book_sums
from apps.charging.services.audit import differences
from apps.charging.services.books import BookKey, book_ids, forget_books, post_between
from apps.charging.services.executor import forget_directory
from apps.charging.services.ledger import Movement, post, post_movements
from apps.charging.services.operations import transfer
from apps.kernel.errors import BssError, Conflict, InvalidInput
from apps.rating.services.publishing import publish
from tests.charging.online import item
from tests.charging.stored import NOW, charge_now, make_prepaid, order, request
from tests.factories import make_plan, make_subscriber, make_tenant

pytestmark = pytest.mark.django_db
EURO = 1_000_000


def account_of(number: int = 1) -> Account:
    return Account.objects.get(number=f"C{number}")


def book_of(account: Account, code: str) -> LedgerBook:
    return LedgerBook.objects.get(tenant=account.tenant, currency=account.currency, code=code)


def sides() -> dict[tuple[int, str], int]:
    """All balances and all books of each tenant and currency together, added up row by row."""
    found: dict[tuple[int, str], int] = defaultdict(int)
    for balance in Balance.objects.select_related("account"):
        found[balance.account.tenant_id, balance.account.currency] += balance.amount_micros
    for entry in LedgerEntry.objects.select_related("book"):
        found[entry.book.tenant_id, entry.book.currency] -= entry.amount_micros
    for posting in BookPosting.objects.select_related("debit", "credit"):
        found[posting.debit.tenant_id, posting.debit.currency] -= posting.amount_micros
        found[posting.credit.tenant_id, posting.credit.currency] += posting.amount_micros
    return dict(found)


def test_an_account_comes_with_the_books_of_its_tenant_and_currency() -> None:
    make_prepaid(balance_micros=0)
    account = account_of()
    books = LedgerBook.objects.filter(tenant=account.tenant, currency="EUR")
    assert set(books.values_list("code", flat=True)) == set(LedgerBook.Code.values)
    make_prepaid(2, balance_micros=0)
    assert LedgerBook.objects.count() == len(LedgerBook.Code.values)


def test_what_is_added_to_a_balance_is_taken_from_the_book_of_its_tenant_and_currency() -> None:
    make_prepaid(balance_micros=0)
    account = account_of()
    post(account, 5 * EURO, kind="top_up", book="cash", cause="receipt:1", at=NOW)
    charge_now(request(Operation.EVENT, item("sms", 1)))
    cash, revenue = book_of(account, "cash"), book_of(account, "revenue")
    assert book_sums([cash.pk, revenue.pk]) == {
        cash.pk: BookSums(5 * EURO, 0),
        revenue.pk: BookSums(0, 50_000),
    }
    assert book_sums([cash.pk], NOW + timedelta(seconds=1)) == {}


def test_a_book_that_is_missing_is_made_by_its_first_movement() -> None:
    make_prepaid()
    LedgerEntry.objects.all().delete()
    Balance.objects.update(amount_micros=0)
    LedgerBook.objects.all().delete()
    forget_books()
    post(account_of(), EURO, kind="top_up", book="cash", cause="receipt:1", at=NOW)
    charge_now(request(Operation.EVENT, item("sms", 1)))
    assert list(differences()) == []
    assert {entry.book.code for entry in LedgerEntry.objects.all()} == {"cash", "revenue"}


@pytest.mark.django_db(transaction=True)
def test_a_book_whose_transaction_is_rolled_back_is_not_remembered() -> None:
    tenant = make_tenant()
    key = BookKey(tenant.code, "EUR", "cash")
    with transaction.atomic():
        lost = book_ids(connection, {key})[key]
        assert book_ids(connection, {key})[key] == lost
        transaction.set_rollback(True)
    assert not LedgerBook.objects.exists()
    with transaction.atomic():
        made = book_ids(connection, {key})[key]
    assert LedgerBook.objects.get(code="cash").pk == made
    assert book_ids(connection, {key})[key] == made


def test_a_posting_moves_money_between_two_books_once_and_no_balance() -> None:
    make_prepaid(balance_micros=3 * EURO)
    account = account_of()
    cash, receivables = book_of(account, "cash"), book_of(account, "receivables")
    post_between(cash, receivables, 2 * EURO, cause="payment:1", at=NOW, note="Bank")
    with pytest.raises(Conflict):
        post_between(cash, receivables, 2 * EURO, cause="payment:1", at=NOW)
    assert book_sums([cash.pk, receivables.pk]) == {
        cash.pk: BookSums(5 * EURO, 0),
        receivables.pk: BookSums(0, 2 * EURO),
    }
    assert Balance.objects.get().amount_micros == 3 * EURO
    assert list(differences()) == []


def test_a_posting_needs_two_books_of_one_tenant_and_currency_and_an_amount_above_zero() -> None:
    make_prepaid(balance_micros=0)
    cash, fees = book_of(account_of(), "cash"), book_of(account_of(), "fees")
    foreign = LedgerBook.objects.create(tenant=make_tenant("mvno"), currency="EUR", code="cash")
    dollars = LedgerBook.objects.create(tenant=cash.tenant, currency="USD", code="cash")
    for credit, amount in ((cash, 1), (foreign, 1), (dollars, 1), (fees, 0), (fees, -1)):
        with pytest.raises(InvalidInput):
            post_between(cash, credit, amount, cause="x:1", at=NOW)
    assert not BookPosting.objects.exists()


def test_the_audit_names_the_tenant_and_currency_whose_sides_are_not_equal() -> None:
    make_prepaid(balance_micros=3 * EURO)
    own = book_of(account_of(), "cash")
    foreign = LedgerBook.objects.create(tenant=make_tenant("mvno"), currency="USD", code="cash")
    LedgerEntry.objects.update(book=foreign)
    found = [str(one) for one in differences()]
    assert found == [
        "tenant default, EUR: money in all balances is 3000000, its rows make 0",
        "tenant mvno, USD: money in all balances is 0, its rows make 3000000",
    ]
    LedgerEntry.objects.update(book=own)
    assert list(differences()) == []
    BookPosting.objects.create(debit=own, credit=foreign, at=NOW, amount_micros=7, cause="x:1")
    with pytest.raises(CommandError, match="tenant default, EUR"):
        call_command("audit")


def make_accounts_of_two_tenants() -> list[Account]:
    """Prepaid accounts: two of one tenant in EUR, and one of another tenant in USD."""
    make_prepaid(1, balance_micros=20 * EURO)
    make_prepaid(2, balance_micros=0)
    plan = make_plan("MVNO", tenant=make_tenant("mvno", currency="USD"), sms=(50_000, 0))
    make_subscriber(3, plan=plan, cycle=3, mode="prepaid", opening_balance_micros=5 * EURO)
    publish(NOW)
    forget_directory()
    return [account_of(number) for number in (1, 2, 3)]


class Step(NamedTuple):
    what: str
    who: int
    amount: int


_CAUSES = count()
_BOOKED = {
    "usage": (-1, "revenue"),
    "refund": (1, "revenue"),
    "fee": (-1, "fees"),
    "billed": (1, "receivables"),
    "adjustment": (1, "promotion"),
}
WAYS = ("top_up", "event", "transfer", "payment", "reversal", *_BOOKED)
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(WAYS),
        st.integers(0, 2),
        st.integers(1, 30 * EURO),
    ),
    max_size=12,
)


def take(step: Step, accounts: list[Account]) -> None:
    account, cause = accounts[step.who], f"law:{next(_CAUSES)}"
    if step.what == "top_up":
        charge_now(
            request(Operation.TOP_UP, session=cause, of=step.who + 1, order=order(step.amount, note="law"))
        )
    elif step.what == "event":
        charge_now(request(Operation.EVENT, item("sms", 1 + step.amount % 9), session=cause, of=step.who + 1))
    elif step.what == "transfer":
        to = accounts[1 - step.who] if step.who < 2 else accounts[0]
        with contextlib.suppress(BssError):
            transfer(account, to, step.amount, NOW, key=cause)
    elif step.what in ("payment", "reversal"):
        books = [book_of(account, "cash"), book_of(account, "receivables")]
        debit, credit = books if step.what == "payment" else reversed(books)
        post_between(debit, credit, step.amount, cause=cause, at=NOW)
    else:
        sign, book = _BOOKED[step.what]
        post_movements([Movement(account.pk, NOW, sign * step.amount, step.what, book, cause)])


def test_any_history_leaves_all_balances_and_books_of_a_tenant_and_currency_at_zero_together() -> None:
    accounts = make_accounts_of_two_tenants()
    taken: Counter[str] = Counter()

    @settings(max_examples=30)
    @given(STEPS)
    @example([Step(what, 0, EURO) for what in WAYS])
    def check(steps: list[Step]) -> None:
        for step in steps:
            before = LedgerEntry.objects.count() + BookPosting.objects.count()
            take(step, accounts)
            taken[step.what] += LedgerEntry.objects.count() + BookPosting.objects.count() > before
        found = sides()
        assert {currency for _, currency in found} == {"EUR", "USD"}
        assert set(found.values()) == {0}
        assert list(differences()) == []

    check()
    assert {what for what, moved in taken.items() if moved} == set(WAYS)
