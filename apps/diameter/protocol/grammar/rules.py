"""The form of a grammar: names of AVPs by how often they may appear. Anything else is allowed anywhere (``*[AVP]``)."""

from __future__ import annotations

from typing import NamedTuple


class Grammar(NamedTuple):
    """The members of one command or group."""

    required: tuple[str, ...]
    """Exactly once."""
    optional: tuple[str, ...]
    """At most once."""
    repeated: tuple[str, ...]
    """Any number of times; a list in the decoded form."""
    required_repeated: tuple[str, ...]
    """Once or more; a list in the decoded form."""


def grammar(
    required: str = "", *, optional: str = "", repeated: str = "", required_repeated: str = ""
) -> Grammar:
    """A grammar from names split by blanks."""
    return Grammar(
        tuple(required.split()),
        tuple(optional.split()),
        tuple(repeated.split()),
        tuple(required_repeated.split()),
    )
