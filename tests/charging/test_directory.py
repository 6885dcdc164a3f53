"""Charging's cache of numbers and lines: how long entries live, and how they are prefetched."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection

from apps.charging.models import Payer, QuotaPolicy
from apps.charging.services import line_rows, lines
from apps.charging.services.line_rows import lines_of_rows, read_line_rows
from apps.charging.services.lines import Directory, Number
from apps.charging.services.remembered import ASKED_LATELY_S
from apps.charging.services.terms import Terms
from apps.charging.services.usage import lines_of
from apps.rating.models import PricePlanService, Service
from apps.subscribers.models import BundleAssignment, PlanAssignment, ResourceAssignment
from tests.charging.stored import NOW, make_prepaid, msisdn
from tests.factories import make_bundle

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
    select_in, holders_at = line_rows.select_in, lines.holders_at

    def watched(sql: str, values):  # type: ignore[no-untyped-def]
        if values:
            asked.append(list(values))
        return select_in(sql, values)

    def watched_numbers(kind: str, values, at: datetime):  # type: ignore[no-untyped-def]
        if values:
            asked.append(list(values))
        return holders_at(kind, values, at)

    monkeypatch.setattr(lines, "holders_at", watched_numbers)
    monkeypatch.setattr(line_rows, "select_in", watched)
    return asked


def look_up(directory: Directory, *numbers: Number) -> None:
    owners = directory.subscribers(numbers, NOW)
    directory.lines([owner for owner in owners.values() if owner is not None], NOW)


def test_entries_in_use_are_prefetched_so_that_no_request_reads_them(
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


def test_entries_not_used_lately_are_not_prefetched(directory: Directory, clock: Clock) -> None:
    make_prepaid()
    look_up(directory, number())
    read_ahead = 0
    for _ in range(100):
        clock.now += REMEMBERED_S * 0.8
        read_ahead += directory.refresh(NOW)
    most = 2 * ASKED_LATELY_S / (REMEMBERED_S * 0.8)
    assert 2 <= read_ahead <= 2 * (most + 1)
    assert directory.refresh(NOW) == 0


def test_entries_used_now_and_then_are_prefetched_in_between(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_prepaid()
    look_up(directory, number())
    for _ in range(5):
        for _ in range(10):
            clock.now += REMEMBERED_S * 0.8
            directory.refresh(NOW)
        with monkeypatch.context() as watching:
            asked = reads(watching)
            look_up(directory, number())
            assert asked == []


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


def test_an_entry_invalidated_during_a_prefetch_is_not_cached_as_it_was(
    directory: Directory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_prepaid()
    look_up(directory, number())
    clock.now += REMEMBERED_S * 0.8
    look_up(directory, number())
    read_lines = directory._read_lines

    def changed_meanwhile(*arguments):  # type: ignore[no-untyped-def]
        found = read_lines(*arguments)
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


def test_a_line_that_is_as_it_was_is_not_made_again(directory: Directory, clock: Clock) -> None:
    same, other = make_prepaid(1), make_prepaid(2)
    before = directory.lines([same.pk, other.pk], NOW)
    PlanAssignment.objects.filter(subscriber=other).update(end=NOW - timedelta(days=40))
    clock.now += REMEMBERED_S * 0.8
    assert directory.refresh(NOW) == 2
    after = directory.lines([same.pk, other.pk], NOW)
    assert after[same.pk] is before[same.pk]
    assert after[other.pk].plans == ()


def test_what_a_plan_grants_is_read_again_although_the_lines_are_as_they_were(
    directory: Directory, clock: Clock
) -> None:
    line = make_prepaid()
    assert directory.lines([line.pk], NOW)[line.pk].plans[0].grants == {}
    PricePlanService.objects.filter(service__code="sms").update(free_units=30)
    clock.now += REMEMBERED_S * 0.8
    directory.refresh(NOW)
    assert [grant.units for grant in directory.lines([line.pk], NOW)[line.pk].plans[0].grants["sms"]] == [30]


@pytest.mark.parametrize("ahead", [True, False])
def test_the_world_is_the_same_value_until_something_in_it_changes(
    directory: Directory, clock: Clock, ahead: bool
) -> None:
    make_prepaid()
    before = directory.config()[0]
    for changes in (False, True):
        if changes:
            QuotaPolicy.objects.create(service=Service.objects.get(code="sms"), default_units=7)
        clock.now += REMEMBERED_S * (0.8 if ahead else 1.1)
        if ahead:
            directory.refresh(NOW)
        assert (directory.config()[0] is before) is not changes
    assert directory.config()[0].policy("sms", 1).default_units == 7


def test_a_subscriber_who_gets_an_account_later_has_a_line_then(directory: Directory, clock: Clock) -> None:
    line = make_prepaid()
    payer = Payer.objects.get(subscriber=line)
    payer.delete()
    assert directory.lines([line.pk], NOW) == {}
    Payer.objects.create(subscriber=line, account=payer.account)
    clock.now += REMEMBERED_S * 0.8
    directory.refresh(NOW)
    assert directory.lines([line.pk], NOW)[line.pk].account_id == payer.account_id


@pytest.mark.parametrize("bundles", [0, 1, 3, 40], ids=lambda count: f"{count} bundles")
def test_a_line_of_a_row_is_the_line_that_files_are_charged_on(bundles: int) -> None:
    line, other = make_prepaid(1), make_prepaid(2)
    bundle = make_bundle("B", sms=5)
    for number_ in range(bundles):
        begin = NOW - timedelta(days=20, hours=number_)
        end = None if number_ % 2 else NOW + timedelta(microseconds=number_)
        BundleAssignment.objects.create(subscriber=line, bundle=bundle, start=begin, end=end)
    first, last = NOW - timedelta(days=32), NOW + timedelta(days=1)
    rows = read_line_rows([line.pk, other.pk], first, last)
    accounts = {pk: row.account_id for pk, row in rows.items()}
    wanted = lines_of(sorted(accounts), accounts, first, last)
    assert lines_of_rows(rows.values(), first, last, Terms.nothing()) == wanted
    assert len(wanted[line.pk].bundles) == bundles


@pytest.mark.mariadb_only
def test_a_line_of_many_assignments_is_read_whole_with_the_servers_defaults() -> None:
    own = connection.copy()
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.group_concat_max_len")
        (usual,) = cursor.fetchone()
        try:
            # The default of MySQL 8.
            cursor.execute("SET GLOBAL group_concat_max_len = 1024")
            with own.cursor() as another:
                another.execute("SELECT @@SESSION.group_concat_max_len")
                assert another.fetchone() == (1_048_576,)
        finally:
            cursor.execute(f"SET GLOBAL group_concat_max_len = {usual:d}")
            own.close()
