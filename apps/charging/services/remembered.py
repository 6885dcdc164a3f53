"""A process's cache of rows that others may change: the age of entries, and whether they are still in use."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Generic, TypeVar

MOST_REMEMBERED = 200_000
ASKED_LATELY_S = 300.0
"""Entries not used within this time, or twice that, are evicted."""

Key = TypeVar("Key")
Held = TypeVar("Held", bound="tuple[Any, ...]")


class Remembered(Generic[Key, Held]):
    """Tuples by key, the first of whose fields says when they were read (seconds); for all threads of a process."""

    def __init__(self) -> None:
        self._held: dict[Key, Held] = {}
        self._lock = threading.Lock()
        # Keys read together, in the order of time.
        self._readings: deque[tuple[float, list[Key]]] = deque()
        self._asked: set[Key] = set()
        self._asked_before: set[Key] = set()
        self._asked_since = 0.0

    def __len__(self) -> int:
        return len(self._held)

    def look_up(self, keys: Collection[Key], oldest: float) -> tuple[dict[Key, Held], list[Key]]:
        """The entries that were not read before ``oldest``, and the keys of the misses."""
        self._asked.update(keys)
        found: dict[Key, Held] = {}
        missing = []
        for key in keys:
            held = self._held.get(key)
            if held is None or held[0] < oldest:
                missing.append(key)
            else:
                found[key] = held
        return found, missing

    def keep(self, values: Mapping[Key, Held], now: float, oldest: float) -> None:
        """Cache values read ``now`` for a request; entries from before ``oldest`` have expired."""
        with self._lock:
            if len(self._held) + len(values) > MOST_REMEMBERED:
                self._forget_all()
            # If ``due`` is never called.
            while self._readings and self._readings[0][0] < oldest:
                self._readings.popleft()
            self._forget_who_asked(now)
            self._held.update(values)
            self._readings.append((now, list(values)))

    def due(self, now: float, before: float) -> dict[Key, Held]:
        """Entries read before ``before``, to be refreshed; those not used lately are evicted instead."""
        found: dict[Key, Held] = {}
        with self._lock:
            self._forget_who_asked(now)
            while self._readings and self._readings[0][0] < before:
                for key in self._readings.popleft()[1]:
                    held = self._held.get(key)
                    if held is None or held[0] >= before:
                        continue
                    if key in self._asked or key in self._asked_before:
                        found[key] = held
                    else:
                        del self._held[key]
        return found

    def renew(self, values: Mapping[Key, Held], former: Mapping[Key, Held], now: float) -> None:
        """Replace entries by their refreshed values; those invalidated meanwhile stay so."""
        with self._lock:
            renewed = [key for key in values if self._held.get(key) is former[key]]
            for key in renewed:
                self._held[key] = values[key]
            self._readings.append((now, renewed))

    def forget(self, keys: Collection[Key] | None = None) -> None:
        """Know nothing of these any more, or nothing at all."""
        with self._lock:
            if keys is None:
                self._forget_all()
                return
            for key in keys:
                self._held.pop(key, None)

    def _forget_all(self) -> None:
        self._held.clear()
        self._readings.clear()

    def _forget_who_asked(self, now: float) -> None:
        if now - self._asked_since >= ASKED_LATELY_S:
            self._asked_before, self._asked = self._asked, set()
            self._asked_since = now
