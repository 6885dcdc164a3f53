"""Which files are taken, and the doors that take them."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.mediation.models import Cdr, CdrFile, Source
from apps.mediation.services import file_folder, intake
from apps.mediation.services.file_folder import is_ready_name, ready_files
from apps.mediation.services.load_file import Outcome
from apps.mediation.tasks import load_new_files
from tests.mediation.loaders import start
from tests.mediation.samples import NOW, cdr, load, make_operator, new_file, stream
from tests.patience import eventually


def test_names_under_which_senders_write_are_left_alone():
    assert is_ready_name("MSC01_0001.cdr")
    for name in (".MSC01.cdr", "a.cdr.tmp", "a.part", "a.filepart", "a.cdr~"):
        assert not is_ready_name(name)


def test_a_file_that_grows_while_it_is_looked_at_is_not_ready(tmp_path: Path, monkeypatch):
    (tmp_path / "a.cdr").write_bytes(b"whole")
    growing = tmp_path / "b.cdr"
    growing.write_bytes(b"half")
    gone = tmp_path / "c.cdr"
    gone.write_bytes(b"gone")

    def sleep(seconds: float) -> None:
        growing.write_bytes(b"half and more")
        gone.unlink()

    monkeypatch.setattr(file_folder.time, "sleep", sleep)
    assert ready_files(tmp_path) == [tmp_path / "a.cdr"]


def test_old_files_are_taken_without_waiting_in_the_order_of_their_names(tmp_path: Path, monkeypatch):
    for name in ("b.cdr", "a.cdr"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(file_folder.time, "sleep", lambda seconds: pytest.fail("nothing is to be waited for"))
    assert [path.name for path in ready_files(tmp_path)] == ["a.cdr", "b.cdr"]


@pytest.mark.django_db
def test_an_internal_error_in_one_file_does_not_stop_the_others(monkeypatch):
    make_operator(1)
    files = [new_file(stream([cdr(number)]), f"{number}.cdr") for number in (1, 2, 3)]
    original = intake.load_file

    def load_file(path: Path, **options):
        if path.name == "2.cdr":
            raise ZeroDivisionError("a mistake")
        return original(path, **options)

    monkeypatch.setattr(intake, "load_file", load_file)
    outcomes = [outcome.outcome for outcome in intake.load_files(files, lambda: NOW)]
    assert outcomes == [Outcome.LOADED, Outcome.FAILED, Outcome.LOADED]
    assert [path.name for path in settings.CDR_NEW_DIR.iterdir()] == ["2.cdr"]


@pytest.mark.django_db
def test_beats_task_loads_waiting_files_and_finds_none_the_next_time(settings):
    settings.CDR_MAX_AGE_DAYS = 36_500
    make_operator(1)
    new_file(stream([cdr(1)]))
    assert load_new_files() == 1
    assert load_new_files() == 0
    assert Cdr.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_several_processes_share_the_files(database_url: str, folders: Path):
    make_operator(1)
    for number in range(4):
        new_file(stream([cdr(number)]), f"{number}.cdr")
    process = start(["manage.py", "loadcdrs", "--workers", "2"], database_url, folders)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert (Cdr.objects.count(), CdrFile.objects.count()) == (4, 4)
    assert output.count("loaded, 1 records") == 4
    assert "process.started" not in output


@pytest.mark.django_db(transaction=True)
def test_following_takes_files_as_they_come_until_it_is_interrupted(database_url: str, folders: Path):
    make_operator(1)
    process = start(["manage.py", "loadcdrs", "--follow", "--interval", "0.2"], database_url, folders)
    try:
        for number in (1, 2):
            new_file(stream([cdr(number)]), f"{number}.cdr")
            eventually(lambda number=number: Cdr.objects.count() == number, f"record {number}")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "Files" in output


def test_wrong_arguments_are_reported():
    with pytest.raises(CommandError, match="at least 1"):
        call_command("loadcdrs", "--workers", "0", stdout=io.StringIO())
    with pytest.raises(CommandError, match="do not go together"):
        call_command("loadcdrs", "--dry-run", "--follow", stdout=io.StringIO())


@pytest.mark.django_db
def test_a_file_whose_name_is_not_utf8_is_loaded_and_reported_like_any_other(capsys):
    make_operator()
    for name, number in ((os.fsdecode(b"a\xff.cdr"), 1), ("b.cdr", 2)):
        os.utime(new_file(stream([cdr(number)]), name), (1, 1))
    call_command("loadcdrs")
    assert "a\\xff.cdr: loaded, 1 records" in capsys.readouterr().out
    assert sorted(CdrFile.objects.values_list("name", flat=True)) == ["a\\xff.cdr", "b.cdr"]
    moved = sorted(os.listdir(os.fsencode(settings.CDR_PROCESSED_DIR)))
    assert moved == [b"a\xff.cdr.done", b"b.cdr.done"]


@pytest.mark.django_db
def test_a_file_whose_name_is_as_long_as_names_can_be_is_moved_once_it_is_loaded():
    make_operator()
    longest = "ä" * 125 + ".cdr1"
    load(stream([cdr(1)]), longest)
    again = load(stream([cdr(2)]), longest)
    assert again.outcome is Outcome.LOADED
    assert len(list(settings.CDR_PROCESSED_DIR.iterdir())) == 2
    assert not list(settings.CDR_NEW_DIR.iterdir())


@pytest.mark.django_db
def test_a_source_with_an_unknown_format_leaves_its_files_where_they_are_and_says_so():
    make_operator()
    Source.objects.create(code="MSC01", format="protobuff", file_pattern="MSC01_*")
    failed = load(stream([cdr(1)]))
    assert failed.outcome is Outcome.FAILED
    assert failed.detail == "source MSC01: format: there is no format “protobuff”; known are csv, protobuf"
    assert failed.path.exists()
    Source.objects.update(format="protobuf")
    assert load(stream([cdr(1)])).outcome is Outcome.LOADED


@pytest.mark.django_db
def test_a_file_of_another_format_than_its_sources_is_refused_with_what_to_change():
    make_operator()
    Source.objects.create(code="MSC01", format="csv", file_pattern="MSC01_*")
    refused = load(stream([cdr(1), cdr(2)]))
    assert refused.outcome is Outcome.REFUSED
    assert refused.detail.endswith(
        "It looks like Protobuf (length-delimited CDR messages): change the format or the file pattern of source MSC01"
    )


@pytest.mark.django_db
def test_a_file_all_of_whose_lines_are_filtered_out_is_loaded_with_no_records():
    make_operator()
    columns = {"service": 1, "msisdn": 2, "start": 3, "duration_s": 4}
    options = {"header": False, "columns": columns, "filter": "1(^voice$)"}
    Source.objects.create(code="MSC01", format="csv", file_pattern="MSC01_*", options=options)
    outcome = load(b"location,4915550000001,2026-03-10T08:00:00Z,0\n", "MSC01_1.csv")
    assert (outcome.outcome, outcome.totals.records, outcome.totals.left_out) == (Outcome.LOADED, 0, 1)
    assert CdrFile.objects.get().left_out == 1
    assert load(b"\n\n", "MSC01_2.csv").outcome is Outcome.LOADED
    assert load(b"no line of ours\n", "MSC01_3.csv").outcome is Outcome.REFUSED
