"""What charging remembers of numbers and lines: for how long, and how it is read ahead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.charging.services import lines
from apps.charging.services.lines import Directory, Number
from apps.subscribers.models import PlanAssignment, ResourceAssignment
from tests.charging.stored import NOW, make_prepaid, msisdn

pytestmark = pytest.mark.django_db
REMEMBERED_S = 20


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(clock: Clock, settings) -> Directory:  # type: ignore[no-untyped-def]
    settings.CHARGING_DIRECTORY_REFRESH_S = REMEMBERED_S
    return Directory(clock)


def number(of: int = 1) -> Number:
    return Number("msisdn", msisdn(of))


def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[object]]:
    """Every list of keys that the directory asks the database for from now on."""
    asked: list[list[object]] = []
    select_in = lines.select_in

    def watched(sql: str, values):  # type: ignore[no-untyped-def]
        if values:
            asked.append(list(values))
        return select_in(sql, values)

    monkeypatch.setattr(lines, "select_in", watched)
    return asked


def look_up(directory: Directory, *numbers: Number) -> None:
    owners = directory.subscribers(numbers, NOW)
    directory.lines([owner for owner in owners.values() if owner is not None], NOW)


def test_what_is_in_use_is_read_ahead_so_that_no_request_has_to(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_prepaid()
    look_up(directory, number())
    asked = reads(monkeypatch)
    for _ in range(10):
        clock.now += REMEMBERED_S * 0.8
        look_up(directory, number())
        assert asked == []
        assert directory.refresh(NOW) == 2
        assert len(asked) == 2
        asked.clear()


def test_what_nobody_asks_for_is_not_read_ahead(directory: Directory, clock: Clock) -> None:
    make_prepaid()
    look_up(directory, number())
    look_up(directory, number())
    clock.now += REMEMBERED_S * 0.8
    assert directory.refresh(NOW) == 0


def test_without_reading_ahead_it_is_read_when_it_is_too_old(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_prepaid()
    look_up(directory, number())
    asked = reads(monkeypatch)
    clock.now += REMEMBERED_S + 1
    look_up(directory, number())
    assert len(asked) == 2


def test_changes_are_seen_once_they_are_read_ahead(directory: Directory, clock: Clock) -> None:
    line = make_prepaid()
    look_up(directory, number())
    ResourceAssignment.objects.filter(subscriber=line).update(end=NOW - timedelta(seconds=1))
    assert directory.subscribers([number()], NOW) == {number(): line.pk}
    clock.now += REMEMBERED_S * 0.8
    look_up(directory, number())
    directory.refresh(NOW)
    assert directory.subscribers([number()], NOW) == {number(): None}


def test_what_is_forgotten_while_it_is_read_ahead_is_not_remembered_as_it_was(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_prepaid()
    look_up(directory, number())
    clock.now += REMEMBERED_S * 0.8
    look_up(directory, number())
    read_lines = directory._read_lines

    def changed_meanwhile(ids, now):  # type: ignore[no-untyped-def]
        found = read_lines(ids, now)
        PlanAssignment.objects.filter(subscriber=line).update(end=NOW - timedelta(days=40))
        directory.forget_lines([line.pk])
        return found

    monkeypatch.setattr(directory, "_read_lines", changed_meanwhile)
    directory.refresh(NOW)
    monkeypatch.undo()
    assert directory.lines([line.pk], NOW)[line.pk].plans == ()


def test_many_are_read_ahead_in_portions(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_REFRESHED_AT_ONCE", 2)
    for of in range(1, 6):
        make_prepaid(of)
    look_up(directory, *[number(of) for of in range(1, 6)])
    clock.now += REMEMBERED_S * 0.8
    look_up(directory, *[number(of) for of in range(1, 6)])
    asked = reads(monkeypatch)
    assert directory.refresh(NOW) == 10
    assert sorted(len(keys) for keys in asked) == [1, 1, 2, 2, 2, 2]
