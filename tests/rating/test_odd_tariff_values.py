"""The odd values that users of CGRateS write: which are read, with which warning, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.kernel.errors import InvalidInput
from apps.kernel.money import parse_micros
from apps.kernel.units import parse_usage_units
from apps.rating.domain import Rater, TariffSource, compile_tariff
from apps.rating.domain.source import RateSlot, RatingPlanEntry, RatingProfile, Timing
from apps.rating.domain.tariff_files import KnownIds, TariffFiles, check_references, read_tariff_files
from tests.rating.folders import encoded
from tests.rating.tariffs import usage

JANUARY = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def check(known: KnownIds | None = None, **files: str) -> TariffFiles:
    read = read_tariff_files(encoded(**files), plan_code="*shared")
    return check_references(read, known or KnownIds())


def warned(**files: str) -> list[str]:
    checked = check(**files)
    assert checked.problems == []
    return [str(warning) for warning in checked.warnings]


def rater(**files: str) -> Rater:
    checked = check(**files)
    assert checked.problems == []
    return Rater(compile_tariff(TariffSource((("default", "UTC"),), (checked.plan,))))


def profile(**changes: Any) -> RatingProfile:
    return RatingProfile("default", "call", "*any", JANUARY, "RP")._replace(**changes)


ODD_TIMINGS = {
    "P,*ANY,*Any,,,*ASAP": Timing("P"),
    "P,*all,*all,*all,*all,*any": Timing("P"),
    "P,*any;2026,,,,": Timing("P"),
    'P, 2026 ; 2027 ,"1;02;",,,  08:00:00 ': Timing("P", (2026, 2027), (1, 2), start_s=28_800),
    "P,,,,0,": Timing("P", weekdays=(7,)),
    "P,,,,0;6;7,": Timing("P", weekdays=(6, 7)),
    "P,,,,,8:00": Timing("P", start_s=28_800),
    "P,,,,,08:00:00;": Timing("P", start_s=28_800),
    "P,,,,,;18:00:00": Timing("P", end_s=64_800),
    "P,,,,,00:00:00;23:59:59": Timing("P"),
    "P,,,,,18:00;24:00:00": Timing("P", start_s=64_800),
}


@pytest.mark.parametrize("row", ODD_TIMINGS)
def test_odd_timings_are_read_as_they_are_meant(row: str) -> None:
    checked = check(Timings=row + "\n", RatingPlans="RP,DR,P,\n")
    assert (checked.problems, checked.warnings) == ([], [])
    assert checked.plan.timings == (ODD_TIMINGS[row],)


def test_timings_of_any_time_may_be_declared_and_named_in_all_ways() -> None:
    timings = "*any,*any,*any,*any,*any,00:00:00\n*asap,,,,,*asap\n"
    for name in ("*any", "*ANY", "*asap", ""):
        checked = check(Timings=timings, RatingPlans=f"RP,DR,{name},10\n")
        assert (checked.problems, checked.warnings) == ([], [])
        assert checked.plan.timings == ()
        assert checked.plan.rating_plans == (RatingPlanEntry("RP", "DR", "*any", "10"),)


def test_the_timing_any_cannot_mean_something_else() -> None:
    checked = check(Timings="*any,,,,1,08:00:00\n")
    assert "Timings.csv, line 1, column Tag: *any always means any time" in str(checked.problems[0])


ODD_RATES = {
    "RT_FIX,,,60,60,": RateSlot(0, "0", "0", 60, 60),
    "RT_FIX,0.10,0.600,60S,1M,0S": RateSlot(0, "0.1", "0.6", 60, 60),
    "RT_FIX, 0 , +0.6 , 1m30s , 1.5m , 0 ": RateSlot(0, "0", "0.6", 90, 90),
    "RT_FIX,0,0.6,60000ms,1000000us,0.0": RateSlot(0, "0", "0.6", 60, 1),
    'RT_FIX,"0","0.6","60","1h","0"': RateSlot(0, "0", "0.6", 60, 3_600),
    "RT_FIX,0,0.0000001,1048576,1024,0": RateSlot(0, "0", "0.0000001", 1_048_576, 1_024),
}


@pytest.mark.parametrize("row", ODD_RATES)
def test_odd_rates_are_read_as_they_are_meant(row: str) -> None:
    checked = check(Rates=f"{row}\nRT_MOB,0,1,60,60,0\n")
    assert (checked.problems, checked.warnings) == ([], [])
    assert checked.plan.rates[0].slots == (ODD_RATES[row],)


@pytest.mark.parametrize("zero", ["0", "0s", ""])
def test_a_unit_or_increment_of_0_counts_as_1_with_a_warning(zero: str) -> None:
    rates = f"RT_FIX,0,0.6,{zero},{zero},0\nRT_MOB,0,1,60,60,0\n"
    found = warned(Rates=rates)
    assert found == [
        f"Rates.csv, line 1, column RateUnit: “{zero}” counts as 1: the rate is for each second, octet or event",
        f"Rates.csv, line 1, column RateIncrement: “{zero}” counts as 1: usage is not rounded up",
    ]
    assert rater(Rates=rates).rate(usage(7)).cost_micros == 4_200_000


def test_usage_before_the_first_slot_is_priced_by_the_first_slot_with_a_warning() -> None:
    rates = "RT_FIX,0.1,0.6,60,60,120\nRT_FIX,0,0.3,60,60,30\nRT_MOB,0,1,60,60,0\n"
    assert warned(Rates=rates) == [
        "Rates.csv, line 1, column GroupIntervalStart: rate RT_FIX has no slot that starts at 0: usage before 30 is "
        "priced by the slot of 30"
    ]
    priced = rater(Rates=rates)
    assert priced.rate(usage(60)).cost_micros - priced.rate(usage(1)).cost_micros == 0
    assert priced.rate(usage(180)).cost_micros - priced.rate(usage(120)).cost_micros == 600_000


ODD_DESTINATION_RATES = {
    "DR,*ANY,RT_FIX,*UP,4,,": ("*any", "*up", 4, "0", ""),
    "DR,*any,RT_FIX,,,0,": ("*any", "*middle", 0, "0", ""),
    "DR,*any,RT_FIX,*none,4,*unlimited,*none": ("*any", "*middle", 0, "0", ""),
    "DR,*any,RT_FIX,*Middle,02,5.00,*Free": ("*any", "*middle", 2, "5", "*free"),
    "DR,*any,RT_FIX,*down,4": ("*any", "*down", 4, "0", ""),
}


@pytest.mark.parametrize("row", ODD_DESTINATION_RATES)
def test_odd_destination_rates_are_read_as_they_are_meant(row: str) -> None:
    checked = check(DestinationRates=row + "\n")
    assert (checked.problems, checked.warnings) == ([], [])
    found = checked.plan.destination_rates[0]
    assert (found.destination_id, *found[3:]) == ODD_DESTINATION_RATES[row]


ACTIVATIONS = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01 00:00:00",
    "2026-01-01",
    "2026-01-01T01:00:00+01:00",
    "2026-01-01T01:00:00.000+0100",
    "2026-01-01 00:00:00 +0000 UTC",
    "2026-01-01 00:00:00.5 +0000 +0000",
    "20260101000000",
    "20260101",
    "1767225600",
    "1767225600000",
    "1767225600000000",
    "01.01.2026 00:00:00",
    "01/01/2026 00:00:00",
]


@pytest.mark.parametrize("text", ACTIVATIONS)
def test_activations_are_read_in_every_form_of_cgrates(text: str) -> None:
    checked = check(RatingProfiles=f"default,call,*any,{text},RP,\n")
    assert checked.problems == []
    assert checked.plan.rating_profiles == (profile(),)


@pytest.mark.parametrize("text", ["", "*asap", "*ASAP", "*unlimited", "0", "0001-01-01T00:00:00Z"])
def test_activations_that_mean_always(text: str) -> None:
    checked = check(RatingProfiles=f"default,call,*any,{text},RP,\n")
    assert checked.plan.rating_profiles == (profile(activation_epoch=0),)


@pytest.mark.parametrize(
    "text", ["*now", "+24h", "*monthly", "tomorrow", "123", "141211101234", "32.01.2026 00:00:00"]
)
def test_activations_that_are_no_instant_are_refused(text: str) -> None:
    assert "is not an instant" in str(check(RatingProfiles=f"default,call,*any,{text},RP,\n").problems[0])


def test_each_subject_and_category_of_a_list_has_a_profile() -> None:
    checked = check(RatingProfiles="default,call;sms,1001; 1006;1001,2026-01-01,RP,*none\n")
    assert (checked.problems, checked.warnings) == ([], [])
    assert checked.plan.rating_profiles == (
        profile(subject="1001"),
        profile(subject="1006"),
        profile(category="sms", subject="1001"),
        profile(category="sms", subject="1006"),
    )
    assert checked.lines["RatingProfiles"] == [1, 1, 1, 1]


@pytest.mark.parametrize("direction", ["*out", "*OUT", ""])
def test_outgoing_profiles_in_odd_letters(direction: str) -> None:
    rows = f"{direction},default,call,*ANY,2026-01-01,RP,*ANY;1001;1001;,*NONE\n"
    checked = check(RatingProfiles=rows)
    assert (checked.problems, checked.warnings) == ([], [])
    assert checked.plan.rating_profiles == (profile(fallback_subjects=("*any", "1001")),)


def test_incoming_profiles_are_left_out_with_a_warning() -> None:
    rows = "*out,default,call,*any,2026-01-01,RP,,\n*in,default,call,x y z,whenever,NOWHERE,,\n"
    assert warned(RatingProfiles=rows) == [
        "RatingProfiles.csv, line 2, column Direction: only *out is priced: this row is left out"
    ]


def test_a_category_of_any_is_warned_of() -> None:
    found = warned(RatingProfiles="default,*any,*any,2026-01-01,RP,\n")
    assert "RatingProfiles.csv, line 1, column Category: *any prices no other category" in found[0]


def test_prefixes_may_be_listed_in_one_row() -> None:
    checked = check(Destinations="GERMANY,49; +43 ;\nDE_MOBILE,4915\n")
    assert checked.problems == []
    assert checked.plan.destinations[0].prefixes == ("49", "+43")


WRONG = [
    ("Destinations", "GERMANY,*any\nDE_MOBILE,4\n", "*any is not a prefix"),
    ("Destinations", "GERMANY,4.93E+11\nDE_MOBILE,4\n", "was shortened by a spreadsheet"),
    ("Destinations", "GERMANY,;\nDE_MOBILE,4\n", "a prefix may not be empty"),
    ("Rates", "RT_FIX,0,0.6,60,1.5,0\nRT_MOB,0,1,60,60,0\n", "“1.5” is not a whole number of units"),
    ("Rates", "RT_FIX,0,0.6,60,*any,0\nRT_MOB,0,1,60,60,0\n", "“*any” is not a number of units"),
    ("Rates", f"RT_FIX,{'9' * 5_000},0.6,60,60,0\nRT_MOB,0,1,60,60,0\n", "is not an amount"),
    ("Rates", f"RT_FIX,0,0.6,{'9' * 5_000},60,0\nRT_MOB,0,1,60,60,0\n", "is not a number of units"),
    ("DestinationRates", f"DR,*any,RT_FIX,*up,{'9' * 5_000},,\n", "is not a whole number"),
    ("RatingProfiles", "*any,call,*any,*asap,RP,\n", "“*any” is not a tenant"),
    ("RatingProfiles", "default,;,*any,*asap,RP,\n", "column Category: this may not be empty"),
    ("RatingProfiles", "default,call,,*asap,RP,\n", "column Subject: this may not be empty"),
]


@pytest.mark.parametrize(("name", "text", "expected"), WRONG, ids=[wrong[2] for wrong in WRONG])
def test_what_could_not_be_priced_is_refused(name: str, text: str, expected: str) -> None:
    assert any(expected in str(problem) for problem in check(**{name: text}).problems)


def test_a_quotation_mark_in_a_comment_opens_no_cell() -> None:
    text = '# rates, "fixed\nRT_FIX,0,1,60,60,0\n  # and "mobile\nRT_MOB,0,1,60,60,0\n"# the, end"\n'
    assert [rate.id for rate in check(Rates=text).plan.rates] == ["RT_FIX", "RT_MOB"]


@pytest.mark.parametrize("comment", ["# x", "  # x, y", "\t# x", '"# x, y"'])
def test_comments_may_be_indented_or_quoted(comment: str) -> None:
    text = f"{comment}\nGERMANY,49\n{comment}\nDE_MOBILE,4915\n"
    assert check(Destinations=text).problems == []


def test_lines_may_end_in_carriage_returns_alone() -> None:
    assert check(Destinations="GERMANY,49\rDE_MOBILE,4915\r").plan.destinations[1].prefixes == ("4915",)


UNUSED = {
    "Timings": "HOURLY,*any,*any,*any,*any,*hourly\n",
    "Destinations": "GERMANY,49\nDE_MOBILE,4915\nOLD,\n",
    "Rates": "RT_FIX,0,1,60,60,0\nRT_MOB,0,1,60,60,0\nOLD,0,-1,60,60,0\n",
    "DestinationRates": "DR,*any,RT_FIX,*up,4,0,\nOLD,NOWHERE,NOTHING,*up,4,0,\n",
    "RatingPlans": "RP,DR,*any,10\nOLD,NOTHING,*any,heavy\n",
}


@pytest.mark.parametrize("name", UNUSED)
def test_unused_rows_are_left_out_with_a_warning(name: str) -> None:
    checked = check(**{name: UNUSED[name]})
    assert checked.problems == []
    assert all(str(warning).startswith(f"{name}.csv") for warning in checked.warnings)
    assert any("is left out, nothing uses it" in str(warning) for warning in checked.warnings)
    assert "OLD" not in str(checked.plan)
    assert "HOURLY" not in str(checked.plan)
    compile_tariff(TariffSource((("default", "UTC"),), (checked.plan,)))


def test_rows_that_lead_only_to_left_out_rows_are_left_out_too() -> None:
    checked = check(
        Rates=UNUSED["Rates"],
        DestinationRates="DR,*any,RT_FIX,*up,4,0,\nOLD_DR,*any,OLD,*up,4,0,\n",
        RatingPlans="RP,DR,*any,10\nOLD_RP,OLD_DR,*any,10\n",
    )
    assert checked.problems == []
    assert "OLD" not in str(checked.plan)


def test_a_fault_of_an_id_that_is_stored_already_is_an_error_though_the_folder_does_not_use_it() -> None:
    known = KnownIds(rates=frozenset({"OLD"}))
    assert len(check(known, Rates=UNUSED["Rates"]).problems) == 1


def test_in_a_folder_of_one_table_everything_counts_as_used() -> None:
    only = dict.fromkeys(("Timings", "Destinations", "DestinationRates", "RatingPlans", "RatingProfiles"), "")
    assert len(check(**only | {"Rates": UNUSED["Rates"]}).problems) == 1


@pytest.mark.parametrize("read", [parse_micros, parse_usage_units])
def test_numbers_that_python_refuses_to_read_are_invalid_input(read: Any) -> None:
    with pytest.raises(InvalidInput):
        read("9" * 5_000)
