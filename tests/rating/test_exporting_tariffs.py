"""exporttariffplan: what is written makes the same tariff when it is loaded."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.rating.domain.numbering import world_destinations
from apps.rating.domain.source import Destination, DestinationRate, TariffPlan
from apps.rating.domain.standard_tariff import standard_tariff
from apps.rating.domain.tariff_files import packed, read_tariff_files, write_table, write_tariff_files
from apps.rating.models import TariffVersion
from apps.rating.services.folder_checking import read_folder
from apps.rating.services.folder_parts import parts
from apps.rating.services.tariff_export import export_folder
from apps.rating.services.tariff_loading import load_tariff_plan
from tests.rating.folders import encoded, write_folder
from tests.rating.whole_folders import whole_folders

NOW = datetime(2026, 1, 5, tzinfo=UTC)

_names = st.text("aZé9_.:*-\"'#!&<", min_size=1, max_size=4)
_lists = {
    "years": st.lists(st.integers(1970, 9000), max_size=3),
    "months": st.lists(st.integers(1, 12), max_size=3),
    "days": st.lists(st.integers(1, 31), max_size=3),
    "weekdays": st.lists(st.integers(0, 7), max_size=3),
}
_amounts = st.sampled_from(["0", "0.5", "1.230", "00.000000001", "7"])
_units = st.sampled_from(["1", "60", "1m", "0", "30s"])


@st.composite
def folders(draw: st.DrawFn) -> dict[str, str]:
    """The files of a folder without faults: odd ids, timings, several slots, repeated rows, lists."""

    def ids(kind: str, most: int = 3) -> list[str]:
        # The number keeps them apart in a database that takes “a” and “Á” for one.
        return [f"{kind}{draw(_names)}{number}" for number in range(draw(st.integers(1, most)))]

    def join(values: list[int]) -> str:
        return ";".join(map(str, values))

    timings, destinations, rates = ids("T"), ids("D"), ids("R")
    groups, plans = ids("G"), ids("P")
    rows: dict[str, list[tuple[object, ...]]] = {
        "Timings": [
            (
                name,
                *(join(draw(_lists[kind])) for kind in ("years", "months", "days", "weekdays")),
                draw(
                    st.sampled_from(["*asap", "08:00:00", "8:05;18:00:01", "12:00;24:00:00", "0:00;23:59:59"])
                ),
            )
            for name in timings
        ],
        "Destinations": [
            (name, prefix)
            for name in destinations
            for prefix in draw(
                st.lists(st.from_regex(r"\+?[0-9#*]{1,6}x?", fullmatch=True), min_size=1, max_size=4)
            )
        ],
        "Rates": [
            (name, draw(_amounts), draw(_amounts), draw(_units), draw(_units), start)
            for name in rates
            for start in draw(st.permutations([0, 30, 60]))[: draw(st.integers(1, 3))]
        ],
        "DestinationRates": [
            (
                group,
                destination,
                draw(st.sampled_from(rates)),
                draw(st.sampled_from(["*up", "*down", "*middle", "*none", ""])),
                draw(st.sampled_from(["0", "4", ""])),
                *draw(st.sampled_from([("0", ""), ("1.50", "*free"), ("2", "*DISCONNECT"), ("", "")])),
            )
            for group in groups
            for destination in draw(st.permutations([*destinations, "*any"]))
        ],
        "RatingPlans": [
            (
                plan,
                group,
                draw(st.sampled_from([*timings, "*any", ""])),
                draw(st.sampled_from(["10", "0.5", "-1", ""])),
            )
            for plan in plans
            for group in groups
        ],
        "RatingProfiles": [
            (
                "*out",
                "default",
                "call;sms",
                subject,
                draw(st.sampled_from(["*asap", "2026-01-01T00:00:00Z", "2026-02-01T12:00:00+02:00"])),
                draw(st.sampled_from(plans)),
                draw(st.sampled_from(["", "*any", "*any;other"])),
                "",
            )
            for subject in ("*any", *ids("S"))
        ],
    }

    def cell(value: object) -> str:
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if '"' in text else text

    return {name: "".join(",".join(map(cell, row)) + "\n" for row in lines) for name, lines in rows.items()}


def read(files: dict[str, str]) -> TariffPlan:
    result = read_tariff_files({name: text.encode() for name, text in files.items()}, plan_code="*shared")
    assert result.problems == []
    return result.plan


@given(folders())
def test_what_is_written_reads_as_the_same_plan(files: dict[str, str]) -> None:
    plan = read(files)
    written, problems = write_tariff_files(plan)
    assert problems == []
    assert read(written) == plan
    assert write_tariff_files(read(written))[0] == written


@pytest.mark.parametrize("home", ["DE", "FR"])
def test_the_standard_tariff_is_written_as_it_is_read(home: str) -> None:
    files = standard_tariff(
        world_destinations(), tenant="default", home=home, activation="2020-01-01T00:00:00Z"
    )
    assert read(write_tariff_files(read(files))[0]) == read(files)


@pytest.mark.django_db
@settings(max_examples=20, deadline=None)
@given(whole_folders(folders()))
def test_load_export_load_is_the_identity_for_all_tables(files: dict[str, str]) -> None:
    def load(texts: dict[str, str]) -> int:
        contents = {name: text.encode() for name, text in texts.items()}
        return load_tariff_plan(read_folder(contents), NOW, flush=True).version_id

    empty = {part.name: write_table(part.columns.columns, ()) for part in parts()}
    first = load(empty | files)
    exported, problems = export_folder("*shared")
    assert problems == []
    assert set(files) <= set(exported)
    assert load(empty | exported) == first
    assert export_folder("*shared")[0] == exported
    # Without a flush each id takes its own place.
    assert (
        load_tariff_plan(
            read_folder({name: text.encode() for name, text in exported.items()}), NOW
        ).version_id
        == first
    )
    assert export_folder("*shared")[0] == exported


@pytest.mark.django_db
def test_the_standard_tariff_loads_again_from_its_export_as_the_same_version(tmp_path: Path) -> None:
    quiet = io.StringIO()
    call_command("maketariffplan", str(tmp_path / "made"), stdout=quiet)
    call_command("loadtariffplan", str(tmp_path / "made"), stdout=quiet, stderr=quiet)
    call_command("exporttariffplan", str(tmp_path / "out"), stdout=quiet)
    said = io.StringIO()
    call_command("loadtariffplan", str(tmp_path / "out"), "--flush", stdout=said, stderr=said)
    assert "the same as tariff version" in said.getvalue()
    assert TariffVersion.objects.count() == 1


@pytest.mark.django_db
def test_an_earlier_version_is_exported_and_loaded_to_go_back_to_it(tmp_path: Path) -> None:
    quiet = io.StringIO()
    call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=quiet, stderr=quiet)
    first = TariffVersion.objects.get()
    dear = write_folder(tmp_path / "dear", Rates="RT_FIX,0,9,60,60,0\nRT_MOB,0,9,60,60,0\n")
    call_command("loadtariffplan", str(dear), stdout=quiet, stderr=quiet)
    call_command("exporttariffplan", str(tmp_path / "old"), tariff_version=first.pk, stdout=quiet)
    call_command("loadtariffplan", str(tmp_path / "old"), "--flush", stdout=quiet, stderr=quiet)
    newest = TariffVersion.objects.order_by("-pk")[0]
    assert newest.pk > first.pk
    assert newest.content_hash == first.content_hash


@pytest.mark.django_db
def test_a_tenants_own_folder_is_exported_apart_from_the_shared_one(tmp_path: Path) -> None:
    quiet = io.StringIO()
    call_command("loadtariffplan", str(write_folder(tmp_path / "tp")), stdout=quiet, stderr=quiet)
    own = write_folder(tmp_path / "own", Destinations="GERMANY,49\nDE_MOBILE,491\n")
    call_command("loadtariffplan", str(own), tenant="brand", stdout=quiet, stderr=quiet)
    call_command("exporttariffplan", str(tmp_path / "out"), tenant="brand", stdout=quiet)
    assert (tmp_path / "out" / "Destinations.csv").read_text() == "Id,Prefix\nDE_MOBILE,491\nGERMANY,49\n"
    assert ",brand,call,*any," in (tmp_path / "out" / "RatingProfiles.csv").read_text()


@pytest.mark.django_db
def test_an_export_overwrites_nothing_and_says_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no tariff has been published"):
        call_command("exporttariffplan", str(tmp_path / "out"))
    folder = write_folder(tmp_path / "tp")
    quiet = io.StringIO()
    call_command("loadtariffplan", str(folder), stdout=quiet, stderr=quiet)
    before = (folder / "Rates.csv").read_text()
    with pytest.raises(CommandError, match="--force"):
        call_command("exporttariffplan", str(folder))
    assert (folder / "Rates.csv").read_text() == before
    with pytest.raises(CommandError, match="no tariff version 99999"):
        call_command("exporttariffplan", str(tmp_path / "out"), tariff_version=99999)
    with pytest.raises(CommandError, match="no tariff plan nobody"):
        call_command("exporttariffplan", str(tmp_path / "out"), tenant="nobody")


def test_a_destination_without_a_prefix_is_named_and_left_out_with_its_rates() -> None:
    plan = TariffPlan(
        "*shared",
        destinations=(Destination("EMPTY", ()), Destination("FULL", ("49",))),
        destination_rates=(DestinationRate("DR", "EMPTY", "R"), DestinationRate("DR", "FULL", "R")),
    )
    files, problems = write_tariff_files(plan)
    assert [problem.message for problem in problems] == [
        "EMPTY has no prefix, so neither it nor its rates are written"
    ]
    assert "EMPTY" not in files["Destinations"] + files["DestinationRates"]
    assert "DR,FULL,R" in files["DestinationRates"]


def test_an_archive_has_the_files_and_the_same_content_makes_the_same_archive() -> None:
    files = {name: data.decode() for name, data in encoded().items()}
    archive = packed(files)
    assert packed(dict(files)) == archive
    with zipfile.ZipFile(io.BytesIO(archive)) as folder:
        assert {name: folder.read(f"{name}.csv").decode() for name in files} == files


def test_an_id_that_would_read_as_a_comment_is_refused() -> None:
    result = read_tariff_files(encoded(Destinations="Prefix,Id\n49,#GERMANY\n"), plan_code="*shared")
    assert "“#GERMANY” is not an id" in str(result.problems[0])
