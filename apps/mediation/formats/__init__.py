"""How files are read: a registry with one module a format. Bytes in, records or rejects out; no I/O of their own.

A new format is a new module here with a ``FORMAT`` (see :class:`Format`); nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol

from apps.kernel.errors import InvalidInput
from apps.mediation.domain.records import FileFacts, Reject, UsageRecord

if TYPE_CHECKING:
    from apps.kernel.options import Described

# How much of a file's beginning a format is shown to recognise it by, octets.
HEAD_OCTETS = 65_536


class Reader(Protocol):
    """The part of a binary file that formats use: ``read(n)`` gives at most n octets, none at the end."""

    def read(self, size: int, /) -> bytes: ...


class BytesReader:
    """A Reader of bytes that are in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int, /) -> bytes:
        content, self._content = self._content[:size], self._content[size:]
        return content


class Format(Protocol):
    """A file format. ``options`` below is always what :meth:`options` made of a source's own settings."""

    name: str
    title: str

    def options(self, given: Mapping[str, Any]) -> Any:
        """Validated options of a source; raises InvalidInputs that names each wrong one."""

    def described_options(self) -> Iterable[Described]:
        """All options of the format and their possible values."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is surely of this format."""

    def facts(self, head: bytes, options: Any) -> FileFacts:
        """The file's own description (header); defaults if it has none or is damaged."""

    def read(self, reader: Reader, options: Any) -> Iterator[UsageRecord | Reject]:
        """Every record and every reject of a file, in its order, in bounded memory, for any bytes.

        LEFT_OUT stands for each line that the source's filter leaves out.
        """

    def read_record(self, raw: bytes, preamble: str, options: Any) -> UsageRecord | Reject:
        """One record again from its raw form, as when it was suspended."""


@cache
def formats() -> dict[str, Format]:
    """Every format by its name."""
    found: dict[str, Format] = {}
    for module in iter_modules(__path__, prefix=f"{__name__}."):
        value = getattr(import_module(module.name), "FORMAT", None)
        if value is not None:
            found[value.name] = value
    return found


def format_named(name: str) -> Format:
    """The format of that name; raises InvalidInput that lists the known ones."""
    found = formats().get(name)
    if found is None:
        raise InvalidInput(f"there is no format “{name}”; known are {', '.join(sorted(formats()))}")
    return found


def recognise(head: bytes) -> Format:
    """The format of a file that begins with ``head``; the first by name (protobuf last) that is sure of it."""
    known = formats()
    for name in sorted(known):
        if name != "protobuf" and known[name].recognises(head):
            return known[name]
    return known["protobuf"]
