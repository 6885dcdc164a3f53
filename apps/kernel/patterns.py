"""Regular expressions that people write, compiled only if no text can keep them busy.

Python tries alternatives one after the other, so a pattern such as ``(a+)+b`` takes years on some texts. The
patterns of CGRateS run in linear time (Go's RE2). Here the ways in which a pattern can match are counted when it is
read: the longer the text may be, the fewer there must be, about a million in all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from apps.kernel.errors import InvalidInput

MAX_PATTERN = 200
MAX_TEXT = 4_096
_MOST_WAYS = 1 << 20
_MOST_REPEATS = 16
_ATOMS = frozenset({ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN, ops.AT})
_REPEATS = frozenset({ops.MAX_REPEAT, ops.MIN_REPEAT})


class Pattern(NamedTuple):
    """A compiled pattern, and the longest text that it may be tried on."""

    compiled: re.Pattern[str]
    longest: int

    def search(self, text: str) -> re.Match[str] | None:
        """The first match; raises InvalidInput if the text is longer than the pattern allows."""
        if len(text) > self.longest:
            raise InvalidInput(
                f"“{text[:20]}…” is longer than {self.longest} characters, the most that the pattern "
                f"{self.compiled.pattern} can be tried on"
            )
        return self.compiled.search(text)


class _Ways(NamedTuple):
    """At most ``factor`` × n^``degree`` ways to match a text of n characters."""

    factor: int
    degree: int

    def times(self, other: _Ways) -> _Ways:
        return _Ways(self.factor * other.factor, self.degree + other.degree)

    def plus(self, other: _Ways) -> _Ways:
        return _Ways(self.factor + other.factor, max(self.degree, other.degree))


_ONE = _Ways(1, 0)


def pattern(text: str) -> Pattern:
    """Compile a regular expression. Raises InvalidInput if it is none, or could take too long."""
    if len(text) > MAX_PATTERN:
        raise InvalidInput(f"the pattern “{text[:20]}…” is longer than {MAX_PATTERN} characters")
    try:
        compiled = re.compile(text)
        tree = parser.parse(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(f"“{text}” is not a regular expression: {error}") from None
    ways = _ways(tree)
    anchored = len(tree) > 0 and tree[0] == (ops.AT, ops.AT_BEGINNING)
    if not anchored:
        ways = ways.times(_Ways(1, 1))
    longest = MAX_TEXT
    while longest and ways.factor * longest**ways.degree > _MOST_WAYS:
        longest //= 2
    if longest < 32:
        raise InvalidInput(
            f"the pattern “{text}” could take too long; use fewer repetitions and alternatives"
        )
    return Pattern(compiled, longest)


def _ways(sequence: Iterable[tuple[Any, Any]]) -> _Ways:
    total = _ONE
    for op, argument in sequence:
        total = total.times(_ways_of(op, argument))
        if total.factor > _MOST_WAYS:
            raise InvalidInput("the pattern could take too long; use fewer repetitions and alternatives")
    return total


def _ways_of(op: Any, argument: Any) -> _Ways:
    if op in _ATOMS:
        return _ONE
    if op == ops.SUBPATTERN:
        return _ways(argument[3])
    if op == ops.BRANCH:
        total = _Ways(0, 0)
        for alternative in argument[1]:
            total = total.plus(_ways(alternative))
        return total
    if op in _REPEATS:
        least, most, inner = argument
        return _ways_of_repeat(least, most, _ways(inner))
    raise InvalidInput(
        "patterns cannot look around or refer back; use characters, classes, groups, alternatives and repetitions"
    )


def _ways_of_repeat(least: int, most: Any, inner: _Ways) -> _Ways:
    if inner == _ONE:
        return _Ways(1, 1) if most == ops.MAXREPEAT else _Ways(most - least + 1, 0)
    if most == ops.MAXREPEAT or most > _MOST_REPEATS:
        raise InvalidInput(
            "patterns cannot repeat what has repetitions or alternatives in it without a small limit"
        )
    total, power = _Ways(0, 0), _ONE
    for count in range(most + 1):
        if count >= least:
            total = total.plus(power)
        power = power.times(inner)
        if power.factor > _MOST_WAYS:
            raise InvalidInput("the pattern could take too long; use fewer repetitions and alternatives")
    return total
