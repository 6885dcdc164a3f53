"""Re-ratings in the admin: made, looked at, applied, reversed, downloaded."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from apps.mediation.models import Cdr
from apps.rating.models import Tenant
from apps.rerating.admin.jobs import SimulateForm
from apps.rerating.models import RerateJob
from bss_project.staff_groups import create_groups
from tests.rerating.scenes import correct_price, load_calls, make_operator, worked

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    create_groups()
    user = User.objects.create_user("mary", "", "only-for-tests", is_staff=True)
    user.groups.add(Group.objects.get(name="billing"))
    client = Client()
    client.force_login(user)
    return client


def page(job: RerateJob, **query: str) -> str:
    return reverse("admin:rerating_reratejob_change", args=(job.pk,), query=query)


def do(client: Client, job: RerateJob, what: str) -> RerateJob:
    address = reverse("admin:rerating_reratejob_do", args=(job.pk, what))
    assert client.get(address).status_code == 200
    assert client.post(address).status_code == 302
    return worked(job)


def test_a_price_error_is_corrected_and_taken_back_in_the_admin(client):
    make_operator("postpaid", "prepaid")
    load_calls({"by": 1, "duration_s": 600}, {"by": 2})
    correct_price(60_000)
    form = reverse("admin:rerating_reratejob_do_list", args=("simulate",))
    assert client.get(form).status_code == 200
    data = {
        "tenant": Tenant.objects.get().pk,
        "first_day": "2026-03-01",
        "day_after": "2026-04-01",
        "note": "a slip",
    }
    assert client.post(form, {**data, "day_after": "2026-02-01"}).status_code == 200
    assert client.post(form, data).status_code == 302
    job = worked(RerateJob.objects.get())
    assert (job.created_by, job.note) == ("mary", "a slip")
    accounts = client.get(page(job)).content.decode()
    assert "−0.30\u00a0EUR" in accounts
    assert "0.99\u00a0EUR → 0.66\u00a0EUR" in strip_tags(accounts)
    places = client.get(page(job, panel="destinations")).content.decode()
    assert "−0.33\u00a0EUR" in places
    download = client.get(reverse("admin:rerating_reratejob_csv", args=(job.pk, "accounts")))
    assert b"".join(download.streaming_content).decode().splitlines()[1].startswith("C1,simulated,1,1,0,")
    assert client.get(reverse("admin:rerating_reratejob_csv", args=(job.pk, "nothing"))).status_code == 404
    job = do(client, job, "apply")
    assert (job.state, job.applied_by) == ("applied", "mary")
    record = Cdr.objects.order_by("pk").first()
    shown = client.get(
        reverse("admin:mediation_cdr_change", args=(record.pk,), query={"panel": "corrections"})
    )
    assert f"rerate:{job.pk}:{record.account_id}" in shown.content.decode()
    job = do(client, job, "reverse")
    assert (job.state, job.reversed_by) == ("reversed", "mary")


def test_fields_that_search_find_jquery_ready():
    scripts = SimulateForm().media._js  # type: ignore[attr-defined]
    wanted = ["admin/js/jquery.init.js", "unfold/js/select2.init.js"]
    assert [script for script in scripts if script in wanted] == wanted


def test_an_auditor_looks_and_changes_nothing(client):
    make_operator("postpaid")
    load_calls({"by": 1})
    correct_price(60_000)
    user = User.objects.get()
    user.groups.set([Group.objects.get(name="auditor")])
    client.post(reverse("admin:rerating_reratejob_do_list", args=("simulate",)))
    assert not RerateJob.objects.exists()
