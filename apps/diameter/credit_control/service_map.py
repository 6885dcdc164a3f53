"""Which service of the house a request is about: by service context, rating group and service identifier.

Service-Context-Id: RFC 8506 section 8.42, and TS 32.299 section 7.1.12, by which 3GPP's own begin with extensions, MNC,
MCC and release, each before a dot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class ServiceRule(NamedTuple):
    """One row of the map. ``context`` is a Service-Context-Id, its end after a dot (``32251@3gpp.org``), or a pattern
    in which * stands for anything (``gprs*@operator``); empty = any.

    ``rating_group`` and ``service_identifier`` None = any. ``service`` is the code of a Service. ``charging_mode`` is
    how its usage is charged, if not as the account's.
    """

    context: str
    rating_group: int | None
    service_identifier: int | None
    service: str
    charging_mode: str = ""


DEFAULT_RULES = (
    ServiceRule("32251@3gpp.org", None, None, "data"),
    ServiceRule("32260@3gpp.org", None, None, "voice"),
    ServiceRule("32276@3gpp.org", None, None, "voice"),
    ServiceRule("32275@3gpp.org", None, None, "voice"),
    ServiceRule("32274@3gpp.org", None, None, "sms"),
    ServiceRule("32270@3gpp.org", None, None, "mms"),
)
"""The contexts of 3GPP TS 32.251 (packets), 32.260, 32.276 and 32.275 (calls), 32.274 (SMS) and 32.270 (MMS)."""

MAX_CACHED = 10_000
LONGEST_CACHED_CONTEXT = 255


class ServiceMap:
    """Finds the service; of several rules that fit, the most specific one, then the longest context.

    A service identifier counts for more than a rating group, that for more than a context, and that for more than a
    pattern.
    """

    def __init__(self, rules: Iterable[ServiceRule]) -> None:
        self._rules = sorted(
            rules,
            key=lambda rule: (
                rule.service_identifier is None,
                rule.rating_group is None,
                "*" in rule.context,
                -len(rule.context),
            ),
        )
        self.has_modes = any(rule.charging_mode for rule in self._rules)
        self._found: dict[tuple[str, int | None, int | None], str] = {}

    def service(self, context: str, rating_group: int | None, service_identifier: int | None) -> str:
        """The service's code, or an empty text if no rule fits: charging then says that it cannot be rated."""
        key = (context, rating_group, service_identifier)
        found = self._found.get(key)
        if found is None:
            found = next((rule.service for rule in self._rules if _fits(rule, *key)), "")
            if len(self._found) >= MAX_CACHED:
                self._found.clear()
            if len(context) <= LONGEST_CACHED_CONTEXT:
                self._found[key] = found
        return found

    def charging_mode(self, context: str, rating_group: int | None, service_identifier: int | None) -> str:
        """How usage is charged by the rule that fits; empty: as the account's."""
        key = (context, rating_group, service_identifier)
        return next((rule.charging_mode for rule in self._rules if _fits(rule, *key)), "")


def _fits(rule: ServiceRule, context: str, rating_group: int | None, service_identifier: int | None) -> bool:
    return (
        (not rule.context or _is_context(rule.context, context))
        and rule.rating_group in (None, rating_group)
        and rule.service_identifier in (None, service_identifier)
    )


def _is_context(pattern: str, context: str) -> bool:
    if "*" in pattern:
        return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), context, re.DOTALL) is not None
    return context == pattern or context.endswith(f".{pattern}")


def missing_rule(context: str, rating_group: int | None, service_identifier: int | None) -> str:
    """Which rule the operator has to add for a request that none fits."""
    parts = [f"context {context}"]
    if rating_group is not None:
        parts.append(f"rating group {rating_group}")
    if service_identifier is not None:
        parts.append(f"service identifier {service_identifier}")
    return f"no service rule fits {', '.join(parts)}"
