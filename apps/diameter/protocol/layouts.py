"""Whole groups read at once: a gateway sends a group, and the message itself, with the same headers again and again.

A layout is learned from a group that was read member by member without a fault. It holds for a group of the same
length in which every header is the same octet for octet, so everything that depends on headers alone (lengths, flags,
grammar) has been proven; what depends on the data is checked each time.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from apps.diameter.protocol.definitions import AvpType
from apps.diameter.protocol.grammar.plans import Plan

MAX_LAYOUTS = 256
"""Remembered for one kind of group."""
MISSES_BEFORE_LEARNING_ANEW = 64

_FORMS = {
    int(AvpType.UNSIGNED32): "I",
    int(AvpType.TIME): "I",
    int(AvpType.UNSIGNED64): "Q",
    int(AvpType.INTEGER32): "i",
    int(AvpType.ENUMERATED): "i",
    int(AvpType.INTEGER64): "q",
}
_SKIPPED_FORM = -2
# Of these only what stands in the message itself is used, so that several of one name do not get in each other's way.
_READ_IN_PLACE = frozenset((int(AvpType.GROUPED), int(AvpType.RAW)))

ALONE, FIRST_OF_MANY, ONE_MORE = range(3)
"""A member's place among those of its name: it may stand once, or it begins or goes on with their list."""


class Member(NamedTuple):
    """A member whose value needs more than unpacking: its conversion, check, or reading as a group."""

    name: str
    kind: int
    place: int
    position: int
    """From the group's first octet to the AVP's header."""
    start: int
    """From the group's first octet to the data."""
    after: int
    entry: Any


class Layout:
    """How a group of one length was composed."""

    __slots__ = ("headers", "members", "misses", "names", "unpack")

    def __init__(
        self, form: str, headers: tuple[bytes, ...], names: tuple[str, ...], members: tuple[Member, ...]
    ) -> None:
        self.unpack = Struct(form).unpack_from
        self.headers = headers
        self.names = names
        self.members = members
        self.misses = 0


Walked = list[tuple[int, tuple[Any, ...]]]
"""Positions and shapes of the members of a group, in their order."""


def learn_nothing(plan: Plan, octets: int) -> None:
    """Remember that a group of this length is one for the walk: a layout that no group has."""
    if len(plan.layouts) >= MAX_LAYOUTS:
        plan.layouts.clear()
    plan.layouts[octets] = Layout("", (b"",), (), ())


def learn_layout(plan: Plan, data: bytes, start: int, end: int, walked: Walked) -> None:
    """Remember how the group between ``start`` and ``end`` was composed; or that it is one for the walk."""
    form, headers, names, members = [">"], [], [], []
    seen: set[str] = set()
    for position, (name, kind, repeated, header_octets, octets, step, entry) in walked:
        if name in seen and kind not in _READ_IN_PLACE:
            learn_nothing(plan, end - start)
            return
        padding = min(position + step, end) - position - header_octets - octets
        form.append(f"{header_octets}s")
        headers.append(data[position : position + header_octets])
        if kind == _SKIPPED_FORM:
            # It takes a place among the values, which are dealt out by name; "" is taken out again.
            names.append("")
            form.append(f"{octets}s")
        else:
            place = ALONE if not repeated else ONE_MORE if name in seen else FIRST_OF_MANY
            seen.add(name)
            names.append(name)
            form.append(_FORMS.get(kind) or f"{octets}s")
            plain = (
                kind in _FORMS and kind != AvpType.TIME and (entry[4] is None or kind != AvpType.ENUMERATED)
            )
            if repeated or not (plain or kind == AvpType.OCTETS):
                offset = position - start
                data_start = offset + header_octets
                members.append(Member(name, kind, place, offset, data_start, data_start + octets, entry))
        if padding > 0:
            form.append(f"{padding}x")
    if len(plan.layouts) >= MAX_LAYOUTS:
        plan.layouts.clear()
    plan.layouts[end - start] = Layout("".join(form), tuple(headers), tuple(names), tuple(members))
