"""Files of a folder that the product does not act on: named, checked, and never in the way of a price."""

from __future__ import annotations

import pytest

from apps.rating.domain.tariff_files import (
    FOLDER_TABLES,
    KnownIds,
    TariffFiles,
    check_references,
    merged_rows,
    read_tariff_files,
    sorted_out,
)
from apps.rating.domain.tariff_files.folder_rows import NO_PARTS
from tests.rating.folders import encoded

ROWS = {
    "SharedGroups": "FAMILY,*any,*mine_lowest,",
    "Actions": "TOPUP,*topup_reset,,,MAIN,*monetary,*out,,GERMANY;!DE_MOBILE,,FAMILY,*unlimited,,10,10,false,false,10",
    "ActionPlans": "MONTHLY,TOPUP,PEAK,10",
    "ActionTriggers": "WARN,,*min_balance,2,false,1m,,,MAIN,*monetary,*out,,,,,,,,,,,TOPUP,10",
    "AccountActions": "default,1001,MONTHLY,WARN,,",
    "DerivedChargers": "*out,default,call,1001,1001,,run1,,^*rated"
    + ",*default" * 10
    + ",*default,*default,*default,*default",
    "DerivedCharges": "*out,default,call,1001,1001,,run1,,^*rated" + ",*default" * 10,
    "LcrRules": "*out,default,call,1001,*any,GERMANY,lcr,*static,one;two,2014-01-14T00:00:00Z,10",
    "CdrStats": "STATS,10,10m,1h,ASR" + "," * 19 + ",WARN",
    "Aliases": "*out,default,call,dan,dan,GERMANY,*rating,Subject,dan,dan1,10",
    "Users": "default,1001,true,Cli,+4986517174963,10",
    "ResourceLimits": "LIMIT,*string,Account,1001;1002,2014-07-29T15:00:00Z,10,2,WARN",
}
BROKEN = {
    "SharedGroups": ("*mine_lowest", "cheapest", "Strategy"),
    "Actions": (",10,10,", ",ten,10,", "Units"),
    "ActionPlans": ("PEAK,10", "PEAK,heavy", "Weight"),
    "ActionTriggers": ("1m", "soon", "MinSleep"),
    "AccountActions": ("WARN,,", "WARN,perhaps,", "AllowNegative"),
    "DerivedChargers": ("*out", "*sideways", "Direction"),
    "DerivedCharges": ("run1", "", "RunId"),
    "LcrRules": ("2014-01-14T", "2014-13-14T", "ActivationTime"),
    "CdrStats": ("STATS,10", "STATS,many", "QueueLength"),
    "Aliases": ("dan1,10", "dan1,heavy", "Weight"),
    "Users": ("true", "hidden", "Masked"),
    "ResourceLimits": (",10,2,", ",10,two,", "Limit"),
}


def referred(read: TariffFiles, known: KnownIds) -> TariffFiles:
    return check_references(read, known, merged_rows(read.others, {}, NO_PARTS, flush=False))


def warnings(unknown: tuple[str, ...] = (), **files: str) -> list[str]:
    read = read_tariff_files(encoded(**files), plan_code="*shared", unknown=unknown)
    assert read.problems == []
    checked = referred(read, KnownIds())
    assert checked.plan == read.plan
    return [str(warning) for warning in checked.warnings]


def test_there_is_a_case_for_each_table() -> None:
    assert set(ROWS) == set(BROKEN) == set(FOLDER_TABLES)


def test_a_sound_folder_is_told_of_the_files_that_are_not_acted_on_and_of_nothing_else() -> None:
    expected = {
        f"{name}.csv: the product does not act on this file yet: 1 row checked and kept" for name in ROWS
    }
    assert set(warnings(**ROWS)) == expected


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_told_with_its_line_and_column(name: str) -> None:
    right, wrong, column = BROKEN[name]
    broken = ROWS[name].replace(right, wrong, 1)
    assert broken != ROWS[name]
    told = warnings(**ROWS | {name: f"#comment\n{ROWS[name]}\n{broken}\n"})
    assert any(text.startswith(f"{name}.csv, line 3, column {column}: ") for text in told), told
    assert f"{name}.csv: the product does not act on this file yet: 2 rows checked and kept" in told


def test_a_row_that_lacks_columns_is_told() -> None:
    assert any(
        "ActionPlans.csv, line 1, column 2: this row has 2 of the 4" in text
        for text in warnings(ActionPlans="A,B\n")
    )


@pytest.mark.parametrize(
    ("name", "right", "wrong", "told"),
    [
        (
            "Actions",
            "!DE_MOBILE",
            "!MARS",
            "column DestinationIds: “MARS” is neither in Destinations.csv",
        ),
        (
            "ActionPlans",
            "TOPUP",
            "TOPDOWN",
            "column ActionsId: “TOPDOWN” is neither in Actions.csv",
        ),
        (
            "ActionPlans",
            "PEAK",
            "NIGHT",
            "column TimingId: “NIGHT” is neither in Timings.csv",
        ),
        (
            "ActionTriggers",
            "TOPUP",
            "STOP",
            "column ActionsId: “STOP” is neither in Actions.csv",
        ),
        (
            "AccountActions",
            "WARN",
            "ALARM",
            "column ActionTriggersId: “ALARM” is neither in ActionTriggers.csv",
        ),
    ],
)
def test_an_id_that_is_nowhere_defined_is_told(name: str, right: str, wrong: str, told: str) -> None:
    said = warnings(**ROWS | {name: ROWS[name].replace(right, wrong)})
    assert any(
        text.startswith(f"{name}.csv, line 1, ") and text.endswith(f"{told} nor in tariff plan *shared")
        for text in said
    ), said


def test_destinations_and_timings_may_be_stored_already() -> None:
    read = read_tariff_files(
        encoded(ActionPlans="A,TOPUP,LIVE,10", Actions=ROWS["Actions"]), plan_code="*shared"
    )
    checked = referred(read, KnownIds(timings=frozenset({"LIVE"})))
    assert not any("LIVE" in str(warning) for warning in checked.warnings)


def test_files_of_no_tariff_folder_are_named() -> None:
    known, others = sorted_out(["Rates.csv", "Users.csv", "rates.csv", "Chargers.csv", "readme.txt", ".git"])
    assert known == ["Rates", "Users"]
    assert others == ["Chargers.csv", "rates.csv", "readme.txt"]
    assert "Chargers.csv: this is no file of a tariff folder; it was not read" in warnings(("Chargers.csv",))
