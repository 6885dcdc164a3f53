"""A cache of open sessions as this process last wrote them; a hit is valid if the row's version is unchanged."""

from __future__ import annotations

from typing import NamedTuple

from apps.charging.domain.sessions import Session

MOST_REMEMBERED = 50_000


class Mark(NamedTuple):
    """What a session's row says of its state: SESSION_MARK_COLUMNS."""

    row_id: int
    version: int


class SessionMemory:
    """Sessions and their owners by session key; shared by the threads of a process.

    Never believed unseen: a session counts only if its row, read under the lock of its account, is the one that this
    process wrote. Owners (account and subscriber) never change.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Mark, Session]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def owner(self, key: str) -> tuple[int, int] | None:
        """Account and subscriber of the session."""
        known = self._known.get(key)
        return None if known is None else (known[1].account_id, known[1].subscriber_id)

    def remembered(self, key: str) -> Session | None:
        """The session as it was when this process wrote it last; another one may have written it since."""
        known = self._known.get(key)
        return None if known is None else known[1]

    def session(self, key: str, mark: Mark) -> Session | None:
        """The session, if ``mark`` is that of the row as it is remembered."""
        known = self._known.get(key)
        return known[1] if known is not None and known[0] == mark else None

    def remember(self, key: str, mark: Mark, session: Session) -> None:
        """The session as it was written, once that is committed."""
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = mark, session

    def drop(self, key: str) -> None:
        """The session has ended."""
        self._known.pop(key, None)

    def clear(self) -> None:
        """Know nothing."""
        self._known.clear()
