"""``manage.py balance``: what the operator does to balances from a shell."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from apps.charging.models import Account, Balance, LedgerEntry
from tests.charging.stored import assert_books_are_right, default_balance, make_prepaid
from tests.factories import make_plan, make_subscriber

pytestmark = pytest.mark.django_db


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("balance", *arguments)
    return capsys.readouterr().out


def test_balances_are_shown_topped_up_adjusted_and_transferred(capsys: pytest.CaptureFixture[str]) -> None:
    make_prepaid(1)
    make_prepaid(2)
    assert said(capsys, "show", "C1") == "C1 *default: 1.00 EUR, 0.00 of it reserved\n"
    said(capsys, "topup", "C1", "2.50", "--note", "Voucher 7", "--key", "v7")
    said(capsys, "topup", "C1", "2.50", "--note", "Voucher 7", "--key", "v7")
    said(capsys, "adjust", "C1", "-0.5")
    said(capsys, "transfer", "C1", "C2", "1")
    assert (default_balance(1).amount_micros, default_balance(2).amount_micros) == (2_000_000, 2_000_000)
    assert LedgerEntry.objects.filter(note="Voucher 7").count() == 1
    assert_books_are_right()


def test_an_account_without_a_balance_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    make_plan("PLAN")
    make_subscriber(1, mode="postpaid")
    assert said(capsys, "show", "C1") == "C1 has no balance yet (postpaid)\n"


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "1 JPY, 0"), ("KWD", "1.000 KWD, 0.000")])
def test_money_is_shown_with_the_decimals_of_its_currency(
    capsys: pytest.CaptureFixture[str], currency: str, shown: str
) -> None:
    make_prepaid(1)
    Account.objects.update(currency=currency)
    assert said(capsys, "show", "C1") == f"C1 *default: {shown} of it reserved\n"


def test_a_balance_of_units_with_its_terms(capsys: pytest.CaptureFixture[str]) -> None:
    make_prepaid()
    expires = "2036-01-31T00:00:00Z"
    out = said(capsys, "topup", "C1", "600", "--tag", "bonus", "--kind", "voice", "--expires", expires)
    assert "C1 bonus: 600 Voice, seconds, 0 of it reserved, expires 2036-01-31 00:00 UTC" in out
    said(capsys, "terms", "C1", "bonus", "weight=10", "destinations=DE;!DE_BERLIN", "blocker=yes")
    bonus = Balance.objects.get(tag="bonus")
    assert (bonus.weight, bonus.destinations, bonus.blocker) == (10, "DE;!DE_BERLIN", True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "C9"), "has no account “C9”"),
        (("topup", "C1", "1,5"), "not an amount"),
        (("topup", "C1", "-1"), "must be positive"),
        (("topup", "C1", "1", "--expires", "soon"), "not an instant"),
        (("topup", "C1", "1.5", "--kind", "sms", "--tag", "x"), "not a whole number"),
        (("adjust", "C1", "-9"), "which is less"),
        (("terms", "C1", "bonus", "weight=1"), "has no balance “bonus”"),
        (("terms", "C1", "*default", "colour=red"), "cannot be set"),
        (("terms", "C1", "*default", "blocker=maybe"), "yes or no"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], says: str) -> None:
    make_prepaid()
    with pytest.raises(CommandError, match=says):
        call_command("balance", *arguments)
