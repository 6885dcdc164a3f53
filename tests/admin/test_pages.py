"""Every page of the admin renders with data, for every group, and refuses what the group may not do."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from apps.billing.models import Bill
from apps.billing.services.cancelling import cancel_bill
from apps.kernel.clock import utc_now
from bss_project.navigation import GROUPS
from bss_project.staff_groups import ROOMS, create_groups
from tests.admin.world import make_world

pytestmark = pytest.mark.django_db
admin.autodiscover()
ADMINS = {model._meta.label_lower: model_admin for model, model_admin in admin.site._registry.items()}
LABELS = sorted(ADMINS)
STAFF = ("operator", "billing", "auditor")
# Money, usage, documents and runs: records of the past are never edited, not even by a superuser.
NEVER_EDITED = {
    "billing.activity",
    "billing.bill",
    "billing.billrun",
    "billing.notification",
    "billing.payment",
    "charging.allowancecounter",
    "charging.balance",
    "charging.chargingsession",
    "charging.bookposting",
    "charging.ledgerbook",
    "charging.ledgerentry",
    "charging.peerday",
    "insight.moneyday",
    "insight.subscriberday",
    "insight.usageday",
    "invoicing.billdocument",
    "mediation.cdr",
    "mediation.cdrfile",
    "mediation.rateddestination",
    "mediation.suspendedrecord",
    "mediation.waitingfile",
    "rating.keptrow",
    "rating.tariffload",
    "rating.tariffplan",
    "rating.tariffversion",
    "rerating.reratejob",
    "subscribers.resource",
}


@pytest.fixture(autouse=True)
def _fresh_dashboard():
    cache.clear()


@pytest.fixture
def world(db) -> None:
    make_world()


def signed_in(group: str | None = None) -> Client:
    """A browser session of a superuser, or of a member of one of the groups."""
    if group is None:
        user = User.objects.create_superuser("root", "", "only-for-tests")
    else:
        create_groups()
        user = User.objects.create_user(group, "", "only-for-tests", is_staff=True)
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def url(label: str, page: str, *args: object) -> str:
    app, model = label.split(".")
    return reverse(f"admin:{app}_{model}_{page}", args=args)


def first_row(label: str) -> models.Model | None:
    return ADMINS[label].model._default_manager.first()


def pages_of(label: str) -> dict[str, str]:
    """A model's list, form for a new row, and a row's page, history and form to delete it (if there is a row)."""
    pages = {"changelist": url(label, "changelist"), "add": url(label, "add")}
    row = first_row(label)
    if row is not None:
        pages |= {page: url(label, page, row.pk) for page in ("change", "history", "delete")}
    return pages


def test_every_page_renders_for_a_superuser(world):
    client = signed_in()
    wrong = {}
    for label in LABELS:
        for page, address in pages_of(label).items():
            status = client.get(address).status_code
            if status not in ({200, 403} if page in ("add", "delete") else {200}):
                wrong[address] = status
    assert wrong == {}


def test_lists_without_rows_say_where_rows_come_from(db):
    client = signed_in()
    told = [
        label for label in LABELS if getattr(ADMINS[label], "when_empty", "") and first_row(label) is None
    ]
    assert {"actions.errand", "insight.whatif", "rating.supplier", "rerating.reratejob"} <= set(told)
    for label in told:
        assert escape(ADMINS[label].when_empty) in client.get(url(label, "changelist")).content.decode(), (
            label
        )


def test_a_derived_charger_that_is_deleted_in_the_list_is_heeded_no_more(world, monkeypatch):
    looked = []
    monkeypatch.setattr("apps.mediation.admin.derived.look_again", lambda: looked.append(True))
    row = first_row("mediation.derivedcharger")
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert signed_in().post(url("mediation.derivedcharger", "changelist"), chosen).status_code == 302
    assert first_row("mediation.derivedcharger") != row
    assert looked == [True]


def test_every_panel_of_every_page_renders(world):
    from apps.backoffice.panels import _panels

    client = signed_in()
    assert _panels
    for label, panels in _panels.items():
        row = first_row(label)
        assert row is not None or not label.startswith(("billing", "charging", "subscribers")), label
        for panel in panels if row is not None else ():
            answer = client.get(url(label, "change", row.pk), {"panel": panel.key})
            assert answer.status_code == 200
            assert answer.context["shown_panel"].key == panel.key


@pytest.mark.any_database
def test_every_action_page_asks_before_it_does_anything(world):
    client = signed_in()
    asked = 0
    request = client.get("/admin/").wsgi_request
    for label, model_admin in ADMINS.items():
        row = first_row(label)
        for action in getattr(model_admin, "all_page_actions", list)():
            if action.on_list:
                answer = client.get(model_admin.action_url(action.name))
            elif row is not None and action.offered(model_admin.get_object(request, str(row.pk)) or row):
                answer = client.get(model_admin.action_url(action.name, row))
            else:
                continue
            assert answer.status_code == 200, (label, action.name)
            assert "csrfmiddlewaretoken" in answer.content.decode()
            asked += 1
    assert asked > 20


@pytest.mark.any_database
@pytest.mark.parametrize("group", STAFF)
def test_each_group_sees_every_list_and_page(world, group):
    client = signed_in(group)
    wrong = {}
    for label in LABELS:
        if label.split(".")[0] not in ROOMS:
            continue
        for page, address in pages_of(label).items():
            # Users who may change a row get the superuser's forms; only a pure viewer's pages are others.
            if page == "changelist" or (group == "auditor" and page in ("change", "history")):
                status = client.get(address).status_code
                if status != 200:
                    wrong[address] = status
    assert wrong == {}


@pytest.mark.any_database
def test_an_auditor_changes_nothing(world):
    client = signed_in("auditor")
    for label in LABELS:
        if label.split(".")[0] not in ROOMS:
            continue
        pages = pages_of(label)
        for page in ("add", "delete"):
            if page in pages:
                assert client.get(pages[page]).status_code == 403, pages[page]
                assert client.post(pages[page], {"post": "yes"}).status_code == 403, pages[page]
        if "change" in pages:
            assert client.post(pages["change"], {}).status_code == 403, pages["change"]


@pytest.mark.any_database
def test_an_auditor_may_do_no_action_but_ask_for_prices_and_download_them(world):
    client = signed_in("auditor")
    allowed = []
    for label, model_admin in ADMINS.items():
        row = first_row(label)
        for action in getattr(model_admin, "all_page_actions", list)():
            if row is None and not action.on_list:
                continue
            address = model_admin.action_url(action.name, None if action.on_list else row)
            if client.post(address, {}).status_code != 403:
                allowed.append(f"{label} {action.name}")
    assert set(allowed) <= {
        "rating.tariffversion enquiry",
        "rating.tariffversion download",
        "rating.supplier preview",
        "rating.tariffdraft download",
        "rating.tariffdraft difference",
        "rating.tariffversion difference",
        "rating.tariffversion compare",
        "mediation.cdr explain",
        "mediation.derivedcharger margins",
        "insight.whatif export",
        "charging.account preview",
    }
    assert "rating.tariffversion enquiry" in allowed


@pytest.mark.any_database
def test_what_happened_is_never_edited_not_even_by_a_superuser(world):
    client = signed_in()
    for label in sorted(NEVER_EDITED):
        pages = pages_of(label)
        assert client.get(pages["add"]).status_code == 403, label
        if "change" in pages:
            assert client.post(pages["change"], {"amount_micros": "1"}).status_code == 403, label
            assert client.post(pages["delete"], {"post": "yes"}).status_code == 403, label


@pytest.mark.any_database
def test_an_operator_does_not_touch_billing_and_billing_does_not_touch_subscribers(world):
    operator, billing = signed_in("operator"), signed_in("billing")
    run_cycle = ADMINS["billing.billcycle"].action_url("run", first_row("billing.billcycle"))
    suspend = ADMINS["subscribers.subscriber"].action_url("suspend", first_row("subscribers.subscriber"))
    assert operator.get(run_cycle).status_code == 403
    assert billing.get(run_cycle).status_code == 200
    assert operator.get(suspend).status_code == 200
    assert billing.get(suspend).status_code == 403
    assert operator.get(url("rating.priceplan", "add")).status_code == 403
    assert billing.get(url("rating.priceplan", "add")).status_code == 200


@pytest.mark.any_database
def test_anonymous_visitors_are_redirected_to_the_sign_in_page():
    answer = Client().get(url("billing.bill", "changelist"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.any_database
def test_pages_that_cannot_be_shown_say_so_in_words(world):
    operator = signed_in("operator")
    missing = operator.get("/admin/nowhere/")
    assert missing.status_code == 404
    assert "There is nothing here" in missing.content.decode()
    refused = operator.get(url("rating.priceplan", "add"))
    assert refused.status_code == 403
    assert "Your account lacks the permission" in refused.content.decode()


@pytest.mark.any_database
def test_the_navigation_shows_each_group_only_permitted_pages(world):
    home = reverse("admin:index")
    for group, hidden in ((None, ()), ("auditor", ("Users", "Groups")), ("operator", ("Users", "Groups"))):
        answer = signed_in(group).get(home)
        titles = [item["title"] for part in answer.context["sidebar_navigation"] for item in part["items"]]
        everything = [item.title for part in GROUPS for item in part.items]
        assert titles == [title for title in everything if title not in hidden]


def test_a_bill_says_what_cancels_it_only_if_something_does(world):
    bill = Bill.objects.filter(kind=Bill.Kind.POSTPAID).exclude(status=Bill.Status.CANCELLED).first()
    client = signed_in()
    address = reverse("admin:billing_bill_change", args=(bill.pk,))
    assert "Cancels, or cancelled by" not in client.get(address).content.decode()
    note = cancel_bill(bill.pk, "wrong price", utc_now(), by="test").credit_note
    assert "Cancels, or cancelled by" in client.get(address).content.decode()
    other = client.get(reverse("admin:billing_bill_change", args=(note.pk,))).content.decode()
    assert "wrong price" in other


def test_history_can_be_read_but_not_posted(world):
    client = signed_in()
    plan = first_row("rating.priceplan")
    version = plan.history.first()
    address = reverse("admin:rating_priceplan_simple_history", args=(plan.pk, version.pk))
    assert client.get(address).status_code == 200
    assert client.post(address, {"name": "Old"}).status_code == 405


def test_groups_can_be_created_again_and_keep_added_permissions(db):
    from django.contrib.auth.models import Permission

    create_groups()
    extra = Permission.objects.get(codename="add_user")
    auditor = Group.objects.get(name="auditor")
    before = auditor.permissions.count()
    auditor.permissions.add(extra)
    create_groups()
    assert auditor.permissions.count() == before + 1
    assert Group.objects.count() == len(STAFF)
