"""Every page of the admin renders with data, for every group, and refuses what the group may not do."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from bss_project.staff_groups import create_groups
from tests.admin.world import make_world

pytestmark = pytest.mark.django_db
LABELS = sorted(model._meta.label_lower for model in admin.site._registry)


@pytest.fixture
def world(db) -> None:
    make_world()


def signed_in(username: str, group: str | None = None) -> Client:
    if group is None:
        user = User.objects.create_superuser(username, "", "only-for-tests")
    else:
        create_groups()
        user = User.objects.create_user(username, "", "only-for-tests", is_staff=True)
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def pages_of(label: str) -> dict[str, str]:
    """List, add form, and a row's page and history (where there is a row)."""
    app, model = label.split(".")
    pages = {
        "list": reverse(f"admin:{app}_{model}_changelist"),
        "add": reverse(f"admin:{app}_{model}_add"),
    }
    row = admin.site.get_model_admin(admin.site._registry and _model(label)).model._default_manager.first()
    if row is not None:
        pages["change"] = reverse(f"admin:{app}_{model}_change", args=(row.pk,))
        pages["history"] = reverse(f"admin:{app}_{model}_history", args=(row.pk,))
    return pages


def _model(label: str):
    return next(model for model in admin.site._registry if model._meta.label_lower == label)


def test_every_page_renders_for_a_superuser(world):
    client = signed_in("root")
    failures = []
    for label in LABELS:
        for kind, url in pages_of(label).items():
            status = client.get(url).status_code
            expected = {"add": {200, 403}}.get(kind, {200})
            if status not in expected:
                failures.append((url, status))
    assert not failures
