"""The admin tells the time as the operator's clocks do; everybody else is told it in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.mediation.models import CdrFile
from apps.rating.models import Tenant
from bss_project.time_zone import forget_operator_zone, operator_zone
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db
LATE = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)


@pytest.fixture
def operator() -> Client:
    forget_operator_zone()
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    for number, at in enumerate((LATE, datetime(2026, 6, 30, 20, 0, tzinfo=UTC))):
        CdrFile.objects.create(
            name=f"{number}.cdr", content_hash=str(number), state="loaded", taken_at=at, loaded_at=at
        )
    return client


def files(client: Client, **query: str) -> str:
    return client.get(reverse("admin:mediation_cdrfile_changelist"), query).content.decode()


def test_instants_are_shown_in_the_default_tenants_zone_and_a_change_of_it_is_seen_at_once(operator):
    assert ">2026-06-30 23:30<" in files(operator)
    tenant = make_tenant(time_zone="Europe/Berlin")
    page = files(operator)
    assert ">2026-07-01 01:30<" in page
    assert 'title="2026-06-30 23:30:00 UTC"' in page
    tenant.time_zone = "America/New_York"
    tenant.save()
    assert ">2026-06-30 19:30<" in files(operator)


def test_the_days_of_filters_are_those_of_the_zone(operator):
    make_tenant(time_zone="Europe/Berlin")
    july = files(operator, loaded_at_from="2026-07-01", loaded_at_to="2026-07-01")
    assert "0.cdr" in july
    assert "1.cdr" not in july


def test_forms_say_which_zone_they_take_times_in(operator):
    make_tenant(time_zone="Europe/Berlin")
    page = operator.get(reverse("admin:rating_tariffversion_do_list", args=("enquiry",))).content.decode()
    assert "Begun at (Europe/Berlin)" in page


def test_outside_the_admin_the_time_is_utc(operator):
    make_tenant(time_zone="Europe/Berlin")
    operator.get(reverse("admin:index"))
    assert timezone.get_current_timezone_name() == "UTC"


def test_without_a_default_tenant_the_admin_is_in_utc(operator):
    assert not Tenant.objects.exists()
    assert operator_zone() is None
