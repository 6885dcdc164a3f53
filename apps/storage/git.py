"""A bare git directory that keeps files and their history, written and read by git itself.

One process writes at a time, behind a lock of its own; a commit is whole or it is not there, whenever the writer dies.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

BRANCH = "refs/heads/main"
# Fields and commits are split by octets that no name or message has.
_FIELD, _COMMIT = "\x1f", "\x1e"


class GitFailed(Exception):
    """git is not there, cannot use the directory, or does not find in it what should be there."""


class NewCommit(NamedTuple):
    """All files of a commit by path, who made the change, when, and why with ``trailers`` for programs."""

    files: Mapping[str, bytes]
    author: str
    at: datetime
    message: str
    trailers: Mapping[str, str]


class Commit(NamedTuple):
    """A commit as the log tells it; ``message`` is without its trailers."""

    id: str
    author: str
    at: datetime
    message: str
    trailers: Mapping[str, str]

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


class GitDirectory:
    """Commits of whole sets of files on one branch. Every method but ``exists`` raises GitFailed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer. What a killed git left locked is unlocked: no other process can be at work."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / f"{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for stale in (f"{BRANCH}.lock", "HEAD.lock", "packed-refs.lock"):
                (self.path / stale).unlink(missing_ok=True)
            yield

    def create(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._run("init", "--quiet", "--bare", "--initial-branch=main", str(self.path))

    def version(self) -> str:
        """git's own version."""
        return self._run("--version").decode().strip()

    def check(self) -> None:
        """Read every object and compare it with its hash."""
        self._run("fsck", "--full", "--no-dangling", "--no-progress")

    def tip(self) -> Commit | None:
        """The newest commit; None if there is none yet."""
        # Fails where HEAD or the configuration is damaged; a branch without commits is in order.
        self._run("rev-parse", "--is-bare-repository")
        if not self._run("for-each-ref", BRANCH):
            return None
        return next(iter(self.log(1)))

    def log(self, limit: int | None = None, first: str = BRANCH) -> list[Commit]:
        """Commits, the newest first."""
        shown = _FIELD.join(("%H", "%an", "%at", "%B")) + _COMMIT
        many = () if limit is None else (f"--max-count={limit}",)
        text = self._run("log", *many, f"--format={shown}", "--end-of-options", first).decode()
        return [_commit(entry.lstrip("\n")) for entry in text.split(_COMMIT) if entry.strip()]

    def find(self, name: str) -> Commit:
        """The commit of a (shortened) id."""
        return self.log(1, f"{name}^{{commit}}")[0]

    def files(self, commit_id: str) -> dict[str, bytes]:
        """What a commit holds, by path."""
        packed = self._run("archive", "--format=tar", commit_id)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return {
                member.name: content.read()
                for member in archive
                if (content := archive.extractfile(member)) is not None
            }

    def append(self, commits: Iterable[NewCommit]) -> int:
        """Write commits on top of the newest; returns how many. If it fails, none of them is there."""
        parent = self.tip()
        count = 0
        process = subprocess.Popen(
            ["git", "fast-import", "--quiet", "--done"],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        try:
            for commit in commits:
                since = ("" if parent is None else parent.id) if count == 0 else f":{count}"
                count += 1
                _write(process.stdin, commit, count, since)
            process.stdin.write(b"done\n")
        except BrokenPipeError:
            # It says below why it ended.
            pass
        except BaseException:
            # Without “done” it writes nothing.
            process.kill()
            process.communicate()
            raise
        _, said = process.communicate()
        if process.returncode:
            raise GitFailed(f"git fast-import: {_said(said)}")
        self._run("-c", "gc.autoDetach=false", "gc", "--auto", "--quiet")
        return count

    def _run(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *arguments], env=self._environment(), capture_output=True, check=False
            )
        except OSError as error:
            raise GitFailed(f"git cannot be run: {error.strerror}; install it") from error
        if done.returncode:
            command = next(word for word in arguments if not word.startswith("-") and "=" not in word)
            raise GitFailed(f"git {command}: {_said(done.stderr)}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """No configuration, hooks or surrounding repository of the caller."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return kept | {
            "GIT_DIR": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "LC_ALL": "C.UTF-8",
        }


def _write(stream: IO[bytes], commit: NewCommit, mark: int, parent: str) -> None:
    seconds = int(commit.at.timestamp())
    name = " ".join(re.sub(r"[<>\x00-\x1f]", " ", commit.author).split()) or "unknown"
    trailers = "\n".join(f"{key}: {value}" for key, value in commit.trailers.items())
    body = re.sub(r"[\x00\x1e\x1f]", " ", commit.message).strip()
    message = f"{body}\n\n{trailers}\n".encode()
    stream.write(
        f"commit {BRANCH}\nmark :{mark}\nauthor {name} <> {seconds} +0000\n"
        f"committer {name} <> {seconds} +0000\n".encode()
    )
    stream.write(b"data %d\n%b\n" % (len(message), message))
    if parent:
        stream.write(f"from {parent}\n".encode())
    stream.write(b"deleteall\n")
    for path in sorted(commit.files):
        content = commit.files[path]
        stream.write(b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(content), content))


def _commit(entry: str) -> Commit:
    commit_id, author, seconds, text = entry.split(_FIELD, 3)
    message, _, last = text.strip().rpartition("\n\n")
    trailers = dict(line.split(": ", 1) for line in last.splitlines() if ": " in line)
    return Commit(commit_id, author, datetime.fromtimestamp(int(seconds), UTC), message, trailers)


def _said(octets: bytes) -> str:
    lines = octets.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "it failed without a word"
