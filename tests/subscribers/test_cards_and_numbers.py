"""Cards are kept by their tokens, and numbers that the system gives out are given once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInputs, NotFound
from apps.subscribers.domain.cards import looks_like_card_number, problems_with_card
from apps.subscribers.models import Customer, NumberSeries, PaymentCard
from apps.subscribers.services.customers import next_number, remove_card, set_card
from tests.factories import make_plan, make_subscriber, make_tenant

NOW = datetime(2026, 5, 10, tzinfo=UTC)
TODAY = date(2026, 5, 10)


def check_digit(digits: str) -> str:
    """Luhn's, computed the other way round: from the left, over the doubled places."""
    doubled = [int(sign) * 2 if place % 2 == 0 else int(sign) for place, sign in enumerate(reversed(digits))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


@given(st.text("0123456789", min_size=11, max_size=18), st.sampled_from(["", " ", "-"]))
def test_every_card_number_is_recognised_however_it_is_spaced(digits, separator):
    number = digits + check_digit(digits)
    spaced = separator.join(number[start : start + 4] for start in range(0, len(number), 4))
    assert looks_like_card_number(spaced)
    assert problems_with_card(spaced, "", 0, 0, "", TODAY)[0].code == "card_number_refused"
    assert problems_with_card("tok_1234", "", 0, 0, spaced, TODAY)[0].where == "holder"


@pytest.mark.parametrize(
    "token", ["tok_4111111111111111", "4111111111111112", "8f0c2b7a-55aa", "12345678901"]
)
def test_a_token_is_no_card_number(token):
    assert problems_with_card(token, "4242", 5, 2026, "Ada", TODAY) == []


@pytest.mark.parametrize(
    ("given_card", "where"),
    [
        (("", "", 0, 0, ""), "token"),
        (("with space", "", 0, 0, ""), "token"),
        (("tok_1", "42", 0, 0, ""), "last_four"),
        (("tok_1", "", 13, 2030, ""), "expiry_month"),
        (("tok_1", "", 5, 0, ""), "expiry_month"),
        (("tok_1", "", 4, 2026, ""), "expiry_month"),
    ],
)
def test_what_is_wrong_with_a_card_is_placed(given_card, where):
    assert [problem.where for problem in problems_with_card(*given_card, TODAY)] == [where]


@pytest.mark.django_db
def test_a_new_card_takes_the_place_of_the_old_and_can_be_taken_away():
    customer = make_subscriber(1, plan=make_plan()).customer
    set_card(customer.pk, token="tok_one", now=NOW, last_four="1111")
    set_card(customer.pk, token="tok_two", now=NOW, last_four="2222")
    assert [card.token for card in PaymentCard.objects.all()] == ["tok_two"]
    assert remove_card(customer.pk)
    assert not remove_card(customer.pk)
    with pytest.raises(NotFound):
        set_card(customer.pk + 1, token="tok_one", now=NOW)
    with pytest.raises(InvalidInputs):
        set_card(customer.pk, token="4111111111111111", now=NOW)
    assert not PaymentCard.history.filter(customer_id=customer.pk, last_four="4111").exists()


@pytest.mark.django_db
def test_numbers_are_given_out_once_and_leave_out_what_exists():
    tenant, other = make_tenant(), make_tenant("mvno")
    Customer.objects.create(tenant=tenant, number="C00000002", name="Imported", created_at=NOW)
    assert [next_number(tenant.pk, "customer") for _ in range(2)] == ["C00000001", "C00000003"]
    assert next_number(other.pk, "customer") == "C00000001"
    assert next_number(tenant.pk, "subscriber") == "S00000001"
    assert NumberSeries.objects.count() == 3
