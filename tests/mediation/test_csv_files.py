"""CSV files: columns, times, units, numbers, and faults of a line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInputs
from apps.mediation.domain.records import LEFT_OUT, Reject, UsageRecord
from apps.mediation.formats import format_named, recognise
from apps.mediation.pb.billing_pb2 import CDR

CSV = format_named("csv")
HEAD = b"record_id,service,msisdn,other_party,start,duration_s,octets_up,octets_down,events\n"
LINE = b"A1,voice,+4915550000001,0033612345678,2026-03-10T08:00:00Z,60,0,0,0\n"


def read(content: bytes, **options: Any) -> list[UsageRecord | Reject]:
    return [item for item in CSV.read(io.BytesIO(content), CSV.options(options)) if item is not LEFT_OUT]


def one(content: bytes, **options: Any) -> UsageRecord:
    (item,) = read(content, **options)
    assert isinstance(item, UsageRecord), item
    return item


def test_a_file_whose_header_names_the_fields_needs_no_options():
    assert recognise(HEAD + LINE) is CSV
    item = one(HEAD + LINE)
    assert item[:9] == (1773129600, len(HEAD), "voice", "4915550000001", "33612345678", 60, 0, 0, "A1")
    assert item.raw == LINE.rstrip(b"\n")
    message = CDR.FromString(item.message)
    assert (message.msisdn, message.duration_s, message.record_id) == ("4915550000001", 60, "A1")


def test_columns_can_be_named_numbered_joined_and_left_out():
    options = {
        "delimiter": ";",
        "header": False,
        "columns": {"msisdn": 1, "start": [2, 3], "other_party": 4, "duration_s": 5},
        "constants": {"service": "voice"},
        "time_format": "%d.%m.%Y %H:%M",
        "time_zone": "Europe/Berlin",
        "duration_unit": "min",
        "numbers": {"country_code": "49", "national_prefix": "0"},
    }
    item = one(b"0151/555 01;10.03.2026;09:00;00498912;1,5\n", **options)
    assert (item.msisdn, item.start, item.other_party, item.duration_s) == (
        "4915155501",
        1773129600,
        "498912",
        90,
    )


@pytest.mark.parametrize(
    ("unit", "text", "seconds"),
    [
        ("s", "61", 61),
        ("ms", "60001", 61),
        ("h", "0.5", 1800),
        ("hms", "1:00:05", 3605),
        ("s", "-5", -5),
        ("s", "", 0),
    ],
)
def test_durations_come_in_several_units_and_parts_of_a_second_are_rounded_up(
    unit: str, text: str, seconds: int
):
    line = LINE.replace(b",60,", b"," + text.encode() + b",")
    assert one(HEAD + line, duration_unit=unit).duration_s == seconds


def test_volumes_come_in_several_units():
    line = LINE.replace(b",60,0,0,0", b",0,1.5,2,0")
    assert one(HEAD + line, volume_unit="KiB").octets == 1536 + 2048


@pytest.mark.parametrize(
    ("up", "down", "total", "counted"),
    [
        (0, 0, 500, 500),
        (200, 300, 500, 500),
        (200, 300, 700, 700),
        (200, 300, 0, 500),
        (200, 300, 400, 500),
        (0, 0, -1, -1),
        (5, 0, -1, -1),
    ],
)
def test_a_total_volume_beside_its_directions_counts_once(up: int, down: int, total: int, counted: int):
    head = HEAD.replace(b"events", b"octets")
    line = LINE.replace(b",60,0,0,0", f",0,{up},{down},{total}".encode())
    item = one(head + line)
    assert (item.octets < 0) if counted < 0 else (item.octets == counted)
    message = CDR.FromString(item.message)
    assert message.octets_up + message.octets_down == counted


@pytest.mark.parametrize(
    ("form", "text", "zone"),
    [
        ("epoch", "1773129600", "UTC"),
        ("epoch_ms", "1773129600999", "UTC"),
        ("iso", "2026-03-10 09:00:00", "Europe/Berlin"),
        ("iso", "2026-03-10T10:00:00+02:00", "UTC"),
        ("%Y%m%d%H%M%S", "20260310080000", "UTC"),
    ],
)
def test_times_come_in_several_forms(form: str, text: str, zone: str):
    line = LINE.replace(b"2026-03-10T08:00:00Z", text.encode())
    assert one(HEAD + line, time_format=form, time_zone=zone).start == 1773129600


def test_service_names_of_a_source_are_translated():
    assert one(HEAD + LINE.replace(b"voice", b"MOC"), services={"MOC": "voice"}).service == "voice"


def test_quotes_other_encodings_comments_and_empty_lines_are_understood():
    content = b"# from the switch\n\n" + HEAD + b"\n" + LINE.replace(b"A1", b'"A,1"') + b"#end\n"
    assert one(content).record_id == "A,1"
    latin = HEAD + LINE.replace(b"A1", "Ä1".encode("latin-1"))
    assert one(latin, encoding="latin-1").record_id == "Ä1"
    assert one(b"\xef\xbb\xbf" + HEAD + LINE).record_id == "A1"


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        (b"A1,voice,1\n", "invalid_field", "line 2: there are 3 columns instead of 9"),
        (LINE.replace(b"60", b"sixty"), "invalid_field", "line 2: duration_s: “sixty” is not a number"),
        (LINE.replace(b"2026", b"26"), "invalid_field", "start: “26-03-10T08:00:00Z” is not a time"),
        (LINE.replace(b"A1", b"\xff\xfe"), "malformed", "is not a CSV line"),
        (LINE.replace(b"A1", b'"A1'), "malformed", ""),
        (LINE.rstrip(b"\n"), "truncated", "final_newline"),
        (b"x" * 20_000 + b"\n", "field_too_long", "longer than"),
    ],
)
def test_a_bad_line_is_a_reject_with_its_reason_and_the_next_one_is_read(line: bytes, reason: str, says: str):
    before, after = (b"", LINE) if line.endswith(b"\n") else (LINE, b"")
    items = read(HEAD + before + line + after)
    (reject,) = [item for item in items if isinstance(item, Reject)]
    assert reject.reason == reason
    assert says in reject.message
    assert reject.raw == line.rstrip(b"\n")[:4096]
    assert (HEAD + before + line + after)[reject.offset :].startswith(reject.raw)
    assert sum(isinstance(item, UsageRecord) for item in items) == 1


def test_a_source_that_writes_no_last_newline_can_say_so():
    assert one(HEAD + LINE.rstrip(b"\n"), final_newline=False).record_id == "A1"


@pytest.mark.parametrize("length", range(len(HEAD), len(HEAD + LINE + LINE)))
def test_a_file_cut_anywhere_never_gives_a_shortened_record(length: int):
    whole = one(HEAD + LINE)
    for item in read((HEAD + LINE + LINE)[:length]):
        assert isinstance(item, Reject) or item._replace(offset=whole.offset) == whole


def test_a_header_without_the_needed_columns_is_reported():
    (reject,) = read(b"a,b,c\n1,2,3\n")
    assert reject.reason == "unreadable"
    assert "no column for msisdn, start, service" in reject.message


def test_every_wrong_option_is_named_with_what_it_may_be():
    with pytest.raises(InvalidInputs) as error:
        CSV.options(
            {
                "delimiter": ";;",
                "header": False,
                "columns": {"colour": 1, "start": "when", "msisdn": 0},
                "time_zone": "Mars",
                "encoding": "utf-16",
                "numbers": {"national_prefix": "0"},
                "duration_unit": "week",
                "speed": 1,
            }
        )
    places = {problem.where for problem in error.value.problems}
    assert places == {
        "options.delimiter",
        "options.columns.colour",
        "options.columns.msisdn",
        "options.time_zone",
        "options.encoding",
        "options.numbers",
        "options.duration_unit",
        "options.speed",
    }
    with pytest.raises(InvalidInputs, match="files have no header"):
        CSV.options({"header": False, "columns": {"start": "when"}})


def test_a_line_can_be_read_again_with_its_files_header():
    options = CSV.options({})
    preamble = CSV.facts(HEAD + LINE, options).preamble
    item = CSV.read_record(LINE.rstrip(b"\n"), preamble, options)
    assert item == one(HEAD + LINE)._replace(offset=0)


@given(st.binary(max_size=1_000), st.booleans())
def test_any_bytes_are_rejects_or_records_and_never_a_crash(content: bytes, with_header: bool):
    content = HEAD + content if with_header else content
    places = [item.offset for item in read(content)]
    assert places == sorted(set(places))
    CSV.facts(content, CSV.options({}))
    CSV.read_record(content, "", CSV.options({}))
    recognise(content)


@given(st.lists(st.text(alphabet="0123456789-:+.TZ,;\"'ab \t", max_size=25), min_size=9, max_size=9))
def test_any_cells_are_rejects_or_records_and_never_a_crash(cells: list[str]):
    line = ",".join(cell.replace(",", "") for cell in cells).encode() + b"\n"
    for item in read(HEAD + line):
        assert isinstance(item, UsageRecord | Reject)


def test_options_must_be_an_object():
    for wrong in ([1], "utf-8", 5):
        with pytest.raises(InvalidInputs, match="options: must be an object in braces, not "):
            CSV.options(wrong)


def test_every_option_says_what_it_may_be_and_its_words_stand_in_the_error():
    wrong = {"delimiter": ";;", "skip_lines": -1, "header": "yes", "constants": {"source": 5}}
    with pytest.raises(InvalidInputs) as error:
        CSV.options(wrong | {"numbers": {"country_code": 49}})
    told = {problem.where: problem.message for problem in error.value.problems}
    assert told["options.delimiter"] == "must be a single ASCII character, not ';;'"
    assert told["options.numbers.country_code"] == 'must be digits in quotes, such as "49", not 49'
    meanings = {option.name: option.meaning for option in CSV.described_options()}
    for name, message in told.items():
        option = name.removeprefix("options.").removesuffix(".source")
        assert message.startswith(f"must be {meanings[option]}, not ")
    assert all(meanings.values())


SWITCH = b"""kind,caller,called,from,begin,took
CALL,0301234567,0033612345678,DE,10.03.2026 08:00,1m30s
REGISTER,0301234567,,DE,10.03.2026 08:01,0s
CALL,0301234568,112,DE,10.03.2026 08:02,5s
"""


def test_templates_make_fields_of_columns_and_a_filter_leaves_lines_out():
    items = read(
        SWITCH,
        columns={"other_party": "called"},
        templates={
            "msisdn": r"~caller:s/^0(\d+)$/49$1/",
            "service": "^voice",
            "start": "begin{*unixtime:%d.%m.%Y %H:%M}",
            "duration_s": "took{*duration_seconds}",
            "other_party": r"~*default:s/^00(\d+)$/$1/",
            "trunk": "from;^-;kind",
        },
        time_format="epoch",
        filter="kind(^CALL$)",
    )
    assert [(item.msisdn, item.other_party, item.start, item.duration_s) for item in items] == [
        ("49301234567", "33612345678", 1773129600, 90),
        ("49301234568", "112", 1773129720, 5),
    ]
    assert CDR.FromString(items[0].message).trunk == "DE-CALL"


def test_columns_of_templates_and_filters_are_numbers_where_no_header_names_them():
    options = {
        "header": False,
        "columns": {"start": 3},
        "templates": {"msisdn": r"~2:s/^0/49/", "service": "^voice", "other_party": "^"},
        "filter": "1(^C$)",
    }
    (item,) = read(b"C,0301,2026-03-10T08:00:00Z\nX,nobody,never\n", **options)
    assert (item.msisdn, item.service) == ("49", "voice")
    options["filter"] = "kind(^C$)"
    with pytest.raises(InvalidInputs, match=r"options\.filter: must name columns by number from 1"):
        CSV.options(options)
    options["filter"], options["templates"] = "", {"msisdn": "caller", "service": "^voice"}
    with pytest.raises(InvalidInputs, match=r"options\.templates\.msisdn: must name columns by number"):
        CSV.options(options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"templates": {"msisdn": "~caller:s/(a+)+/x/"}},
            "options.templates.msisdn: must be a field template",
        ),
        ({"templates": {"colour": "caller"}}, "options.templates.colour: is not known"),
        ({"templates": {"msisdn": 1}}, "options.templates.msisdn: must be a field template, not 1"),
        ({"filter": "kind"}, "options.filter: must be a filter: each part"),
        ({"filter": 1}, "options.filter: must be a filter, not 1"),
    ],
)
def test_wrong_templates_and_filters_are_refused_when_they_are_written(options: dict[str, Any], says: str):
    with pytest.raises(InvalidInputs) as refused:
        CSV.options(options)
    assert says in str(refused.value)


def test_a_value_that_a_template_cannot_convert_is_a_reject():
    (reject,) = read(
        HEAD + LINE.replace(b",60,", b",soon,"), templates={"duration_s": "duration_s{*duration_seconds}"}
    )
    assert isinstance(reject, Reject)
    assert "duration_s: “soon” is not a number of units" in reject.message
    (missing,) = read(HEAD + LINE, templates={"cell": "tower"})
    assert isinstance(missing, Reject)
    assert "the header has no column “tower”" in missing.message


def test_a_line_that_the_filter_cannot_judge_is_a_reject_and_not_left_out():
    (reject,) = read(HEAD + LINE.replace(b",60,", b",soon,"), filter="duration_s(>0)")
    assert isinstance(reject, Reject)
    assert "filter: “soon” is not a number" in reject.message


def test_each_line_that_the_filter_leaves_out_is_reported():
    options = CSV.options({"filter": "service(^voice$)"})
    items = CSV.read(io.BytesIO(HEAD + LINE + LINE.replace(b"voice", b"sms") + LINE), options)
    assert [item is LEFT_OUT for item in items] == [False, True, False]
    facts = CSV.facts(
        b"source,service,msisdn,start\nA,sms,49155,2026-03-10T08:00:00Z\nB,voice,49155,2026-03-10T08:00:00Z\n",
        options,
    )
    assert facts.source == "B"


def test_a_recycled_line_is_read_regardless_of_the_filter():
    options = CSV.options({"filter": "service(^sms$)"})
    assert list(CSV.read(io.BytesIO(HEAD + LINE), options)) == [LEFT_OUT]
    again = CSV.read_record(LINE.rstrip(b"\n"), HEAD.decode().strip(), options)
    assert isinstance(again, UsageRecord)
