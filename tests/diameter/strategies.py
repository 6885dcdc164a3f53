"""Hypothesis strategies: messages as the grammars allow them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from apps.diameter.protocol.definitions import AvpType
from apps.diameter.protocol.dictionary import BY_NAME
from apps.diameter.protocol.grammar.commands import COMMANDS
from apps.diameter.protocol.grammar.groups import GROUPS
from apps.diameter.protocol.grammar.rules import Grammar
from apps.diameter.protocol.values import address_of_text
from tests.diameter.messages import raw_avp

_TEXT = st.text(max_size=20)
_HOSTS = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)
_ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(
    lambda address: address_of_text(str(address))
)
_PROXY_INFO = st.tuples(_HOSTS, st.binary(max_size=12)).map(
    lambda pair: raw_avp(284, raw_avp(280, pair[0].encode()) + raw_avp(33, pair[1]))
)
_PLAIN = {
    AvpType.OCTETS: st.binary(max_size=20),
    AvpType.UTF8: _TEXT,
    AvpType.UNSIGNED32: st.integers(0, 2**32 - 1),
    AvpType.UNSIGNED64: st.integers(0, 2**64 - 1),
    AvpType.INTEGER32: st.integers(-(2**31), 2**31 - 1),
    AvpType.INTEGER64: st.integers(-(2**63), 2**63 - 1),
    AvpType.IDENTITY: _HOSTS,
    AvpType.TIME: st.integers(-61_505_152, 4_233_462_143),
    AvpType.ADDRESS: _ADDRESSES,
    AvpType.RAW: _PROXY_INFO,
}


def values_of(name: str, depth: int) -> st.SearchStrategy[Any]:
    definition = BY_NAME[name]
    if name == "Failed-AVP":
        return st.binary(max_size=8).map(lambda data: raw_avp(64000, data))
    if definition.type is AvpType.GROUPED:
        return members_of(GROUPS.get(name, Grammar((), (), (), ())), depth - 1)
    if definition.type is AvpType.ENUMERATED:
        return st.sampled_from(sorted(definition.values)) if definition.values else _PLAIN[AvpType.INTEGER32]
    return _PLAIN[definition.type]


@st.composite
def members_of(draw: st.DrawFn, grammar: Grammar, depth: int) -> dict[str, Any]:
    """Values of one command or group; optional members come sometimes, and groups end at ``depth``."""
    values: dict[str, Any] = {}
    for name in grammar.required:
        values[name] = draw(values_of(name, depth))
    for name in grammar.required_repeated:
        values[name] = draw(st.lists(values_of(name, depth), min_size=1, max_size=2))
    if depth <= 0:
        return values
    candidates = [*grammar.optional, *grammar.repeated]
    for name in draw(st.lists(st.sampled_from(candidates), max_size=5, unique=True)) if candidates else ():
        one = values_of(name, depth)
        values[name] = draw(st.lists(one, min_size=1, max_size=3) if name in grammar.repeated else one)
    return values


@st.composite
def commands(
    draw: st.DrawFn, *, codes: tuple[int, ...] = tuple(COMMANDS)
) -> tuple[int, bool, dict[str, Any]]:
    """(command code, is a request, values)."""
    command = COMMANDS[draw(st.sampled_from(codes))]
    is_request = draw(st.booleans())
    return (
        int(command.code),
        is_request,
        draw(members_of(command.request if is_request else command.answer, 4)),
    )
