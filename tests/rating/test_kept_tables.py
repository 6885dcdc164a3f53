"""Tables that the product does not act on yet: kept as they were written, replaced by key, flushed and exported."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.rating.models import KeptRow, TariffLoad
from tests.rating.folders import MINIMAL, write_folder

pytestmark = pytest.mark.django_db
KEPT = {
    "LcrRules": "*out,default,call,1001,*any,GERMANY,call,*static,one;two,2014-01-14T00:00:00Z,10",
    "CdrStats": "STATS,10,10m,1h,ASR" + "," * 10 + ",GERMANY" + "," * 9,
    "Aliases": '*out,default,call,dan,dan,GERMANY,*rating,Subject,"dan, the ""old""",dan1,10',
    "Users": "default,1001,true,Cli,+4986517174963,10",
    "ResourceLimits": "LIMIT,*destinations,Destination,DE_MOBILE;GERMANY,2014-07-29T15:00:00Z,10,2,",
}


def load(path: Path, *options: str, **files: str) -> str:
    said = io.StringIO()
    try:
        call_command("loadtariffplan", str(write_folder(path, **files)), *options, stdout=said, stderr=said)
    except CommandError as error:
        said.write(f"REFUSED {error}")
    return said.getvalue()


def exported(path: Path, **options: str) -> dict[str, list[str]]:
    call_command("exporttariffplan", str(path), "--force", stdout=io.StringIO(), **options)
    return {
        name: (path / f"{name}.csv").read_text().splitlines()[1:]
        for name in KEPT
        if (path / f"{name}.csv").exists()
    }


def test_rows_are_kept_counted_and_exported_as_they_were_written(tmp_path: Path) -> None:
    said = load(tmp_path / "tp", "--validate", **KEPT)
    for name in KEPT:
        assert f"{name}.csv: the product does not act on this file yet: 1 row checked and kept" in said
        assert f"{name + '.csv':22} 1 id new, 0 replaced, 0 removed" in said
        assert f"{name}.csv, line" not in said, said
        assert TariffLoad.objects.get().files[name] == 1
    out = exported(tmp_path / "out")
    assert out == {name: [row] for name, row in KEPT.items()}
    call_command(
        "loadtariffplan", str(tmp_path / "out"), "--flush", stdout=io.StringIO(), stderr=io.StringIO()
    )
    assert exported(tmp_path / "again") == out
    assert KeptRow.objects.count() == len(KEPT)


def test_rows_of_a_key_are_replaced_together_and_others_stay(tmp_path: Path) -> None:
    load(tmp_path / "tp", Users="default,1001,,Cli,1,10\ndefault,1001,,Dst,2,10\ndefault,1002,,Cli,3,10")
    said = load(tmp_path / "new", Users="default,1001,,Cli,9,10\ndefault,1003,,Cli,4,10")
    assert "Users.csv              1 id new, 1 replaced, 0 removed" in said
    assert exported(tmp_path / "out")["Users"] == [
        "default,1002,,Cli,3,10",
        "default,1001,,Cli,9,10",
        "default,1003,,Cli,4,10",
    ]
    said = load(tmp_path / "flush", "--flush", Users="default,1002,,Cli,5,10")
    assert "Users.csv              0 ids new, 1 replaced, 2 removed" in said
    assert exported(tmp_path / "out")["Users"] == ["default,1002,,Cli,5,10"]


def test_a_faulty_row_is_told_and_kept(tmp_path: Path) -> None:
    said = load(tmp_path / "tp", Users="default,1001,hidden,Cli,1,10")
    assert "warning" in said
    assert "Users.csv, line 1, column Masked: “hidden” is neither true nor false" in said
    assert exported(tmp_path / "out")["Users"] == ["default,1001,hidden,Cli,1,10"]


def test_text_in_quotation_marks_is_no_comment(tmp_path: Path) -> None:
    text = (
        '# a comment with a " in it\n'
        'default,1001,,Cli,"two\n#lines, and ""more""\n",10\n'
        ' # another "comment\n'
        '"#odd",1001,,Cli,"\n# one",10\n'
    )
    assert "2 rows checked and kept" in load(tmp_path / "tp", Users=text)
    rows = list(KeptRow.objects.values_list("cells", flat=True))
    assert [row[4] for row in rows] == ['two\n#lines, and "more"', "# one"]
    exported(tmp_path / "out")
    call_command(
        "loadtariffplan", str(tmp_path / "out"), "--flush", stdout=io.StringIO(), stderr=io.StringIO()
    )
    assert list(KeptRow.objects.values_list("cells", flat=True)) == rows


def test_a_dry_run_and_a_refused_load_keep_nothing(tmp_path: Path) -> None:
    load(tmp_path / "tp", "--dry-run", **KEPT)
    assert "REFUSED" in load(tmp_path / "bad", **KEPT, Rates="RT_FIX,0,x,60,60,0\n")
    assert not KeptRow.objects.exists()


def test_the_rows_of_a_tenants_own_folder_are_the_tenants(tmp_path: Path) -> None:
    load(tmp_path / "tp", Users="default,1001,,Cli,1,10")
    load(tmp_path / "own", "--tenant", "brand", "--flush", Users="default,1001,,Cli,2,10")
    assert exported(tmp_path / "shared")["Users"] == ["default,1001,,Cli,1,10"]
    assert exported(tmp_path / "brand", tenant="brand")["Users"] == ["brand,1001,,Cli,2,10"]


@pytest.mark.parametrize(
    ("name", "right", "wrong", "told"),
    [
        ("LcrRules", "GERMANY", "MARS", "column DestinationId: “MARS” is neither in Destinations.csv nor in"),
        (
            "LcrRules",
            "GERMANY,call",
            "GERMANY,lcr",
            "column RPCategory: no rating profile has the category lcr",
        ),
        (
            "CdrStats",
            "GERMANY",
            "MARS",
            "column DestinationIds: “MARS” is neither in Destinations.csv nor in",
        ),
        (
            "CdrStats",
            "," * 9,
            "," * 9 + "STOP",
            "column Triggers: “STOP” is neither in ActionTriggers.csv nor in",
        ),
        ("Aliases", "GERMANY", "MARS", "column DestinationId: “MARS” is neither in Destinations.csv nor in"),
        (
            "ResourceLimits",
            "DE_MOBILE",
            "MARS",
            "column FilterFieldValues: “MARS” is neither in Destinations.csv",
        ),
        (
            "ResourceLimits",
            "*destinations",
            "*timings",
            "column FilterFieldValues: “DE_MOBILE” is neither in Timings",
        ),
        ("ResourceLimits", "*destinations", "*magic", "column FilterType: “*magic” is not a filter type"),
        (
            "ResourceLimits",
            ",10,2,",
            ",10,2,STOP",
            "column ActionTriggers: “STOP” is neither in ActionTriggers",
        ),
    ],
)
def test_an_id_that_is_nowhere_defined_is_told_and_kept(
    tmp_path: Path, name: str, right: str, wrong: str, told: str
) -> None:
    row = wrong.join(KEPT[name].rsplit(right, 1))
    assert row != KEPT[name]
    said = load(tmp_path / "tp", "--validate", **KEPT | {name: row})
    assert f"{name}.csv, line 1, {told}" in said
    assert exported(tmp_path / "out")[name] == [row]


def test_queues_of_rating_profiles_are_checked_kept_and_exported(tmp_path: Path) -> None:
    profiles = "*out,default,call,*any,*asap,RP,,STATS;OTHER\n"
    said = load(tmp_path / "tp", **KEPT, RatingProfiles=profiles)
    assert (
        "RatingProfiles.csv, line 1, column CdrStatQueueIds: “OTHER” is neither in CdrStats.csv nor" in said
    )
    assert "“STATS”" not in said
    exported(tmp_path / "out")
    assert (tmp_path / "out" / "RatingProfiles.csv").read_text().endswith(f"\n{profiles}")
    alone = dict.fromkeys(MINIMAL, "") | {"RatingProfiles": profiles.replace(";OTHER", "")}
    assert "“STATS”" not in load(tmp_path / "alone", **alone)
