"""Numbers, money, dates and usage as the readers of one locale write them.

Babel knows the rules of locales but takes tens of microseconds a value; a bill has hundreds. What repeats is taken from
Babel once a locale and put together here; the tests hold the results against Babel's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval, format_time
from babel.numbers import format_currency, format_percent

from apps.kernel.currencies import decimals_of
from apps.kernel.money import MICROS_PER_UNIT

FALLBACK_LOCALE = "en_GB"
MICRO_DIGITS = 6
FIGURE_SPACE = "\u2007"
# As Babel has it, in every locale.
MINUS = "-"
DURATION_TYPES = ("voice",)
VOLUME_TYPES = ("data",)


@lru_cache(maxsize=256)
def parse_locale(name: str) -> Locale:
    """The locale of that name (``de_DE``, ``de-AT``, ``fr``), or of its language, or English."""
    for candidate in (name.replace("-", "_"), name.replace("-", "_").partition("_")[0]):
        try:
            return Locale.parse(candidate)
        except (ValueError, UnknownLocaleError, TypeError):
            continue
    return Locale.parse(FALLBACK_LOCALE)


def digits_needed(amounts: Iterable[int], at_least: int) -> int:
    """How many decimals show every one of these micro-unit amounts exactly, so that a printed column adds up."""
    needed = at_least
    for micros in amounts:
        while needed < MICRO_DIGITS and micros % 10 ** (MICRO_DIGITS - needed):
            needed += 1
    return needed


class Formats:
    """How values are written for a locale, a currency and a time zone. Get one from :func:`formats_for`."""

    def __init__(self, locale_name: str, currency: str, zone: ZoneInfo) -> None:
        self.locale = parse_locale(locale_name)
        self.currency = currency
        self.zone = zone
        self.currency_digits = decimals_of(currency)
        symbols = self.locale.number_symbols
        symbols = symbols.get("latn", symbols)
        self._point = str(symbols["decimal"])
        self._group = str(symbols["group"])
        self._grouping = self.locale.decimal_formats[None].grouping
        self._time_pattern = self.locale.time_formats["medium"].pattern

    # --- Numbers and money -------------------------------------------------------------------------------------------

    def whole(self, number: int) -> str:
        """A whole number with the locale's grouping: ``12.345``."""
        digits = str(abs(number))
        first, following = self._grouping
        if len(digits) > first:
            head, parts = digits[:-first], [digits[-first:]]
            while len(head) > following:
                head, parts = head[:-following], [head[-following:], *parts]
            digits = self._group.join([head, *parts])
        return MINUS + digits if number < 0 else digits

    def decimal(self, micros: int, at_least: int, pad_to: int = 0) -> str:
        """A micro-unit amount without its currency, exactly: as many decimals as it needs, ``at_least`` so many.

        Filled up with figure spaces to ``pad_to`` decimals, so that points stand one below the other in a column.
        """
        whole, fraction = divmod(abs(micros), MICROS_PER_UNIT)
        digits = f"{fraction:06d}".rstrip("0").ljust(at_least, "0")
        text = self.whole(whole)
        if digits:
            text = f"{text}{self._point}{digits}"
        if pad_to > len(digits):
            text += FIGURE_SPACE * (pad_to - len(digits) + (0 if digits else 1))
        return MINUS + text if micros < 0 else text

    def amount(self, micros: int, column_digits: int = 0) -> str:
        """An amount for a column that is headed by the currency: ``12,3456`` or ``29,00`` and two figure spaces."""
        return self.decimal(micros, self.currency_digits, column_digits)

    def money(self, micros: int) -> str:
        """An amount with its currency, as the locale writes it; with more digits than usual if it has more."""
        value = Decimal(micros).scaleb(-MICRO_DIGITS)
        digits = digits_needed([micros], self.currency_digits)
        return _currency(value.quantize(Decimal(1).scaleb(-digits)), self.currency, self.locale, digits)

    def percent(self, millionths: int) -> str:
        """A rate: ``19 %``, ``7.7%``."""
        return _percent(millionths, self.locale)

    # --- Days and times ----------------------------------------------------------------------------------------------

    def day(self, day: date) -> str:
        """A day in figures: ``31.01.26``, ``31/01/2026``."""
        return _day(day, "short", self.locale)

    def long_day(self, day: date) -> str:
        """A day with its month's name: ``31. Januar 2026``."""
        return _day(day, "long", self.locale)

    def instant(self, instant: datetime) -> str:
        """An instant in the time zone, to the second."""
        local = instant.astimezone(self.zone)
        if self._time_pattern == "HH:mm:ss":
            time = f"{local.hour:02d}:{local.minute:02d}:{local.second:02d}"
        elif self._time_pattern == "H:mm:ss":
            time = f"{local.hour}:{local.minute:02d}:{local.second:02d}"
        else:
            time = format_time(local.time(), "medium", locale=self.locale)
        return f"{_day(local.date(), 'short', self.locale)} {time}"

    def days(self, start: datetime, end: datetime, zone: ZoneInfo) -> str:
        """The days of a half-open period, first and last: ``1.–31. Januar 2026``."""
        first, last = first_and_last_day(start, end, zone)
        return _interval(first, last, self.locale)

    def month_name(self, day: date) -> str:
        return str(self.locale.months["stand-alone"]["wide"][day.month])

    def month_and_year(self, day: date) -> str:
        return str(format_date(day, "LLLL y", locale=self.locale))

    def country(self, code: str) -> str:
        """A country's name in the language; the code itself if it is none."""
        return str(self.locale.territories.get(code.upper(), code))

    # --- Usage -------------------------------------------------------------------------------------------------------

    def usage(self, amount: int, type_of_record: str, unit_size: int) -> str:
        """Seconds as ``1:02:03`` or ``2:03``, octets in units of sale with decimals, events as a number."""
        if type_of_record in DURATION_TYPES:
            minutes, seconds = divmod(amount, 60)
            hours, minutes = divmod(minutes, 60)
            return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
        if type_of_record in VOLUME_TYPES and unit_size > 1:
            thousandths = (amount * 1000 + unit_size // 2) // unit_size
            # A session of a few octets is not nothing.
            if amount and not thousandths:
                return f"<{self.decimal(1000, 3)}"
            return self.decimal(thousandths * 1000, 3)
        if unit_size > 1:
            return self.decimal((amount * MICROS_PER_UNIT + unit_size // 2) // unit_size, 0)
        return self.whole(amount)


@lru_cache(maxsize=256)
def formats_for(locale_name: str, currency: str, zone: ZoneInfo) -> Formats:
    """The formats of a locale, kept: making one costs as much as formatting a page."""
    return Formats(locale_name, currency, zone)


def first_and_last_day(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last day in ``zone`` that a half-open period touches."""
    first = start.astimezone(zone).date()
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return first, max(first, last)


@lru_cache(maxsize=4096)
def _day(day: date, style: str, locale: Locale) -> str:
    return str(format_date(day, style, locale=locale))


@lru_cache(maxsize=4096)
def _interval(first: date, last: date, locale: Locale) -> str:
    if first == last:
        return _day(first, "long", locale)
    return str(format_interval(first, last, "yMMMd", locale=locale))


@lru_cache(maxsize=1024)
def _percent(millionths: int, locale: Locale) -> str:
    # Four decimals of a percent are all that millionths can hold.
    pattern = locale.percent_formats[None].pattern.replace("0", "0.####", 1)
    return str(format_percent(Decimal(millionths).scaleb(-6), pattern, locale=locale))


@lru_cache(maxsize=4096)
def _currency(value: Decimal, currency: str, locale: Locale, digits: int) -> str:
    pattern = locale.currency_formats["standard"].pattern.replace(
        "0.00", "0." + "0" * digits if digits else "0"
    )
    return str(format_currency(value, currency, pattern, locale=locale, currency_digits=False))
