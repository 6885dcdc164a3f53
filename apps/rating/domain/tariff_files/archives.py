"""Folders as archives (zip), in and out; nothing is ever unpacked onto a disk."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from apps.kernel.errors import InvalidInput

# The earliest time that an archive can hold: the same content makes the same archive.
_ARCHIVE_TIME = (1980, 1, 1, 0, 0, 0)
# Within what a MariaDB takes in one statement as it is set up.
MAX_ARCHIVE_BYTES = 12 << 20
MAX_CONTENT_BYTES = 512 << 20
MAX_ENTRIES = 1_000
_CHUNK = 1 << 20


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """The files (by name without ``.csv``) as a zip archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as folder:
        for name, text in files.items():
            entry = zipfile.ZipInfo(f"{name}.csv", _ARCHIVE_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            folder.writestr(entry, text)
    return archive.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of an archive by their names, from any of its folders.

    Raises InvalidInput if it is no zip archive, too large, encrypted, or has two files of one name.
    """
    if len(data) > MAX_ARCHIVE_BYTES:
        raise InvalidInput(
            f"the archive has {len(data):,} octets; at most {MAX_ARCHIVE_BYTES:,} are taken", code="too_large"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _files(archive, _wanted(archive.infolist()))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise InvalidInput(f"this is not a zip archive that can be read: {error}") from error


def _wanted(entries: Iterable[zipfile.ZipInfo]) -> list[tuple[str, zipfile.ZipInfo]]:
    """The entries with the last part of their path; folders and what file managers hide in archives are passed over."""
    wanted: dict[str, zipfile.ZipInfo] = {}
    for count, entry in enumerate(entries):
        if count >= MAX_ENTRIES:
            raise InvalidInput(f"the archive has more than {MAX_ENTRIES:,} files", code="too_large")
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if entry.is_dir() or path.name.startswith(".") or "__MACOSX" in path.parts:
            continue
        if entry.flag_bits & 1:
            raise InvalidInput("it is encrypted; pack it without a password", where=entry.filename)
        if path.name in wanted:
            raise InvalidInput(
                f"{wanted[path.name].filename} is in the archive too; pack one folder", where=entry.filename
            )
        wanted[path.name] = entry
    return list(wanted.items())


def _files(archive: zipfile.ZipFile, wanted: list[tuple[str, zipfile.ZipInfo]]) -> dict[str, bytes]:
    """The content, counted as it is unpacked: what an archive says of its sizes may be a lie."""
    left = MAX_CONTENT_BYTES
    files = {}
    for name, entry in wanted:
        chunks = []
        with archive.open(entry) as file:
            while chunk := file.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise InvalidInput(
                        f"the archive's content is larger than {MAX_CONTENT_BYTES:,} octets", code="too_large"
                    )
                chunks.append(chunk)
        files[name] = b"".join(chunks)
    return files
