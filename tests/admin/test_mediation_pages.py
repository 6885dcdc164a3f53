"""Pages of mediation: wrong options are named when they are written; suspense and refused files say what to do."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.backoffice.display import change_url
from apps.kernel.clock import utc_now
from apps.mediation.models import CdrFile, Source, SuspendedRecord, WaitingFile
from apps.mediation.services.intake import load_files
from tests.mediation.samples import NOW, make_operator, new_file

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


def test_files_that_wait_are_shown_with_why_and_what_to_do_until_they_have_gone(client, settings, tmp_path):
    settings.CDR_NEW_DIR = tmp_path
    make_operator(1)
    source = Source.objects.create(code="X", format="csv", file_pattern="*.csv", options={"speed": 1})
    path = new_file(b"start,msisdn,service\n2026-03-10T09:00:00Z,4915550000001,sms\n", "one.csv")
    settings.CDR_PROCESSED_DIR = tmp_path / "done"
    for _ in range(2):
        list(load_files([path], lambda: NOW))
    source_page = reverse("admin:mediation_source_change", args=(source.pk,)) + "?panel=waiting"
    pages = [source_page, reverse("admin:mediation_waitingfile_changelist")]
    for address in pages:
        page = client.get(address).content.decode()
        assert "one.csv" in page
        assert "options.speed: is not known" in page
        assert "Correct the format or the options of its source" in page
    facts = client.get(source_page.partition("?")[0]).content.decode()
    assert "Files that wait" in facts
    assert "could not be loaded" in facts
    row = WaitingFile.objects.get()
    assert str(path) in client.get(change_url(row)).content.decode()
    cache.clear()
    assert "Files that wait" in client.get(reverse("admin:index")).content.decode()

    Source.objects.update(options={})
    list(load_files([path], lambda: NOW))
    for address in pages:
        assert "one.csv" not in client.get(address).content.decode()
    cache.clear()
    assert "Files that wait" not in client.get(reverse("admin:index")).content.decode()


def test_the_lines_that_a_filter_left_out_are_shown_with_the_file(client):
    file = CdrFile.objects.create(
        name="a.csv", content_hash="a", state="loaded", left_out=1_234, taken_at=utc_now()
    )
    page = client.get(change_url(file)).content.decode()
    assert re.search(r"1.234 lines", page)
