"""Reading CGRateS files: layouts, and errors that name file, line and column."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.rating.domain import Rater, TariffSource, compile_tariff
from apps.rating.domain.source import RatingProfile, Timing
from apps.rating.domain.tariff_files import (
    FILES,
    KnownIds,
    TariffFiles,
    check_references,
    read_tariff_files,
    review,
)
from tests.rating.folders import MINIMAL, encoded
from tests.rating.tariffs import usage


def read(tenant: str | None = None, **files: str) -> TariffFiles:
    return read_tariff_files(encoded(**files), plan_code="*shared", tenant=tenant)


def problems(**files: str) -> list[str]:
    result = read(**files)
    return [str(problem) for problem in [*result.problems, *check_references(result, KnownIds()).problems]]


def without_headings(name: str) -> str:
    return MINIMAL[name].split("\n", 1)[1]


def test_a_folder_without_faults_makes_a_tariff_that_prices() -> None:
    result = read()
    assert result.problems == []
    rater = Rater(compile_tariff(TariffSource((("default", "UTC"),), (result.plan,))))
    # 0.1 + 0.6 for the first minute + 1 s at 0.01.
    assert rater.rate(usage(61)).cost_micros == 710_000
    # One minute begun twice by half minutes: 3 × 0.6.
    assert rater.rate(usage(61, destination="49151")).cost_micros == 1_800_000
    assert result.rows == {
        "Timings": 1,
        "Destinations": 3,
        "Rates": 3,
        "DestinationRates": 2,
        "RatingPlans": 1,
        "RatingProfiles": 1,
    }


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "dress",
    [
        without_headings,
        lambda name: "#" + MINIMAL[name],
        lambda name: "# a comment, with a comma\n\n" + MINIMAL[name] + "\n#end\n",
        lambda name: MINIMAL[name].replace("\n", "\r\n"),
        lambda name: "\ufeff" + MINIMAL[name],
        lambda name: MINIMAL[name].replace(",", " , "),
        lambda name: MINIMAL[name].rstrip("\n"),
    ],
    ids=["bare", "commented headings", "comments", "CRLF", "BOM", "spaces", "no last newline"],
)
def test_headings_comments_and_neither_read_alike(name: str, dress) -> None:
    result = read(**{name: dress(name)})
    assert result.problems == []
    assert result.plan == read().plan


def test_headings_decide_the_order_of_columns() -> None:
    result = read(Destinations="Prefix,Tag\n49,GERMANY\n4915,DE_MOBILE\n4917,DE_MOBILE\n")
    assert result.plan.destinations == read().plan.destinations


def test_both_variants_of_rating_profiles_are_read() -> None:
    old = "*out,default,call,alice,2026-01-01T00:00:00Z,RP,bob;*any,queue1\n"
    short = "*out,default,call,alice,2026-01-01T00:00:00Z,RP\n"
    new = "default,call,alice,2026-01-01T00:00:00Z,RP,bob;*any\n"
    headed = (
        "Direction,Tenant,Category,Subject,ActivationTime,RatingPlanId,RatesFallbackSubject,CdrStatQueueIds\n"
        + old
    )
    expected = RatingProfile("default", "call", "alice", 1_767_225_600, "RP", ("bob", "*any"))
    for text in (old, new, headed, "#" + headed):
        result = read(RatingProfiles=text)
        assert result.problems == []
        queues = () if text == new else ("queue1",)
        assert result.plan.rating_profiles == (expected._replace(cdr_stat_queues=queues),)
    assert read(RatingProfiles=short).plan.rating_profiles == (expected._replace(fallback_subjects=()),)


def test_the_tenant_given_takes_the_place_of_those_in_the_file() -> None:
    assert read(tenant="brand").tenants() == ("brand",)


def test_an_activation_time_without_a_zone_is_the_tenants() -> None:
    text = "default,call,a,2026-01-01T00:00:00,RP,\ndefault,call,b,*asap,RP,\n"
    result = read_tariff_files(
        encoded(RatingProfiles=text), plan_code="*shared", zones={"default": ZoneInfo("Europe/Berlin")}
    )
    assert [profile.activation_epoch for profile in result.plan.rating_profiles] == [1_767_222_000, 0]


def test_timings_are_read_with_lists_and_an_end() -> None:
    text = "T,2026;2027,1;12,1;31,6;7,08:30:00;18:00:00\nU,*any,*any,*any,*any,*asap\nV,,,,,7:05\n"
    result = read(Timings=text)
    assert result.problems == []
    assert result.plan.timings == (
        Timing("T", (2026, 2027), (1, 12), (1, 31), (6, 7), 30_600, 64_800),
        Timing("U"),
        Timing("V", start_s=25_500),
    )


FAULTS = [
    (
        "Timings",
        "T,2026,13,*any,*any,00:00:00\n",
        "Timings.csv, line 1, column Months: “13” is not a whole number",
    ),
    ("Timings", "T,*any,*any,*any,8,00:00:00\n", "Timings.csv, line 1, column WeekDays"),
    ("Timings", "T,*any,*any,*any,*any,25:00:00\n", "Timings.csv, line 1, column Time"),
    ("Timings", "T,*any,*any,*any,*any,18:00;08:00\n", "write two timings"),
    ("Timings", "T,,,,,\nT,,,,1,\n", "Timings.csv, line 2, column Tag: this timing stands in line 1"),
    ("Destinations", "Id,Prefix\nGERMANY,\n", "Destinations.csv, line 2, column Prefix"),
    (
        "Destinations",
        "GERMANY,4 9\n",
        "Destinations.csv, line 1, column Prefix: “4 9” is not a number prefix",
    ),
    ("Destinations", ",49\n", "Destinations.csv, line 1, column Id"),
    ("Destinations", "GERMANY\n", "Destinations.csv, line 1, column 1: this row has 1 of the 2 columns"),
    ("Destinations", "GERMANY,49,x\n", "Destinations.csv, line 1, column 3"),
    ("Destinations", 'GERMANY,"49\n', "Destinations.csv, line 1, column 1: this is not comma-separated"),
    ("Rates", "# x\n\nRT,0,-0.6,60,60,0\n", "Rates.csv, line 3, column Rate: “-0.6” is negative"),
    ("Rates", "RT,0,0.6 EUR,60,60,0\n", "Rates.csv, line 1, column Rate"),
    ("Rates", "RT,0,1e-7,60,60,0\n", "Rates.csv, line 1, column Rate"),
    ("Rates", "RT,0,0.6,60,60,0\nRT,0,0.7,60,60,0\n", "Rates.csv, line 2, column GroupIntervalStart"),
    ("DestinationRates", "DR,GERMANY,RT_FIX,*round,4,0,\n", "column RoundingMethod: “*round” is not"),
    ("DestinationRates", "DR,GERMANY,RT_FIX,*up,x,0,\n", "column RoundingDecimals"),
    ("DestinationRates", "DR,GERMANY,RT_FIX,*up,4,1,*stop\n", "column MaxCostStrategy"),
    (
        "DestinationRates",
        "DR,NOWHERE,RT_FIX,*up,4,0,\n",
        "DestinationRates.csv, line 1, column DestinationId",
    ),
    ("DestinationRates", "DR,GERMANY,NO_RATE,*up,4,0,\n", "DestinationRates.csv, line 1, column RatesTag"),
    (
        "RatingPlans",
        "RP,DR,NEVER,10\n",
        "RatingPlans.csv, line 1, column TimingTag: timing “NEVER” is defined",
    ),
    ("RatingPlans", "RP,NOTHING,*any,10\n", "RatingPlans.csv, line 1, column DestinationRatesId"),
    ("RatingPlans", "RP,DR,*any,heavy\n", "RatingPlans.csv, line 1, column Weight"),
    (
        "RatingProfiles",
        "default,call,*any,yesterday,RP,\n",
        "RatingProfiles.csv, line 1, column ActivationTime",
    ),
    ("RatingProfiles", "default,call,*any,*asap,XX,\n", "RatingProfiles.csv, line 1, column RatingPlanId"),
    (
        "RatingProfiles",
        "Direction,Tenant,Category,Subject,ActivationTime,RatingPlanId\n*both,default,call,*any,*asap,RP\n",
        "RatingProfiles.csv, line 2, column Direction",
    ),
    ("RatingProfiles", "a b,call,*any,*asap,RP,\n", "RatingProfiles.csv, line 1, column Tenant"),
    ("RatingProfiles", "default,call,*plan:X,*asap,RP,\n", "RatingProfiles.csv, line 1, column Subject"),
    ("RatingProfiles", "default,,*any,*asap,RP,\n", "RatingProfiles.csv, line 1, column Category"),
]


@pytest.mark.parametrize(("name", "text", "expected"), FAULTS, ids=[fault[2] for fault in FAULTS])
def test_a_fault_is_named_with_file_line_and_column(name: str, text: str, expected: str) -> None:
    found = problems(**{name: text})
    assert any(expected in problem for problem in found), found


def test_all_faults_are_found_at_once() -> None:
    found = read(Rates="RT_FIX,x,y,60,60,0\nRT_MOB,0,0,x,x,0\n", Timings="T,x,x,x,x,x\n").problems
    assert len([problem for problem in found if str(problem).startswith("Rates.csv")]) == 4
    assert len([problem for problem in found if str(problem).startswith("Timings.csv")]) == 5


def test_a_file_that_is_not_utf_8_is_named_with_the_place() -> None:
    files = encoded() | {"Destinations": "Id,Prefix\nÖSTERREICH,43\n".encode("latin-1")}
    result = read_tariff_files(files, plan_code="*shared")
    assert str(result.problems[0]).startswith("Destinations.csv, line 2, column 1: this is not UTF-8")


def test_ids_that_are_stored_already_may_be_referred_to() -> None:
    result = read(Destinations="", Rates="", Timings="")
    assert len(check_references(result, KnownIds()).problems) == 4
    known = KnownIds(destinations=frozenset({"GERMANY", "DE_MOBILE"}), rates=frozenset({"RT_FIX", "RT_MOB"}))
    assert check_references(result, known).problems == []


@given(st.sampled_from(FILES), st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(name: str, data: bytes) -> None:
    result = read_tariff_files(encoded() | {name: data}, plan_code="*shared")
    check_references(result, KnownIds())


@given(
    st.sampled_from(FILES),
    st.lists(
        st.lists(st.sampled_from(["*any", "*out", "0", "60s", "DR", "*up", "", "-1", "RP"]), max_size=9)
    ),
)
def test_no_rows_make_the_reader_or_the_compiler_fail(name: str, rows: list[list[str]]) -> None:
    result = read(**{name: "\n".join(",".join(row) for row in rows) + "\n"})
    checked = check_references(result, KnownIds())
    if not checked.problems:
        tenants = tuple((code, "UTC") for code in checked.tenants())
        compile_tariff(TariffSource(tenants, (checked.plan,)))
        review(checked, date(2026, 1, 1))


def warnings(**files: str) -> list[str]:
    return [str(warning) for warning in review(read(**files), date(2026, 1, 1))]


def test_validation_warns_of_unused_rows() -> None:
    assert warnings() == ["Timings.csv, line 2, column Tag: timing PEAK is used by nothing"]


def test_validation_warns_of_gaps_and_names_the_first() -> None:
    found = warnings(RatingPlans="RP,DR,PEAK,10\n")
    assert len(found) == 1
    # 1 January 2026 is a Thursday.
    assert "RatingPlans.csv, line 1, column TimingTag" in found[0]
    assert "no timing applies on 2026-01-01 at 00:00:00" in found[0]


def test_validation_warns_of_timings_that_tie() -> None:
    found = warnings(
        Timings="A,,,,,08:00:00\nB,,,,1,08:00:00\n",
        RatingPlans="RP,DR,A,10\nRP,DR,B,10\nRP,DR,*any,5\n",
    )
    assert len(found) == 1
    assert "on 2026-01-05 at 08:00:00 timings" in found[0]


def test_validation_warns_of_prefixes_shared_at_equal_weight() -> None:
    found = warnings(Destinations="GERMANY,49\nDE_MOBILE,49\n", Timings="")
    assert len(found) == 1
    assert "prefix 49 is in GERMANY and DE_MOBILE" in found[0]


def test_validation_warns_of_caps_without_effect_and_of_unknown_fallbacks() -> None:
    found = warnings(
        Timings="",
        DestinationRates="DR,GERMANY,RT_FIX,*up,4,5,\nDR,DE_MOBILE,RT_MOB,*up,4,0,\n",
        RatingProfiles="default,call,*any,*asap,RP,ghost\n",
    )
    assert len(found) == 2
    assert "the maximum cost 5 has no effect" in found[0]
    assert "fallback subject ghost" in found[1]
