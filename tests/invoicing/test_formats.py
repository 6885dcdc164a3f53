"""Values are written as Babel writes them, and columns add up as they are read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal
from hypothesis import given
from hypothesis import strategies as st

from apps.invoicing.domain.formats import FIGURE_SPACE, Formats, digits_needed, formats_for, parse_locale

LOCALES = ("en_GB", "en_US", "de_DE", "de_CH", "fr_FR", "fr_CH", "pl_PL", "hi_IN", "pt_BR", "sv_SE")
MICROS = st.integers(-(10**16), 10**16)


def formats(locale: str = "en_GB", currency: str = "EUR", zone: str = "Europe/Berlin") -> Formats:
    return formats_for(locale, currency, ZoneInfo(zone))


@given(MICROS, st.sampled_from(LOCALES))
def test_amounts_are_grouped_and_pointed_as_babel_does(micros: int, locale: str):
    value = Decimal(micros) / 1_000_000
    expected = format_decimal(value, "#,##0.00####", locale=locale)
    if locale == "hi_IN":
        expected = format_decimal(value, "#,##,##0.00####", locale=locale)
    assert formats(locale).amount(micros) == expected


@given(st.integers(-(10**12), 10**12), st.sampled_from(LOCALES))
def test_amounts_with_a_currency_are_babels(cents: int, locale: str):
    assert formats(locale).money(cents * 10_000) == format_currency(
        Decimal(cents) / 100, "EUR", locale=locale
    )


@given(st.lists(MICROS, max_size=20))
def test_a_column_shows_every_amount_exactly_with_its_points_one_below_the_other(amounts: list[int]):
    digits = digits_needed(amounts, 2)
    texts = [formats().amount(amount, digits) for amount in amounts]
    shown = [Decimal(text.replace(",", "").strip(FIGURE_SPACE)) for text in texts]
    assert sum(shown) * 1_000_000 == sum(amounts)
    assert {len(text.rpartition(".")[2]) for text in texts} <= {digits}


@pytest.mark.parametrize(
    ("currency", "text"), [("EUR", "1,234.50"), ("JPY", "1,234.5"), ("KWD", "1,234.500"), ("CLP", "1,234.5")]
)
def test_a_currency_has_its_own_digits(currency: str, text: str):
    assert formats(currency=currency).amount(1_234_500_000) == text


def test_points_align_also_where_a_currency_has_no_digits():
    yen = formats("ja_JP", "JPY")
    assert yen.amount(5_000_000, 2) == "5" + 3 * FIGURE_SPACE
    assert yen.amount(5_250_000, 2) == "5.25"


@given(st.integers(946_684_800, 2_840_140_800), st.sampled_from(LOCALES))
def test_instants_are_in_the_zone_and_as_babel_writes_them(seconds: int, locale: str):
    instant = datetime.fromtimestamp(seconds, UTC)
    local = instant.astimezone(ZoneInfo("Europe/Berlin"))
    day = format_date(local.date(), "short", locale=locale)
    expected = f"{day} {format_time(local.time(), 'medium', locale=locale)}"
    assert formats(locale).instant(instant) == expected


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en_GB", "19.6%"), ("de_DE", "19,6\xa0%"), ("fr_FR", "19,6\xa0%"), ("tr_TR", "%19,6")],
)
def test_a_rate_has_the_decimals_it_needs(locale: str, text: str):
    assert formats(locale).percent(196_000) == text
    assert "7" in formats(locale).percent(70_000)
    assert "," not in formats("de_DE").percent(70_000)


def test_a_millionth_of_a_rate_is_shown():
    assert formats("en_GB").percent(190_001) == "19.0001%"


@pytest.mark.parametrize(
    ("amount", "type_of_record", "unit", "text"),
    [
        (0, "voice", 60, "0:00"),
        (59, "voice", 60, "0:59"),
        (3_600, "voice", 60, "1:00:00"),
        (90_061, "voice", 60, "25:01:01"),
        (1_572_864, "data", 1_048_576, "1.500"),
        (1, "data", 1_048_576, "<0.001"),
        (0, "data", 1_048_576, "0.000"),
        (1_234, "sms", 1, "1,234"),
        (5, "generic", 2, "2.5"),
    ],
)
def test_usage_is_written_in_what_people_count(amount: int, type_of_record: str, unit: int, text: str):
    assert formats().usage(amount, type_of_record, unit) == text


def test_the_days_of_a_period_are_those_of_the_zone():
    berlin = formats("de_DE")
    start, end = datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert berlin.days(start, end, berlin.zone) == "1.–31. Jan. 2026"
    assert berlin.days(start, datetime(2026, 1, 1, 23, tzinfo=UTC), berlin.zone) == "1. Januar 2026"


@pytest.mark.parametrize(
    ("name", "found"),
    [("de-AT", "de_AT"), ("de_XX", "de"), ("xx", "en_GB"), ("", "en_GB"), ("zh_Hant_TW", "zh_Hant_TW")],
)
def test_a_locale_that_is_not_known_becomes_its_language_or_english(name: str, found: str):
    assert str(parse_locale(name)) == found


def test_a_month_is_named_as_it_stands_alone():
    assert formats("pl_PL").month_and_year(date(2026, 1, 5)) == "styczeń 2026"
