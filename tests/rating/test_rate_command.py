"""The command ``rate``: JSON lines in, JSON lines out."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.rating.models import TariffVersion
from apps.rating.selectors import current_tariff, rater_as_of
from apps.rating.selectors.tariffs import look_again
from tests.rating.folders import write_folder

pytestmark = pytest.mark.django_db
QUERY = {
    "subject": "alice",
    "tor": "voice",
    "destination": "4930123",
    "start": "2026-01-05T12:00:00Z",
    "usage": 61,
}


@pytest.fixture(autouse=True)
def _tariff(tmp_path: Path) -> None:
    look_again()
    call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=io.StringIO())


def rate(lines: list[Any], tmp_path: Path, *options: str) -> str:
    path = tmp_path / "queries.jsonl"
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    out = io.StringIO()
    call_command("rate", str(path), *options, stdout=out)
    return out.getvalue()


def answers(lines: list[Any], tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rate(lines, tmp_path).splitlines()]


def test_an_answer_has_the_price_what_matched_and_the_segments(tmp_path: Path) -> None:
    assert answers([QUERY], tmp_path) == [
        {
            "cost": "0.71",
            "cost_micros": 710_000,
            "billed_usage": 61,
            "connect_fee": "0.1",
            "matched": {
                "subject": "*any",
                "destination": "GERMANY",
                "prefix": "49",
                "rating_plan": "RP",
            },
            "segments": [
                {
                    "start": "2026-01-05T12:00:00Z",
                    "usage": 60,
                    "rate": "0.6",
                    "increment": 60,
                    "units": 60,
                    "cost": "0.6",
                },
                {
                    "start": "2026-01-05T12:01:00Z",
                    "usage": 1,
                    "rate": "0.6",
                    "increment": 1,
                    "units": 1,
                    "cost": "0.01",
                },
            ],
            "error": None,
        }
    ]


def test_tenant_category_and_position_may_be_left_out(tmp_path: Path) -> None:
    full = QUERY | {"tenant": "default", "category": "call", "position": 0}
    assert answers([full], tmp_path) == answers([QUERY], tmp_path)


def test_a_later_piece_is_priced_by_its_position(tmp_path: Path) -> None:
    first, second = answers(
        [
            QUERY | {"usage": 60},
            QUERY | {"usage": 1, "position": 60, "start": "2026-01-05T12:01:00Z"},
        ],
        tmp_path,
    )
    assert (first["cost"], second["cost"], second["connect_fee"]) == ("0.7", "0.01", "0")


def test_answers_keep_the_order_and_bad_lines_do_not_stop_the_rest(tmp_path: Path) -> None:
    lines = [
        QUERY,
        b"nonsense",
        QUERY | {"destination": "33"},
        b'{"usage": NaN}',
        b"[1, 2]",
        b'"\\ud800"',
        b"\xff\xfe{}",
        b'{"destination": "\\ud800"}',
        b"9" * 5_000,
        QUERY | {"tenant": "nobody"},
        QUERY,
    ]
    codes = [answer["error"] and answer["error"]["code"] for answer in answers(lines, tmp_path)]
    malformed = "malformed_line"
    assert codes == [
        None,
        malformed,
        "unauthorised_destination",
        *[malformed] * 6,
        "no_rating_plan",
        None,
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"usage": 60.0},
        {"usage": True},
        {"usage": -1},
        {"usage": "60"},
        {"usage": None},
        {"usage": 1 << 70},
        {"position": -1},
        {"position": 1.0},
        {"start": "2026-01-05T12:00:00"},
        {"start": "today"},
        {"start": 1_767_225_600},
        {"tor": "a fax"},
        {"tor": "*monetary"},
        {"tor": 1},
        {"subject": None},
        {"tenant": ["default"]},
        {"postion": 60},
    ],
    ids=str,
)
def test_values_of_the_wrong_kind_are_refused_with_a_code(change: dict[str, Any], tmp_path: Path) -> None:
    (answer,) = answers([QUERY | change], tmp_path)
    assert answer["cost"] is None
    assert answer["error"]["code"] == "invalid_usage"
    assert answer["error"]["message"]


@pytest.mark.parametrize("name", ["subject", "tor", "destination", "start", "usage"])
def test_a_missing_value_is_named(name: str, tmp_path: Path) -> None:
    (answer,) = answers([{key: value for key, value in QUERY.items() if key != name}], tmp_path)
    assert answer["error"]["code"] == "invalid_usage"
    assert f"“{name}”" in answer["error"]["message"]


def test_blank_lines_are_no_enquiries(tmp_path: Path) -> None:
    assert len(answers([b"", QUERY, b"   "], tmp_path)) == 1


def test_standard_input_is_read_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(QUERY) + "\n"))
    call_command("rate", stdout=out)
    assert json.loads(out.getvalue())["cost"] == "0.71"


def test_explanations_say_where_a_price_comes_from(tmp_path: Path) -> None:
    said = rate([QUERY, b"nonsense", QUERY | {"destination": "33"}], tmp_path, "--explain")
    for part in (
        "61 s of voice to 4930123",
        "cost 0.71",
        "*any, rating plan RP, has the destination",
        "The destination is GERMANY, by prefix 49.",
        "The connect fee is 0.1.",
        "rate RT_FIX, slot from 60",
        "*up to 4 decimals",
        "No price (malformed_line)",
        "No price (unauthorised_destination)",
    ):
        assert part in said


def test_an_earlier_version_may_be_asked(tmp_path: Path) -> None:
    before = current_tariff().version_id
    folder = write_folder(tmp_path / "tp", Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,6,60,60,0\n")
    call_command("loadtariffplan", str(folder), stdout=io.StringIO())
    assert json.loads(rate([QUERY], tmp_path))["cost"] == "12"
    assert json.loads(rate([QUERY], tmp_path, "--as-of", str(before)))["cost"] == "0.71"
    with pytest.raises(CommandError, match="no tariff version"):
        rate([QUERY], tmp_path, "--as-of", "9999")


def test_a_time_may_be_asked_for_the_tariff_that_was_in_force_then(tmp_path: Path) -> None:
    first = TariffVersion.objects.get()
    folder = write_folder(tmp_path / "tp", Rates="RT_FIX,0,6,60,60,0\nRT_MOB,0,6,60,60,0\n")
    call_command("loadtariffplan", str(folder), stdout=io.StringIO())
    for version, day in zip(TariffVersion.objects.order_by("pk"), (1, 2), strict=True):
        version.published_at = datetime(2026, 3, day, tzinfo=UTC)
        version.save()
    assert json.loads(rate([QUERY], tmp_path, "--as-of", "2026-03-01T23:59:59Z"))["cost"] == "0.71"
    assert json.loads(rate([QUERY], tmp_path, "--as-of", "2026-03-02"))["cost"] == "12"
    assert rater_as_of(first.pk).rater is rater_as_of(datetime(2026, 3, 1, 12, tzinfo=UTC)).rater
    with pytest.raises(CommandError, match="no tariff was in force at 2026-02-28"):
        rate([QUERY], tmp_path, "--as-of", "2026-02-28T12:00:00Z")
    with pytest.raises(CommandError, match="neither a tariff version such as 17 nor a time"):
        rate([QUERY], tmp_path, "--as-of", "yesterday")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rate", "/nowhere/queries.jsonl")


def test_usage_below_a_second_is_priced_exactly_and_told_as_it_was_asked(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "fine", Rates="RT_FIX,0,0.6,60s,5ms,0s\nRT_MOB,0,1,60,60,0\n")
    call_command("loadtariffplan", str(folder), stdout=io.StringIO())
    look_again()
    fine, seconds = answers([QUERY | {"usage": "12.3411s"}, QUERY | {"usage": 12}], tmp_path)
    assert (fine["cost"], fine["billed_usage"]) == ("0.1235", "12345ms")
    segment = fine["segments"][0]
    assert (segment["usage"], segment["increment"], segment["units"]) == ("12341100us", "5ms", "12345ms")
    assert (seconds["cost"], seconds["billed_usage"]) == ("0.12", 12)
    later = QUERY | {"usage": "1ms", "position": "12.3411s", "start": "2026-01-05T12:00:12.3411Z"}
    assert answers([later], tmp_path)[0]["cost"] == "0"
    told = rate([QUERY | {"usage": "12.3411s"}], tmp_path, "--explain")
    assert told.startswith("12341100us of voice to 4930123")
    assert "2469 × 5ms = 12345ms billed, at 0.6 for 60s" in told
    written = tmp_path / "out"
    call_command("exporttariffplan", str(written), stdout=io.StringIO())
    assert "RT_FIX,0,0.6,60s,5ms,0s" in (written / "Rates.csv").read_text()


@pytest.mark.parametrize("change", [{"usage": "12"}, {"usage": "1.5ns"}, {"tor": "data", "usage": "1500ms"}])
def test_durations_that_cannot_be_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    (answer,) = answers([QUERY | change], tmp_path)
    assert answer["error"]["code"] == "invalid_usage"
