"""The history of the tariff in git: a commit a version, also after kills, damage and loss."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.events.services.consuming import deliver
from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.domain import Rater, Usage
from apps.rating.domain.errors import RatingError
from apps.rating.domain.tariff_files import read_tariff_files
from apps.rating.models import PricePlan, PricePlanService, RateSlot, RatingProfile, TariffLoad, TariffVersion
from apps.rating.selectors import current_tariff, rater_as_of, tariffs
from apps.rating.selectors.history import SET_ASIDE, commits_by_version, history_directory, history_state
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.history import HISTORY, write_history
from apps.rating.services.publishing import publish
from apps.rating.services.retiring import retire
from apps.rating.services.tariff_loading import load_tariff_plan
from apps.storage.git import GitDirectory, GitFailed, NewCommit
from tests import python_processes
from tests.factories import make_plan
from tests.rating.folders import encoded
from tests.rating.kill_history import STEPS

NOW = datetime(2026, 1, 5, tzinfo=UTC)
FRIDAY = datetime(2026, 1, 9, 12, tzinfo=UTC)
USAGES = [
    Usage("default", "call", subject, "voice", number, FRIDAY + timedelta(hours=hours), 61)
    for subject in ("alice", "*plan:PLAN")
    for number in ("4930123", "4915123", "331")
    for hours in (0, 12)
]


@pytest.fixture(autouse=True)
def _history(tmp_path: Path, settings: Any) -> None:
    settings.TARIFF_HISTORY_DIR = tmp_path / "history.git"
    look_again()


def directory() -> GitDirectory:
    found = history_directory()
    assert found is not None
    return found


def load(by: str = "", **files: str) -> int:
    read = read_tariff_files(encoded(**files), plan_code="*shared")
    return load_tariff_plan(read, NOW, by=by).version_id


def prices(rater: Rater) -> list[object]:
    found: list[object] = []
    for usage in USAGES:
        try:
            found.append(rater.rate(usage))
        except RatingError as error:
            found.append(error.code)
    return found


def forget_versions() -> None:
    TariffLoad.objects.all().delete()
    TariffVersion.objects.all().delete()
    tariffs._raters.clear()
    look_again()


EDITS: dict[str, Any] = {
    "a dearer rate": lambda n: RateSlot.objects.filter(rate__code="RT_FIX").update(price=f"0.{n}"),
    "another increment": lambda n: RateSlot.objects.filter(group_start=0).update(increment=n),
    "a load": lambda n: load(Destinations=f"Id,Prefix\nGERMANY,49\nDE_MOBILE,4915\nDE_MOBILE,49{n}\n"),
    "a later start": lambda n: RatingProfile.objects.filter(
        pk=RatingProfile.objects.order_by("pk").values_list("pk", flat=True)[0]
    ).update(activation_time=FRIDAY + timedelta(hours=n - 6, minutes=RatingProfile.objects.count())),
    "a price of the plan": lambda n: PricePlanService.objects.update(price_micros=n * 1_000),
    "free units": lambda n: PricePlanService.objects.update(free_units=n),
    "an expiry": lambda n: PricePlan.objects.update(expiration_date=FRIDAY.date() + timedelta(days=n - 6)),
}


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(list(EDITS)), st.integers(1, 12), st.booleans()), min_size=1, max_size=8
    )
)
def test_each_version_prices_from_the_history_as_it_did_when_it_was_live(
    edits: list[tuple[str, int, bool]], tmp_path_factory: pytest.TempPathFactory, settings: Any
) -> None:
    settings.TARIFF_HISTORY_DIR = tmp_path_factory.mktemp("history") / "history.git"
    forget_versions()
    PricePlan.objects.all().delete()
    load()
    make_plan(voice=(5_000, 10), sms=(None, 0))
    live = {}
    for name, number, written in [("a load", 7, True), *edits]:
        EDITS[name](number)
        version = publish(NOW, name)
        assert version.version_id not in live or not version.is_new
        live[version.version_id] = prices(current_tariff().rater)
        if written:
            write_history(NOW)
    write_history(NOW)
    commits = commits_by_version()
    assert sorted(commits) == sorted(TariffVersion.objects.values_list("pk", flat=True))
    for version_id, was in live.items():
        assert prices(rater_as_of(version_id).rater) == was
    forget_versions()
    for version_id, was in live.items():
        found = rater_as_of(commits[version_id].id)
        assert (found.version_id, prices(found.rater)) == (version_id, was)


@pytest.mark.django_db
def test_a_commit_says_who_when_why_and_what() -> None:
    load("anna", Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,6,60,60,0\n")
    load("ben", Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,7,60,60,0\n")
    plan = make_plan(voice=(5_000, 10))
    publish(NOW + timedelta(days=1), "a new <plan>\nfor Christmas", by="carla <c@example.org>")
    retire(plan, NOW)
    publish(NOW + timedelta(days=2), "retired Plan")
    assert write_history(NOW) == 4
    newest, third, second, first = directory().log()
    assert "another order" not in first.message
    assert (second.author, second.at, second.subject) == ("ben", NOW, "loadtariffplan *shared")
    assert "tariff-plans/*shared/rates.json: 1 added, 1 removed" in second.message
    assert (third.author, third.subject) == ("carla c@example.org", "a new <plan> for Christmas")
    assert newest.message == "retired Plan\n\nproducts/price_plans.json: 1 added, 1 removed"
    rates = json.loads(directory().files(second.id)["tariff-plans/*shared/rates.json"])
    assert rates[1] == {
        "id": "RT_MOB",
        "group_start": 0,
        "connect_fee": "0",
        "rate": "7",
        "unit": 60,
        "increment": 60,
    }


@pytest.mark.django_db
def test_writing_again_adds_nothing() -> None:
    load()
    assert [write_history(NOW), write_history(NOW, thorough=True)] == [1, 0]


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_is_killed_at_any_step_commits_each_version_once(
    database_url: str, tmp_path: Path
) -> None:
    look_again()
    load()
    for number, step in enumerate(STEPS):
        RateSlot.objects.update(price=f"{number}.5")
        publish(NOW)
        process = python_processes.start(
            ["-m", "tests.rating.kill_history", step],
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "bss_project.settings",
                "BSS_TARIFF_HISTORY": str(tmp_path / "history.git"),
            },
        )
        assert process.wait(timeout=120) == -signal.SIGKILL, step
        if number % 2:
            write_history(NOW)
    deliver(NOW, [HISTORY])
    write_history(NOW, thorough=True)
    versions = list(TariffVersion.objects.order_by("-pk").values_list("pk", flat=True))
    assert len(versions) == len(STEPS) + 1
    assert [int(commit.trailers["Tariff-Version"]) for commit in directory().log()] == versions
    assert not list(tmp_path.glob(f"*{SET_ASIDE}*"))


@pytest.mark.django_db(transaction=True)
def test_an_event_has_the_history_written_by_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.rating import tasks
    from apps.runtime.tasks import current_app

    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: sent.append(name))
    load()
    deliver(NOW, [HISTORY])
    assert sent == [f"{tasks.__name__}.{tasks.write_tariff_history.__name__}"]
    assert tasks.write_tariff_history() == 1
    deliver(NOW, [HISTORY])
    assert len(sent) == 1


def _truncated(path: Path) -> None:
    for part in (path / "objects").glob("??/*"):
        part.chmod(0o644)
        part.write_bytes(part.read_bytes()[:5])


def _overwritten(path: Path) -> None:
    (path / "HEAD").write_bytes(b"\0" * 20)


def _foreign(path: Path) -> None:
    other = GitDirectory(path)
    files = other.files(other.log(1)[0].id)
    other.append([NewCommit(files, "somebody", NOW, "by hand", {"Tariff-Version": "99"})])


@pytest.mark.django_db
@pytest.mark.parametrize("damage", [_truncated, _overwritten, _foreign, shutil.rmtree])
def test_a_history_that_is_gone_or_damaged_stops_no_load_and_is_made_from_the_database(
    damage: Any, tmp_path: Path
) -> None:
    load()
    write_history(NOW)
    before = directory().log()
    damage(directory().path)
    load(Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,6,60,60,0\n")
    assert not history_state().in_step
    assert write_history(NOW, thorough=True) == 2
    assert directory().log()[1:] == before
    state = history_state()
    assert state.in_step
    aside = list(tmp_path.glob(f"*{SET_ASIDE}*"))
    assert len(aside) == (damage is not shutil.rmtree)
    assert all(path.name in state.text for path in aside)


@pytest.mark.django_db
def test_a_damaged_commit_prices_nothing(tmp_path: Path) -> None:
    load()
    write_history(NOW)
    tip = directory().log(1)[0]
    files = directory().files(tip.id)
    files["tariff-plans/*shared/rates.json"] = files["tariff-plans/*shared/rates.json"].replace(
        b"0.6", b"0.1"
    )
    directory().append([NewCommit(files, "x", NOW, "forged", tip.trailers)])
    with pytest.raises(InvalidInput, match="is not what was published"):
        rater_as_of(directory().log(1)[0].id[:12])
    with pytest.raises(NotFound, match="no commit abcdef0123"):
        rater_as_of("abcdef0123")


@pytest.mark.django_db
def test_a_machine_without_git_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    write_history(NOW)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitFailed, match="git cannot be run"):
        write_history(NOW)
    assert "cannot be read" in history_state().text
    monkeypatch.setenv("PATH", path)
    assert write_history(NOW) == 0
    assert "set-aside" not in history_state().text


@pytest.mark.django_db
def test_a_lock_that_a_killed_git_left_does_not_last() -> None:
    load()
    write_history(NOW)
    (directory().path / "refs/heads/main.lock").touch()
    RateSlot.objects.update(price="9")
    publish(NOW)
    assert write_history(NOW) == 1


@pytest.mark.django_db
def test_the_history_may_be_switched_off(settings: Any, tmp_path: Path) -> None:
    settings.TARIFF_HISTORY_DIR = None
    load()
    assert write_history(NOW) == 0
    assert history_state() == (True, "The history in git is switched off (BSS_TARIFF_HISTORY).")
    assert not list(tmp_path.iterdir())


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("tarifflog", *words, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_lists_shows_and_compares() -> None:
    first = load("anna")
    last = load("ben", Destinations="Id,Prefix\nGERMANY,49\nDE_MOBILE,4915\nDE_MOBILE,4918\n")
    assert "There is no history" in said()
    assert "2 versions committed." in said("write")
    listed = said().splitlines()
    commit = commits_by_version()[last].id
    assert listed[0].split() == [
        str(last), commit[:12], "2026-01-05", "00:00:00", "ben", "loadtariffplan", "*shared",
    ]  # fmt: skip
    assert "has every version" in listed[2]
    for text in (said("show", str(last)), said("diff", str(first), commit[:12])):
        assert '- {"id": "DE_MOBILE", "prefix": "4917"}\n+ {"id": "DE_MOBILE", "prefix": "4918"}' in text
        assert "GERMANY" not in text
    assert said("diff", str(last), str(last)) == "They are the same.\n"
    assert "GERMANY" in said("show", str(first))
    with pytest.raises(CommandError, match="no tariff version 4711"):
        said("show", "4711")
