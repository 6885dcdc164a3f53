"""Sources are written with options that their format understands; what is wrong is said at once."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.mediation.models import Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "", "only-for-tests"))
    return client


def save(client: Client, options: object, format_: str = "csv") -> str:
    """What the page says of the options; empty if the source was saved."""
    answer = client.post(
        reverse("admin:mediation_source_add"),
        {"code": "SWITCH", "name": "", "format": format_, "file_pattern": "", "options": json.dumps(options)},
    )
    if answer.status_code == 302:
        return ""
    return " ".join(answer.context["adminform"].form.errors["options"])


def test_a_source_with_wrong_options_is_not_saved_and_each_of_them_is_named(client):
    told = save(client, {"delimiter": ";;", "columns": {"start": 0}, "speed": 1})
    assert "delimiter: must be a single ASCII character, not ';;'." in told
    assert "columns.start: must be a column's name or its number from 1, not 0." in told
    assert "speed: is not known; known are delimiter" in told
    assert "must be an object" in save(client, [1])
    assert "known are numbers" in save(client, {"delimiter": ";"}, "protobuf")
    assert not Source.objects.exists()


def test_a_source_shows_which_options_there_are(client):
    assert save(client, {"delimiter": ";"}) == ""
    source = Source.objects.get()
    page = client.get(reverse("admin:mediation_source_change", args=(source.pk,))).content.decode()
    assert "numbers.country_code" in page
    assert "an IANA time zone such as Europe/Berlin" in page
