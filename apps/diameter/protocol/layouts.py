"""Whole messages read at once: a gateway sends the same headers again and again, and only the data differs.

A layout is learned from a message, or a group of one, that was read AVP by AVP without a fault. It holds for one of the
same length in which every header, those within groups too, is the same octet for octet; so everything that depends on
headers alone (lengths, flags, grammar) has been proven, and what depends on the data is checked each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

from apps.diameter.protocol.definitions import AvpType
from apps.diameter.protocol.grammar.plans import Plan, Shape

MAX_LAYOUTS = 256
"""Remembered for one kind of group."""
MAX_MEMBERS = 250
"""Messages of more are rare, and what would be remembered of one is large."""
MISSES_BEFORE_LEARNING_ANEW = 64

ALONE, FIRST_OF_MANY, ONE_MORE = range(3)
"""A member's place among those of its name: it may stand once, or it begins or goes on with their list."""

_SKIPPED = -2
_GROUP, _RAW = int(AvpType.GROUPED), int(AvpType.RAW)
_ENUM = int(AvpType.ENUMERATED)
_FORMS = {
    int(AvpType.UNSIGNED32): "I",
    int(AvpType.TIME): "I",
    int(AvpType.UNSIGNED64): "Q",
    int(AvpType.INTEGER32): "i",
    _ENUM: "i",
    int(AvpType.INTEGER64): "q",
}
_CONVERTED = (int(AvpType.UTF8), int(AvpType.IDENTITY), int(AvpType.TIME), int(AvpType.ADDRESS))

Walked = list[tuple[int, Shape, "Walked | None"]]
"""Positions and shapes of the members of a group in their order, and those within the members that are groups."""


class Group(NamedTuple):
    """A group within the message: its parent, and its members, whose values or places lie side by side."""

    parent: int
    """Which of the groups holds it, counted from 0, the message itself."""
    name: str
    place: int
    names: tuple[str, ...]
    first: int
    after: int


class Raw(NamedTuple):
    """A member that is kept as its octets and read in place."""

    group: int
    level: int
    name: str
    place: int
    position: int
    """From the first octet of what the layout is of to the AVP's header, its data, and behind that."""
    start: int
    end: int
    entry: Any


class Layout:
    """How a message or a group was composed; its lists of numbers say which values need what to be what they are."""

    __slots__ = (
        "addresses",
        "enumerated",
        "groups",
        "headers",
        "identities",
        "levels",
        "listed",
        "misses",
        "names",
        "order",
        "raw",
        "texts",
        "times",
        "unpack_headers",
        "unpack_values",
    )

    def __init__(self, header_form: str, headers: tuple[bytes, ...], value_form: str) -> None:
        self.unpack_headers = Struct(header_form).unpack_from
        self.unpack_values = Struct(value_form).unpack_from
        self.headers = headers
        self.order: Callable[[Any], tuple[Any, ...]] | None = None
        """Puts what belongs to a group side by side, with the None behind the values where a member is no plain one."""
        self.names: tuple[str, ...] = ()
        """Of the members of what the layout is of, whose values or places are the first ones."""
        self.texts: tuple[int, ...] = ()
        self.identities: tuple[int, ...] = ()
        self.times: tuple[int, ...] = ()
        self.addresses: tuple[int, ...] = ()
        self.enumerated: tuple[tuple[int, frozenset[int]], ...] = ()
        self.listed: tuple[int, ...] = ()
        """Those that may stand several times and stand once."""
        self.groups: tuple[Group, ...] = ()
        self.raw: tuple[Raw, ...] = ()
        self.levels = 0
        """How deep groups are nested."""
        self.misses = 0


def layout_key(data: bytes, start: int, end: int) -> tuple[int, bytes]:
    """By what a layout is found: the octets of the group and its first header (of a message, the Session-Id's)."""
    return end - start, data[start : start + 8]


def learn_nothing(plan: Plan, key: tuple[int, bytes], misses: int = 0) -> None:
    """Remember that such a group is one for the walk: a layout that no group has."""
    layout = Layout("", (b"",), "")
    layout.misses = misses
    _remember(plan, key, layout)


def learn_next_time(plan: Plan, key: tuple[int, bytes]) -> None:
    """Remember that there was one: what comes once only is not worth learning."""
    learn_nothing(plan, key, MISSES_BEFORE_LEARNING_ANEW)


def learn_layout(plan: Plan, data: bytes, start: int, end: int, walked: Walked) -> None:
    """Remember how what lies between ``start`` and ``end`` was composed; or that it is for the walk."""
    key = layout_key(data, start, end)
    survey = _Survey(data, start)
    if survey.walk(walked, end, 0, 0) and len(survey.members) + len(survey.groups) <= MAX_MEMBERS:
        _remember(plan, key, survey.layout())
    else:
        learn_nothing(plan, key)


def _remember(plan: Plan, key: tuple[int, bytes], layout: Layout) -> None:
    if len(plan.layouts) >= MAX_LAYOUTS:
        plan.layouts.clear()
    plan.layouts[key] = layout


class _Member(NamedTuple):
    group: int
    name: str
    kind: int
    value: int
    """Its number among the values; -1 if it is no plain value."""
    known: frozenset[int] | None = None
    listed: bool = False


class _Survey:
    """A layout in the making."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.start = data, start
        self.header_form, self.value_form = [">"], [">"]
        self.headers: list[bytes] = []
        self.members: list[_Member] = []
        """In the order of the message."""
        self.values = 0
        self.groups: list[tuple[int, str, int]] = [(-1, "", ALONE)]
        self.raw: list[Raw] = []
        self.levels = 0
        self._header_end = -1

    def walk(self, walked: Walked, end: int, group: int, level: int) -> bool:
        """Take the members of one group in; False if they cannot be had at once."""
        self.levels = max(self.levels, level)
        seen: set[str] = set()
        for position, (name, kind, repeated, header_octets, octets, step, entry), within in walked:
            if name in seen and kind not in (_GROUP, _RAW):
                return False
            place = ALONE if not repeated else ONE_MORE if name in seen else FIRST_OF_MANY
            data_start = position + header_octets
            after = data_start + octets
            self._header(position, header_octets)
            if kind != _SKIPPED:
                seen.add(name)
            if kind in (_GROUP, _RAW) and place != ONE_MORE:
                # Its place, so that members are named in the order in which they came.
                self.members.append(_Member(group, name, kind, -1))
            if kind == _GROUP:
                self.groups.append((group, name, place))
                if not self.walk(within or [], after, len(self.groups) - 1, level + 1):
                    return False
                self._pass(min(position + step, end) - after)
                continue
            if kind in (_SKIPPED, _RAW):
                self._pass(octets)
            else:
                self.value_form.append(_FORMS.get(kind) or f"{octets}s")
                if octets:
                    self.header_form.append(f"{octets}x")
                self.members.append(_Member(group, name, kind, self.values, entry[4], place != ALONE))
                self.values += 1
            if kind == _RAW:
                places = (position - self.start, data_start - self.start, after - self.start)
                self.raw.append(Raw(group, level, name, place, *places, entry))
            self._pass(min(position + step, end) - after)
        return True

    def layout(self) -> Layout:
        forms = ("".join(self.header_form), tuple(self.headers), "".join(self.value_form))
        layout = Layout(*forms)
        members = sorted(self.members, key=lambda member: member.group)
        order = [member.value for member in members]
        if order != list(range(self.values)):
            layout.order = _picker(order)
        names: list[list[str]] = [[] for _ in self.groups]
        for member in members:
            names[member.group].append(member.name)
        bounds, first = [], 0
        for (parent, name, place), own in zip(self.groups, names, strict=True):
            bounds.append(Group(parent, name, place, tuple(own), first, first + len(own)))
            first += len(own)
        layout.names, layout.groups = bounds[0].names, tuple(bounds[1:])
        layout.texts, layout.identities, layout.times, layout.addresses = (
            _places(index for index, member in enumerate(members) if member.kind == kind)
            for kind in _CONVERTED
        )
        layout.enumerated = tuple(
            (index, member.known)
            for index, member in enumerate(members)
            if member.kind == _ENUM and member.known is not None
        )
        layout.listed = _places(index for index, member in enumerate(members) if member.listed)
        layout.raw, layout.levels = tuple(self.raw), self.levels
        return layout

    def _header(self, position: int, octets: int) -> None:
        header = self.data[position : position + octets]
        if position == self._header_end:
            # Of a group and its first member: one comparison does for both.
            self.headers[-1] += header
            self.header_form[-1] = f"{len(self.headers[-1])}s"
        else:
            self.headers.append(header)
            self.header_form.append(f"{octets}s")
        self.value_form.append(f"{octets}x")
        self._header_end = position + octets

    def _pass(self, octets: int) -> None:
        if octets > 0:
            self.header_form.append(f"{octets}x")
            self.value_form.append(f"{octets}x")


def _picker(order: list[int]) -> Callable[[Any], tuple[Any, ...]]:
    return itemgetter(*order) if len(order) > 1 else lambda values: (values[order[0]],)


def _places(indexes: Iterable[int]) -> tuple[int, ...]:
    return tuple(indexes)
