"""Grammars and dictionary joined into what the codec walks: for each container, what an AVP met in it means."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from apps.diameter.protocol.definitions import AvpDefinition, AvpType
from apps.diameter.protocol.dictionary import BY_KEY, BY_NAME
from apps.diameter.protocol.grammar.commands import COMMANDS, ERROR_ANSWER
from apps.diameter.protocol.grammar.groups import GROUPS
from apps.diameter.protocol.grammar.rules import Grammar, grammar


class Entry(NamedTuple):
    """What an AVP means within its container."""

    name: str
    type: int
    repeated: bool
    plan: Plan | None
    """How its members are read, of a grouped AVP."""
    values: frozenset[int] | None
    definition: AvpDefinition


Shape = tuple[str, int, bool, int, int, int, Any]
"""A header worked out: name, type, repeated, octets of header and of data, octets to the next AVP, the Entry."""

MAX_SHAPES = 2_048


class Plan:
    """How the AVPs of one command or group are read."""

    __slots__ = ("entries", "grammar", "layouts", "required", "required_names", "shapes", "vendor_shapes")

    def __init__(self, members: Grammar) -> None:
        self.grammar = members
        self.required_names: tuple[str, ...] = members.required + members.required_repeated
        self.required = frozenset(self.required_names)
        self.layouts: dict[tuple[int, bytes], Any] = {}
        self.shapes: dict[bytes, Shape] = {}
        self.vendor_shapes: dict[bytes, Shape] = {}
        self.entries: dict[int, Entry] = {}
        for names, repeated in (
            (members.required + members.optional, False),
            (members.repeated + members.required_repeated, True),
        ):
            for name in names:
                if (definition := BY_NAME.get(name)) is None:
                    raise LookupError(f"a grammar names {name}, which is not in the dictionary")
                self.entries[definition.key] = entry_of(definition, repeated)


def remember(shapes: dict[bytes, Shape], header: bytes, shape: Shape) -> Shape:
    """Keep what a header means; nothing that a peer sends makes this grow beyond its bound."""
    if len(shapes) >= MAX_SHAPES:
        shapes.clear()
    shapes[header] = shape
    return shape


def entry_of(definition: AvpDefinition, repeated: bool) -> Entry:
    plan = group_plan(definition.name) if definition.type in (AvpType.GROUPED, AvpType.RAW) else None
    return Entry(definition.name, int(definition.type), repeated, plan, definition.values, definition)


_OPEN = grammar()


@cache
def group_plan(name: str) -> Plan:
    """The plan of a grouped AVP; one without a grammar takes anything any number of times."""
    return Plan(GROUPS.get(name, _OPEN))


REQUEST_PLANS: dict[int, Plan] = {code: Plan(command.request) for code, command in COMMANDS.items()}
ANSWER_PLANS: dict[int, Plan] = {code: Plan(command.answer) for code, command in COMMANDS.items()}
ERROR_ANSWER_PLAN = Plan(ERROR_ANSWER)
# What no grammar names is allowed anywhere, any number of times.
ELSEWHERE: dict[int, Entry] = {key: entry_of(definition, True) for key, definition in BY_KEY.items()}
