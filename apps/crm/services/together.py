"""Calls of several threads done together: those that arrive while others are running. A lone call does not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class _Entry(Generic[A, R]):
    """One call: what it asks, and what came of it."""

    __slots__ = ("asked", "error", "result")

    def __init__(self, asked: A) -> None:
        self.asked = asked
        self.result: list[R] = []
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return bool(self.result) or self.error is not None


class Together(Generic[A, R]):
    """``do`` runs up to ``most`` requests in the thread of one of them; one result for each."""

    def __init__(self, do: Callable[[Sequence[A]], Sequence[R]], most: int = 32) -> None:
        self._do = do
        self._most = most
        self._turn = threading.Lock()
        self._waiting: list[_Entry[A, R]] = []
        self._list = threading.Lock()

    def ask(self, asked: A) -> R:
        """The result for ``asked``, or what ``do`` raises for all that it was asked together with."""
        entry: _Entry[A, R] = _Entry(asked)
        with self._list:
            self._waiting.append(entry)
        # The thread that gets the lock runs all waiting requests; the others find theirs done.
        while not entry.is_done:
            with self._turn:
                if not entry.is_done:
                    self._carry_out()
        if entry.error is not None:
            raise entry.error
        return entry.result[0]

    def _carry_out(self) -> None:
        with self._list:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            results = self._do([entry.asked for entry in taken])
        except BaseException as error:
            for entry in taken:
                entry.error = error
        else:
            for entry, result in zip(taken, results, strict=True):
                entry.result.append(result)
