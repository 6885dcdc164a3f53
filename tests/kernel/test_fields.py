"""Field templates and filters: what they mean, and that no text makes reading or using them fail otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInput
from apps.kernel.fields import Filter, Template, record_filter, template

RECORD = {
    "caller": "0301234567",
    "called": "+4930999",
    "type": "CALL",
    "seconds": "61.5",
    "time": "1m30s",
    "date": "31.01.2026 08:00",
    "1": "first",
    "Called Number": "0800",
    "path": "a/b;c",
}

TEMPLATES = {
    "caller": "0301234567",
    "1": "first",
    "Called Number": "0800",
    "nothing": "",
    "^voice": "voice",
    "^": "",
    r"~caller:s/^0(\d+)$/+49$1/": "+49301234567",
    r"~caller:s/^0(\d+)$/${1}0/": "3012345670",
    r"~called:s/^0(\d+)$/+49$1/": "+4930999",
    r"~called:s/^\+(.*)$/$1/:s/^49(\d+)$/0$1/": "030999",
    r"~caller:s/^(\d{3})\d*$/$1$$/": "030$",
    r"~path:s/^(.*)\/(.*)$/$2\/$1/": "b;c/a",
    r"~called:s/^\+(.*)$/$1/;^@;type": "4930999@CALL",
    "type;^-;1": "CALL-first",
    "type;^ ; 1 ": "CALL first",
    "caller{*mask:4}": "030123****",
    "1{*mask:99}": "*****",
    "time{*duration_seconds}": "90",
    "seconds{*round:0:*up}": "62",
    "seconds{*multiply:60&*round:1}": "3690",
    "seconds{*multiply:-0.001}": "-0.0615",
    "date{*unixtime:%d.%m.%Y %H:%M}": "1769846400",
    "type(^CALL$)": "CALL",
    "type(^SMS$|~^C.*L$)": "CALL",
    "type(!CALL)": "",
    "caller(>=1&x)": None,
    "*default": "own",
    r"~*default:s/^o/O/;^!": "O!",
}


@pytest.mark.parametrize("text", TEMPLATES)
def test_a_template_makes_a_value_of_a_record(text: str) -> None:
    if TEMPLATES[text] is None:
        with pytest.raises(InvalidInput):
            template(text, "own")
    else:
        assert template(text, "own").value({**RECORD, "own": "own"}) == TEMPLATES[text]


FILTERS = {
    "": True,
    "*default": True,
    "type(CALL)": True,
    "type(AL)": True,
    "type(^CA)": True,
    "type(LL$)": True,
    "type(^CAL$)": False,
    "type(^SMS$|^CALL$)": True,
    "type(^SMS$|^MMS$)": False,
    "type(!^SMS$)": True,
    "type(!^SMS$|!^CALL$)": False,
    "type(CALL|!^C)": False,
    "nothing(^$)": True,
    "type(!^$)": True,
    "type(~^(CALL|SMS)$)": True,
    "type(!~^C)": False,
    "seconds(>60)": True,
    "seconds(>=61.5|<62)": True,
    "seconds(<=61)": False,
    "type(CALL);seconds(>100)": False,
    "type(CALL);caller(^030)": True,
    r"~caller:s/^0(\d+)$/49$1/(^49)": True,
    "time{*duration_seconds}(>=90)": True,
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_lets_records_pass(text: str) -> None:
    assert record_filter(text).passes(RECORD) is FILTERS[text]


@pytest.mark.parametrize("text", ["type(>0)", "1{*duration_seconds}(>=0)", r"type(~^(\d*)x(\d*)y(\d*)$)"])
def test_a_record_that_cannot_be_judged_neither_passes_nor_fails(text: str) -> None:
    with pytest.raises(InvalidInput):
        record_filter(text).passes({**RECORD, "type": "1" * 4_000})


WRONG_TEMPLATES = [
    *(
        "",
        ";",
        "a;;b",
        "~a",
        "a:s/x/y/",
        "~a:s/x/y",
        "~a:s/(/y/",
        "~a:s/(a+)+b/y/",
        r"~a:s/a/$1/",
        "a(",
        "a(x)y",
    ),
    *(
        "a{*unknown}",
        "a{*round}",
        "a{*round:21}",
        "a{*round:2:*odd}",
        "a{*mask:x}",
        "a{*multiply:x}",
        "*other",
    ),
    *("*default", "a{*duration_seconds:1}", "a" * 1_001, "a(>x)"),
]


@pytest.mark.parametrize("text", WRONG_TEMPLATES)
def test_a_wrong_template_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        template(text)


@pytest.mark.parametrize("text", ["type", "^CALL", "type(CALL);seconds", "type()x"])
def test_a_filter_needs_conditions(text: str) -> None:
    with pytest.raises(InvalidInput):
        record_filter(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a{*duration_seconds}", "soon"),
        ("a{*round:2}", "1e9"),
        ("a{*unixtime}", "yesterday"),
        ("a{*unixtime}", "9" * 30),
        ("a", "x" * 4_097),
        (r"~a:s/^(\d*)x(\d*)y(\d*)$/$1/", "1" * 4_000),
    ],
)
def test_a_value_that_cannot_be_converted_is_invalid_input(text: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        template(text).value({"a": value})


def test_names_are_those_that_are_read_once_each() -> None:
    assert template("a;^x;~b:s/x/y/;a{*mask:1}").names == ("a", "b")
    assert record_filter("a(x);b(y)").names == ("a", "b")


values = st.dictionaries(st.sampled_from(["a", "b", "1"]), st.text(max_size=20), max_size=3)


@given(values, st.lists(st.sampled_from(["a", "b", "^-", "1"]), min_size=1, max_size=5))
def test_the_value_of_a_list_is_that_of_its_parts_joined(record: dict[str, str], parts: list[str]) -> None:
    joined = "".join(template(part).value(record) for part in parts)
    assert template(";".join(parts)).value(record) == joined


@given(values, st.sampled_from(["x", "^x", "x$", "^x$", "~x", "^$"]))
def test_a_negated_condition_passes_what_the_condition_does_not(
    record: dict[str, str], condition: str
) -> None:
    assert record_filter(f"a({condition})").passes(record) != record_filter(f"a(!{condition})").passes(record)


@given(st.text("ab1;^~:s/$(){}*|!<>=+.\\-", max_size=40), values)
def test_no_text_makes_reading_or_using_fail_otherwise_than_by_invalid_input(
    text: str, record: dict[str, str]
) -> None:
    for read in (template, record_filter):
        try:
            made: Template | Filter = read(text)
            if isinstance(made, Template):
                assert isinstance(made.value(record), str)
            else:
                assert made.passes(record) in (True, False)
        except InvalidInput:
            continue
