"""What a process remembers of rows that others may change."""

from __future__ import annotations

from apps.charging.services import remembered
from apps.charging.services.remembered import ASKED_LATELY_S, Remembered

Held = tuple[float, str]


def memory(**values: float) -> Remembered[str, Held]:
    """Remembers each key as it was read then, in the order given."""
    made: Remembered[str, Held] = Remembered()
    for key, read_at in values.items():
        made.look_up([key], read_at)
        made.keep({key: (read_at, key)}, read_at, oldest=0.0)
    return made


def test_an_expired_entry_is_a_miss() -> None:
    assert memory(old=10.0, new=20.0).look_up(["old", "new", "never"], 15.0) == (
        {"new": (20.0, "new")},
        ["old", "never"],
    )


def test_due_entries_are_given_once_and_newer_ones_stay() -> None:
    known = memory(a=10.0, b=11.0, c=20.0)
    assert sorted(known.due(30.0, 15.0)) == ["a", "b"]
    assert known.due(30.0, 15.0) == {}
    assert sorted(known.due(30.0, 25.0)) == ["c"]


def test_a_refreshed_entry_is_due_again_later() -> None:
    known = memory(a=10.0)
    due = known.due(30.0, 15.0)
    known.renew({"a": (30.0, "A")}, due, 30.0)
    assert known.look_up(["a"], 25.0) == ({"a": (30.0, "A")}, [])
    assert known.due(40.0, 25.0) == {}
    assert known.due(50.0, 35.0) == {"a": (30.0, "A")}


def test_an_entry_read_for_a_request_meanwhile_is_newer_than_the_prefetched_one() -> None:
    known = memory(a=10.0)
    due = known.due(30.0, 15.0)
    known.keep({"a": (31.0, "request")}, 31.0, oldest=0.0)
    known.renew({"a": (30.0, "ahead")}, due, 30.0)
    assert known.look_up(["a"], 0.0)[0] == {"a": (31.0, "request")}


def test_an_entry_invalidated_meanwhile_stays_invalid() -> None:
    known = memory(a=10.0, b=10.0)
    due = known.due(30.0, 15.0)
    known.forget(["a"])
    known.renew({"a": (30.0, "A"), "b": (30.0, "B")}, due, 30.0)
    assert known.look_up(["a", "b"], 0.0) == ({"b": (30.0, "B")}, ["a"])


def test_an_unused_entry_is_evicted_when_it_is_due() -> None:
    known = memory(a=1000.0, b=1000.0)
    moment = 1000.0
    for _ in range(2):
        moment += ASKED_LATELY_S
        known.look_up(["b"], 0.0)
        due = known.due(moment, moment - 1)
        known.renew({key: (moment, key) for key in due}, due, moment)
    known.look_up(["b"], 0.0)
    assert known.due(moment + 2, moment + 1).keys() == {"b"}
    assert len(known) == 1


def test_the_cache_is_bounded_without_a_prefetch() -> None:
    known: Remembered[str, Held] = Remembered()
    for second in range(10_000):
        known.look_up(["a"], second - 20.0)
        known.keep({"a": (float(second), "a")}, float(second), oldest=second - 20.0)
    assert len(known._readings) <= 22


def test_too_many_are_all_forgotten(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(remembered, "MOST_REMEMBERED", 2)
    known = memory(a=1.0, b=2.0, c=3.0)
    assert known.look_up(["a", "b", "c"], 0.0) == ({"c": (3.0, "c")}, ["a", "b"])
