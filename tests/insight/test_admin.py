"""Statistics in the admin: figures and charts of what the filters leave."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.insight.models import MoneyDay, SubscriberDay, UsageDay
from tests.factories import make_plan, make_services, make_tenant

pytestmark = pytest.mark.django_db
DAY = date(2026, 5, 10)


@pytest.fixture
def signed_in() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    tenant, plan, services = make_tenant(), make_plan("PLAN"), make_services()
    for back, service, revenue in ((0, "voice", 3_000_000), (2, "voice", 1_500_000), (0, "sms", 500_000)):
        UsageDay.objects.create(
            tenant=tenant,
            day=DAY - timedelta(days=back),
            service=services[service],
            price_plan=plan,
            records=10,
            usage=600,
            revenue_micros=revenue,
        )
    SubscriberDay.objects.create(tenant=tenant, day=DAY, price_plan=plan, active=7, new=2, terminated=1)
    MoneyDay.objects.create(
        tenant=tenant, day=DAY, currency="EUR", kind="top_up", entries=2, amount_micros=5_000_000
    )
    return client


def charts(client: Client, model: str, **query: object) -> dict[str, dict[str, list[float]]]:
    page = client.get(reverse(f"admin:insight_{model}_changelist"), query)
    found = {}
    for chart in page.context_data["charts"]:
        data = json.loads(chart["data"]) if chart["data"] else {"datasets": []}
        found[chart["key"]] = {one["label"]: one["data"] for one in data["datasets"]}
    return found


def test_charts_have_a_bar_for_every_day_even_without_usage(signed_in):
    assert charts(signed_in, "usageday")["revenue"] == {"Voice": [1.5, 0, 3.0], "SMS": [0, 0, 0.5]}
    assert charts(signed_in, "usageday")["records"]["Voice"] == [10, 0, 10]


def test_charts_show_what_the_filters_leave(signed_in):
    shown = charts(signed_in, "usageday", day_from=str(DAY), day_to=str(DAY))
    assert shown["revenue"] == {"Voice": [3.0], "SMS": [0.5]}
    assert charts(signed_in, "usageday", day_to="2020-01-01") == {}


def test_subscribers_and_money_have_their_charts(signed_in):
    assert charts(signed_in, "subscriberday") == {
        "active": {"Plan": [7]},
        "moves": {"New": [2], "Terminated": [1]},
    }
    assert charts(signed_in, "moneyday") == {"top_up": {"EUR": [5.0]}, "online_usage": {}}
