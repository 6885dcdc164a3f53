"""Reading subscribers and free numbers as the CRM does: filtered, in pages, of one tenant only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.crm.domain.subscribers import (
    SubscriberChange,
    SubscriberFilter,
)
from apps.crm.selectors.subscribers import (
    SubscriberKey,
    free_resources,
    get_subscriber,
    get_subscribers,
    list_subscribers,
)
from apps.crm.services.subscribers import (
    modify_subscriber,
    reactivate_subscriber,
    suspend_subscriber,
    terminate_subscriber,
)
from apps.kernel.errors import BssError, InvalidInput, NotFound
from apps.storage.upserts import select_many
from apps.subscribers.models import Subscriber
from apps.subscribers.services.resources import add_resources
from tests.crm.new_subscribers import NOW, make_products
from tests.factories import make_plan, make_subscriber, make_tenant

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=5)


@pytest.fixture(autouse=True)
def products() -> None:
    make_products()


def test_lists_are_filtered_paged_and_of_one_tenant():
    make_tenant("mvno")
    mvno = make_tenant("mvno")
    make_subscriber(90, plan=make_plan("THEIRS", tenant=mvno), cycle=7, city="Kiel")
    for number in range(1, 6):
        make_subscriber(
            number,
            price_plan="PLAN" if number % 2 else "OTHER",
            mode="prepaid" if number > 3 else "postpaid",
            city="Kiel" if number < 3 else "Rom",
        )

    def numbers(wanted: SubscriberFilter = SubscriberFilter(), **paging: int) -> list[str]:  # noqa: B008
        return [view.number for view in list_subscribers("default", wanted, now=NOW, **paging)]

    assert numbers() == ["S1", "S2", "S3", "S4", "S5"]
    assert numbers(SubscriberFilter(city="Kiel")) == ["S1", "S2"]
    assert numbers(SubscriberFilter(mode="prepaid", price_plan="PLAN")) == ["S5"]
    assert numbers(SubscriberFilter(status="suspended")) == []
    assert numbers(offset=1, limit=2) == ["S2", "S3"]
    second = Subscriber.objects.get(number="S2").pk
    assert numbers(after_id=second, limit=2) == ["S3", "S4"]
    for wrong in (
        SubscriberFilter(mode="both"),
        SubscriberFilter(status="gone"),
        SubscriberFilter(price_plan="X"),
    ):
        with pytest.raises(InvalidInput):
            list_subscribers("default", wrong, now=NOW)


def test_a_long_list_is_read_in_pages_without_gap_or_repeat(monkeypatch):
    monkeypatch.setattr("apps.crm.selectors.subscribers.ROWS_A_PAGE", 2)
    for number in range(1, 6):
        make_subscriber(number)
    assert [view.number for view in list_subscribers("default", now=NOW)] == ["S1", "S2", "S3", "S4", "S5"]
    assert [view.number for view in list_subscribers("default", now=NOW, limit=3)] == ["S1", "S2", "S3"]


def test_many_subscribers_are_read_with_as_many_statements_as_one(monkeypatch):
    people = [make_subscriber(number) for number in range(1, 6)]
    keys = [SubscriberKey("default", person.pk) for person in people]
    keys += [
        SubscriberKey("default", 0, "4915550000003"),
        SubscriberKey("default", 0, "49000"),
        SubscriberKey("no", 1),
    ]
    read = select_many
    trips: list[int] = []

    def counted(connection: BaseDatabaseWrapper, queries: Any) -> Any:
        trips.append(len(queries))
        return read(connection, queries)

    monkeypatch.setattr("apps.crm.selectors.subscriber_rows.select_many", counted)
    get_subscriber("default", subscriber_id=people[0].pk, now=NOW)
    found = get_subscribers(keys, now=NOW).views()
    assert trips == [2, 2], "one trip each, of two statements"
    assert [view.number if view else None for view in found] == [
        "S1",
        "S2",
        "S3",
        "S4",
        "S5",
        "S3",
        None,
        None,
    ]


def test_free_numbers_come_in_order_and_in_pages():
    add_resources("default", "msisdn", ["4915551", "4915553", "4915552", "4915560"])
    make_tenant("mvno")
    add_resources("mvno", "msisdn", ["4915554"])
    assert [row.value for row in free_resources("default", "msisdn", prefix="49155", limit=2)] == [
        "4915551",
        "4915552",
    ]
    assert [row.value for row in free_resources("default", "msisdn", after="4915552")] == [
        "4915553",
        "4915560",
    ]
    for wrong in ({"kind": "fax"}, {"kind": ""}, {"kind": "imsi", "limit": 0}):
        with pytest.raises(InvalidInput):
            free_resources("default", **wrong)


@pytest.mark.parametrize(
    "call",
    [
        lambda pk: get_subscriber("mvno", subscriber_id=pk, now=NOW),
        lambda pk: get_subscriber("mvno", msisdn="4915550000001", now=NOW),
        lambda pk: modify_subscriber("mvno", pk, SubscriberChange(name="mine"), now=NOW),
        lambda pk: suspend_subscriber("mvno", pk, now=NOW),
        lambda pk: reactivate_subscriber("mvno", pk, now=NOW),
        lambda pk: terminate_subscriber("mvno", pk, now=NOW),
    ],
)
def test_another_tenants_subscriber_is_not_found_by_any_call(call):
    make_tenant("mvno")
    theirs = make_subscriber(1)
    with pytest.raises(NotFound):
        call(theirs.pk)
    theirs.refresh_from_db()
    assert (theirs.status, theirs.name) == ("active", "")
    assert get_subscribers([SubscriberKey("mvno", theirs.pk)], now=NOW).views() == [None]


@pytest.mark.parametrize("number", [-1, 2**63, 10**20])
def test_an_id_that_no_database_could_have_given_is_not_found(number):
    make_tenant()
    with pytest.raises(NotFound):
        get_subscriber("default", subscriber_id=number, now=NOW)


def test_a_tenant_that_there_is_not_is_said_so():
    with pytest.raises(BssError) as refused:
        get_subscriber("nobody", subscriber_id=1, now=NOW)
    assert refused.value.code == "unknown_tenant"
