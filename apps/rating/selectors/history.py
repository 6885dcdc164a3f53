"""The history of the tariff in its git directory: a commit a version, and how the two stand to each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from apps.kernel.errors import InvalidInput, NotFound
from apps.rating.domain import source as src
from apps.rating.domain.history_files import FileDifference, differences, history_files, source_of
from apps.rating.domain.snapshot import decode, encode
from apps.rating.models import TariffVersion
from apps.storage.git import Commit, GitDirectory, GitFailed

VERSION = "Tariff-Version"
CONTENT = "Content-SHA256"
SET_ASIDE = ".set-aside-"


class HistoryState(NamedTuple):
    """How the directory stands to the database, in one sentence."""

    in_step: bool
    text: str


def history_directory() -> GitDirectory | None:
    """Where the history is; None if it is switched off."""
    path: Path | None = settings.TARIFF_HISTORY_DIR
    return GitDirectory(path) if path is not None else None


def history_state() -> HistoryState:
    """Whether the directory has every version, and if not, why."""
    directory = history_directory()
    newest = TariffVersion.objects.order_by("-id").values_list("id", flat=True).first() or 0
    if directory is None:
        return HistoryState(True, "The history in git is switched off (BSS_TARIFF_HISTORY).")
    aside = sorted(directory.path.parent.glob(f"{directory.path.name}{SET_ASIDE}*"))
    rest = f" Damaged ones were set aside: {', '.join(path.name for path in aside)}." if aside else ""
    if not directory.exists():
        text = f"There is no history at {directory.path} yet"
        return HistoryState(not newest, f"{text}; it is made from the database within the hour.{rest}")
    try:
        tip = directory.tip()
    except GitFailed as error:
        text = f"The history at {directory.path} cannot be read ({error})"
        return HistoryState(
            False, f"{text}; it is set aside and made from the database within the hour.{rest}"
        )
    reached = version_of(tip) if tip is not None else 0
    if reached == newest:
        return HistoryState(True, f"The history at {directory.path} has every version.{rest}")
    text = f"The history at {directory.path} is at version {reached} of {newest}"
    return HistoryState(False, f"{text}; the rest follows within the hour, or by tarifflog write.{rest}")


def version_of(commit: Commit) -> int:
    """The version that a commit holds. Raises GitFailed if it is none of ours."""
    try:
        return int(commit.trailers[VERSION])
    except (KeyError, ValueError) as error:
        raise GitFailed(f"commit {commit.id} names no tariff version") from error


def commits_by_version() -> dict[int, Commit]:
    """Every commit by its version, the newest first; nothing if there is no history that can be read."""
    directory = history_directory()
    if directory is None or not directory.exists():
        return {}
    try:
        return {version_of(commit): commit for commit in directory.log()} if directory.tip() else {}
    except GitFailed:
        return {}


def committed_source(commit_id: str) -> tuple[int, src.TariffSource]:
    """The version of a commit (its id may be shortened) and what prices depended on.

    Raises NotFound, or InvalidInput if the commit is damaged.
    """
    directory = history_directory()
    if directory is None or not directory.exists():
        raise NotFound("there is no tariff history in git to look a commit up in (BSS_TARIFF_HISTORY)")
    try:
        commit = directory.find(commit_id)
        files = directory.files(commit.id)
        version_id = version_of(commit)
    except GitFailed as error:
        raise NotFound(f"the tariff history has no commit {commit_id} that can be read ({error})") from error
    source = source_of(files)
    if encode(source).content_hash != commit.trailers.get(CONTENT):
        raise InvalidInput(f"commit {commit_id} of the tariff history is not what was published")
    return version_id, source


def version_files(version_id: int) -> dict[str, bytes]:
    """A version's files, from the database. Raises NotFound."""
    found = TariffVersion.objects.filter(pk=version_id).values_list("snapshot", "terms").first()
    if found is None:
        raise NotFound(f"there is no tariff version {version_id}")
    return history_files(decode(bytes(found[0])), found[1])


def version_differences(before: int | None, after: int) -> list[FileDifference]:
    """What differs between two versions; without ``before``, everything. Raises NotFound."""
    return differences({} if before is None else version_files(before), version_files(after))


def change_summary(changes: Sequence[FileDifference]) -> str:
    """A line a file: how many rows were added and removed."""
    return "\n".join(
        f"{change.path}: "
        + (
            f"{len(change.added)} added, {len(change.removed)} removed"
            if change.added or change.removed
            else "in another order"
        )
        for change in changes
    )
