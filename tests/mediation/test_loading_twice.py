"""The same file again, the same record again, and two loaders at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from apps.charging.models import AllowanceCounter
from apps.mediation.models import Cdr, CdrFile
from apps.mediation.services import batches
from apps.mediation.services.load_file import Outcome
from apps.storage.dialect import lock_name, named_lock
from tests.mediation.loaders import finish, start
from tests.mediation.samples import MINUTE_MICROS, cdr, header, load, make_operator, new_file, stream


@pytest.mark.django_db
def test_the_same_content_under_another_name_is_counted_moved_and_not_loaded():
    make_operator()
    content = stream([cdr(1)])
    load(content, "a.cdr")
    outcome = load(content, "b.cdr")
    assert outcome.outcome is Outcome.REPEATED
    assert "loaded as a.cdr" in outcome.detail
    assert (CdrFile.objects.get().repeats, Cdr.objects.count()) == (1, 1)
    assert {path.name for path in settings.CDR_PROCESSED_DIR.iterdir()} == {"a.cdr.done", "b.cdr.done"}


@pytest.mark.django_db
def test_another_file_of_the_same_name_does_not_replace_the_first():
    make_operator()
    load(stream([cdr(1)]), "a.cdr")
    load(stream([cdr(2)]), "a.cdr")
    kept = sorted(path.name for path in settings.CDR_PROCESSED_DIR.iterdir())
    assert len(kept) == 2
    assert kept[-1] == "a.cdr.done" or kept[0].startswith("a.cdr.")


@pytest.mark.django_db
@pytest.mark.parametrize("chunk", [2, 10_000])
def test_a_record_seen_twice_is_counted_once_and_takes_no_free_units(monkeypatch, chunk: int):
    monkeypatch.setattr(batches, "CHUNK_RECORDS", chunk)
    make_operator(free_minutes=2)
    outcome = load(stream([cdr(1), cdr(2), cdr(1), cdr(3), cdr(3)]), "a.cdr")
    assert (outcome.totals.rated, outcome.totals.duplicates) == (3, 2)
    again = load(stream([cdr(2), cdr(4), cdr(3)]), "b.cdr")
    assert (again.totals.rated, again.totals.duplicates) == (1, 2)
    assert sorted(Cdr.objects.values_list("record_id", flat=True)) == [
        f"R{number:06d}" for number in (1, 2, 3, 4)
    ]
    assert AllowanceCounter.objects.get().used == 120
    assert sum(CdrFile.objects.values_list("cost_micros", flat=True)) == 2 * MINUTE_MICROS
    assert list(CdrFile.objects.order_by("pk").values_list("records", "duplicates")) == [(5, 2), (3, 2)]


@pytest.mark.django_db
def test_a_file_with_repeated_records_is_not_charged_twice_over_first(monkeypatch):
    charged = []
    original = batches.Batch._charge

    def charge(self, writer, chunk):
        charged.append(len(chunk))
        return original(self, writer, chunk)

    monkeypatch.setattr(batches.Batch, "_charge", charge)
    make_operator()
    load(stream([cdr(1), cdr(2), cdr(1)]), "a.cdr")
    assert charged == [2]


@pytest.mark.django_db
def test_the_same_id_of_another_source_is_another_record():
    make_operator()
    load(header(source="MSC01") + stream([cdr(1)]), "a.cdr")
    outcome = load(header(source="MSC02") + stream([cdr(1)]), "b.cdr")
    assert (outcome.totals.rated, Cdr.objects.count()) == (1, 2)


@pytest.mark.django_db
def test_a_record_without_an_id_is_known_by_its_content():
    make_operator()
    load(stream([cdr(1, record_id=""), cdr(2, record_id="")]), "a.cdr")
    outcome = load(stream([cdr(2, record_id=""), cdr(3, record_id="")]), "b.cdr")
    assert (outcome.totals.rated, outcome.totals.duplicates, Cdr.objects.count()) == (1, 1, 3)


@pytest.mark.django_db(transaction=True)
def test_two_loaders_at_once_load_each_file_and_each_record_once(database_url: str, folders: Path):
    subscribers, files, each, shared = 4, 8, 60, 15
    make_operator(subscribers, free_minutes=20)
    for number in range(files):
        records = [cdr(number * 1_000 + k, msisdn=str(4915550000001 + k % subscribers)) for k in range(each)]
        # The same records in every file, so that loaders meet over them.
        records += [cdr(900_000 + k, msisdn=str(4915550000001 + k % subscribers)) for k in range(shared)]
        new_file(header(source="MSC01", sequence=number) + stream(records), f"{number}.cdr")
    loaders = [start(["manage.py", "loadcdrs"], database_url, folders) for _ in range(3)]
    outputs = [finish(loader) for loader in loaders]
    if list(settings.CDR_NEW_DIR.iterdir()):
        # A loader may leave a file for the next time rather than wait for another one.
        outputs.append(finish(start(["manage.py", "loadcdrs"], database_url, folders)))
    said = "\n".join(output for _, output in outputs)
    assert [status for status, _ in outputs] == [0] * len(outputs), said
    assert not list(settings.CDR_NEW_DIR.iterdir()), said
    assert CdrFile.objects.filter(state="loaded").count() == files
    assert Cdr.objects.count() == files * each + shared
    totals = CdrFile.objects.values_list("records", "rated", "duplicates", "repeats")
    assert {row[0] for row in totals} == {each + shared}
    assert sum(row[1] for row in totals) == files * each + shared
    assert sum(row[2] for row in totals) == (files - 1) * shared
    assert sum(row[3] for row in totals) == 0
    assert sorted(CdrFile.objects.values_list("load_sequence", flat=True)) == list(range(1, files + 1))
    assert list(AllowanceCounter.objects.values_list("used", flat=True)) == [20 * 60] * subscribers
    free = sum(Cdr.objects.values_list("free_usage", flat=True))
    assert free == subscribers * 20 * 60


@pytest.mark.mariadb_only
@pytest.mark.django_db(transaction=True)
def test_a_content_locked_by_another_loader_is_skipped_without_waiting():
    make_operator()
    content = stream([cdr(1)])
    path = new_file(content)
    other = connection.copy()
    try:
        with other.cursor() as cursor, named_lock(_lock(content)):
            cursor.execute("SELECT IS_USED_LOCK(%s) IS NOT NULL", [lock_name(_lock(content))])
            assert cursor.fetchone()[0] == 1
        with other.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, 0)", [lock_name(_lock(content))])
            assert load(content).outcome is Outcome.BUSY
            # A server that has much to do forgets a connection's locks some time after it was closed.
            cursor.execute("SELECT RELEASE_LOCK(%s)", [lock_name(_lock(content))])
        assert path.exists()
    finally:
        other.close()
    assert load(content).outcome is Outcome.LOADED


def _lock(content: bytes) -> str:
    return f"cdr:{hashlib.sha256(content).hexdigest()}"
