"""Field templates and filters: one small language for values that are made of a record's fields.

A template is a list of parts, split by ``;``, whose values are joined:

- ``FIELD`` is the field's value; a name may be a number (a column of a file) or have spaces in it.
- ``^text`` is that text.
- ``~FIELD:s/pattern/new/`` is ``new`` if the pattern matches the value (``$1`` is its first group), else the value.
  Several ``:s/…/…/`` follow each other; ``\\/`` is a slash.
- ``*default`` is the field that the template is for.
- ``FIELD{*converter:argument}`` converts the value (see :data:`CONVERTERS`); several are split by ``&``.
- ``FIELD(condition|condition)`` is nothing unless the value passes.

A filter is a list of ``FIELD(condition|…)``, split by ``;``, of which all must pass. A condition is a text that the
value contains, ``^text`` and ``text$`` for its beginning and end (both: all of it), ``~pattern``, or a bound such as
``>=60``; ``!`` negates. A value passes if one of the texts and patterns matches (if there are any) and all bounds and
negations hold.

Source: CGRateS ``utils/rsrfield.go`` (RSR fields) and ``utils/dataconverter.go``. There, all conditions of a field
must hold; here the texts are alternatives, as ``|`` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple

from apps.kernel.errors import InvalidInput
from apps.kernel.patterns import pattern
from apps.kernel.rounding import RoundingMethod, round_ratio
from apps.kernel.units import parse_usage_units

MAX_RULES = 1_000
MAX_VALUE = 4_096
DEFAULT = "*default"
_NAME = re.compile(r"[^;~^!*(){}|:&/][^;~^!(){}|:&/]*")
_DECIMAL = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_GROUP = re.compile(r"\$(?:(\d{1,2})|\{(\d{1,2})\}|(\$))", re.ASCII)
_BOUNDS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    ">=": lambda value, bound: value >= bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    "<": lambda value, bound: value < bound,
}
Converter = Callable[[str], str]
Fields = Mapping[str, str]


class Condition(NamedTuple):
    """One condition on a value. It ``must`` hold in every case, or it is one of several alternatives."""

    holds: Callable[[str], bool]
    must: bool


class Part(NamedTuple):
    """One part of a template: a field (or a text, if there is no field), how it is changed, and when it counts."""

    field: str
    text: str
    changes: tuple[Converter, ...]
    conditions: tuple[Condition, ...]

    def value(self, fields: Fields) -> str:
        value = fields.get(self.field, "") if self.field else self.text
        if len(value) > MAX_VALUE:
            raise InvalidInput(f"the value of {self.field} is longer than {MAX_VALUE} characters")
        for change in self.changes:
            value = change(value)
        return value

    def passes(self, value: str) -> bool:
        alternatives = [one for one in self.conditions if not one.must]
        return all(one.holds(value) for one in self.conditions if one.must) and (
            not alternatives or any(one.holds(value) for one in alternatives)
        )


class Template(NamedTuple):
    """A value made of fields; ``names`` are those it reads."""

    parts: tuple[Part, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.field for part in self.parts if part.field))

    def value(self, fields: Fields) -> str:
        """The value for a record; a field that it lacks is empty.

        Raises InvalidInput if a value cannot be converted.
        """
        values = ((part, part.value(fields)) for part in self.parts)
        return "".join(value for part, value in values if part.passes(value))


class Filter(NamedTuple):
    """Conditions on fields; ``names`` are those it reads."""

    parts: tuple[Part, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return Template(self.parts).names

    def passes(self, fields: Fields) -> bool:
        """Whether a record passes.

        Raises InvalidInput if a value cannot be converted or compared, so that no record is left out by mistake.
        """
        return all(part.passes(part.value(fields)) for part in self.parts)


def template(text: str, own: str = "") -> Template:
    """Read a template for the field ``own``. Raises InvalidInput."""
    return Template(tuple(_part(rule, own) for rule in _rules(text)))


def record_filter(text: str) -> Filter:
    """Read a filter; nothing and ``*default`` let every record pass. Raises InvalidInput."""
    if text.strip() in ("", DEFAULT):
        return Filter(())
    parts = tuple(_part(rule, "") for rule in _rules(text))
    for part in parts:
        if not part.field or not part.conditions:
            raise InvalidInput("each part of a filter is a field with conditions, such as type(^CALL$)")
    return Filter(parts)


def _rules(text: str) -> list[str]:
    """The parts of a rule, split at “;” outside brackets and patterns."""
    if len(text) > MAX_RULES:
        raise InvalidInput(f"the rule is longer than {MAX_RULES} characters")
    rules, start, position = [], 0, 0
    while position < len(text):
        if text.startswith(":s/", position):
            position = _after_slash(text, _after_slash(text, position + 3))
            continue
        if text[position] in "({":
            position = _closing(text, position)
        elif text[position] == ";":
            rules.append(text[start:position])
            start = position + 1
        position += 1
    rules.append(text[start:])
    if not all(rule.strip() for rule in rules):
        raise InvalidInput("a part of the rule is empty; write a field, or ^text")
    return rules


def _after_slash(text: str, position: int) -> int:
    """The position after the next slash without a backslash before it."""
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "/":
            return position + 1
        position += 1
    raise InvalidInput(f"“{text}” has an unfinished s/pattern/new/")


def _closing(text: str, position: int) -> int:
    """The position of the bracket that closes the one at ``position``; those in patterns may be nested."""
    opening, closing = text[position], {"(": ")", "{": "}"}[text[position]]
    depth = 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == opening:
            depth += 1
        elif text[position] == closing:
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise InvalidInput(f"“{text}” has an unfinished {opening}")


def _part(rule: str, own: str) -> Part:
    if rule.lstrip().startswith("^"):
        return Part("", rule.lstrip()[1:], (), ())
    rule = rule.strip()
    changes: list[Converter] = []
    searching = rule.startswith("~")
    name, rest = _name(rule[searching:], own)
    while rest.startswith(":s/"):
        middle = _after_slash(rest, 3)
        end = _after_slash(rest, middle)
        changes.append(_replacement(rest[3 : middle - 1], rest[middle : end - 1]))
        rest = rest[end:]
    if searching != bool(changes):
        raise InvalidInput(f"“{rule}” is not a field; a search is written ~field:s/pattern/new/")
    if rest.startswith("{"):
        end = _closing(rest, 0)
        changes += [_converter(one.strip()) for one in rest[1:end].split("&")]
        rest = rest[end + 1 :]
    conditions: tuple[Condition, ...] = ()
    if rest.startswith("("):
        end = _closing(rest, 0)
        conditions = tuple(_condition(one) for one in _alternatives(rest[1:end]))
        rest = rest[end + 1 :]
    if rest:
        raise InvalidInput(f"“{rest}” does not belong in “{rule}”")
    return Part(name, "", tuple(changes), conditions)


def _name(text: str, own: str) -> tuple[str, str]:
    """The field that a part begins with, and the rest of the part."""
    if text.startswith(DEFAULT):
        if not own:
            raise InvalidInput(f"{DEFAULT} stands for no field here; name the field")
        return own, text[len(DEFAULT) :]
    match = _NAME.match(text)
    if match is None:
        raise InvalidInput(f"“{text}” does not begin with a field; write a field, ^text or {DEFAULT}")
    return match[0].strip(), text[match.end() :]


def _replacement(search: str, new: str) -> Converter:
    """A search and replace; the value as a whole becomes ``new`` if the pattern matches."""
    searched = pattern(search.replace("\\/", "/"))
    new = new.replace("\\/", "/")
    for found in _GROUP.finditer(new):
        number = found[1] or found[2]
        if number and int(number) > searched.compiled.groups:
            raise InvalidInput(
                f"“{new}” refers to group {number}; the pattern has {searched.compiled.groups}"
            )

    def convert(value: str) -> str:
        match = searched.search(value)
        if match is None:
            return value
        return _GROUP.sub(lambda found: "$" if found[3] else match[int(found[1] or found[2])] or "", new)

    return convert


def _alternatives(text: str) -> list[str]:
    """Conditions split at “|” outside the brackets of patterns."""
    found, start, position = [], 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "(":
            position = _closing(text, position)
        elif text[position] == "|":
            found.append(text[start:position])
            start = position + 1
        position += 1
    return [*found, text[start:]]


def _condition(text: str) -> Condition:
    negated = text.startswith("!")
    holds, must = _test(text[negated:])
    if negated:
        return Condition(lambda value: not holds(value), True)
    return Condition(holds, must)


def _test(text: str) -> tuple[Callable[[str], bool], bool]:
    if text.startswith("~"):
        search = pattern(text[1:]).search
        return lambda value: search(value) is not None, False
    for sign, compare in _BOUNDS.items():
        if text.startswith(sign):
            return _bound(compare, _number(text[len(sign) :])), True
    begins, ends = text.startswith("^"), text.endswith("$")
    bare = text[begins : len(text) - ends]
    if begins and ends:
        return lambda value: value == bare, False
    if begins:
        return lambda value: value.startswith(bare), False
    if ends:
        return lambda value: value.endswith(bare), False
    return lambda value: bare in value, False


def _bound(compare: Callable[[Fraction, Fraction], bool], bound: Fraction) -> Callable[[str], bool]:
    return lambda value: compare(_number(value), bound)


def _number(text: str) -> Fraction:
    if _DECIMAL.fullmatch(text.strip()) is None:
        raise InvalidInput(f"“{text[:40]}” is not a number")
    return Fraction(text.strip())


def _decimal_text(number: Fraction) -> str:
    """Plain decimal text of a product of decimals."""
    scaled = number * 10**60
    assert scaled.denominator == 1, "two factors have at most 30 decimals each"
    whole, fraction = divmod(abs(scaled.numerator), 10**60)
    digits = f"{fraction:060d}".rstrip("0")
    return ("-" if number < 0 else "") + str(whole) + (f".{digits}" if digits else "")


def _converter(text: str) -> Converter:
    name, _, argument = text.partition(":")
    make = CONVERTERS.get(name)
    if make is None:
        raise InvalidInput(f"“{text}” is not a converter; known are {', '.join(CONVERTERS)}")
    return make(argument)


def _round(argument: str) -> Converter:
    decimals, _, method = argument.partition(":")
    if not (decimals.isascii() and decimals.isdigit() and len(decimals) <= 2 and int(decimals) <= 20):
        raise InvalidInput("*round needs decimals from 0 to 20, such as *round:2 or *round:2:*up")
    try:
        how = RoundingMethod(method or RoundingMethod.MIDDLE)
    except ValueError:
        raise InvalidInput(f"“{method}” is not a rounding method; use *up, *down or *middle") from None

    def convert(value: str) -> str:
        number = _number(value) * 10 ** int(decimals)
        return _decimal_text(
            Fraction(round_ratio(number.numerator, number.denominator, how), 10 ** int(decimals))
        )

    return convert


def _multiply(argument: str) -> Converter:
    factor = _number(argument)
    return lambda value: _decimal_text(_number(value) * factor)


def _mask(argument: str) -> Converter:
    if not (argument.isascii() and argument.isdigit() and 1 <= len(argument) <= 3):
        raise InvalidInput("*mask needs the number of last characters to hide, such as *mask:3")
    count = int(argument)
    return lambda value: value[: max(len(value) - count, 0)] + "*" * min(count, len(value))


def _duration_seconds(argument: str) -> Converter:
    if argument:
        raise InvalidInput("*duration_seconds needs no argument")
    return lambda value: str(parse_usage_units(value)) if value else value


def _unixtime(argument: str) -> Converter:
    """Seconds since 1970 of a time in UTC, ISO 8601 or written as the argument says (``%d.%m.%Y %H:%M``)."""

    def convert(value: str) -> str:
        if not value:
            return value
        try:
            at = datetime.strptime(value, argument) if argument else datetime.fromisoformat(value)  # noqa: DTZ007
            return str(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() // 1))
        except (ValueError, OverflowError):
            raise InvalidInput(
                f"“{value[:40]}” is not a time like {argument or '2026-01-31T23:59:59'}"
            ) from None

    return convert


CONVERTERS: Mapping[str, Callable[[str], Converter]] = {
    "*duration_seconds": _duration_seconds,
    "*unixtime": _unixtime,
    "*round": _round,
    "*multiply": _multiply,
    "*mask": _mask,
}
"""What a value can be converted by; the argument follows after a colon."""
