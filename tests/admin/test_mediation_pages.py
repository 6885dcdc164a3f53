"""Pages of mediation: wrong options are named when they are written; suspense and refused files say what to do."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.kernel.clock import utc_now
from apps.mediation.models import CdrFile, Source, SuspendedRecord

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


def test_the_page_for_a_new_source_names_the_options_of_each_format(client):
    page = client.get(reverse("admin:mediation_source_add")).content.decode()
    assert "delimiter" in page
    assert "numbers" in page


def test_a_source_shows_which_options_there_are(client):
    assert save(client, {"delimiter": ";"}) == ""
    source = Source.objects.get()
    page = client.get(reverse("admin:mediation_source_change", args=(source.pk,))).content.decode()
    assert "numbers.country_code" in page
    assert "an IANA time zone such as Europe/Berlin" in page


def test_suspended_records_and_refused_files_say_what_to_do(client, settings):
    file = CdrFile.objects.create(
        name="a.cdr", content_hash="a", state="refused", error="no", taken_at=utc_now()
    )
    record = SuspendedRecord.objects.create(
        file=file, byte_offset=7, raw=b"", reason="unknown_subscriber", message="nobody", created_at=utc_now()
    )
    page = client.get(reverse("admin:mediation_suspendedrecord_change", args=(record.pk,))).content.decode()
    assert "Give the number to its subscriber as of before the record" in page
    page = client.get(reverse("admin:mediation_cdrfile_change", args=(file.pk,))).content.decode()
    assert f"It is in {settings.CDR_ERROR_DIR}." in page
    assert f"put it back into {settings.CDR_NEW_DIR}" in page
