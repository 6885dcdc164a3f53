"""Prefetching changes when a file is read, and nothing else."""

from __future__ import annotations

import os
import signal

import pytest
from django.conf import settings

from apps.mediation.models import Cdr, CdrFile, SuspendedRecord
from apps.mediation.services import prefetch
from apps.mediation.services.file_folder import ready_files
from apps.mediation.services.intake import load_files
from apps.mediation.services.load_file import Outcome
from apps.mediation.services.prefetch import Prefetch
from tests.mediation.samples import NOW, cdr, header, make_operator, new_file, stream

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_files_too(monkeypatch):
    monkeypatch.setattr(prefetch, "WORTHWHILE_OCTETS", 0)


@pytest.fixture
def taken(monkeypatch) -> list[bool]:
    """For each file, whether it had been prefetched."""
    found: list[bool] = []
    original = Prefetch.take

    def take(self, path, state, digest):
        contents = original(self, path, state, digest)
        found.append(contents is not None)
        return contents

    monkeypatch.setattr(Prefetch, "take", take)
    return found


MSISDN = "4915550000001"


def make_files(count: int = 4) -> None:
    for number in range(count):
        records = [cdr(number * 100 + k, msisdn=MSISDN) for k in (3, 1, 2)]
        bad = cdr(number * 100 + 50, duration_s=-1)
        new_file(header(source=f"S{number}") + stream([*records, b"\xff\xff", bad]), f"{number}.cdr")


def test_prefetched_files_are_loaded_like_others(taken: list[bool]):
    make_operator(1, free_minutes=7)
    make_files()
    outcomes = list(load_files(ready_files(settings.CDR_NEW_DIR), lambda: NOW))
    assert [outcome.outcome for outcome in outcomes] == [Outcome.LOADED] * 4
    assert taken == [True, True, True, True]
    assert Cdr.objects.count() == 12
    assert SuspendedRecord.objects.count() == 8
    assert list(CdrFile.objects.order_by("pk").values_list("rated", "suspended", "source__code")) == [
        (3, 2, f"S{number}") for number in range(4)
    ]
    # Free minutes in the order of start within each file, file by file.
    assert list(Cdr.objects.order_by("pk").values_list("free_usage", flat=True)) == [60] * 7 + [0] * 5


def test_loader_reads_a_file_itself_if_the_prefetching_process_died(taken: list[bool]):
    make_operator(1)
    make_files()
    outcomes = []
    for outcome in load_files(ready_files(settings.CDR_NEW_DIR), lambda: NOW):
        outcomes.append(outcome.outcome)
        for pid in children():
            os.kill(pid, signal.SIGKILL)
    assert outcomes == [Outcome.LOADED] * 4
    assert Cdr.objects.count() == 12


def children() -> list[int]:
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
        pids = [int(pid) for pid in file.read().split()]
    return [pid for pid in pids if b"spawn_main" in open(f"/proc/{pid}/cmdline", "rb").read()]


def test_a_file_that_changes_after_its_prefetch_is_read_again(taken: list[bool], monkeypatch):
    ask = Prefetch.ask

    def ask_and_wait(self, *arguments):
        asked = ask(self, *arguments)
        assert self._asked.answer.result(60), "the reader has not answered"
        return asked

    monkeypatch.setattr(Prefetch, "ask", ask_and_wait)
    make_operator(1)
    make_files(2)
    files = ready_files(settings.CDR_NEW_DIR)
    outcomes = load_files(files, lambda: NOW)
    next(outcomes)
    new_file(header(source="S1") + stream([cdr(777)]), "1.cdr")
    assert next(outcomes).totals.rated == 1
    assert taken == [True, False]


def test_a_file_that_cannot_be_prefetched_is_refused_by_the_loader(taken: list[bool]):
    make_operator(1)
    new_file(stream([cdr(1)]), "1.cdr")
    new_file(bytes(1000), "2.cdr")
    new_file(b"", "3.cdr")
    new_file(stream([cdr(4)]), "4.cdr")
    outcomes = list(load_files(ready_files(settings.CDR_NEW_DIR), lambda: NOW))
    assert [outcome.outcome.value for outcome in outcomes] == ["loaded", "refused", "refused", "loaded"]
    assert not children()


@pytest.mark.django_db(transaction=True)
def test_holders_of_a_files_numbers_are_prefetched_too(monkeypatch):
    found: list[bool] = []
    original = Prefetch.take

    def take(self, path, state, digest):
        reading, contents = original(self, path, state, digest)
        found.append(MSISDN in contents.holdings.holdings.holdings)
        return reading, contents

    monkeypatch.setattr(Prefetch, "take", take)
    make_operator(1, free_minutes=7)
    make_files(3)
    outcomes = list(load_files(ready_files(settings.CDR_NEW_DIR), lambda: NOW))
    assert [outcome.outcome for outcome in outcomes] == [Outcome.LOADED] * 3
    assert found == [True] * 3
    assert list(Cdr.objects.order_by("pk").values_list("free_usage", flat=True)) == [60] * 7 + [0] * 2


def test_holders_are_not_prefetched_inside_an_uncommitted_transaction(monkeypatch):
    found = []
    original = Prefetch.take

    def take(self, path, state, digest):
        reading, contents = original(self, path, state, digest)
        found.append(contents.holdings)
        return reading, contents

    monkeypatch.setattr(Prefetch, "take", take)
    make_operator(1)
    make_files(2)
    outcomes = list(load_files(ready_files(settings.CDR_NEW_DIR), lambda: NOW))
    assert [outcome.totals.rated for outcome in outcomes] == [3, 3]
    assert found == [None, None]
