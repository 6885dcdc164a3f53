"""The pages of the room: groups carried out on accounts, plans given and taken, refusals and errands settled."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.actions.models import AccountPlan, Action, DueAction, Errand, RefusedActions
from apps.kernel.clock import utc_now
from tests.actions.makers import EURO, NOW, account, make_action_plan, make_group, money, tariff_plan
from tests.charging.stored import make_prepaid

pytestmark = pytest.mark.django_db


def do(client: Client, model: str, pk: int, action: str, **data: object) -> str:
    url = reverse(f"admin:actions_{model}_do", args=(pk, action))
    return client.post(url, data, follow=True).content.decode()


def test_a_group_is_carried_out_on_accounts_once_for_a_form(admin_client: Client) -> None:
    make_prepaid(balance_micros=0)
    group = make_group()
    form = {"tenant": account().tenant_id, "accounts": "C1", "key": uuid4().hex}
    assert "Carried out on 1 account." in do(admin_client, "actiongroup", group.pk, "run", **form)
    assert "1 had it before" in do(admin_client, "actiongroup", group.pk, "run", **form)
    assert money() == 10 * EURO
    assert "no account “C9”" in do(
        admin_client, "actiongroup", group.pk, "run", **form | {"accounts": "C1 C9"}
    )


def test_a_group_is_edited_with_its_actions_and_faults_stand_at_their_columns(admin_client: Client) -> None:
    url = reverse("admin:actions_actiongroup_add")
    form = {
        "code": "NEW",
        "tariff_plan": tariff_plan().pk,
        "actions-TOTAL_FORMS": 1,
        "actions-INITIAL_FORMS": 0,
        "actions-0-kind": "*topup",
        "actions-0-units": "ten",
        "actions-0-weight": "0",
    }
    page = admin_client.post(url, form, follow=True).content.decode()
    assert "“ten”" in page
    assert not Action.objects.exists()
    admin_client.post(url, form | {"actions-0-units": "10"}, follow=True)
    assert Action.objects.get().group.code == "NEW"


def test_an_entry_added_to_a_plan_is_due_for_its_accounts(admin_client: Client) -> None:
    make_prepaid()
    plan, group = make_action_plan("P"), make_group()
    form = {"tenant": account().tenant_id, "accounts": "C1"}
    assert "1 account has P from now on." in do(admin_client, "actionplan", plan.pk, "assign", **form)
    assert AccountPlan.objects.count() == 1
    admin_client.post(
        reverse("admin:actions_actionplan_change", args=(plan.pk,)),
        {
            "code": "P",
            "entries-TOTAL_FORMS": 1,
            "entries-INITIAL_FORMS": 0,
            "entries-0-group": group.pk,
            "entries-0-timing": "*monthly",
            "entries-0-weight": "10",
            "entries-0-plan": plan.pk,
        },
        follow=True,
    )
    due = DueAction.objects.get().due_at
    assert due is not None
    assert due > utc_now()
    assert "P was taken from 1 account." in do(admin_client, "actionplan", plan.pk, "remove", **form)
    assert not DueAction.objects.exists()


def test_what_was_refused_is_carried_out_again_or_settled(admin_client: Client) -> None:
    make_prepaid(balance_micros=0)
    rows = [
        RefusedActions.objects.create(
            account=account(), group=make_group(code), key=code, at=NOW, reason="x", message="x"
        )
        for code in ("A", "B")
    ]
    assert "was carried out on account" in do(admin_client, "refusedactions", rows[0].pk, "again")
    assert "settled without" in do(admin_client, "refusedactions", rows[1].pk, "drop")
    assert money() == 10 * EURO
    assert not RefusedActions.objects.filter(settled_at=None).exists()


def test_a_failed_call_is_sent_again_or_given_up(admin_client: Client) -> None:
    make_prepaid()
    errand = Errand.objects.create(
        account=account(), key="k", number=0, kind="*log", at=NOW, status="failed", result="answered 500"
    )
    assert "attempted within seconds" in do(admin_client, "errand", errand.pk, "resend")
    errand.refresh_from_db()
    assert errand.status == "waiting"
    assert "not attempted any more" in do(admin_client, "errand", errand.pk, "drop")
