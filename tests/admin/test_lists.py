"""Lists: what they are called, in which order they are, and what they say if they are empty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from apps.backoffice.display import cause_link
from apps.charging.models import Account, LedgerBook, LedgerEntry
from apps.charging.services.books import post_between
from apps.charging.services.ledger import post
from apps.kernel.clock import utc_now
from tests.admin.test_pages import signed_in
from tests.charging.stored import make_prepaid

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def client() -> Client:
    return signed_in()


def page_of(client: Client, label: str, **query: str) -> str:
    app, model = label.split(".")
    return client.get(reverse(f"admin:{app}_{model}_changelist"), query).content.decode()


def test_every_kind_of_row_has_its_plural_in_english() -> None:
    wrong = [
        str(model._meta.verbose_name_plural)
        for model in apps.get_models()
        if model.__module__.startswith("apps.")
        and str(model._meta.verbose_name_plural).endswith(("ys", "ss", "xs", "chs", "shs"))
        and not str(model._meta.verbose_name_plural).endswith(("days", "keys"))
    ]
    assert wrong == []


def test_the_ledger_is_in_the_order_of_the_date_it_shows(client: Client) -> None:
    make_prepaid(balance_micros=0)
    account = Account.objects.get()
    for number, days in enumerate((2, 5, 1)):
        post(
            account,
            1_000_000,
            kind="adjustment",
            book="correction",
            at=NOON - timedelta(days=days),
            cause=f"x:{number}",
        )
    page = page_of(client, "charging.ledgerentry")
    assert sorted(("x:0", "x:1", "x:2"), key=page.index) == ["x:2", "x:0", "x:1"]


def test_a_cause_is_a_link_to_the_row_that_it_names(client: Client) -> None:
    make_prepaid(balance_micros=5_000_000)
    opening = LedgerEntry.objects.get()
    account_id = opening.balance.account_id
    assert opening.cause == f"opening:{account_id}"
    url = reverse("admin:charging_account_change", args=(account_id,))
    assert f'href="{url}">opening:{account_id}</a>' in page_of(client, "charging.ledgerentry")


@pytest.mark.parametrize(
    ("cause", "page"),
    [
        ("session:77:3:0.0:0", "admin:charging_chargingsession_change"),
        ("cdr-file:77:12:2026-05-20", "admin:mediation_cdrfile_change"),
        ("bill:77", "admin:billing_bill_change"),
    ],
)
def test_causes_of_all_rooms_are_links(cause: str, page: str) -> None:
    assert reverse(page, args=(77,)) in cause_link(cause)


@pytest.mark.parametrize("cause", ["event:0abc:0", "bill:<b>", "crm:1:key", "session:"])
def test_a_cause_that_names_no_row_is_text(cause: str) -> None:
    assert "href" not in cause_link(cause)
    assert "<b>" not in cause_link(cause)


def test_a_search_that_finds_nothing_says_so(client: Client) -> None:
    page = page_of(client, "charging.ledgerentry", q="no such cause")
    assert "Nothing was found for “no such cause”." in page
    assert "The first letters of the cause" in page


def test_a_list_without_rows_says_so(client: Client) -> None:
    assert "There are no failed requests yet." in page_of(client, "charging.failedrequest")


def test_books_show_what_moved_in_them_within_the_days_chosen(client: Client) -> None:
    make_prepaid(balance_micros=0)
    account, now = Account.objects.get(), utc_now()
    for number, (micros, days) in enumerate(((5_000_000, 0), (70_000_000, 10), (900_000_000, 40))):
        post(
            account,
            micros,
            kind="top_up",
            book="cash",
            at=now - timedelta(days=days),
            cause=f"x:{number}",
        )
    cash = LedgerBook.objects.get(code="cash")
    fees = LedgerBook.objects.get(code="fees")
    post_between(cash, fees, 1_000_000, cause="y:1", at=now)
    for days, debited in (
        ("", "76.00"),
        ("week", "6.00"),
        ("today", "6.00"),
        ("ever", "976.00"),
        ("wrong", "76.00"),
    ):
        page = page_of(client, "charging.ledgerbook", **({"days": days} if days else {}), code__exact="cash")
        assert f"{debited}\u00a0EUR" in page, days
        assert f"-{debited}\u00a0EUR" in page.replace("−", "-"), days
        assert "Recurring fees, EUR" not in page
