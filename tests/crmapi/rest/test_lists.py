"""Lists in pages that stay whole while rows come and go, filters, and cursors that are taken for what they are."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.crmapi.rest.pagination import read_cursor, write_cursor
from apps.kernel.errors import InvalidInput
from apps.mediation.models import Cdr
from tests.crmapi.rest.world import World, make_rest_world
from tests.factories import make_subscriber


@pytest.fixture
def world(db) -> World:
    return make_rest_world()


def pages(api, path, between=lambda: None):
    """All items of a list, a few at a time, following ``next``."""
    address, items = path, []
    while address:
        answer = api.get(address).json()
        items += answer["items"]
        address = answer["next"]
        between()
    return items


def test_pages_show_each_row_once_though_rows_come_meanwhile(world):
    admin, numbers = world.admin, iter(range(200, 206))
    before = {item["id"] for item in pages(admin, "subscribers?limit=200")}

    def another():
        number = next(numbers, None)
        if number is not None:
            make_subscriber(number, price_plan=world.names["plan_code"])

    seen = [item["id"] for item in pages(admin, "subscribers?limit=1", between=another)]
    assert seen == sorted(set(seen))
    assert before <= set(seen)
    assert len(seen) == len(before) + 6


def test_newest_first_lists_go_on_where_they_were(world):
    admin = world.admin
    everything = [item["id"] for item in pages(admin, "bills?limit=200")]
    assert everything == sorted(everything, reverse=True)
    assert [item["id"] for item in pages(admin, "bills?limit=1")] == everything
    assert len(everything) == 4
    for path in ("vouchers", "voucher-batches", "suspense", "notifications", "activities", "accounts"):
        whole = [item["id"] for item in pages(admin, f"{path}?limit=200")]
        assert [item["id"] for item in pages(admin, f"{path}?limit=2")] == whole


def test_usage_pages_tell_records_of_one_instant_apart(world):
    person = world.names["prepaid"]
    some = Cdr.objects.filter(subscriber=person).first()
    Cdr.objects.filter(subscriber=person).update(start=some.start)
    admin, since = world.admin, (some.start - timedelta(days=40)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"subscribers/{person}/usage?start={since}"
    seen = [item["id"] for item in pages(admin, f"{path}&limit=2")]
    assert sorted(seen) == sorted(Cdr.objects.filter(subscriber=person).values_list("pk", flat=True))
    assert len(seen) == len(set(seen)) > 4


def test_filters_narrow_and_refuse_what_cannot_be(world):
    admin = world.admin
    assert {item["mode"] for item in pages(admin, "subscribers?mode=prepaid")} == {"prepaid"}
    assert {item["status"] for item in pages(admin, "bills?status=paid")} == {"paid"}
    assert admin.get("subscribers?city=Nowhere").json()["items"] == []
    assert admin.get("subscribers?msisdn=4999999999").json()["items"] == []
    assert (
        admin.get("subscribers?msisdn=%2B" + world.names["msisdn"]).json()["items"][0]["id"]
        == world.names["prepaid"]
    )
    assert len(admin.get("accounts?number=C1").json()["items"]) == 1
    assert admin.get("subscribers?mode=free").status_code == 400
    assert admin.get("subscribers?mode=prepaid&mode=postpaid").status_code == 400
    assert admin.get("subscribers?price_plan=NONE").status_code in (200, 422)
    twisted = (
        f"subscribers/{world.names['prepaid']}/usage?start=2026-02-01T00:00:00Z&end=2026-01-01T00:00:00Z"
    )
    assert admin.get(twisted).status_code == 422
    assert admin.get("statistics?first=2020-01-01&last=2025-01-01").status_code == 422


def test_a_cursor_of_another_list_is_refused(world):
    admin = world.admin
    cursor = admin.get("subscribers?limit=1").json()["next_cursor"]
    refused = admin.get(f"bills?cursor={cursor}")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")
    assert admin.get(f"subscribers?limit=1&cursor={cursor}").json()["items"][0]["id"] > 1


FIRST = (datetime(1970, 1, 1, tzinfo=UTC), 0, "")


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1970 <= moment.year < 9000),
    st.integers(0, 2**63 - 1),
    st.text(string.ascii_letters + string.digits, max_size=200),
)
def test_a_cursor_stands_for_its_position(moment, number, text):
    assert read_cursor(write_cursor("list", (moment, number, text)), "list", FIRST) == (moment, number, text)


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_a_malformed_cursor_is_refused(text):
    with pytest.raises(InvalidInput):
        read_cursor(text, "list", FIRST)
