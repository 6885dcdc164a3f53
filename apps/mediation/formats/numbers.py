"""Numbers as the rest of the house wants them: digits in international form, without “+”."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from apps.kernel.errors import Problem

_PUNCTUATION = str.maketrans("", "", " -/()\u00a0")


class NumberRules(NamedTuple):
    """How a source writes numbers. Without a country code, national numbers stay as they are."""

    international_prefix: str = "00"
    national_prefix: str = ""
    country_code: str = ""

    def normalise(self, text: str) -> str:
        """International digits of a number; whatever is no number (an APN, a short code, a name) is only trimmed."""
        text = text.strip()
        bare = text.translate(_PUNCTUATION)
        international = bare[:1] == "+"
        digits = bare[1:] if international else bare
        if not (digits.isascii() and digits.isdigit()):
            return text
        if international:
            return digits
        if self.international_prefix and digits.startswith(self.international_prefix):
            return digits[len(self.international_prefix) :]
        if self.country_code and self.national_prefix and digits.startswith(self.national_prefix):
            return self.country_code + digits[len(self.national_prefix) :]
        return digits


def number_rules(given: Any, where: str, problems: list[Problem]) -> NumberRules:
    """Rules from a source's ``numbers`` option; what is wrong with it is added to ``problems``."""
    if given is None:
        return NumberRules()
    if not isinstance(given, Mapping):
        problems.append(
            Problem(where, 'must be an object such as {"country_code": "49", "national_prefix": "0"}')
        )
        return NumberRules()
    values = {}
    for name, value in given.items():
        if name not in NumberRules._fields:
            problems.append(
                Problem(f"{where}.{name}", f"is not known; known are {', '.join(NumberRules._fields)}")
            )
        elif not isinstance(value, str) or not (value == "" or (value.isascii() and value.isdigit())):
            problems.append(Problem(f"{where}.{name}", f"must be digits in quotes, not {value!r}"))
        else:
            values[name] = value
    rules = NumberRules(**values)
    if rules.national_prefix and not rules.country_code:
        problems.append(Problem(f"{where}.country_code", "is needed where national_prefix is given"))
    return rules
