"""API tokens in the admin: made and shown once, found by what they are, taken back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from apps.crm.domain.errors import Forbidden, Unauthenticated
from apps.crm.models import ApiClient, ApiToken, StaffTenant
from apps.crm.services.api_tokens import caller_of_api_token, create_api_token
from apps.crm.services.staff import demand_giver
from apps.kernel.clock import utc_now
from bss_project.staff_groups import create_groups
from tests.charging.stored import make_prepaid, msisdn
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db
LIST = "admin:crm_apitoken_changelist"


def make(client: Client, **data: object):
    form = {"tenant": make_tenant().pk, "name": "shop", "roles": "crm_agent billing", "days": "30", **data}
    return client.post(reverse("admin:crm_apitoken_do_list", args=("make",)), form, follow=True)


def token_on(page) -> str:
    found = re.search(r"<code>(bss_\S+)</code>", page.content.decode())
    assert found is not None, page.content.decode()[:2_000]
    return found[1]


def test_a_token_is_shown_once_counts_and_is_kept_as_a_hash(admin_client):
    page = make(admin_client)
    token = token_on(page)
    assert "no-store" in page["Cache-Control"]
    caller = caller_of_api_token(token, utc_now())
    assert (caller.subject, caller.roles) == ("shop", {"crm_agent", "billing"})
    row = ApiToken.objects.get()
    assert row.created_by == "admin"
    assert timedelta(days=29) < row.expires_at - utc_now() <= timedelta(days=30)
    for shown in (reverse(LIST), reverse("admin:crm_apitoken_change", args=(row.pk,))):
        answer = admin_client.get(shown)
        assert answer.status_code == 200
        assert token not in answer.content.decode()


def test_a_reloaded_page_makes_no_second_token_and_shows_the_first_no_more(admin_client):
    page = make(admin_client)
    token = token_on(page)
    shown = page.redirect_chain[-1][0]
    assert "bss_" not in shown
    assert not any(token in str(session.get_decoded()) for session in Session.objects.all())
    again = admin_client.get(shown, follow=True)
    assert token not in again.content.decode()
    assert "cannot be shown again" in again.content.decode()
    assert ApiToken.objects.count() == 1


def test_until_its_page_is_fetched_a_token_lies_sealed_in_the_session(admin_client):
    form = {"tenant": make_tenant().pk, "name": "shop", "roles": "billing", "days": "30"}
    admin_client.post(reverse("admin:crm_apitoken_do_list", args=("make",)), form)
    kept = str([session.get_decoded() for session in Session.objects.all()])
    token = token_on(admin_client.get(reverse("admin:crm_apitoken_do_list", args=("make",)) + "?shown"))
    assert "backoffice_shown_once" in kept
    assert token not in kept


def test_a_customers_own_token_sees_that_subscriber_alone(admin_client):
    subscriber = make_prepaid()
    token = token_on(make(admin_client, name="", roles="", msisdn=f"+{msisdn()}"))
    caller = caller_of_api_token(token, utc_now())
    assert (caller.subscriber_id, caller.roles) == (subscriber.pk, {"self_care"})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"roles": "king"}, "roles are"),
        ({"name": ""}, "a name has"),
        ({"msisdn": "4900000000000"}, "no subscriber has the MSISDN"),
        ({"msisdn": "4900000000000", "roles": "billing"}, "leave the roles empty"),
    ],
)
def test_what_is_wrong_is_said_and_no_token_is_made(admin_client, wrong, why):
    if "msisdn" in wrong:
        wrong = {"roles": "", **wrong}
    page = make(admin_client, **wrong)
    assert why in page.content.decode()
    assert not ApiToken.objects.exists()


def test_a_token_that_is_revoked_is_refused_and_told_apart_in_the_list(admin_client):
    make_tenant()
    now = utc_now()
    lived = create_api_token("default", "old", ["billing"], now=now - timedelta(9), lifetime=timedelta(8))
    taken = create_api_token("default", "stolen", ["billing"], now=now, lifetime=timedelta(8))
    counts = create_api_token("default", "good", ["billing"], now=now, lifetime=timedelta(8))
    answer = admin_client.post(reverse("admin:crm_apitoken_do", args=(taken.id, "revoke")), follow=True)
    assert "refused from now on" in answer.content.decode()
    with pytest.raises(Unauthenticated, match="revoked"):
        caller_of_api_token(taken.token, utc_now())
    for state, expected in (("counts", counts.id), ("expired", lived.id), ("revoked", taken.id)):
        page = admin_client.get(reverse(LIST), {"state": state})
        assert [row.pk for row in page.context["cl"].queryset] == [expected]


@pytest.mark.parametrize(
    ("groups", "roles", "given"),
    [
        (["operator"], "crm_agent", True),
        (["operator", "billing"], "crm_agent billing", True),
        (["operator"], "billing", False),
        (["operator", "billing", "auditor"], "admin", False),
        ([], "auditor", False),
    ],
)
def test_staff_cannot_grant_a_role_that_they_lack(client, groups, roles, given):
    create_groups()
    person = User.objects.create_user("vera", password="only-for-tests", is_staff=True)
    person.groups.set(Group.objects.filter(name__in=groups))
    names = ("view_apitoken", "add_apitoken", "view_apiclient", "add_apiclient")
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(person)
    page = make(client, roles=roles)
    assert ApiToken.objects.exists() == given
    form = {"name": "shop", "tenant": make_tenant().pk, "roles": roles, "enabled": "on"}
    client.post(reverse("admin:crm_apiclient_add"), form)
    assert ApiClient.objects.exists() == given
    if not given:
        assert "yourself" in page.content.decode()


def test_staff_of_a_tenant_grant_nothing_of_another(client):
    create_groups()
    own, other = make_tenant(), make_tenant("other")
    person = User.objects.create_user("vera", password="only-for-tests", is_staff=True)
    person.groups.set(Group.objects.filter(name="operator"))
    person.user_permissions.set(Permission.objects.filter(codename__in=("view_apitoken", "add_apitoken")))
    StaffTenant.objects.create(user=person, tenant=own)
    client.force_login(person)
    make(client, tenant=other.pk, roles="crm_agent")
    assert not ApiToken.objects.exists()
    with pytest.raises(Forbidden):
        demand_giver(person, other.pk, ["crm_agent"])
    make(client, tenant=own.pk, roles="crm_agent")
    assert ApiToken.objects.get().tenant == own


def test_who_may_only_look_makes_and_revokes_none(client):
    make_tenant()
    issued = create_api_token("default", "shop", ["billing"], now=utc_now(), lifetime=timedelta(8))
    auditor = User.objects.create_user("auditor", password="only-for-tests", is_staff=True)
    auditor.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    client.force_login(auditor)
    assert client.get(reverse(LIST)).status_code == 200
    assert make(client).status_code == 403
    revoke = reverse("admin:crm_apitoken_do", args=(issued.id, "revoke"))
    assert client.post(revoke).status_code == 403
    assert ApiToken.objects.get().revoked_at is None
