"""Patterns that people write: compiled ones answer quickly on every text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import InvalidInput
from apps.kernel.patterns import pattern

EVIL = [
    "(a+)+b",
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+$",
    "(.*a){20}",
    "a?" * 40 + "a" * 40,
    "(a|a)" * 40 + "$",
    ".*.*.*.*.*.*x",
    "(?=a)a",
    r"(a)\1",
    "(?<!a)b",
    "(",
    "a{2,1}",
    "a" * 201,
    "(((a{0,99}){0,99}){0,99}){0,99}",
]


@pytest.mark.parametrize("text", EVIL)
def test_a_pattern_that_could_take_too_long_or_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        pattern(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"^0(\d+)$", "030123456"),
        (r"^(\+|00)?49(\d{2,14})$", "+4930123456"),
        (r"^sip:([^@]+)@(.+)$", "sip:alice@example.org"),
        ("^(?:CALL|SMS|MMS)$", "SMS"),
        (r"(\d+)-(\d+)", "12-34"),
        ("(?i)roaming", "Roaming partner"),
        ("(ab|cd){1,3}x", "abcdx"),
    ],
)
def test_patterns_that_users_write_are_compiled(text: str, value: str) -> None:
    assert pattern(text).search(value) is not None


def test_a_text_that_is_too_long_for_its_pattern_is_refused_rather_than_tried() -> None:
    searched = pattern(r"(\d*)a(\d*)b")
    with pytest.raises(InvalidInput):
        searched.search("1" * (searched.longest + 1))


@pytest.mark.filterwarnings("ignore:Possible nested set")
@given(
    st.text("ab.?*+|(){},1[]^$", max_size=24),
    st.sampled_from(["a", "ab", "1"]),
    st.sampled_from(["", "b", "!"]),
)
def test_every_compiled_pattern_answers_within_a_second_on_its_longest_text(
    text: str, unit: str, end: str
) -> None:
    try:
        searched = pattern(text)
    except InvalidInput:
        return
    value = (unit * searched.longest)[: searched.longest - len(end)] + end
    began = time.process_time()
    searched.search(value)
    assert time.process_time() - began < 1
