"""Several processes render one limit between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.models import Bill
from apps.invoicing.services.workers import Quota, format_bills_in_processes
from tests.invoicing.scenes import NOW, new_bills


@given(limit=st.integers(0, 200), workers=st.integers(1, 8), most=st.integers(1, 20))
def test_the_portions_add_up_to_the_limit_and_get_smaller_towards_the_end(
    limit: int, workers: int, most: int
):
    quota = Quota(limit, workers)
    portions = []
    while portion := quota.take(most):
        portions.append(portion)
    assert sum(portions) == limit
    assert all(1 <= portion <= most for portion in portions)
    assert portions == sorted(portions, reverse=True)


def test_what_a_worker_did_not_begin_or_died_over_is_for_the_others():
    quota = Quota(4, 2)
    assert [quota.take(10), quota.take(10)] == [1, 1]
    quota.give_back(1)
    left = 0
    while portion := quota.take(10):
        left += portion
    assert left == 3


def test_without_a_limit_there_is_always_a_full_portion_until_it_is_closed():
    quota = Quota(None, 2)
    assert [quota.take(10), quota.take(10)] == [10, 10]
    quota.give_back(10)
    assert quota.take(10) == 10
    quota.close()
    assert quota.take(10) == 0


def now_():
    return NOW


@pytest.mark.django_db(transaction=True)
def test_processes_that_claim_at_the_same_moment_all_get_something_to_do(invoices, settings):
    settings.INVOICE_BATCH = 2
    new_bills(postpaid=16)
    outcomes = list(format_bills_in_processes(now_, 4, limit=15))
    assert sum(len(outcome.written) for outcome in outcomes) == 15
    assert Bill.objects.filter(status=Bill.Status.NEW).count() == 1
