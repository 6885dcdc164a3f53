"""Actions by the use cases of the CRM: a group carried out once for a key, plans given and taken, for one tenant."""

from __future__ import annotations

import pytest

from apps.actions.models import AccountPlan, RefusedActions
from apps.charging.models import LedgerEntry
from apps.crm.domain.asked import ActionGroupsAsked
from apps.crm.selectors.actions import list_groups, list_plans
from apps.crm.services.actions import assign, remove, run
from apps.kernel.errors import Conflict, NotFound
from apps.rating.models import TariffPlan
from tests.actions.makers import EURO, NOW, account, make_action_plan, make_group, money
from tests.charging.stored import make_prepaid
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db


def test_a_group_is_carried_out_once_for_a_key_and_named_by_its_movements() -> None:
    make_prepaid(balance_micros=0)
    make_group()
    first = run("default", account().pk, "TOPUP", key="gift", now=NOW)
    assert run("default", account().pk, "TOPUP", key="gift", now=NOW) == first
    assert money() == 10 * EURO
    assert LedgerEntry.objects.filter(cause__startswith=f"action:{first.cause}:").count() == 1


def test_a_group_that_is_refused_changes_nothing_and_says_why() -> None:
    make_prepaid(balance_micros=0)
    make_group("FEE", {"kind": "*debit", "units": "1"})
    with pytest.raises(Conflict, match="less than") as refused:
        run("default", account().pk, "FEE", key="k", now=NOW)
    assert refused.value.code == "credit_limit_reached"
    assert not RefusedActions.objects.exists()


def test_a_plan_is_given_from_now_on_and_taken_again() -> None:
    make_prepaid()
    make_action_plan("MONTHLY", (make_group(), "*asap"), (make_group("MORE"), "*monthly"))
    given = assign("default", account().pk, "MONTHLY", now=NOW)
    assert (given.due[0].group, given.due[0].due_at) == ("TOPUP", NOW)
    assert assign("default", account().pk, "MONTHLY", now=NOW) == given
    assert list_plans("default", account().pk) == [given]
    assert remove("default", account().pk, "MONTHLY") == given
    assert not AccountPlan.objects.exists()
    with pytest.raises(NotFound, match="no action plan"):
        remove("default", account().pk, "MONTHLY")


def test_a_tenant_sees_its_own_groups_and_shared_ones_and_touches_its_own_accounts() -> None:
    make_prepaid()
    make_tenant("brand")
    make_group("SHARED")
    own = make_group("OWN")
    own.tariff_plan = TariffPlan.objects.create(code="brand")
    own.save()
    assert [row.code for row in list_groups("brand", ActionGroupsAsked())] == ["SHARED", "OWN"]
    assert [row.code for row in list_groups("default", ActionGroupsAsked())] == ["SHARED"]
    with pytest.raises(NotFound, match="no group of actions"):
        run("default", account().pk, "OWN", key="k", now=NOW)
    with pytest.raises(NotFound, match="no account"):
        run("brand", account().pk, "OWN", key="k", now=NOW)
