"""PREPAID_RATING: what stored prepaid records would cost by the tariff of now, without touching anything."""

from __future__ import annotations

import pytest

from apps.billing.models import Activity
from apps.billing.services import execution
from apps.billing.services.activities import queue_activity
from apps.charging.models import AllowanceCounter, Balance, LedgerEntry
from apps.kernel.errors import BssError
from apps.mediation.models import Cdr
from apps.rating.models import PricePlanService
from apps.rating.services.publishing import publish
from tests.billing.scenes import Usage, at, people, store
from tests.factories import make_cycle, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def developer(settings):
    settings.BILLING_DEVELOPER_ACTIVITIES = True


def rate(param: str) -> Activity:
    activity = queue_activity(Activity.Type.PREPAID_RATING, param, "1", "2026", now=at(2, 1))
    execution.run_activity(activity.pk, at(2, 1))
    activity.refresh_from_db()
    return activity


def test_a_change_of_price_shows_and_moves_no_money():
    make_cycle(1)
    plan = make_plan("PLAN", voice=(600_000, 1))
    (one,) = people(1, plan=plan, mode="prepaid", opening_balance_micros=20_000_000)
    people(1, plan=plan, first=2)
    # The first minute is free, the other two cost 0.60 each.
    store([Usage(one, at(1, 5), 0, free=60), Usage(one, at(1, 6), 600_000), Usage(one, at(1, 7), 600_000)])
    publish(at(2, 1))
    same = rate("4915550000001")
    assert (same.status, same.error) == (Activity.Status.COMPLETED, "")
    assert same.result.startswith("3 prepaid records, stored at 1.20, cost 1.20 by tariff version ")
    assert "(0.00); 0 differ" in same.result
    PricePlanService.objects.update(price_micros=900_000)
    publish(at(2, 1))
    before = list(Cdr.objects.values()), list(LedgerEntry.objects.values()), list(Balance.objects.values())
    dearer = rate("1")
    assert "stored at 1.20, cost 1.80" in dearer.result
    assert "(+0.60); 2 differ" in dearer.result
    assert before == (
        list(Cdr.objects.values()),
        list(LedgerEntry.objects.values()),
        list(Balance.objects.values()),
    )
    assert not AllowanceCounter.objects.exists()


def test_a_postpaid_account_is_refused():
    make_cycle(1)
    people(1)
    publish(at(2, 1))
    refused = rate("4915550000001")
    assert refused.status == Activity.Status.ERROR
    assert "account C1 of MSISDN 4915550000001 is not prepaid" in refused.error


def test_it_is_for_developers(settings):
    settings.BILLING_DEVELOPER_ACTIVITIES = False
    make_cycle(1)
    with pytest.raises(BssError, match="BSS_BILLING_DEVELOPER_ACTIVITIES"):
        rate("1")
