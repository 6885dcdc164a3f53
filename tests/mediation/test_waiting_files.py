"""Files that are left in place are remembered with the reason, and forgotten once they have gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings

from apps.mediation.domain.waiting import FILE_ADVICE, file_advice
from apps.mediation.models import Source, WaitingFile
from apps.mediation.services import intake
from apps.mediation.services.intake import load_files, load_files_in_processes
from apps.mediation.services.load_file import FileOutcome, Outcome
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from tests.factories import make_services
from tests.mediation.samples import NOW, cdr, header, make_operator, new_file, stream

pytestmark = pytest.mark.django_db


def load(*paths: Path, **options) -> list[FileOutcome]:
    return list(load_files(paths, lambda: NOW, **options))


def waiting() -> list[tuple[str, str]]:
    return list(WaitingFile.objects.order_by("name").values_list("name", "reason"))


def test_a_file_waits_for_a_tariff_with_its_source_until_there_is_one():
    make_services()
    path = new_file(header(source="MSC07") + stream([cdr(1)]))
    load(path)
    load(path)
    row = WaitingFile.objects.get()
    assert (row.reason, row.attempts, row.source) == ("no_tariff", 2, Source.objects.get(code="MSC07"))
    assert "save a price plan" in file_advice(row.reason)
    publish(NOW)
    look_again()
    (outcome,) = load(path)
    assert outcome.outcome is Outcome.LOADED
    assert not waiting()


def test_a_file_whose_source_has_wrong_options_waits_and_those_of_others_do_not():
    make_operator(1)
    source = Source.objects.create(code="X", format="csv", file_pattern="x*", options={"speed": 1})
    load(new_file(b"a,b\n", "x.csv"), new_file(stream([cdr(1)]), "y.cdr"))
    assert waiting() == [("x.csv", "source_options")]
    assert WaitingFile.objects.get().source == source


def test_a_source_of_an_unknown_format_is_named_too():
    make_operator(1)
    source = Source.objects.create(code="X", format="csw", file_pattern="x*")
    load(new_file(b"a,b\n", "x.csv"))
    assert WaitingFile.objects.get().source == source


def test_a_file_that_was_taken_away_is_forgotten_under_any_name():
    make_operator(1)
    Source.objects.create(code="X", format="csv", file_pattern="*", options={"speed": 1})
    paths = [new_file(b"a,b\n", os.fsdecode(b"\xff.csv")), new_file(b"c,d\n", "b.csv")]
    load(*paths)
    assert waiting() == [("\\xff.csv", "source_options"), ("b.csv", "source_options")]
    load()
    assert len(waiting()) == 2
    paths[0].unlink()
    load()
    assert waiting() == [("b.csv", "source_options")]


def test_a_fault_of_the_program_and_a_folder_that_cannot_be_written_to_are_told_apart(monkeypatch):
    make_operator(1)
    paths = [new_file(stream([cdr(number)]), f"{number}.cdr") for number in (1, 2)]
    original = intake.load_file

    def load_file(path: Path, **options):
        if path == paths[0]:
            raise ZeroDivisionError("a mistake")
        return original(path, **options)

    monkeypatch.setattr(intake, "load_file", load_file)
    settings.CDR_PROCESSED_DIR.write_text("no folder")
    load(*paths)
    assert waiting() == [("1.cdr", "internal_error"), ("2.cdr", "file_system")]
    assert all(reason in FILE_ADVICE for _, reason in waiting())


def test_a_file_whose_loader_died_waits(monkeypatch):
    path = new_file(stream([cdr(1)]))
    monkeypatch.setattr(intake, "results_of", lambda work, items, *rest: [(item, None) for item in items])
    (outcome,) = load_files_in_processes([path], lambda: NOW, 2)
    assert outcome.outcome is Outcome.FAILED
    assert waiting() == [(path.name, "loader_died")]


def test_a_dry_run_remembers_nothing():
    make_services()
    load(new_file(stream([cdr(1)])), dry_run=True)
    assert not waiting()
