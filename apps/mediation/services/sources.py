"""Whose file it is and how it is read."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from apps.kernel.errors import InvalidInput, InvalidInputs, Problem
from apps.mediation.domain.records import FileFacts
from apps.mediation.domain.waiting import SOURCE_OPTIONS
from apps.mediation.formats import Format, format_named, recognise
from apps.mediation.models import Source

# The source of files that name none.
DEFAULT_SOURCE = "default"
_CODE = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.:*-]{0,63}", re.ASCII)


class WrongSource(InvalidInputs):
    """The format or the options of a source are wrong: none of its files can be read."""

    code = SOURCE_OPTIONS

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        super().__init__(
            [Problem(f"source {source.code}: {problem.where}", problem.message) for problem in problems]
        )
        self.source_id = source.pk


class FileReading(NamedTuple):
    """How a file is read: its source, format, the source's validated options, and what the file says of itself."""

    source: Source
    format: Format
    options: Any
    facts: FileFacts


def file_reading(name: str, head: bytes, *, dry_run: bool = False) -> FileReading:
    """Find a file's source by its name, else by its content; a source not met before is registered.

    ``head`` is the file's beginning. Raises InvalidInput if the file names an impossible source, WrongSource if the
    format or the options of its source are wrong.
    """
    source = _source_by_name(name)
    if source is not None:
        return _reading(source, _format_of(source), head)
    format_ = recognise(head)
    code = format_.facts(head, format_.options({})).source or DEFAULT_SOURCE
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            f"the file names the source “{code[:64]}”; a code has up to 64 letters, digits and _ . : -"
        )
    source = Source.objects.filter(code=code).first()
    if source is None:
        source = Source(code=code, format=format_.name)
        if dry_run:
            source.pk = 0
        else:
            source = Source.objects.get_or_create(code=code, defaults={"format": format_.name})[0]
    return _reading(source, format_, head)


def _format_of(source: Source) -> Format:
    """The source's format. A wrong name is a mistake in the source, not in its files."""
    try:
        return format_named(source.format)
    except InvalidInput as error:
        raise WrongSource(source, [Problem("format", error.message)]) from None


def source_options(source: Source, format_: Format) -> Any:
    """The source's options if they are for this format, else the format's defaults; raises WrongSource."""
    if source.format != format_.name:
        return format_.options({})
    try:
        return format_.options(source.options or {})
    except InvalidInputs as error:
        raise WrongSource(source, error.problems) from None


def _reading(source: Source, format_: Format, head: bytes) -> FileReading:
    options = source_options(source, format_)
    return FileReading(source, format_, options, format_.facts(head, options))


def _source_by_name(name: str) -> Source | None:
    matching = [
        source for source in Source.objects.exclude(file_pattern="") if fnmatchcase(name, source.file_pattern)
    ]
    # Of several patterns the longest says most.
    return max(matching, key=lambda source: (len(source.file_pattern), source.code), default=None)
