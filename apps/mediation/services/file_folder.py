"""Files on disk: which are ready, what they hold, and where they are moved afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

# Names under which senders write a file before they rename it.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".writing", ".swp", "~")
# A file that was changed a moment ago is looked at twice, this many seconds apart.
SETTLE_S = 1.0


# The longest name that file systems take, octets.
_LONGEST_NAME = 255
# A move between file systems writes under “.NAME.PID.part” first.
_ROOM_BESIDE_NAME = 16


class FileState(NamedTuple):
    """What changes when a file is written to or replaced."""

    device: int
    inode: int
    size: int
    modified_ns: int


def state_of(found: os.stat_result) -> FileState:
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def is_ready_name(name: str) -> bool:
    """Whether a file of this name is meant to be read; senders write under other names and rename at the end."""
    return not name.startswith(".") and not name.endswith(UNFINISHED)


def ready_files(folder: Path) -> list[Path]:
    """Files of a folder in the order of their names, without those that are still being written.

    A file changed within the last SETTLE_S seconds is looked at again after that time, and left for the
    next time if it has changed.
    """
    found: dict[Path, FileState] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if is_ready_name(entry.name) and entry.is_file():
                    found[Path(entry.path)] = state_of(entry.stat())
    now_ns = time.time_ns()
    young = [path for path, state in found.items() if now_ns - state.modified_ns < SETTLE_S * 1e9]
    if young:
        time.sleep(SETTLE_S)
    for path in young:
        try:
            unchanged = state_of(path.stat()) == found[path]
        except FileNotFoundError:
            unchanged = False
        if not unchanged:
            del found[path]
    return sorted(found)


def shown_name(path: Path) -> str:
    r"""A file's name as text that can be stored and printed: octets that are no UTF-8 stand as ``\xff``."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


def moved_name(path: Path, *suffixes: str) -> str:
    """The name under which the file is kept: its own, cut if need be, with these suffixes."""
    suffix = os.fsencode("".join(f".{part}" for part in suffixes))
    return os.fsdecode(os.fsencode(path.name)[: _LONGEST_NAME - _ROOM_BESIDE_NAME - len(suffix)] + suffix)


def content_hash(file: IO[bytes]) -> str:
    """SHA-256 of an open file, which is left at its beginning."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO has readinto() if binary.
    file.seek(0)
    return digest


def move_file(
    path: Path,
    folder: Path,
    suffix: str,
    digest: str,
    state: FileState,
    on_step: Callable[[str], None] = lambda step: None,
) -> Path | None:
    """Move a file to ``folder/NAME.suffix``; None if it is gone or is no longer the file that was read.

    Whole or not at all, also between file systems. A file of the same name with other content is kept: the
    newcomer then has the beginning of its hash in its name. Doing it again after a crash ends in the same place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / moved_name(path, suffix)
    if target.exists() and not _has_content(target, digest):
        target = folder / moved_name(path, digest[:12], suffix)
    try:
        if state_of(path.stat()) != state:
            return None
        on_step("moving")
        if os.stat(folder).st_dev == state.device:
            os.replace(path, target)
        else:
            _move_across(path, folder, target, on_step)
    except FileNotFoundError:
        return None
    return target


def _move_across(path: Path, folder: Path, target: Path, on_step: Callable[[str], None]) -> None:
    temporary = folder / f".{target.name}.{os.getpid()}.part"
    try:
        with path.open("rb") as source, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        shutil.copystat(path, temporary)
        on_step("copied")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    on_step("renamed")
    path.unlink()


def _has_content(path: Path, digest: str) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return content_hash(file) == digest
    return False
