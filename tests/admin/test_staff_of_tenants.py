"""Staff of one tenant see nothing of another: in no list, page, search, choice, chart, document or history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path, quote
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import models
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.backoffice.actions import PageActionsMixin
from apps.backoffice.admins import HistoryMixin
from apps.backoffice.panels import _panels
from apps.backoffice.tenancy import is_shared, way_to_tenant
from apps.billing.models import Activity
from apps.billing.selectors.lookups import account_of_msisdn
from apps.crm.models import ApiCall, ApiClient, ApiToken, StaffTenant
from apps.kernel.clock import utc_now
from apps.rating.models import Tenant
from apps.subscribers.models import Resource, Subscriber
from tests.admin.world import make_world
from tests.factories import make_bundle, make_cycle, make_plan, make_subscriber, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
# Without it no page is known until a test asks for one, and nothing would be marked.
admin.autodiscover()
MARK = "zorro"
# Columns in which people read whose something is.
NAMES = frozenset(
    "name code number description text note reason street city email value serial subject target tag msisdn".split()
)


@pytest.fixture
def client() -> Client:
    """A user of the tenant “own” who may do everything, beside another tenant whose every name has the mark."""
    cache.clear()
    make_world(subscribers=2, records=4, days=2)
    foreign = Tenant.objects.get()
    ApiClient.objects.create(name="x", tenant=foreign, roles="billing", created_at=utc_now())
    ApiCall.objects.create(at=utc_now(), tenant=foreign, door="rest", operation="x", target="x", outcome="ok")
    marked = _models_of_tenants()
    assert len(marked) > 30
    for model in marked:
        _mark(model)
    own = make_tenant("own")
    make_plan("OWN", tenant=own, voice=(60_000, 10))
    make_bundle("OWNEXTRA", tenant=own, voice=5)
    make_cycle(77, tenant=own)
    make_subscriber(801, tenant="own", price_plan="OWN", cycle=77, customer_name="Own Person")
    person = User.objects.create_user("vera", password="only-for-tests", is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    StaffTenant.objects.create(user=person, tenant=own)
    client = Client()
    client.force_login(person)
    return client


def _models_of_tenants() -> list[type[models.Model]]:
    return [model for model in admin.site._registry if way_to_tenant(model) is not None]


def _mark(model: type[models.Model]) -> None:
    for column in model._meta.concrete_fields:
        if (
            column.name not in NAMES
            or not isinstance(column, models.CharField | models.TextField)
            or column.choices
        ):
            continue
        if model is ApiToken and column.name == "subject":
            continue
        for row in model._default_manager.exclude(**{column.name: ""}):
            text = f"{MARK}{row.pk}"[: column.max_length]
            model._default_manager.filter(pk=row.pk).update(**{column.name: text})
    history = getattr(model, "history", None)
    if history is not None:
        for row in model._default_manager.all():
            row.save()


def _foreign_rows(model: type[models.Model]) -> list[models.Model]:
    way = way_to_tenant(model)
    rows = model._default_manager.exclude(**{f"{way}__in": Tenant.objects.filter(code="own").values("pk")})
    return list(rows[:3])


def _address(model: type[models.Model], page: str, *args: object) -> str:
    info = f"{model._meta.app_label}_{model._meta.model_name}"
    return reverse(f"admin:{info}_{page}", args=args)


def _leaks(client: Client, address: str, **parameters: str) -> str:
    answer = client.get(address, parameters)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = body.decode(errors="replace")
    # What the person has typed is said again.
    typed = parameters.get("q", parameters.get("term", ""))
    shown = text.count(MARK) - (text.count(typed) if typed else 0)
    return f"{address} {parameters} shows {shown} names" if shown > 0 else ""


def _addresses_of_lists() -> Iterator[tuple[str, dict[str, str]]]:
    yield reverse("admin:index"), {}
    for model, page in admin.site._registry.items():
        listed = _address(model, "changelist")
        yield listed, {}
        yield listed, {"q": f"{MARK}1"}
        yield _address(model, "add"), {}
        if isinstance(page, PageActionsMixin):
            for action in page.all_page_actions():
                if action.on_list:
                    yield _address(model, "do_list", action.name), {}
    for app in {model._meta.app_label for model in admin.site._registry}:
        yield reverse("admin:app_list", args=(app,)), {}


def _autocompletes() -> Iterator[dict[str, str]]:
    for model in admin.site._registry:
        for column in model._meta.concrete_fields:
            if column.is_relation and column.related_model in admin.site._registry:
                names = {
                    "app_label": model._meta.app_label,
                    "model_name": str(model._meta.model_name),
                    "field_name": column.name,
                }
                yield {**names, "term": ""}
                yield {**names, "term": f"{MARK}1"}


def test_no_list_search_form_choice_or_chart_shows_a_foreign_name(client):
    found = [_leaks(client, address, **parameters) for address, parameters in _addresses_of_lists()]
    found += [_leaks(client, reverse("admin:autocomplete"), **names) for names in _autocompletes()]
    assert [one for one in found if one] == []


def test_no_page_of_their_own_or_shared_rows_shows_a_foreign_name(client):
    found, seen = [], 0
    for model, page in admin.site._registry.items():
        way = way_to_tenant(model)
        if way is None and not is_shared(model):
            continue
        rows = model._default_manager.all()
        if way is not None:
            rows = rows.filter(**{f"{way}__in": Tenant.objects.filter(code="own").values("pk")})
        panels = [panel.key for panel in _panels[page.opts.label_lower]]
        for row in rows[:2]:
            seen += 1
            found += [
                _leaks(client, _address(model, "change", row.pk), **({"panel": panel} if panel else {}))
                for panel in ["", *panels]
            ]
            found.append(_leaks(client, _address(model, "history", row.pk)))
    assert [one for one in found if one] == []
    assert seen >= 8


def test_the_dashboard_counts_their_own_alone(client):
    facts = {fact.label: fact.value for fact in client.get(reverse("admin:index")).context["facts"]}
    assert facts["Active subscribers"] == "1"
    assert facts["Unpaid bills"] == "0"
    assert "CDRs rated today" not in facts
    assert "In suspense" not in facts
    shown = client.get(reverse("admin:index")).context
    assert shown["runs"] == []


def test_no_page_history_action_or_document_of_a_foreign_row_opens(client):
    opened = []
    for model in _models_of_tenants():
        page = admin.site._registry[model]
        actions = page.all_page_actions() if isinstance(page, PageActionsMixin) else []
        for row in _foreign_rows(model):
            pages = [(name, (quote(row.pk),)) for name in ("change", "history", "delete")]
            pages += [("do", (row.pk, action.name)) for action in actions if not action.on_list]
            pages += [(name, (row.pk,)) for name in ("open", "progress", "watch")]
            for name, args in pages:
                try:
                    address = _address(model, name, *args)
                except NoReverseMatch:
                    continue
                answer = client.get(address)
                # The admin redirects requests for a missing row to its first page.
                away = answer.status_code == 302 and answer.headers["Location"] == reverse("admin:index")
                if not away and answer.status_code not in (403, 404):
                    opened.append(f"{address}: {answer.status_code}")
    assert opened == []


def test_no_former_state_of_a_foreign_row_opens(client):
    opened, seen = [], 0
    for model in _models_of_tenants():
        if not isinstance(admin.site._registry[model], HistoryMixin):
            continue
        for row in _foreign_rows(model):
            for version in model.history.filter(**{model._meta.pk.attname: row.pk})[:2]:
                seen += 1
                address = _address(model, "simple_history", row.pk, version.history_id)
                if client.get(address).status_code not in (403, 404):
                    opened.append(address)
    assert opened == []
    assert seen > 10


def test_they_see_and_change_their_own(client):
    own = Subscriber.objects.get(tenant__code="own")
    listed = client.get(_address(Subscriber, "changelist"))
    assert [row.pk for row in listed.context["cl"].result_list] == [own.pk]
    assert client.get(_address(Subscriber, "change", own.pk)).status_code == 200
    assert client.get(reverse("admin:index")).status_code == 200
    found = client.get(
        reverse("admin:autocomplete"),
        {"app_label": "charging", "model_name": "account", "field_name": "customer", "term": "Own"},
    )
    assert [row["text"] for row in found.json()["results"]] != []
    # People and the tariffs that all tenants share are the operator's.
    assert client.get(reverse("admin:auth_user_changelist")).status_code == 403
    assert client.get(reverse("admin:rating_service_add")).status_code == 403
    assert client.get(reverse("admin:rating_rate_changelist")).status_code == 403


def test_no_filter_names_a_foreign_row_whose_id_is_in_the_address(client):
    found, seen = [], 0
    for model in _models_of_tenants():
        for one in admin.site._registry[model].list_filter:
            name = one[0] if isinstance(one, tuple) else one
            if not isinstance(name, str) or not get_fields_from_path(model, name)[-1].is_relation:
                continue
            related = get_fields_from_path(model, name)[-1].related_model
            for row in _foreign_rows(related) if way_to_tenant(related) else []:
                seen += 1
                found.append(
                    _leaks(client, _address(model, "changelist"), **{f"{name}__id__exact": str(row.pk)})
                )
    assert [one for one in found if one] == []
    assert seen > 20


def _forms_of(client: Client, address: str) -> Iterator[forms.BaseForm]:
    answer = client.get(address)
    if answer.status_code == 200 and "adminform" in answer.context:
        yield answer.context["adminform"].form
        for inline in answer.context["inline_admin_formsets"]:
            yield inline.formset.empty_form


def test_no_form_takes_a_foreign_row(client):
    found, seen = [], 0
    for model in admin.site._registry:
        for form in _forms_of(client, _address(model, "add")):
            for name, field in form.fields.items():
                # An inline's row is looked for among those of the page's row.
                if name == "id" or not isinstance(field, forms.ModelChoiceField):
                    continue
                way = way_to_tenant(field.queryset.model)
                if way is not None:
                    seen += 1
                    own = Tenant.objects.filter(code="own").values("pk")
                    if field.queryset.exclude(**{f"{way}__in": own}).exists():
                        found.append(f"{model.__name__} {type(form).__name__}.{name}")
    assert found == []
    assert seen > 10


def test_a_foreign_row_cannot_be_chosen_by_its_id(client):
    foreign = Tenant.objects.exclude(code="own").get()
    form = {"tenant": foreign.pk, "name": "shop", "roles": "", "days": "30"}
    answer = client.post(reverse("admin:crm_apitoken_do_list", args=("make",)), form, follow=True)
    assert "not one of the available choices" in answer.content.decode()
    assert not ApiToken.objects.filter(name="shop").exists()


def test_an_account_of_another_tenant_is_not_billed_by_its_number(client):
    queue = reverse("admin:billing_activity_do_list", args=("queue",))
    foreign, own = "4915550000001", "4915550000801"
    assert account_of_msisdn(own, utc_now()).tenant.code == "own"
    Resource.objects.filter(pk=Resource.objects.earliest("pk").pk).update(value=foreign)
    assert account_of_msisdn(foreign, utc_now()).tenant.code != "own"
    before = Activity.objects.count()
    form = {"type": Activity.Type.SINGLE_BILLING.value, "month": ""}
    answer = client.post(queue, {**form, "msisdn": foreign})
    assert "no subscriber has or had" in answer.content.decode()
    assert Activity.objects.count() == before


def test_staff_of_the_operator_see_every_tenant(client):
    User.objects.filter(username="vera").get().tenants.all().delete()
    listed = client.get(_address(Subscriber, "changelist"))
    assert len(listed.context["cl"].result_list) == 3
