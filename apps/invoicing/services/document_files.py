"""Documents on disk. A document appears under its name whole or not at all, and a former one is never lost.

Every function may be repeated after a crash at any point of it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from apps.kernel.errors import BssError, Conflict


class FolderUnusable(BssError):
    """Documents cannot be written now: a full disk, missing permissions. It is no bill's fault."""

    code = "invoices_folder_unusable"


def path_of(relative: str) -> Path:
    """The file of a document's path. Raises Conflict for a path that leads out of the invoices folder."""
    root = Path(settings.INVOICES_DIR)
    path = root / relative
    if not relative or not path.resolve().is_relative_to(root.resolve()):
        raise Conflict(f"“{relative}” is no document in the invoices folder", code="document_missing")
    return path


def write_temporary(folder: Path, name: str, content: bytes) -> Path:
    """The content, safe on disk, in the folder of its later name. Raises FolderUnusable."""
    temporary = folder / f".{name}.{secrets.token_hex(6)}.tmp"
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise FolderUnusable(
            f"a document could not be written ({error.strerror}). Free space or mend the permissions of the folder; "
            "the bills stay due",
            where=str(folder),
        ) from error
    return temporary


def put_in_place(temporary: Path, final: Path) -> None:
    """Give the document its name; an older file of that name is replaced atomically."""
    try:
        os.replace(temporary, final)
    except OSError as error:
        raise FolderUnusable(
            f"a document could not be given its name ({error.strerror})", where=str(final)
        ) from error


def sync_folders(folders: Iterable[Path]) -> None:
    """Make names that were given in these folders outlive a loss of power."""
    for folder in set(folders):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def keep_under_another_name(current: Path, former: Path, sha256: str) -> bool:
    """Give a document a second name before its first goes to a later revision; False if there is none to keep.

    Raises Conflict if the file is not the one that was written.
    """
    if not current.exists():
        return former.exists() and digest_of(former) == sha256
    if digest_of(current) != sha256:
        raise Conflict(
            "the file is not the document that was written; move it elsewhere and the document is issued again",
            code="document_changed",
            where=str(current),
        )
    with suppress(FileExistsError):
        os.link(current, former)
    if digest_of(former) != sha256:
        # Left by a failed attempt long ago; the document itself is kept now.
        spare = former.with_name(f".{former.name}.{secrets.token_hex(6)}.tmp")
        os.link(current, spare)
        os.replace(spare, former)
    sync_folders([former.parent])
    return True


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what killed processes have left of this document's temporary files."""
    for leftover in folder.glob(f".{name}.*.tmp"):
        with suppress(OSError):
            leftover.unlink()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
