"""Loaders die at every boundary between two steps, and are started again: nothing is missing, nothing is doubled."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from django.conf import settings

from apps.charging.models import AllowanceCounter, Balance, LedgerEntry
from apps.mediation.models import Cdr, CdrFile, SuspendedRecord
from apps.mediation.services.file_folder import FileState, content_hash, move_file, ready_files, state_of
from apps.mediation.services.intake import load_files
from apps.mediation.services.load_file import Outcome
from tests.mediation.loaders import finish, start
from tests.mediation.samples import MINUTE_MICROS, NOW, cdr, header, make_operator, new_file, stream

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = ("hashed", "read", "claimed", "stored", "charged", "committing", "committed", "moving", "moved")
RECORDS, BAD = 35, 2


def test_next_loader_completes_a_file_whose_loader_was_killed(database_url: str, folders: Path):
    make_operator(len(STEPS), free_minutes=5, mode="prepaid")
    processes = {}
    for number, step in enumerate(STEPS, 1):
        msisdn = str(4915550000000 + number)
        records = [cdr(number * 1_000 + k, msisdn=msisdn) for k in range(RECORDS)]
        bad = [cdr(number * 1_000 + 500 + k, msisdn=msisdn, duration_s=-1) for k in range(BAD)]
        path = new_file(header() + stream(records + bad), f"{step}.cdr")
        processes[step] = start(["-m", "tests.mediation.kill_at", step, str(path)], database_url, folders)
    for step, process in processes.items():
        status, output = finish(process)
        assert status == -signal.SIGKILL, f"{step}: {output}"
    committed = {"committed", "moving", "moved"}
    assert set(CdrFile.objects.values_list("name", flat=True)) == {f"{step}.cdr" for step in committed}
    assert Cdr.objects.count() == RECORDS * len(committed)
    assert {path.name for path in ready_files(settings.CDR_NEW_DIR)} == {
        f"{step}.cdr" for step in STEPS if step != "moved"
    }

    outcomes = {
        outcome.path.stem: outcome for outcome in load_files(ready_files(settings.CDR_NEW_DIR), lambda: NOW)
    }
    for step in STEPS[:-1]:
        expected = Outcome.REPEATED if step in committed else Outcome.LOADED
        assert outcomes[step].outcome is expected, outcomes[step]
    assert Cdr.objects.count() == RECORDS * len(STEPS)
    assert len(set(Cdr.objects.values_list("record_id", flat=True))) == RECORDS * len(STEPS)
    assert SuspendedRecord.objects.count() == BAD * len(STEPS)
    assert {*AllowanceCounter.objects.values_list("used", flat=True)} == {300}
    owed = (RECORDS - 5) * MINUTE_MICROS
    assert {*Balance.objects.values_list("amount_micros", flat=True)} == {-owed}
    assert sum(LedgerEntry.objects.values_list("amount_micros", flat=True)) == -owed * len(STEPS)
    assert not list(settings.CDR_NEW_DIR.iterdir())
    assert {path.name for path in settings.CDR_PROCESSED_DIR.iterdir()} == {
        f"{step}.cdr.done" for step in STEPS
    }
    assert {*CdrFile.objects.values_list("repeats", flat=True)} == {0}


class Died(Exception):
    """Stands for the death of the process between two steps of a move."""


@pytest.mark.parametrize("step", ["moving", "copied", "renamed"])
def test_a_move_between_file_systems_that_stops_half_way_ends_in_the_same_place(step: str, tmp_path: Path):
    path = tmp_path / "a.cdr"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        digest = content_hash(file)
    # Another device number makes it a move between file systems.
    found = state_of(path.stat())
    state = FileState(found.device + 1, *found[1:])
    target = tmp_path / "processed"

    def die(reached: str) -> None:
        if reached == step:
            raise Died

    class Elsewhere(type(path)):
        pass

    def move(on_step) -> Path | None:
        import apps.mediation.services.file_folder as module

        original = module.state_of
        module.state_of = lambda found: original(found)._replace(device=state.device)
        try:
            return move_file(path, target, "done", digest, state, on_step)
        finally:
            module.state_of = original

    with pytest.raises(Died):
        move(die)
    assert path.exists()
    assert move(lambda step: None) == target / "a.cdr.done"
    assert not path.exists()
    assert [found.name for found in target.iterdir()] == ["a.cdr.done"]
    assert (target / "a.cdr.done").read_bytes() == b"content"
