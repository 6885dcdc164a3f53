"""Made-up traffic: as many records as wanted, the same for the same seed, and what the loader makes of it."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import phonenumbers
import pytest
from django.core.management import CommandError, call_command

from apps.kernel.errors import InvalidInput
from apps.mediation.domain.party_numbers import party_numbers
from apps.mediation.domain.records import UsageRecord
from apps.mediation.domain.traffic import SERVICE_MIX
from apps.mediation.formats import format_named
from apps.mediation.models import Cdr, CdrFile
from apps.mediation.services.file_folder import ready_files
from apps.mediation.services.generate_files import Wanted, generate_files, range_lines
from apps.mediation.services.load_file import load_file
from tests.mediation.samples import make_operator

FIRST, LAST = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 2, tzinfo=UTC)
LINES = range_lines("4915550000001", "4915550000050")


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted(folder=tmp_path / "made", records=3_000, files=3, first=FIRST, last=LAST, now=NOW)


def records_of(paths: list[Path], name: str = "protobuf") -> list[UsageRecord]:
    format_ = format_named(name)
    items = [
        item for path in paths for item in format_.read(io.BytesIO(path.read_bytes()), format_.options({}))
    ]
    assert all(isinstance(item, UsageRecord) for item in items), [
        i for i in items if not isinstance(i, UsageRecord)
    ]
    return items


def test_the_same_seed_makes_the_same_files_and_another_one_others(wanted: Wanted, tmp_path: Path):
    first = [path.read_bytes() for path in generate_files(wanted, LINES)]
    again = [path.read_bytes() for path in generate_files(replace(wanted, folder=tmp_path / "again"), LINES)]
    other = [path.read_bytes() for path in generate_files(replace(wanted, seed=2), LINES)]
    assert first == again != other


def test_the_records_are_a_plausible_month(wanted: Wanted):
    records = records_of(generate_files(wanted, LINES))
    assert len(records) == len({record.record_id for record in records}) == 3_000
    assert all(FIRST.timestamp() <= record.start < LAST.timestamp() for record in records)
    shares = Counter(record.service for record in records)
    for service, per_mille in SERVICE_MIX:
        assert abs(shares[service] / 3 - per_mille) < 60, service
    assert all(record.duration_s > 0 for record in records if record.service == "voice")
    assert all(record.octets > 0 for record in records if record.service == "data")
    assert len({record.msisdn for record in records}) == 50
    hours = Counter(datetime.fromtimestamp(record.start, UTC).hour for record in records)
    assert hours[17] > 3 * hours[3]


def test_dialled_numbers_are_valid_in_their_countries():
    parties = party_numbers("DE", 7)
    for number in (*parties.home[::40], *parties.near[::40], *parties.far[::20]):
        assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{number}")), number
    assert all(number.startswith("49") for number in parties.home)


def test_csv_files_hold_the_same_records(wanted: Wanted):
    as_protobuf = records_of(generate_files(wanted, LINES))
    as_csv = records_of(generate_files(replace(wanted, format="csv"), LINES), "csv")
    assert [record[:1] + record[2:9] for record in as_csv] == [
        record[:1] + record[2:9] for record in as_protobuf
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"records": 0}, {"files": 0}, {"files": 4_000}, {"bad": 4_000}, {"last": FIRST}, {"format": "xml"}],
)
def test_impossible_orders_of_files_are_refused(wanted: Wanted, wrong: dict[str, object]):
    with pytest.raises(InvalidInput):
        generate_files(replace(wanted, **wrong), LINES)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["protobuf", "csv"])
def test_all_bad_records_are_distinguished_from_the_good_ones(wanted: Wanted, name: str):
    make_operator(50)
    paths = generate_files(replace(wanted, bad=90, format=name), LINES)
    outcomes = [load_file(path, now=NOW) for path in paths]
    assert sum(outcome.totals.records for outcome in outcomes) == 3_000
    wrong = sum(outcome.totals.suspended + outcome.totals.duplicates for outcome in outcomes)
    # Flat prices serve any number, so an unknown destination is not wrong here.
    assert 75 <= wrong <= 90
    assert Cdr.objects.count() == 3_000 - wrong
    reasons = Counter()
    for outcome in outcomes:
        reasons.update(outcome.reasons)
    expected = {"unknown_subscriber", "unknown_service", "negative_usage", "future_date", "ancient_date"}
    assert expected <= set(reasons)


@pytest.mark.django_db
def test_the_commands_make_and_load_files_of_the_tenants_subscribers(folders: Path):
    make_operator(20)
    out, err = io.StringIO(), io.StringIO()
    month = ["--from", "2026-03-01", "--to", "2026-03-31"]
    call_command(
        "generatecdrs", "--records", "500", "--files", "2", *month, "--output", str(folders / "new_cdr"),
        stdout=out, stderr=err,
    )  # fmt: skip
    assert "500 records of 20 subscribers from 2026-03-01 to 2026-03-31 in 2 files" in out.getvalue()
    assert len(ready_files(folders / "new_cdr")) == 2
    out = io.StringIO()
    call_command("loadcdrs", "--dry-run", stdout=out)
    assert "What would happen" in out.getvalue()
    assert not CdrFile.objects.exists()
    call_command("loadcdrs", stdout=out)
    assert "250 records: 250 rated, 0 in suspense, 0 duplicates" in out.getvalue()
    assert Cdr.objects.count() == 500


@pytest.mark.django_db
def test_loadcdrs_says_by_its_exit_status_that_a_file_was_refused(folders: Path):
    make_operator(1)
    (folders / "new_cdr" / "bad.cdr").write_bytes(bytes(1000))
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("loadcdrs", stdout=out)
    assert ended.value.code == 1
    assert "bad.cdr: refused" in out.getvalue()
    with pytest.raises(CommandError, match="does not exist"):
        call_command("loadcdrs", "/nowhere/at/all")


@pytest.mark.django_db
def test_there_is_nothing_to_make_without_subscribers():
    with pytest.raises(CommandError, match="no subscriber with a number"):
        call_command("generatecdrs", "--records", "10")
